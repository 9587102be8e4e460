"""The page in Chromium on scripted engines."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import Server, Visitor, arrive

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> **bold** '


def test_first_look(visitor: Visitor) -> None:
    page = visitor.page
    names = [tab.inner_text() for tab in page.get_by_role("tab").all()]
    assert names == ["1 Video", "2 Captions", "3 Summary", "4 Ask"]
    expect(page.locator("#status")).to_contain_text("Scripted, for tests")
    expect(page.locator("#status")).to_contain_text("up to 2 h and 2 GB")
    expect(page.locator("#examples")).to_contain_text("Drop a video above")
    expect(visitor.button("run")).to_be_disabled()
    assert not visitor.sideways()
    visitor.picture("empty")


def test_cards_stream_and_seek(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.gate.clear()
    visitor.ready(clip)
    expect(visitor.page.locator("#facts")).to_contain_text("256×144")
    expect(visitor.button("run")).to_contain_text("≈")
    visitor.run()
    live = visitor.page.locator(".card.live")
    expect(live.locator(".caret")).to_be_visible()
    expect(live.locator(".text")).to_contain_text("First picture")
    assert "test clip" not in live.inner_text()
    visitor.picture("streaming")
    server.script.gate.set()
    visitor.done()
    expect(visitor.cards()).to_have_count(4)
    expect(visitor.page.locator(".caret")).to_have_count(0)
    pair = visitor.cards().nth(1)
    expect(pair.locator(".frame img")).to_have_count(2)
    expect(pair.locator(".chips")).to_contain_text("cut at 0:02")
    expect(visitor.page.get_by_role("tab", name="2 Captions (4)")).to_be_visible()
    pair.locator(".frame").nth(1).click()
    visitor.at(2.0)
    visitor.cards().nth(3).locator(".span").click()
    visitor.at(4.0)
    expect(visitor.cards().nth(3)).to_have_class(re.compile("here"))
    cues = "[...document.querySelector('#player video').textTracks].flatMap(t => [...(t.cues ?? [])]).length"
    visitor.page.wait_for_function(f"{cues} === 4")
    visitor.picture("captions")
    visitor.tab("3 Summary")
    expect(visitor.page.locator("#summary .text")).to_contain_text("A summary of 4 captions")
    visitor.page.locator("#summary button.time").click()
    visitor.at(2.0)
    with visitor.page.expect_download() as got:
        visitor.page.get_by_role("link", name="WebVTT").click()
    assert got.value.suggested_filename == "three shots.vtt"
    assert Path(got.value.path()).read_text().startswith("WEBVTT")
    visitor.picture("summary")


def test_find_in_captions(visitor: Visitor, clip: Path) -> None:
    visitor.ready(clip).run().done()
    field = visitor.page.get_by_placeholder("Find in captions")
    field.fill("pair 2")
    expect(visitor.page.locator("#find output")).to_have_text("1 found")
    expect(visitor.cards().locator("visible=true")).to_have_count(1)
    field.fill("")
    expect(visitor.cards().locator("visible=true")).to_have_count(4)


def test_stop_answers_at_once_and_continue_completes(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.gate.clear()
    visitor.ready(clip).run()
    expect(visitor.page.locator(".card.live .text")).to_contain_text("First")
    visitor.button("stop").click()
    expect(visitor.page.locator("#progress")).to_contain_text("Stopped", timeout=3000)
    expect(visitor.button("run")).to_have_text("Continue")
    expect(visitor.page.locator(".caret")).to_have_count(0)
    visitor.picture("stopped")
    server.script.gate.set()
    visitor.run().done()
    expect(visitor.cards()).to_have_count(4)
    assert "describe" in server.script.closed


def test_what_a_stopped_run_wrote_can_be_judged_and_downloaded(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.pause = 0.2
    page = visitor.ready(clip).run().page
    expect(visitor.cards().nth(1)).to_have_class(re.compile("live"))
    visitor.button("stop").click()
    expect(page.locator("#progress")).to_contain_text("1 caption is kept")
    expect(page.locator("#bar .room-bar")).to_be_visible()
    visitor.tab("3 Summary")
    expect(page.get_by_role("link", name="WebVTT")).to_be_visible()


def test_waiting_for_another_visitor(
    browser: Browser, contexts: list[BrowserContext], visitor: Visitor, server: Server, clip: Path
) -> None:
    other = arrive(browser, contexts, server.url).open().ready(clip)
    server.script.gate.clear()
    visitor.ready(clip).run()
    expect(visitor.page.locator(".card.live .text")).to_contain_text("First")
    other.run()
    expect(other.page.locator("#progress")).to_contain_text("Waiting for the engine: next in line")
    other.picture("waiting")
    other.button("stop").click()
    expect(other.button("run")).to_contain_text("Continue", timeout=3000)
    expect(other.button("run")).to_be_enabled()
    server.script.gate.set()
    visitor.done()
    expect(other.cards()).to_have_count(0)
    assert other.errors == []


def test_failure_keeps_and_retries_from_there(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.fail["difference"] = "The device is out of memory; choose nf4."
    visitor.ready(clip).run()
    expect(visitor.page.locator("#progress")).to_contain_text("The device is out of memory; choose nf4.")
    expect(visitor.page.locator("#progress")).to_contain_text("1 caption is kept")
    expect(visitor.button("run")).to_have_text("Retry from caption 2")
    expect(visitor.cards()).to_have_count(1)
    visitor.picture("failed")
    server.script.fail.clear()
    visitor.run().done()
    expect(visitor.cards()).to_have_count(4)


def test_same_video_opens_at_once(visitor: Visitor, clip: Path) -> None:
    visitor.ready(clip).run().done()
    visitor.run()
    expect(visitor.page.locator("#progress")).to_contain_text("computed earlier")
    visitor.button("restart").click()
    expect(visitor.page.locator("#progress")).not_to_contain_text("computed earlier")
    visitor.done()


def test_timeline_drag_chooses_a_range_and_a_click_seeks(visitor: Visitor, clip: Path) -> None:
    visitor.ready(clip)
    plot = visitor.page.locator("#timeline .plot")
    box = plot.bounding_box()
    assert box is not None
    x, y = box["x"], box["y"] + box["height"] / 2
    visitor.page.mouse.click(x + box["width"] / 2, y)
    visitor.at(3.0)
    visitor.page.mouse.move(x + box["width"] / 3, y)
    visitor.page.mouse.down()
    visitor.page.mouse.move(x + box["width"] / 2, y, steps=4)
    visitor.page.mouse.move(x + box["width"], y, steps=4)
    visitor.page.mouse.up()
    start = visitor.page.get_by_label("From (s)")
    expect(start).to_have_value(re.compile(r"^(1\.9\d*|2(\.0\d*)?)$"))
    # From 1.99 s the sample at 5.99 s comes before the closing one; from 2 s both are one.
    expect(visitor.page.locator("#estimate")).to_contain_text(re.compile("[34] samples"))
    visitor.run().done()
    expect(visitor.cards().first).to_contain_text("0:02")


def test_unusable_file(visitor: Visitor, tmp_path: Path) -> None:
    text = tmp_path / "holiday.mp4"
    text.write_text("not a video")
    visitor.upload(text)
    expect(visitor.page.locator("#progress .trouble")).to_be_visible()
    assert "Traceback" not in visitor.page.locator("body").inner_text()
    expect(visitor.button("run")).to_be_disabled()
    visitor.picture("unusable")
    visitor.errors.clear()  # the browser, too, says that it can't play this


def test_hostile_text_and_names_stay_text(visitor: Visitor, server: Server, clip: Path, tmp_path: Path) -> None:
    server.script.prefix = HOSTILE
    path = tmp_path / f"<img src=x onerror=alert(1)> {'long ' * 30}.mp4"
    shutil.copy(clip, path)
    visitor.ready(path).run().done()
    expect(visitor.cards().first.locator(".text")).to_contain_text("<script>window.hacked=1</script> **bold**")
    visitor.tab("4 Ask").ask(HOSTILE)
    expect(visitor.answered(0)).to_contain_text("<script>")
    expect(visitor.turns().first.locator(".question")).to_contain_text("onerror")
    visitor.tab("3 Summary")
    expect(visitor.page.locator("#summary .text")).to_contain_text("<script>")
    assert visitor.page.evaluate("window.hacked") is None
    assert not visitor.sideways()


def test_foreign_and_long_text(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.prefix = "تدخل كرة حمراء من اليسار 红球从左侧进入画面 " + "word " * 400
    visitor.ready(clip).run().done()
    expect(visitor.cards().first.locator(".text")).to_have_attribute("dir", "auto")
    assert visitor.cards().first.locator(".text").evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert not visitor.sideways()
    visitor.picture("foreign")


def test_dark_and_narrow(browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path) -> None:
    for theme, width, height in (("dark", 1440, 900), ("light", 390, 844), ("dark", 390, 844)):
        visitor = arrive(browser, contexts, server.url, width, height).open(theme)
        background = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (theme == "dark")
        visitor.ready(clip).run().done()
        for tab in ("1 Video", "2 Captions", "3 Summary", "4 Ask"):
            visitor.tab(tab)
            assert not visitor.sideways(), (theme, width, tab)
            visitor.picture(f"{theme}-{width}-{tab[0]}")
        if width == 390:
            visitor.tab("2 Captions")
            visitor.page.mouse.wheel(0, 900)
            visitor.page.wait_for_function("window.scrollY > 300")
            box = visitor.page.locator("#player").bounding_box()
            assert box is not None
            assert -1 <= box["y"] < 60, "the player stays in view"
        assert visitor.errors == []
        assert visitor.outside == []


def test_keyboard(visitor: Visitor, clip: Path) -> None:
    visitor.ready(clip).run().done()
    visitor.page.keyboard.press("/")
    expect(visitor.page.get_by_placeholder("Find in captions")).to_be_focused()
    visitor.cards().nth(2).locator(".span").focus()
    visitor.page.keyboard.press("Enter")
    visitor.at(2.0)
    visitor.page.locator('[data-panel="engine-panel"]').focus()
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("#engine-state")).to_be_visible()
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.locator("#engine-state")).to_be_hidden()
    assert visitor.page.locator("img:not([alt])").count() == 0


def test_engine_panel_loads_and_unloads(visitor: Visitor) -> None:
    visitor.page.locator('[data-panel="engine-panel"]').click()
    visitor.page.get_by_role("button", name="Load now").click()
    expect(visitor.page.locator("#engine-state")).to_contain_text("Loaded · CPU")
    visitor.picture("engines")


def test_the_chosen_theme_survives_a_reload(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate("document.body.classList.contains('dark')")
    page.goto(page.url.split("?")[0])
    page.wait_for_selector("[role=tab]")
    page.wait_for_function(f"document.body.classList.contains('dark') === {'true' if dark else 'false'}")
    page.get_by_role("button", name="Light or dark").click()
    page.reload()
    page.wait_for_selector("[role=tab]")
    page.wait_for_function(f"document.body.classList.contains('dark') === {'false' if dark else 'true'}")


def test_a_run_that_was_cut_off_by_a_reload_goes_on(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.pause = 0.4
    visitor.ready(clip).run()
    expect(visitor.cards().nth(2)).to_have_class(re.compile("live"))
    visitor.page.reload()
    visitor.errors.clear()  # of streams that the reload cut
    progress = visitor.page.locator("#progress")
    expect(progress).to_contain_text("A run of three shots.mp4 was interrupted at 0:0")
    server.script.pause = 0.0  # not before: what is left of the run must not end before its end is noticed
    expect(visitor.cards().first).to_contain_text("First picture")
    expect(visitor.button("run")).to_have_text("Continue")
    expect(visitor.page.locator("#player video")).to_be_visible()
    visitor.picture("interrupted")
    visitor.run().done()
    expect(visitor.cards()).to_have_count(4)
    visitor.page.reload()
    visitor.errors.clear()  # of what was still on its way
    expect(visitor.page.get_by_role("tab").first).to_be_visible()
    expect(visitor.cards()).to_have_count(0)
    visitor.page.wait_for_timeout(500)
    expect(progress).not_to_contain_text("interrupted")


@pytest.mark.parametrize("name", ["clip.ts", "clip.gif", "clip.mxf", "clip"])
def test_the_page_takes_every_file_that_the_reader_can_try(
    visitor: Visitor, clip: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    shutil.copy(clip, path)
    visitor.upload(path)
    expect(visitor.page.locator("#facts .facts")).to_contain_text(name)
    expect(visitor.button("run")).to_be_enabled()
    visitor.errors.clear()  # the browser may not play it


def test_a_dropped_file_without_an_ending_is_taken(visitor: Visitor, clip: Path) -> None:
    data = base64.b64encode(clip.read_bytes()).decode()
    visitor.page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const all = new DataTransfer();
          all.items.add(new File([bytes], "dropped"));
          const target = document.querySelector("#player input[type=file]").parentElement;
          target.dispatchEvent(new DragEvent("drop", { dataTransfer: all, bubbles: true, cancelable: true }));
        }""",
        data,
    )
    expect(visitor.page.locator("#facts .facts")).to_contain_text("dropped")
