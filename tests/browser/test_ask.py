"""Questions and texts in Chromium on scripted engines."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import Server, Visitor, arrive


def test_question_before_a_video(visitor: Visitor) -> None:
    visitor.tab("4 Ask").ask("What is it?")
    expect(visitor.page.locator("#subject")).to_contain_text("There is no video yet")
    expect(visitor.turns()).to_have_count(0)


def test_ask_follow_up_edit_retry_undo(visitor: Visitor, server: Server, clip: Path) -> None:
    visitor.ready(clip).tab("4 Ask").ask("What moves?")
    expect(visitor.answered(0)).to_contain_text("Answer 1 about What moves?")
    expect(visitor.page.locator("#grid .frame img")).to_have_count(16)
    visitor.page.locator(".chat button.time").first.click()
    visitor.at(1.0)
    visitor.ask("And then?")
    expect(visitor.answered(1)).to_contain_text("Answer 2 about And then?")
    visitor.picture("ask")
    server.script.gate.clear()
    visitor.turns().nth(1).get_by_role("button", name="Retry").click()
    expect(visitor.turns().nth(1).locator(".caret")).to_be_visible()
    server.script.gate.set()
    expect(visitor.answered(1)).to_contain_text("Answer 2 about And then?")
    visitor.turns().nth(0).get_by_role("button", name="Edit").click()
    expect(visitor.page.locator("#question textarea")).to_have_value("What moves?")
    expect(visitor.page.locator("#subject")).to_contain_text("changing question 1")
    visitor.ask("What stands still?")
    expect(visitor.turns()).to_have_count(1)
    expect(visitor.answered(0)).to_contain_text("Answer 1 about What stands still?")
    visitor.turns().nth(0).get_by_role("button", name="Undo").click()
    expect(visitor.turns()).to_have_count(0)
    assert server.script.asked == [
        ("What moves?", 0), ("And then?", 1), ("And then?", 1), ("What stands still?", 0),
    ]  # fmt: skip


def test_stop_and_clear(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.gate.clear()
    visitor.ready(clip).tab("4 Ask").ask("What moves?")
    expect(visitor.turns().first.locator(".answer")).to_contain_text("Answer 1")
    expect(visitor.turns().first.locator(".caret")).to_be_visible()
    visitor.button("ask-stop").click()
    expect(visitor.turns().first).to_contain_text("Stopped.", timeout=3000)
    expect(visitor.page.locator(".caret")).to_have_count(0)
    server.script.gate.set()
    visitor.button("clear").click()
    expect(visitor.turns()).to_have_count(0)
    visitor.page.get_by_role("button", name="When does the camera move?").click()
    expect(visitor.answered(0)).to_contain_text("When does the camera move?")


def test_another_range_is_a_new_context(visitor: Visitor, server: Server, clip: Path) -> None:
    visitor.ready(clip).tab("4 Ask").ask("One?")
    expect(visitor.answered(0)).to_contain_text("One?")
    visitor.tab("1 Video").page.get_by_label("From (s)").fill("2")
    visitor.page.get_by_label("From (s)").press("Tab")
    visitor.tab("4 Ask").ask("Two?")
    expect(visitor.answered(1)).to_contain_text("Answer 1 about Two?")
    expect(visitor.turns().nth(1).locator(".divider")).to_contain_text("0:02 → 0:06. Earlier questions")


def test_failed_answer_says_why(visitor: Visitor, server: Server, clip: Path) -> None:
    server.script.fail["answer"] = "The device is out of memory; choose fewer frames."
    visitor.ready(clip).tab("4 Ask").ask("What moves?")
    expect(visitor.turns().first).to_contain_text("choose fewer frames")
    server.script.fail.clear()
    visitor.turns().first.get_by_role("button", name="Retry").click()
    expect(visitor.answered(0)).to_contain_text("Answer 1")


def test_two_visitors_never_meet(
    browser: Browser, contexts: list[BrowserContext], visitor: Visitor, server: Server, clip: Path
) -> None:
    other = arrive(browser, contexts, server.url).open()
    visitor.ready(clip).run().done()
    visitor.tab("4 Ask").ask("My secret question?")
    expect(visitor.answered(0)).to_contain_text("My secret")
    expect(other.cards()).to_have_count(0)
    other.tab("4 Ask").ask("Hello?")
    expect(other.page.locator("#subject")).to_contain_text("There is no video yet")
    other.tab("1 Video").ready(clip).tab("4 Ask").ask("Other?")
    expect(other.answered(0)).to_contain_text("Answer 1 about Other?")
    assert "secret" not in other.page.content()
    assert other.errors == []


def test_other_captions_and_a_prompt(visitor: Visitor) -> None:
    visitor.tab("3 Summary")
    visitor.page.get_by_role("button", name="Summarize other captions").click()
    visitor.page.get_by_label("…or pasted here").fill("0:00 a dog\n0:02 a cat\n0:04 a cow")
    visitor.page.get_by_role("button", name="Summarize these").click()
    expect(visitor.page.locator("#clip-result")).to_contain_text("A summary of 3 captions")
    visitor.page.get_by_role("button", name="Turn a short prompt").click()
    visitor.page.get_by_label("Prompt").fill("a lighthouse")
    visitor.page.get_by_role("button", name="Write the caption").click()
    expect(visitor.page.locator("#recaption-result")).to_contain_text("In full detail: a lighthouse")
    visitor.picture("texts")
