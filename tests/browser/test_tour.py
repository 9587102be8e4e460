"""The inspection room from end to end on the real app: what a researcher and a presenter do with it, in one go.

Upload, sliding, fast, compare, rate by keys, report, reload, history, a server that is started anew, a link in another
browser, and a dataset of 40,000 records. Pictures of each stop are in test-output/tour-*.png.
"""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Visitor, arrive
from tests.browser.running import ROOT, free_port, running

CLIP = ROOT / "assets" / "examples" / "city.mp4"
RECORDS = 40_000
WORDS = ["the", "camera", "pans", "left", "right", "over", "a", "red", "car", "woman", "sky", "river", "slowly", "it"]


@pytest.fixture(scope="module")
def jsonl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40,000 records of eight sentences, about 40 MB; one of them speaks of a heron."""
    rng = random.Random(7)
    sentences = [" ".join(rng.choices(WORDS, k=18)).capitalize() + "." for _ in range(500)]
    path = tmp_path_factory.mktemp("dataset") / "sharegpt4video_40k.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(RECORDS):
            captions = [{"idx": str(i), "content": rng.choice(sentences)} for i in range(1, 8)]
            heron = " A heron lands." if number == RECORDS - 7 else ""
            captions.append({"idx": "-1", "content": rng.choice(sentences) + heron})
            name = f"clip{number}"
            record = {"video_id": name, "video_path": f"{name}.mp4", "zip_folder": f"part{number % 3}"}
            file.write(json.dumps(record | {"captions": captions}) + "\n")
    return path


def test_the_tour(browser: Browser, contexts: list[BrowserContext], tmp_path: Path, jsonl: Path) -> None:
    port, store = free_port(), tmp_path / "store"
    with running(port, store) as url:
        visitor = arrive(browser, contexts, url).open()
        count = _sliding_then_fast(visitor)
        _compare(visitor)
        _back_to_sliding(visitor, count)
        _rate_by_keys(visitor)
        _report(visitor)
        _reload_and_reopen(visitor, count)
        assert visitor.errors == []
    with running(port, store):
        visitor.page.reload()
        visitor.errors.clear()  # of the server that went away
        _reload_and_reopen(visitor, count)
        link = _share(visitor)
        _guest(arrive(browser, contexts, url), link, count)
        _dataset(visitor, jsonl)
        assert visitor.errors == []
        assert visitor.outside == []


def _sliding_then_fast(visitor: Visitor) -> int:
    page = visitor.page
    visitor.upload(CLIP)
    expect(page.locator("#run")).to_be_enabled()
    visitor.run().done()
    visitor.tab("2 Captions")
    expect(page.locator("#bar .room-bar")).to_be_visible()
    count = visitor.cards().count()
    assert count >= 5
    visitor.picture("tour-1-sliding")
    visitor.tab("1 Video")
    visitor.options().page.get_by_label("Fast: one caption for all").check()
    visitor.run()
    expect(page.get_by_role("tab", name="2 Captions (1)")).to_be_visible()
    visitor.done()
    expect(visitor.cards()).to_have_count(1)
    return count


def _compare(visitor: Visitor) -> None:
    visitor.room("Compare")
    page = visitor.page
    expect(page.get_by_role("list", name="What differs")).to_contain_text("Captions: sliding ↔ fast")
    table = page.get_by_role("table", name="Captions side by side")
    expect(table.locator(".compare-row .text").first).to_be_visible()
    marked = "t => [...t.querySelectorAll('del, ins')].map((e) => e.innerText).join('').length / t.innerText.length"
    assert table.evaluate(marked) < 0.5, "two forms of one video are no wall of marks"
    page.locator("#comparison").get_by_role("button", name="Frames").first.click()
    expect(page.locator(".slider img.over")).to_be_visible()
    visitor.picture("tour-2-compare")


def _back_to_sliding(visitor: Visitor, count: int) -> None:
    """The first result is in the store: it is there at once."""
    visitor.tab("1 Video")
    visitor.options().page.get_by_label("Sliding: one caption for each pair").check()
    visitor.run().done()
    expect(visitor.page.locator("#progress")).to_contain_text("computed earlier")
    expect(visitor.cards()).to_have_count(count)
    visitor.tab("2 Captions")


def _rate_by_keys(visitor: Visitor) -> None:
    page = visitor.page
    expect(visitor.cards().nth(0).locator(".verdicts")).to_have_count(1)
    page.locator("body").click(position={"x": 4, "y": 4})
    for key in ("j", "1", "j", "3", "f", "j", "n"):
        page.keyboard.press(key)
    page.keyboard.type("Ask the operator.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#bar .ratings summary")).to_have_text("Ratings (2)")
    page.locator("#bar .ratings summary").click()
    visitor.picture("tour-3-judged")


def _report(visitor: Visitor) -> None:
    with visitor.page.expect_download() as got:
        visitor.page.locator("#bar").get_by_role("link", name="Report").click()
    path = Path(got.value.path())
    report = path.read_text(encoding="utf-8")
    for words in ("made up", "Ask the operator.", "Measured, no language model", "data:image/jpeg"):
        assert words in report
    assert not re.search(r'(?:src|href)="https?://(?!sharegpt4video\.github\.io)', report), "plays something remote"
    assert str(ROOT) not in report
    page = visitor.page.context.new_page()
    page.set_content(report)
    expect(page.get_by_text("Ask the operator.").first).to_be_visible()
    page.close()


def _reload_and_reopen(visitor: Visitor, count: int) -> None:
    page = visitor.page
    page.reload()
    expect(page.locator("#player input[type=file]").first).to_be_attached()
    page.locator("[data-room=history]").click()
    expect(page.locator(".past")).to_have_count(2)
    page.locator(".past", has_text=f"{count} captions").click()
    expect(visitor.cards()).to_have_count(count)
    _judged(visitor)
    expect(page.locator("#bar .ratings summary")).to_have_text("Ratings (2)")


def _judged(visitor: Visitor) -> None:
    cards = visitor.cards()
    expect(cards.nth(0).get_by_role("button", name="Accurate")).to_have_attribute("aria-pressed", "true")
    expect(cards.nth(1).get_by_role("button", name="Made up")).to_have_attribute("aria-pressed", "true")
    expect(cards.nth(1).get_by_role("button", name="Flagged")).to_have_attribute("aria-pressed", "true")
    expect(cards.nth(2).locator(".my-note")).to_have_text("Ask the operator.")


def _share(visitor: Visitor) -> str:
    page = visitor.page
    page.locator("[data-room=share]").click()
    page.get_by_role("button", name="Make a link").click()
    field = page.get_by_label("Link", exact=True)
    expect(field).to_be_visible()
    visitor.picture("tour-4-share")
    link = field.input_value()
    page.keyboard.press("Escape")
    return link


def _guest(guest: Visitor, link: str, count: int) -> None:
    token = parse_qs(urlsplit(link).query)["r"][0]
    assert len(token) >= 22, "can be guessed"
    guest.page.goto(link)
    expect(guest.page.locator("#show .moment")).to_have_count(count)
    guest.picture("tour-5-guest-presentation")
    guest.page.get_by_role("button", name="Look closer").click()
    expect(guest.cards()).to_have_count(count)
    expect(guest.cards().nth(1).locator(".tags")).to_contain_text("made up")
    expect(guest.page.locator(".verdicts")).to_have_count(0)
    expect(guest.page.locator("#bar")).to_contain_text("read only")
    assert guest.page.evaluate("localStorage.getItem('sgv-history')") is None
    guest.picture("tour-5-guest")
    assert guest.errors == []


def _dataset(visitor: Visitor, jsonl: Path) -> None:
    page = visitor.page
    visitor.room("Dataset")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open an annotation file").click()
    chooser.value.set_files(str(jsonl))
    expect(page.locator("#dataset-about")).to_contain_text(f"{RECORDS:,} records", timeout=90_000)
    for words, found in (("heron", "1 to 1 of 1 found"), ('camera "pans left"', "1 to 20 of ")):
        assert _search(page, words, found) < 1.0, f"searching for {words} takes a second"
    visitor.picture("tour-6-dataset")


def _search(page: Page, words: str, found: str) -> float:
    """Seconds that the search took, as the page says."""
    page.locator("#dataset-words textarea, #dataset-words input").first.fill(words)
    started = time.monotonic()
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#dataset-results [role=status]")).to_contain_text(found)
    print(f"{words!r} on the page after {time.monotonic() - started:.2f} s")
    said = re.search(r"found in ([\d.]+) s", page.locator("#dataset-results [role=status]").inner_text())
    assert said
    return float(said[1])
