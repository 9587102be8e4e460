"""The first minutes and the one to show: landing, phone, presentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from sgv_demo.results.store import Store
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.show.handlers import prepare
from tests.browser.conftest import Server, Visitor, arrive, serve

SHIFTS = """window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""


@pytest.fixture
def exhibiting(server: Server, tmp_path: Path, clip: Path) -> Iterator[Server]:
    """A page whose example clip has a result in the store."""
    settings = replace(server.desk.settings, store_dir=tmp_path)
    desk = Desk(settings, server.desk.choices, Store(settings.store_path, 100), [clip])
    prepare(desk)
    yield from serve(desk, server.script)


def test_the_landing_page_shows_a_finished_example_until_ones_own_run_begins(
    browser: Browser, contexts: list[BrowserContext], exhibiting: Server, clip: Path
) -> None:
    for width, theme in ((1440, "light"), (390, "dark")):
        visitor = arrive(browser, contexts, exhibiting.url, width).open(theme)
        example = visitor.page.locator("#example .show")
        expect(example).to_contain_text("A finished example")
        expect(example).to_contain_text("three shots.mp4")
        expect(example).to_contain_text("Scripted, for tests")
        expect(example.locator(".moment:visible")).to_contain_text("First picture")
        example.get_by_role("button", name="Next caption").click()
        expect(example.locator(".moment:visible")).to_contain_text("Pair 1")
        assert not visitor.sideways()
        visitor.picture(f"landing-{width}-{theme}")
        assert visitor.errors == []
    visitor.ready(clip).run()
    expect(visitor.page.locator("#example .show")).to_have_count(0)
    visitor.done()


def test_options_are_folded_and_a_line_says_what_is_set(visitor: Visitor, clip: Path) -> None:
    expect(visitor.page.locator("#mode")).to_be_hidden()
    chosen = visitor.page.locator("#chosen")
    expect(chosen).to_have_text("One caption for each pair · a sample every 2 s · threshold 0.87 (colour histogram)")
    page = visitor.options().page
    page.get_by_label("Fast: one caption for all").check()
    page.get_by_label("Keep every sample").check()
    expect(chosen).to_have_text("One caption for all keyframes · a sample every 2 s · every sample kept")


def test_on_a_phone_the_first_caption_comes_into_view_and_nothing_jumps(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path
) -> None:
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    contexts.append(phone)
    page = phone.new_page()
    page.add_init_script(SHIFTS)
    visitor = Visitor(page, server.url, [], []).open()
    server.script.pause = 0.05
    visitor.upload(clip)
    expect(visitor.button("run")).to_be_enabled()
    visitor.run()
    first = visitor.cards().first
    expect(first.locator(".text")).to_be_in_viewport()
    page.wait_for_function("window.scrollY > 100")
    player = page.locator("#player").bounding_box()
    assert player is not None
    assert -1 <= player["y"] <= 60, "the player stays above"
    assert player["height"] <= 0.3 * 844, "and is small"
    visitor.done()
    shifted = page.evaluate("window.shifted")
    print(f"layout shift over load, upload and run: {shifted:.3f}")
    assert shifted <= 0.1
    visitor.picture("phone-first-caption")
    for tab in page.locator("#tabs [role=tab]:visible").all():
        assert tab.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), "a tab's name is cut"


def test_on_a_phone_who_scrolls_away_after_run_is_left_alone(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path
) -> None:
    visitor = arrive(browser, contexts, server.url, 390, 844).open()
    server.script.gate.clear()
    visitor.ready(clip)
    visitor.page.evaluate("window.scrollTo(0, 0)")
    visitor.run()
    visitor.page.mouse.wheel(0, -300)
    server.script.gate.set()
    visitor.done()
    assert visitor.page.evaluate("window.scrollY") < 60


def test_a_bad_file_leaves_one_sentence_an_empty_drop_zone_and_the_examples(
    browser: Browser, contexts: list[BrowserContext], exhibiting: Server, tmp_path: Path
) -> None:
    visitor = arrive(browser, contexts, exhibiting.url).open()
    text = tmp_path / "holiday.mp4"
    text.write_text("not a video")
    visitor.upload(text)
    page = visitor.page
    expect(page.locator("#progress .trouble")).to_be_visible()
    expect(page.locator("#player video")).to_have_count(0)
    expect(page.locator("#player input[type=file]").first).to_be_attached()
    expect(page.locator("#examples .example")).to_be_visible()
    expect(page.locator("#unplayable")).to_be_hidden()
    assert "NaN" not in page.locator("body").inner_text()
    assert page.locator("[role=alert]:visible").count() == 1
    expect(page.locator(".toast-wrap .toast-body")).to_have_count(0)
    visitor.picture("bad-file")


@pytest.mark.parametrize("font", ["system-ui", "monospace"])
def test_tabs_and_rooms_never_collide(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, font: str
) -> None:
    visitor = arrive(browser, contexts, server.url, 1024, 768).open()
    visitor.page.add_style_tag(content=f"* {{ font-family: {font} !important; }}")
    visitor.ready(clip).run().done()
    tabs = visitor.page.locator("#tabs [role=tab]:visible").all()
    boxes = [box for tab in tabs if (box := tab.bounding_box())]
    rooms = visitor.page.locator("#rooms .rooms").bounding_box()
    assert rooms is not None
    assert len({round(box["y"]) for box in boxes}) == 1, "the tabs stand in one line"
    for box in boxes:
        beside = box["x"] + box["width"] <= rooms["x"] + 1 or box["y"] >= rooms["y"] + rooms["height"] - 1
        assert beside, "a tab lies over Compare"
    heights = {name: visitor.button(name).evaluate("e => e.offsetHeight") for name in ("run", "stop", "restart")}
    assert len(set(heights.values())) == 1, f"a button wraps: {heights}"


def test_four_captions_are_in_sight_and_only_the_read_one_shows_its_tools(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    page.mouse.move(4, 4)
    for card in visitor.cards().all():
        expect(card.locator(".text")).to_be_in_viewport(ratio=1)
    accurate = page.get_by_role("button", name="Accurate")
    expect(accurate).to_have_count(0)
    visitor.cards().nth(2).hover()
    expect(accurate).to_have_count(1)
    visitor.cards().nth(1).locator(".span").focus()
    expect(visitor.cards().nth(1).get_by_role("button", name="Accurate")).to_be_visible()
    visitor.active(3).get_by_role("button", name="Made up").click()
    visitor.active(0)
    page.mouse.move(4, 4)
    expect(visitor.cards().nth(3).get_by_role("button", name="Made up")).to_be_visible()


def test_a_shared_link_opens_as_a_presentation(
    visitor: Visitor, browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path
) -> None:
    page = visitor.ready(clip).run().done().page
    page.locator("[data-room=share]").click()
    page.get_by_label("with the video itself").check()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Link", exact=True).input_value()
    for width, theme in ((1440, "light"), (1024, "dark"), (390, "light")):
        guest = arrive(browser, contexts, server.url, width)
        guest.page.goto(f"{link}&__theme={theme}")
        show = guest.page.locator("#show .show")
        moment = show.locator(".moment:visible")
        expect(moment).to_contain_text("First picture")
        expect(guest.page.locator("#main")).to_be_hidden()
        expect(guest.page.locator(".first-hint")).to_have_count(0)
        guest.page.keyboard.press("ArrowRight")
        guest.page.keyboard.press("PageDown")
        expect(moment).to_contain_text("Pair 2")
        guest.page.wait_for_function("document.querySelector('#show video').currentTime >= 2")
        expect(moment.locator(".chips")).to_be_hidden()
        guest.page.keyboard.press("e")
        expect(moment.locator(".chips")).to_be_visible()
        guest.page.keyboard.press("ArrowLeft")
        expect(moment).to_contain_text("Pair 1")
        guest.page.evaluate("document.querySelector('#show video').currentTime = 5")
        expect(moment).to_contain_text("Pair 3")
        assert not guest.sideways()
        guest.picture(f"presentation-{width}-{theme}")
        guest.page.get_by_role("button", name="Look closer").click()
        expect(guest.cards()).to_have_count(4)
        assert guest.errors == []
        assert guest.outside == []


def test_the_report_of_a_link_with_its_video_plays_it(
    visitor: Visitor, browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, tmp_path: Path
) -> None:
    page = visitor.ready(clip).run().done().page
    page.locator("[data-room=share]").click()
    page.get_by_label("with the video itself").check()
    page.get_by_role("button", name="Make a link").click()
    guest = arrive(browser, contexts, server.url)
    guest.page.goto(page.get_by_label("Link", exact=True).input_value())
    guest.page.get_by_role("button", name="Look closer").click()
    with guest.page.expect_download() as got:
        guest.page.locator("#bar a[href$='.html']").click()
    report = tmp_path / "report.html"
    got.value.save_as(report)
    guest.page.goto(report.as_uri())
    guest.page.wait_for_function("document.querySelector('#film').readyState >= 1")
    guest.page.locator("article .span a").nth(3).click()
    guest.page.wait_for_function("document.querySelector('#film').currentTime >= 4")
    guest.picture("report-with-video")
    assert guest.errors == []
    assert guest.outside == []


def test_a_result_without_its_video_is_shown_by_its_frames(
    visitor: Visitor, browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path
) -> None:
    page = visitor.ready(clip).run().done().page
    page.locator("[data-room=share]").click()
    page.get_by_role("button", name="Make a link").click()
    guest = arrive(browser, contexts, server.url)
    guest.page.goto(page.get_by_label("Link", exact=True).input_value())
    picture = guest.page.locator("#show .film img")
    expect(picture).to_be_visible()
    before = picture.get_attribute("src")
    guest.page.keyboard.press("ArrowRight")
    expect(guest.page.locator("#show .moment:visible")).to_contain_text("Pair 1")
    assert picture.get_attribute("src") != before
    assert guest.errors == []


def test_ones_own_result_can_be_presented_with_ones_corrections(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    visitor.active(1)
    page.keyboard.press("e")
    page.get_by_label("Corrected text").fill("As it really was.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#bar .ratings summary")).to_be_visible()
    page.get_by_role("button", name="Present").click()
    expect(page.locator("#show .show")).to_be_visible()
    expect(page.locator("#main")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#show .moment:visible")).to_contain_text("As it really was.")
    page.keyboard.press("Escape")
    expect(page.locator("#main")).to_be_visible()
    expect(visitor.cards().nth(1)).to_have_class(re.compile("current"))


def test_both_strategies_stand_side_by_side_after_one_click(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    visitor.room("Compare")
    page.get_by_role("button", name="Run the other ways, too").click()
    table = page.get_by_role("table", name="Captions side by side")
    expect(table.get_by_role("columnheader").nth(1)).to_contain_text("sliding")
    expect(table.get_by_role("columnheader").nth(2)).to_contain_text("fast")
    for side in (1, 2):
        expect(table.get_by_role("columnheader").nth(side)).to_contain_text(
            re.compile(r"[\d,]+ tokens in, [\d,]+ out · [\d.]+ s")
        )
    expect(table).to_contain_text("All 4 keyframes at once")
    visitor.picture("strategies")


def test_an_engine_that_takes_several_pictures_writes_in_all_three_ways_after_one_click(
    visitor: Visitor, server: Server, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = server.desk.captioner("scripted")
    monkeypatch.setattr(engine, "info", replace(engine.info, sees_several=True))
    page = visitor.ready(clip).run().done().page
    visitor.room("Compare")
    page.get_by_role("button", name="Run the other ways, too").click()
    costs = page.get_by_role("table", name="What each took").get_by_role("row")
    expect(costs).to_have_count(3)
    for row, way in zip(costs.all(), ("sliding", "fast", "sheet"), strict=True):
        expect(row).to_contain_text(re.compile(rf"{way}.*[\d,]+ tokens in, [\d,]+ out · [\d.]+ s"))
    table = page.get_by_role("table", name="Captions side by side")
    expect(table.get_by_role("columnheader").nth(1)).to_contain_text("sliding")
    expect(table).to_contain_text("All 4 keyframes on a sheet")
    assert not visitor.sideways()
    visitor.picture("three-strategies")
