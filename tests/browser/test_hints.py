"""Hints for a first visit: one at a time, each gone for good when it was closed or followed."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Visitor


def _seen(visitor: Visitor) -> list[str]:
    return json.loads(visitor.page.evaluate("localStorage.getItem('sgv-hints') ?? '[]'"))


def test_hints_come_one_at_a_time_and_go(visitor: Visitor, clip: Path) -> None:
    page = visitor.page
    hint = page.get_by_role("note")
    visitor.ready(clip)
    expect(hint).to_have_count(1)
    expect(hint).to_contain_text("Drag over the line")
    hint.get_by_role("button", name="Got it").click()
    expect(hint).to_have_count(0)
    assert "range" in _seen(visitor)
    visitor.run().done()
    expect(hint).to_contain_text("With j and k")
    visitor.cards().nth(1).locator(".frame").first.click()
    expect(hint).to_contain_text("Compare shows both")
    visitor.room("Compare")
    expect(hint).to_have_count(0)
    assert {"cards", "compare"} <= set(_seen(visitor))


def test_a_hint_goes_by_itself_and_does_not_come_back(visitor: Visitor, clip: Path) -> None:
    page = visitor.ready(clip).page
    expect(page.get_by_role("note")).to_be_visible()
    page.mouse.move(4, 4)
    page.evaluate("() => { const now = Date.now; Date.now = () => now() + 60_000; }")
    expect(page.get_by_role("note")).to_have_count(0)
    assert _seen(visitor) == ["range"]
    page.reload()
    expect(page.locator("#player input[type=file]").first).to_be_attached()
    visitor.ready(clip)
    page.wait_for_timeout(2500)
    expect(page.get_by_role("note")).to_have_count(0)
