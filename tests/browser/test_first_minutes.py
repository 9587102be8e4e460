"""The first five minutes and the way to show a result, on the real app: three widths, both themes.

A finished example, a bad file, a run, its captions and summary, a question, Compare, the presentation, a shared link.
At every stop: nothing sideways, nothing serious for axe, no error in the console, no request outside; pictures are in
test-output/minutes-*.png.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.axe import serious
from tests.browser.conftest import Visitor, arrive
from tests.browser.running import ROOT, free_port, running

CLIP = ROOT / "assets" / "examples" / "poses.mp4"
LOOKS = [(1440, "light"), (1024, "dark"), (390, "light"), (1440, "dark"), (1024, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def app_url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with a store of its own, which the looks share: the first one computes, the others open."""
    with running(free_port(), tmp_path_factory.mktemp("minutes") / "store") as url:
        yield url


@dataclass
class Tour:
    """One visitor's stops."""

    visitor: Visitor
    look: str
    found: dict[str, list[str]] = field(default_factory=dict)

    def stop(self, name: str, visitor: Visitor | None = None) -> None:
        """Looks about: what is wrong is noted, and the picture kept."""
        visitor = visitor or self.visitor
        wrong = serious(visitor)
        wrong += ["it can be scrolled sideways"] if visitor.sideways() else []
        wrong += [*visitor.errors, *visitor.outside]
        visitor.errors.clear()
        visitor.picture(f"minutes-{self.look}-{name}")
        if wrong:
            self.found[name] = wrong


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_the_first_minutes(
    browser: Browser, contexts: list[BrowserContext], app_url: str, tmp_path: Path, width: int, theme: str
) -> None:
    visitor = arrive(browser, contexts, app_url, width, 844 if width < 500 else 900).open(theme)
    tour = Tour(visitor, f"{width}-{theme}")
    _arriving(tour, tmp_path)
    _captions(tour)
    _asking(tour)
    _comparing(tour)
    _showing(tour, browser, contexts, app_url)
    assert tour.found == {}


def _arriving(tour: Tour, folder: Path) -> None:
    visitor, page = tour.visitor, tour.visitor.page
    expect(page.locator("#examples")).to_be_visible()
    tour.stop("landing")
    bad = folder / "notes.mp4"
    bad.write_text("This is no video.")
    visitor.upload(bad)
    expect(page.locator("#progress")).to_contain_text("This is a text file, not a video")
    expect(page.locator("#examples")).to_be_visible()
    assert "NaN" not in page.locator("body").inner_text()
    tour.stop("bad-file")
    visitor.upload(CLIP)
    expect(page.locator("#run")).to_be_enabled()


def _captions(tour: Tour) -> None:
    visitor, page = tour.visitor, tour.visitor.page
    visitor.run().done()
    expect(page.locator("#run")).to_be_enabled()
    expect(visitor.cards().first).to_be_in_viewport()
    expect(visitor.cards().nth(1)).to_contain_text("a cut brings a new shot")
    tour.stop("captions")
    visitor.tab("3 Summary")
    expect(page.locator("#summary .text")).to_contain_text("There are 2 shots")
    tour.stop("summary")


def _asking(tour: Tour) -> None:
    visitor = tour.visitor
    visitor.tab("4 Ask").ask("What happens at 0:08?")
    expect(visitor.answered(0)).to_contain_text("At 0:08")
    tour.stop("ask")


def _comparing(tour: Tour) -> None:
    visitor, page = tour.visitor, tour.visitor.page
    visitor.room("Compare")
    page.get_by_role("button", name="Run the other ways, too").click()
    heads = page.get_by_role("table", name="Captions side by side").get_by_role("columnheader")
    expect(heads.last).to_contain_text(re.compile("fast|sliding"), timeout=60_000)
    tour.stop("compare")


def _showing(tour: Tour, browser: Browser, contexts: list[BrowserContext], url: str) -> None:
    visitor, page = tour.visitor, tour.visitor.page
    visitor.tab("2 Captions")
    page.locator("[data-room=present]").click()
    expect(page.locator("#show .moment:visible")).to_be_visible()
    page.keyboard.press("ArrowRight")
    tour.stop("present")
    page.keyboard.press("Escape")
    page.locator("[data-room=share]").click()
    page.get_by_label("with the video itself").check()
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Link", exact=True).input_value()
    theme = tour.look.partition("-")[2]
    guest = arrive(browser, contexts, url, int(tour.look.partition("-")[0]), 844)
    guest.page.goto(f"{link}&__theme={theme}")
    expect(guest.page.locator("#show .moment:visible")).to_be_visible()
    tour.stop("link", guest)
