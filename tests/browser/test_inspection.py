"""The inspection room in Chromium on scripted engines: judge, compare, report, history, links, datasets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from sgv_demo.dataset.record import parse
from tests.browser.axe import serious
from tests.browser.conftest import Server, Visitor, arrive

STORED = "JSON.parse(localStorage.getItem({!r}) ?? 'null')"


def _stored(visitor: Visitor, name: str) -> object:
    return visitor.page.evaluate(STORED.format(name))


def _finished(visitor: Visitor, clip: Path) -> Visitor:
    visitor.ready(clip).run().done()
    expect(visitor.page.locator("#bar .room-bar")).to_be_visible()
    return visitor


def _link(visitor: Visitor, *, video: bool = False) -> str:
    visitor.page.locator("[data-room=share]").click()
    if video:
        visitor.page.get_by_label("with the video itself").check()
    visitor.page.get_by_role("button", name="Make a link").click()
    field = visitor.page.get_by_label("Link", exact=True)
    expect(field).to_be_visible()
    address = field.input_value()
    visitor.page.keyboard.press("Escape")
    return address


def test_rating_by_keys_survives_a_reload_and_is_in_the_report(visitor: Visitor, clip: Path) -> None:
    page = _finished(visitor, clip).page
    expect(visitor.cards().nth(0).locator(".verdicts")).to_have_count(1)
    page.locator("body").click(position={"x": 4, "y": 4})
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("3")
    page.keyboard.press("f")
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Corrected <b>by hand</b>.")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("n")
    page.keyboard.type("Check the sky.")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("j")
    page.keyboard.press("1")
    second = visitor.cards().nth(1)
    expect(second.get_by_role("button", name="Made up")).to_have_attribute("aria-pressed", "true")
    expect(second.locator(".text.mine")).to_have_text("Corrected <b>by hand</b>.")
    expect(page.locator("#bar .ratings summary")).to_have_text("Ratings (2)")
    page.locator("#bar .ratings summary").click()
    expect(page.locator("#bar .ratings table")).to_be_visible()
    visitor.active(3).get_by_role("button", name="Accurate").click()
    expect(page.locator("#bar .ratings summary")).to_have_text("Ratings (3)")
    expect(page.locator("#bar .ratings table")).to_be_visible()
    visitor.picture("judged")
    with page.expect_download() as got:
        page.get_by_role("link", name="Report").first.click()
    report = Path(got.value.path()).read_text(encoding="utf-8")
    assert got.value.suggested_filename == "three shots.html"
    assert "made up" in report
    assert "Check the sky." in report
    assert "&lt;b&gt;" in report
    assert report.count("data:image/jpeg") == 4
    visitor.tab("3 Summary")
    with page.expect_download() as got:
        page.get_by_role("link", name="Dataset record").click()
    result, review = parse(Path(got.value.path()).read_text(encoding="utf-8"))
    assert review.of(1).text == "Corrected <b>by hand</b>."
    assert result.captions[1].text.startswith("Pair 1 changes")

    page.reload()
    expect(page.locator("#player input[type=file]").first).to_be_attached()
    page.locator("[data-room=history]").click()
    page.locator(".past", has_text="three shots.mp4").click()
    expect(visitor.cards()).to_have_count(4)
    expect(visitor.cards().nth(1).locator(".text.mine")).to_have_text("Corrected <b>by hand</b>.")
    expect(visitor.cards().nth(1).locator(".my-note")).to_have_text("Check the sky.")
    expect(visitor.cards().nth(2).get_by_role("button", name="Accurate")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#replay")).to_contain_text("wasn't kept")
    visitor.picture("history")


def test_what_is_judged_while_the_run_goes_on_is_kept(visitor: Visitor, clip: Path, server: Server) -> None:
    server.script.fail["summarize"] = "The engine stumbled."
    server.script.gate.clear()
    page = visitor.ready(clip).run().page
    visitor.tab("2 Captions")
    expect(visitor.cards().nth(0)).to_have_class(re.compile("live"))
    server.script.pause = 0.15
    server.script.gate.set()
    expect(visitor.cards().nth(0)).not_to_have_class(re.compile("live"))
    server.script.gate.clear()  # the next caption stays half written
    visitor.active(0).get_by_role("button", name="Made up").click()
    page.wait_for_function("Object.keys(localStorage).some(key => key.startsWith('sgv-review:'))")
    expect(page.locator(".card.live")).to_have_count(1)
    server.script.pause = 0.0
    server.script.gate.set()
    expect(page.locator("#progress")).to_contain_text("The engine stumbled.")
    expect(page.locator("#bar .ratings summary")).to_have_text("Ratings (1)")
    made_up = visitor.cards().nth(0).get_by_role("button", name="Made up")
    expect(made_up).to_have_attribute("aria-pressed", "true")


def test_space_plays_the_span_and_stops_at_its_end(visitor: Visitor, clip: Path) -> None:
    page = _finished(visitor, clip).page
    visitor.cards().nth(1).locator(".text").click()
    page.keyboard.press("k")
    page.keyboard.press("j")
    visitor.at(0.0)
    page.keyboard.press(" ")
    page.wait_for_function("!document.querySelector('#player video').paused")
    page.wait_for_function("document.querySelector('#player video').paused", timeout=20_000)
    assert 1.9 <= visitor.position() <= 2.7


def test_keys_do_nothing_while_one_writes(visitor: Visitor, clip: Path) -> None:
    page = _finished(visitor, clip).page
    page.get_by_placeholder("Find in captions").fill("")
    page.get_by_placeholder("Find in captions").press_sequentially("1j?")
    expect(page.get_by_placeholder("Find in captions")).to_have_value("1j?")
    expect(page.locator("dialog")).to_have_count(0)
    assert page.evaluate("Object.keys(localStorage).filter(k => k.startsWith('sgv-review')).length") == 0
    page.get_by_placeholder("Find in captions").fill("")
    page.locator("body").click(position={"x": 4, "y": 4})
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_second_run_keeps_the_first_for_comparing(visitor: Visitor, clip: Path) -> None:
    page = _finished(visitor, clip).page
    visitor.tab("1 Video")
    page.get_by_label("Fast: one caption for all").check()
    visitor.run()
    expect(page.get_by_role("tab", name="2 Captions (1)")).to_be_visible()
    visitor.done()
    visitor.room("Compare")
    table = page.get_by_role("table", name="Captions side by side")
    expect(table).to_contain_text("sliding · Scripted")
    expect(table).to_contain_text("fast · Scripted")
    expect(page.get_by_role("list", name="What differs")).to_contain_text("Captions: sliding ↔ fast")
    rows = page.locator("#comparison .compare .compare-row")
    expect(rows).to_have_count(2)
    expect(rows.nth(1).locator("del").first).to_be_visible()
    expect(rows.nth(1).locator("ins").first).to_be_visible()
    rows.nth(1).get_by_role("button", name="Frames").click()
    slider = page.locator(".slider input")
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".slider .over")).to_have_attribute("src", re.compile(r"0000\.jpg"))
    assert page.evaluate("document.querySelector('.slider div').style.getPropertyValue('--at')") == "51%"
    visitor.picture("compare")


def test_a_link_opens_read_only_in_another_browser(
    visitor: Visitor, browser: Browser, contexts: list[BrowserContext], clip: Path, server: Server
) -> None:
    page = _finished(visitor, clip).page
    visitor.active(1).get_by_role("button", name="Made up").click()
    expect(page.locator("#bar .ratings summary")).to_have_text("Ratings (1)")
    address = _link(visitor, video=True)
    assert "three" not in address
    assert str(server.desk.store.root) not in address
    guest = arrive(browser, contexts, server.url, 390, 844)
    guest.page.goto(f"{address.split('&t=')[0]}&t=4")
    guest.page.wait_for_function("Math.abs(document.querySelector('#show video')?.currentTime - 4) < 0.3")
    guest.page.get_by_role("button", name="Look closer").click()
    expect(guest.cards()).to_have_count(4)
    guest.cards().nth(1).scroll_into_view_if_needed()  # what was said is drawn where one looks
    expect(guest.cards().nth(1).locator(".tags")).to_have_text("made up")
    expect(guest.page.locator(".verdicts")).to_have_count(0)
    expect(guest.page.locator("[data-room=share]")).to_have_count(0)
    expect(guest.page.locator("#run")).to_be_disabled()
    assert _stored(guest, "sgv-history") is None
    assert not guest.sideways()
    guest.picture("link-390")
    assert guest.errors == []
    assert guest.outside == []


def test_deleting_in_the_history_really_deletes(
    visitor: Visitor, browser: Browser, contexts: list[BrowserContext], clip: Path, server: Server
) -> None:
    page = _finished(visitor, clip).page
    address = _link(visitor)
    assert [p.name for p in server.desk.store.root.iterdir()]
    page.locator("[data-room=history]").click()
    page.get_by_role("button", name="Delete three shots.mp4").click()
    page.get_by_role("button", name="Delete three shots.mp4").click()
    page.wait_for_function("(JSON.parse(localStorage.getItem('sgv-history')) ?? []).length === 0")
    page.keyboard.press("Escape")
    expect(visitor.cards()).to_have_count(0)
    expect(page.get_by_role("tab", name="2 Captions", exact=True)).to_be_visible()
    expect(visitor.button("run")).to_be_enabled()
    assert list(server.desk.store.root.iterdir()) == []
    assert server.desk.people.follow(address.split("r=")[1].split("&")[0]) is None
    assert not [path for path in server.desk.store.people.rglob("*") if path.is_file()]
    guest = arrive(browser, contexts, server.url)
    guest.page.goto(address)
    expect(guest.page.locator("#replay .trouble")).to_contain_text("leads nowhere")
    expect(guest.page.locator("#player")).to_be_visible()
    expect(guest.cards()).to_have_count(0)


def _jsonl(path: Path, count: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            captions = [{"idx": str(i), "content": f"Step {i} of clip {number}, grey sky."} for i in range(1, 6)]
            word = "A heron lands." if number == count - 7 else "Waves roll in <i>slowly</i>."
            captions.append({"idx": "-1", "content": f"{word} Number {number}."})
            record = {
                "video_id": f"clip{number}",
                "video_path": f"a/clip{number}.mp4",
                "zip_folder": f"part{number % 3}",
            }
            file.write(json.dumps(record | {"captions": captions}) + "\n")
        file.write("no json\n")
    return path


def test_a_dataset_is_searched_and_read(visitor: Visitor, clip: Path, tmp_path: Path) -> None:
    page = _finished(visitor, clip).page
    visitor.room("Dataset")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open an annotation file").click()
    chooser.value.set_files(str(_jsonl(tmp_path / "small.jsonl", 4_000)))
    expect(page.locator("#dataset-about")).to_contain_text("4,000 records in 3 source folders", timeout=90_000)
    expect(page.locator("#dataset-about")).to_contain_text("1 line left out (1 no JSON)")
    page.get_by_label("Words").fill("heron")
    page.get_by_label("Words").press("Enter")
    expect(page.locator("#dataset-results")).to_contain_text("1 to 1 of 1 found")
    page.locator("[data-record]").click()
    expect(page.locator("#dataset-record")).to_contain_text("A heron lands. Number 3993.")
    expect(page.locator("#dataset-record article")).to_have_count(5)
    visitor.picture("dataset")
    page.get_by_role("button", name="Compare with a result").click()
    expect(page.get_by_role("button", name="Compare", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#comparison")).to_contain_text("Dataset: clip3993")
    expect(page.locator("#comparison")).to_contain_text("results of two videos")


def test_a_file_that_is_no_dataset_says_so(visitor: Visitor, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text("[1, 2]\nhello\n")
    visitor.room("Dataset")
    with visitor.page.expect_file_chooser() as chooser:
        visitor.page.get_by_role("button", name="Open an annotation file").click()
    chooser.value.set_files(str(bad))
    expect(visitor.page.locator("#dataset-about")).to_contain_text("holds no annotations")
    expect(visitor.page.get_by_label("Words")).to_have_count(0)


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_looks(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, width: int, theme: str
) -> None:
    visitor = arrive(browser, contexts, server.url, width, 900).open(theme)
    page = _finished(visitor, clip).page
    visitor.active(1).get_by_role("button", name="Made up").click()
    expect(page.locator("#bar .ratings summary")).to_be_visible()
    page.locator("#bar .ratings summary").click()
    visitor.picture(f"room-captions-{width}-{theme}")
    assert not visitor.sideways()
    for name in ("Compare", "Dataset"):
        visitor.room(name)
        visitor.picture(f"room-{name.lower()}-{width}-{theme}")
        assert not visitor.sideways()
    assert visitor.errors == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothingserious(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, theme: str
) -> None:
    visitor = arrive(browser, contexts, server.url, 1440, 900).open(theme)
    found = {"empty": serious(visitor)}
    _finished(visitor, clip)
    visitor.active(1).get_by_role("button", name="Made up").click()
    for name in ("1 Video", "2 Captions", "3 Summary", "4 Ask", "Compare", "Dataset"):
        visitor.tab(name) if name[0].isdigit() else visitor.room(name)
        found[name] = serious(visitor)
    visitor.page.locator("[data-room=history]").click()
    found["history"] = serious(visitor)
    assert {place: what for place, what in found.items() if what} == {}


def test_the_timeline_by_keys_and_as_a_table(visitor: Visitor, clip: Path) -> None:
    page = _finished(visitor, clip).page
    expect(page.locator(".lane.shots i")).to_have_count(3)
    expect(page.locator(".lane.captions i")).to_have_count(3)
    visitor.picture("lanes")
    slider = page.get_by_role("slider", name="Position in the video")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    visitor.at(2.0)
    expect(slider).to_have_attribute("aria-valuetext", "2.0 seconds")
    page.keyboard.press("Home")
    visitor.at(0.0)
    plot = slider.bounding_box()
    assert plot
    page.mouse.move(plot["x"] + plot["width"] * 0.75, plot["y"] + 20)
    expect(page.locator(".peek span")).to_have_text("0:04")
    expect(page.locator(".peek img")).to_have_attribute("src", re.compile("0002.jpg"))
    visitor.picture("peek")
    page.mouse.move(4, 4)
    expect(page.locator(".peek")).to_have_count(0)
    page.get_by_text("Timeline as a table").click()
    row = page.get_by_role("row", name=re.compile("shot 3"))
    row.get_by_role("button").press("Enter")
    visitor.at(4.0)
    page.locator(".lane.shots i").nth(1).click()
    visitor.at(2.0)
