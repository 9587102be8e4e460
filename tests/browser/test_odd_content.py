"""Content that a page meets sooner or later: tall and wide clips, endless names, other scripts, a phone."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.browser.axe import serious
from tests.browser.conftest import Server, Visitor, arrive

LONG_NAME = "holiday_in_the_mountains_with_everybody_" * 4 + "and_the_dog_at_the_lake_in_the_rain.mp4"
ARABIC = "تتحرك الكاميرا ببطء إلى اليمين بينما تدخل كرة حمراء صغيرة من اليسار. "
CHINESE = "镜头缓缓向右移动，一只红色小球从左边进入画面，滚过潮湿的石头。" * 8
WORDS = "The camera moves right while a small red ball rolls over the wet stones. " * 29


def _clip(path: Path, width: int, height: int) -> Path:
    """4 s at 4 fps: two shots of plain colour with a light edge on all sides."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=4)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(16):
            picture = np.full((height, width, 3), (200, 40, 40) if number < 8 else (40, 40, 200), np.uint8)
            cv2.rectangle(picture, (4, 4), (width - 5, height - 5), (255, 255, 255), 4)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 4)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _finished(visitor: Visitor, clip: Path) -> Visitor:
    visitor.ready(clip).run().done()
    expect(visitor.page.locator("#bar .room-bar")).to_be_visible()
    return visitor


def _whole(image: Locator, shape: float) -> None:
    """The picture is there, uncropped, in a box of a sensible size. `shape`: width by height."""
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("complete", True)
    width, height, natural, fit = image.evaluate(
        "i => [i.clientWidth, i.clientHeight, i.naturalWidth / i.naturalHeight, getComputedStyle(i).objectFit]"
    )
    assert fit == "contain"
    assert natural == pytest.approx(shape, rel=0.05)
    assert 40 <= height <= 260
    assert width >= 40


@pytest.mark.parametrize(("width", "height"), [(180, 320), (1000, 100)])
def test_tall_and_wide_clips_are_shown_whole(visitor: Visitor, tmp_path: Path, width: int, height: int) -> None:
    page = _finished(visitor, _clip(tmp_path / "odd.mp4", width, height)).page
    for image in (visitor.cards().nth(1).locator(".pair img").last, page.locator(".strip img").first):
        _whole(image, width / height)
    visitor.tab("1 Video")
    _whole(page.locator(".gallery img").first, width / height)
    box = page.locator("#player video").bounding_box()
    assert box is not None
    assert 96 <= box["height"] <= 0.41 * 900
    page.set_viewport_size({"width": 390, "height": 844})
    assert not visitor.sideways()


def test_compared_frames_are_not_under_the_player_on_a_phone(visitor: Visitor, tmp_path: Path) -> None:
    page = _finished(visitor, _clip(tmp_path / "tall.mp4", 180, 320)).page
    visitor.tab("1 Video")
    page.get_by_label("Fast: one caption for all").check()
    visitor.run()
    expect(page.get_by_role("tab", name="2 Captions (1)")).to_be_visible()
    visitor.done()
    page.set_viewport_size({"width": 390, "height": 844})
    visitor.room("Compare")
    page.locator("#comparison").get_by_role("button", name="Frames").first.click()
    expect(page.locator(".slider input")).to_be_focused()
    player, slider = page.locator("#player").bounding_box(), page.locator(".slider").bounding_box()
    assert player is not None
    assert slider is not None
    assert slider["y"] >= player["y"] + player["height"]
    assert slider["height"] < 0.6 * 844


def test_an_endless_name_stays_in_its_place(visitor: Visitor, clip: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(clip, tmp_path / LONG_NAME))
    page = _finished(visitor, path).page
    page.set_viewport_size({"width": 390, "height": 844})
    for tab, place in (("1 Video", ".facts h3"), ("4 Ask", ".subject")):
        visitor.tab(tab)
        box = page.locator(place).bounding_box()
        assert box is not None
        assert box["height"] < 32
        title = page.locator(f"{place} [title]").get_attribute("title") or ""
        assert title.startswith(LONG_NAME[:150])
        assert not visitor.sideways()
    page.locator("[data-room=history]").click()
    assert page.locator("dialog").evaluate("d => d.scrollWidth <= d.clientWidth")
    visitor.picture("long-name-390")


@pytest.mark.parametrize(
    ("said", "direction"), [(ARABIC, "rtl"), (CHINESE + WORDS, "ltr")], ids=["arabic", "chinese, 400 words"]
)
def test_other_scripts_and_long_texts(visitor: Visitor, clip: Path, server: Server, said: str, direction: str) -> None:
    server.script.prefix = said
    page = _finished(visitor, clip).page
    page.set_viewport_size({"width": 390, "height": 844})
    visitor.tab("4 Ask").ask(said[:60])
    visitor.answered(0)
    for tab, place in (
        ("2 Captions", ".card .text"),
        ("3 Summary", ".summary .text"),
        ("4 Ask", ".question"),
        ("4 Ask", ".answer"),
    ):
        visitor.tab(tab)
        text = page.locator(place).first
        assert text.evaluate("t => [getComputedStyle(t).direction, getComputedStyle(t).textAlign]") == [
            direction,
            "start",
        ]
        assert text.evaluate("t => t.scrollWidth <= t.clientWidth + 1")
        assert not visitor.sideways()


def test_nothing_of_the_header_is_cut_off_on_a_phone(visitor: Visitor) -> None:
    for width in (390, 360):
        visitor.page.set_viewport_size({"width": width, "height": 780})
        for button in visitor.page.locator(".top button").all():
            box = button.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width
            assert box["height"] >= 32


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_a_phone(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, theme: str
) -> None:
    visitor = arrive(browser, contexts, server.url, 390, 844).open(theme)
    page = visitor.page
    found = {"empty": serious(visitor)}
    for panel in ("engine-panel", "about-panel"):
        page.locator(f"[data-panel={panel}]").click()
        found[panel] = serious(visitor)
        page.locator(f"[data-panel={panel}]").click()
    _finished(visitor, clip)
    visitor.active(1).get_by_role("button", name="Made up").click()
    page.locator("#bar .ratings summary").click()
    page.get_by_text("Timeline as a table").click()
    visitor.tab("4 Ask").ask("What happens at 0:02?").answered(0)
    for name in ("1 Video", "2 Captions", "3 Summary", "4 Ask", "Compare", "Dataset"):
        visitor.tab(name) if name[0].isdigit() else visitor.room(name)
        found[name] = serious(visitor)
        assert not visitor.sideways()
    visitor.tab("2 Captions")
    for dialog in ("history", "share", "keys"):
        page.locator(f"[data-room={dialog}]").click()
        expect(page.locator("dialog")).to_be_visible()
        found[dialog] = serious(visitor)
        page.keyboard.press("Escape")
    assert {place: what for place, what in found.items() if what} == {}
    assert visitor.errors == []
