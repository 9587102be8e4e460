"""An operator's benchmarks and runs in the Dataset room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from sgv_demo.results.store import Store
from sgv_demo.ui.desk import Desk
from tests.browser.conftest import Server, arrive, serve
from tests.support.made_benchmarks import with_runs


@pytest.fixture
def judging(server: Server, tmp_path: Path) -> Iterator[Server]:
    """A page whose operator has a benchmark and two runs of it."""
    folder = with_runs(tmp_path / "benchmarks")
    settings = replace(server.desk.settings, benchmarks_dir=str(folder), store_dir=tmp_path / "store")
    yield from serve(Desk(settings, server.desk.choices, Store(settings.store_path, 100)), server.script)


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_question_is_found_and_read(
    browser: Browser, contexts: list[BrowserContext], judging: Server, width: int, theme: str
) -> None:
    visitor = arrive(browser, contexts, judging.url, width).open(theme)
    page = visitor.page
    page.get_by_role("button", name="Dataset").click()
    choose = page.get_by_label("Benchmark or run")
    choose.click()
    page.get_by_role("option", name="run A").click()
    expect(page.locator("#benchmark-about")).to_contain_text("4 questions of MVBench")
    expect(page.locator("#benchmark-about")).to_contain_text("rules: published")
    expect(page.locator("#benchmark-results li")).to_have_count(4)
    page.get_by_label("Answers").click()
    page.get_by_role("option", name="Correct", exact=True).click()
    expect(page.locator("#benchmark-results li")).to_have_count(1)
    page.locator("#benchmark-results li button").click()
    record = page.locator("#benchmark-record")
    expect(record).to_contain_text("Right answer: (A) opens the door")
    expect(record).to_contain_text("(A) <b>opens</b>")
    expect(record).to_contain_text("meets")
    expect(record.get_by_alt_text("The frames, as the model sees them")).to_be_visible()
    visitor.picture(f"benchmark-{width}-{theme}")
    assert not visitor.sideways()
    assert visitor.errors == []
    assert visitor.outside == []
