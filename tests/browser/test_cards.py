"""The cards as one looks at them: judging without a hover, frames in large, what stands there before the first."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.axe import serious
from tests.browser.conftest import Server, Visitor, arrive


def test_judging_is_seen_on_the_card_that_is_read_without_a_mouse_over_it(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    visitor.active(1)
    page.mouse.move(2, 2)
    buttons = visitor.cards().nth(1).locator(".verdicts")
    expect(buttons).to_have_css("opacity", "1")
    expect(buttons.get_by_role("button")).to_have_count(7)
    low = "c => c.getBoundingClientRect().bottom - c.querySelector('.verdicts').getBoundingClientRect().bottom"
    assert visitor.cards().nth(1).evaluate(low) < 90


def test_before_the_first_caption_the_list_says_that_the_run_has_begun(
    visitor: Visitor, clip: Path, server: Server
) -> None:
    empty = visitor.page.locator("#cards-empty")
    visitor.tab("2 Captions")
    expect(empty).to_have_text(re.compile("Choose a video"))
    visitor.tab("1 Video").ready(clip).tab("2 Captions")
    expect(empty).to_have_text(re.compile("Press Run"))
    server.script.gate.clear()
    visitor.page.evaluate(
        """() => new MutationObserver(() => {
             const list = document.querySelector('.list.cards');
             const said = document.querySelector('#cards-empty').innerText.trim();
             if (!list.children.length && document.querySelector('#progress .running, #progress .waiting'))
               window.said = said;
           }).observe(document.querySelector('#progress'), { subtree: true, childList: true, characterData: true })"""
    )
    visitor.run()
    expect(visitor.cards().nth(0)).to_have_class(re.compile("live"))
    server.script.gate.set()
    assert visitor.page.evaluate("window.said") == "The first caption appears here as soon as it is being written."
    visitor.done()


def test_a_pair_in_large_by_button_and_by_key(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    button = visitor.active(1).get_by_role("button", name="Enlarge")
    button.click()
    large = page.get_by_role("dialog")
    frames = visitor.cards().nth(1).locator(".pair img")
    for side, frame in (("over", frames.nth(0)), ("under", frames.nth(1))):
        expect(large.locator(f".slider .{side}")).to_have_attribute("src", frame.evaluate("picture => picture.src"))
    expect(large.get_by_role("heading")).to_have_text("0:00 → 0:02")
    expect(large).to_contain_text("Pair 1 changes")
    box = large.locator(".slider .under").bounding_box()
    assert box
    assert box["height"] > 500
    assert box["width"] / box["height"] == pytest.approx(256 / 144, rel=0.02)
    page.keyboard.press("ArrowRight")
    assert large.locator(".slider div").evaluate("box => box.style.getPropertyValue('--at')") == "51%"
    assert serious(visitor) == []
    visitor.picture("large")
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(button).to_be_focused()
    page.locator("body").click(position={"x": 4, "y": 4})
    page.keyboard.press("k")
    page.keyboard.press("o")
    expect(large.locator("img")).to_have_count(1)


def test_all_frames_of_a_fast_caption_in_large_on_a_phone(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path
) -> None:
    visitor = arrive(browser, contexts, server.url, 390, 844).open().ready(clip)
    visitor.page.get_by_label("Fast: one caption for all").check()
    visitor.run().done()
    visitor.active(0).get_by_role("button", name="Enlarge").click()
    large = visitor.page.get_by_role("dialog")
    expect(large.locator("figure")).to_have_count(4)
    expect(large.locator("figcaption").last).to_have_text("0:06")
    box = large.bounding_box()
    assert box
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 844)
    assert not visitor.sideways()
    assert visitor.errors == []


def test_the_switch_for_captions_on_the_player_shows_its_state_and_stays_off(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    switch = page.get_by_role("button", name="CC on the player")
    mode = "document.querySelector('#player video').textTracks[0]?.mode"
    page.wait_for_function(f"{mode} === 'showing'")
    on = switch.evaluate("b => getComputedStyle(b).borderColor")
    switch.click()
    assert page.evaluate(mode) == "hidden"
    expect(switch).not_to_have_css("border-color", on)
    visitor.active(1).get_by_role("button", name="Made up").click()
    expect(page.locator("#bar .ratings summary")).to_have_text("Ratings (1)")
    page.wait_for_timeout(500)
    assert page.evaluate(mode) == "hidden"


def test_the_history_shows_a_picture_while_there_is_one(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    expect(page.locator("#bar .room-bar")).to_be_visible()
    page.locator("[data-room=history]").click()
    page.wait_for_function("document.querySelector('.past img')?.naturalWidth > 0")
    visitor.picture("history-picture")
    page.keyboard.press("Escape")
    gone = "h => JSON.stringify(h.map(e => ({ ...e, picture: e.picture.replace('0000', 'gone') })))"
    page.evaluate(f"localStorage.setItem('sgv-history', ({gone})(JSON.parse(localStorage.getItem('sgv-history'))))")
    page.reload()
    expect(page.locator("#player input[type=file]").first).to_be_attached()
    page.locator("[data-room=history]").click()
    expect(page.locator(".past b")).to_have_text("three shots.mp4")
    expect(page.locator(".past img")).to_have_count(0)
    assert all("404" in error or "403" in error for error in visitor.errors)
    visitor.errors.clear()


_STANDS = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  for (let i = 0; i < 4; i += 1) await frame();
  const seen = new Set();
  for (let i = 0; i < 8; i += 1) {
    await frame();
    const strip = document.querySelector("#strip .strip");
    seen.add(strip.className + [...strip.children].map((figure) => figure.style.left));
  }
  return [...seen];
}"""
"""The ways in which the strip stands over some frames: one, unless it flickers."""


def test_keyframes_stand_under_their_times_where_there_is_room(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).run().done().page
    strip = page.locator("#strip .strip")
    expect(strip).to_have_class(re.compile("placed"))
    boxes = [figure.bounding_box() for figure in strip.locator(".key-figure").all()]
    line = page.locator(".timeline .plot").bounding_box()
    assert line
    for box, time in zip(boxes, (0, 2, 4, 5.9), strict=True):
        assert box
        assert box["x"] - 3 <= line["x"] + line["width"] * time / 6 <= box["x"] + box["width"] + 3
    assert all(a and b and a["x"] + a["width"] <= b["x"] for a, b in pairwise(boxes))
    expect(page.locator(".level.high")).to_have_text("1.0")
    for width in range(320, 480, 10):  # somewhere here they begin to have room
        page.set_viewport_size({"width": width, "height": 844})
        seen = page.evaluate(_STANDS)
        assert len(seen) == 1, (width, seen)
    page.set_viewport_size({"width": 390, "height": 844})
    visitor.tab("1 Video")
    page.get_by_label("A sample every (s)").fill("0.3")
    page.get_by_label("Keep every sample").check()
    visitor.run().done()
    expect(strip.locator(".key-figure")).to_have_count(21)
    expect(strip).not_to_have_class(re.compile("placed"))
    assert not visitor.sideways()


def test_a_run_that_found_little_offers_to_keep_every_sample(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).page
    page.get_by_label("A sample every (s)").fill("1")
    page.get_by_label("To (s)").fill("1.9")
    visitor.run().done()
    page.locator("#progress").get_by_role("button", name="Keep every sample").click()
    expect(page.locator("#keep-all input")).to_be_checked()
    expect(page.locator("#progress")).to_contain_text("Press Run")
    expect(page.locator("#run")).to_contain_text("Run ≈")
    visitor.picture("keep-every-sample")
