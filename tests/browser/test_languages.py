"""The page in Chinese, in Chromium: nothing of ours stays English, others' texts stay, it switches live."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from sgv_demo.ui.language import table
from tests.browser import phrases
from tests.browser.conftest import Server, Visitor, arrive

ZH = table("zh")
TABS = ("1 Video", "2 Captions", "3 Summary", "4 Ask")

SHOWN = """() => {
  const theirs = '[dir="auto"], bdi, pre, code, script, style, svg, [translate="no"]';
  const foreign = (element) => element?.closest(`${theirs}, [translate="yes"]`)?.matches(theirs);
  const found = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    if (!element.checkVisibility()) continue;
    if (node.nodeType === Node.TEXT_NODE) {
      if (!foreign(element) && !element.closest("textarea")) found.push(node.data);
    } else if (!foreign(element.matches('[dir="auto"]') ? element.parentElement : element))
      for (const name of ["aria-label", "aria-valuetext", "title", "placeholder", "alt", "data-name"])
        found.push(element.getAttribute(name) ?? "");
  }
  return [...new Set(found.map((text) => text.replace(/\\s+/g, " ").trim()).filter(Boolean))];
}"""
"""Every visible text of the page's own, attributes too."""

TESTS_OWN = (
    "Scripted, for tests",
    "Says what a test wants.",
    "Scripted",
    'camera pan* "red car"',
    "three shots",
    "EXIT",
    "START",
    "NOPE",
)
NAMES = {
    *("ShareGPT", "Video", "ShareCaptioner", "InternLM", "XComposer", "Llama", "Meta", "CLIP", "SmolVLM", "SmolVLM2"),
    *("OpenAI", "Gradio", "API", "MCP", "JSON", "WebVTT", "SRT", "Markdown", "CSV", "HTML", "GPU", "CPU", "LLaVA"),
    *("MOV", "WebM", "MKV", "Esc", "Top", "pan", "pans", "panning", "sharegpt", "video", "jsonl", "NeXT", "KHD"),
    *("Apache", "Community", "License", "captioner", "answerer", "engine", "base", "url", "URL", "model", "NAME"),
    *("English", "remote", "smolvlm", "Ctrl", "Enter", "float", "bfloat", "official", "SGV", "BASE", "MIT", "OCR"),
}
"""Latin words that Chinese texts keep: names, formats, options of the command line."""


def _english(page: Page) -> list[str]:
    """Texts in which a word of three Latin letters is left that isn't a name."""
    left = []
    for text in page.evaluate(SHOWN):
        rest = text
        for own in TESTS_OWN:
            rest = rest.replace(own, "")
        if set(re.findall(r"[A-Za-z]{3,}", rest)) - NAMES:
            left.append(text)
    return left


def _settled(page: Page) -> set[str]:
    """What is shown once gradio's clocks have gone."""
    shown: set[str] = set()
    while (now := set(page.evaluate(SHOWN))) != shown:
        shown = now
        page.wait_for_timeout(1200)
    return shown


def _nothing(left: dict[str, list[str]]) -> None:
    """Fails with each text and the state in which it was first seen."""
    seen = {text: state for state, texts in reversed(left.items()) for text in texts}
    assert not seen, "\n".join(f"{state}: {text}" for text, state in seen.items())


def _chinese(browser: Browser, contexts: list[BrowserContext], url: str, width: int = 1440) -> Visitor:
    return arrive(browser, contexts, url, width, 900, locale="zh-CN")


def _open(visitor: Visitor, theme: str = "light") -> Visitor:
    visitor.open(theme)
    expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-CN")
    return visitor


def _ready(visitor: Visitor, clip: Path) -> Visitor:
    visitor.upload(clip)
    expect(visitor.button("run")).to_be_enabled()
    visitor.page.get_by_role("button", name=ZH["Options"]).click()
    visitor.page.get_by_label(ZH["Read text in the picture"]).uncheck()
    return visitor


def _done(visitor: Visitor) -> Visitor:
    expect(visitor.page.locator("#progress .ended b")).to_have_text(ZH["Done"], timeout=90_000)
    expect(visitor.page.locator("#bar .room-bar")).to_be_visible()
    return visitor


def _tab(visitor: Visitor, name: str) -> Visitor:
    return visitor.tab(re.escape(ZH[name]))


def _room(visitor: Visitor, name: str) -> Visitor:
    button = visitor.page.locator(f"[data-open={name}-room]")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    return visitor


def _unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")


def test_whatever_the_page_can_say(browser: Browser, contexts: list[BrowserContext], server: Server) -> None:
    visitor = _open(_chinese(browser, contexts, server.url))
    page = visitor.page
    page.evaluate("(html) => { document.body.innerHTML = `<main>${html}</main>`; }", phrases.everything())
    page.evaluate("document.querySelectorAll('[hidden]').forEach((e) => { e.hidden = false; })")
    _unfold(page)
    left = _english(page)
    assert not left, "\n".join(left)


def test_from_empty_to_failed(browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path) -> None:
    visitor = _open(_chinese(browser, contexts, server.url))
    page, left = visitor.page, {}
    left["empty"] = _english(page)
    for tab in TABS:
        _tab(visitor, tab)
        left[f"empty, {tab}"] = _english(page)
    visitor.ask("什么？")
    left["no video"] = _english(page)
    for panel in ("engine-panel", "about-panel"):
        page.locator(f"[data-panel={panel}]").click()
        left[panel] = _english(page)
    page.keyboard.press("Escape")
    page.locator("[data-room=history]").click()
    left["empty history"] = _english(page)
    page.keyboard.press("Escape")
    _tab(visitor, "1 Video")
    _ready(visitor, clip)
    left["ready"] = _english(page)
    server.script.gate.clear()
    visitor.run()
    expect(page.locator(".card.live .text")).to_contain_text("First")
    left["running"] = _english(page)
    visitor.button("stop").click()
    expect(visitor.button("run")).to_have_text(ZH["Continue"])
    left["stopped"] = _english(page)
    server.script.fail["difference"] = "显存不足。"
    server.script.gate.set()
    visitor.run()
    expect(page.locator("#progress .trouble")).to_be_visible()
    left["failed"] = _english(page)
    _nothing(left)
    assert visitor.errors == []


def test_done_in_all_rooms(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, tmp_path: Path
) -> None:
    visitor = _open(_chinese(browser, contexts, server.url))
    page, left = visitor.page, {}
    _done(_ready(visitor, clip).run())
    first = visitor.cards().nth(1)
    first.locator(".text").click()
    for key in ("3", "f", "e"):
        page.keyboard.press(key)
    left["editing"] = _english(page)
    page.keyboard.type("改过的文字。")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#bar .ratings summary")).to_contain_text("(1)")
    _unfold(page)
    for tab in TABS:
        _tab(visitor, tab)
        left[tab] = _english(page)
    for fold in page.locator("#clip > button, #recaption > button").all():
        _tab(visitor, "3 Summary")
        fold.click()
    left["summary, unfolded"] = _english(page)
    _tab(visitor, "4 Ask").ask("发生了什么？")
    visitor.answered(0)
    _unfold(page)
    left["asked"] = _english(page)
    visitor.turns().nth(0).locator("[data-act=edit]").click()
    expect(page.locator("#subject")).to_contain_text("1")
    left["editing a question"] = _english(page)
    _tab(visitor, "2 Captions")
    for name in ("keys", "share", "history"):
        page.locator(f"[data-room={name}]").click()
        if name == "share":
            page.locator("#room-share .strong").click()
            expect(page.locator("#room-share .made input")).to_be_visible()
        if name == "history":
            page.locator("#room-history li .verdict").click()
        left[name] = _english(page)
        page.keyboard.press("Escape")
    _tab(visitor, "1 Video")
    page.get_by_label(ZH["Fast: one caption for all"]).check()
    visitor.run()
    expect(visitor.cards()).to_have_count(1)
    _done(visitor)
    _room(visitor, "compare")
    page.locator("#comparison [data-before]").first.click()
    left["compare"] = _english(page)
    _room(visitor, "dataset")
    left["dataset"] = _english(page)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=ZH["Open an annotation file…"]).click()
    chooser.value.set_files(str(_jsonl(tmp_path / "some.jsonl")))
    expect(page.locator("#dataset-results li")).to_have_count(20)
    left["dataset, open"] = _english(page)
    page.get_by_label(ZH["Words"]).fill("heron")
    page.get_by_label(ZH["Words"]).press("Enter")
    expect(page.locator("#dataset-results li")).to_have_count(1)
    left["dataset, found"] = _english(page)
    page.locator("[data-record]").click()
    expect(page.locator("#dataset-record section")).to_be_visible()
    left["record"] = _english(page)
    _nothing(left)
    assert visitor.errors == []


def _jsonl(path: Path) -> Path:
    captions = [{"idx": "1", "content": "Run"}, {"idx": "-1", "content": "Fast"}]
    records = [{"video_id": "Stop", "video_path": "Done.mp4", "zip_folder": "Text", "captions": captions}] * 25
    heron = {"captions": [{"idx": "1", "content": "A heron."}], "timestamp": [1.0]}
    path.write_text("".join(json.dumps(record) + "\n" for record in (*records, heron)) + "no json\n")
    return path


def _switch(page: Page, language: str) -> None:
    page.locator("footer .settings").click()
    field = page.get_by_role("combobox", name=re.compile("^(Language|语言)$"))
    field.click()
    page.get_by_role("option", name=language, exact=True).click()
    page.mouse.click(5, 5)
    expect(field).to_have_count(0)


def test_it_switches_live_and_back(visitor: Visitor, clip: Path) -> None:
    hints = "['start', 'range', 'cards', 'ask', 'compare']"  # they come and go with time
    visitor.page.evaluate(f"localStorage.setItem('sgv-hints', JSON.stringify({hints}))")
    page = visitor.open().ready(clip).run().done().page
    before = _settled(page)
    _switch(page, "简体中文")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(visitor.button("run")).to_have_text(ZH["Run again"])
    expect(page.locator("#bar a[href$='.zh.html']")).to_have_count(1)
    assert _english(page) == []
    _switch(page, "English")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(visitor.button("run")).to_have_text("Run again")
    assert _settled(page) ^ before == set()


def test_words_of_others_stay(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, tmp_path: Path
) -> None:
    visitor = _open(_chinese(browser, contexts, server.url))
    page = visitor.page
    film = tmp_path / "Done.mp4"
    shutil.copy(clip, film)
    server.script.prefix = "Run "
    _done(_ready(visitor, film).run())
    expect(visitor.cards().nth(1).locator(".text")).to_contain_text("Run Pair 1 changes")
    page.evaluate("document.querySelectorAll('.card .text').forEach((text) => { text.textContent = 'Run'; })")
    page.evaluate("document.querySelectorAll('.facts bdi').forEach((name) => { name.title = 'Run'; })")
    visitor.cards().nth(1).locator(".text").click()
    page.keyboard.press("n")
    page.keyboard.type("Stop")
    page.keyboard.press("Control+Enter")
    expect(visitor.cards().nth(1).locator(".my-note")).to_have_text("Stop")
    expect(visitor.cards().nth(1).locator(".text")).to_have_text("Run")
    page.locator("[data-room=history]").click()
    expect(page.locator(".past b")).to_have_text("Done.mp4")
    expect(page.locator("#room-history li .verdict")).to_have_attribute("aria-label", f"{ZH['Delete']} Done.mp4")
    page.keyboard.press("Escape")
    _tab(visitor, "4 Ask").ask("Stop")
    visitor.answered(0)
    expect(visitor.turns().first.locator(".question")).to_have_text("Stop")
    _tab(visitor, "1 Video")
    expect(page.locator("#facts bdi")).to_have_text("Done.mp4")
    expect(page.locator("#facts bdi")).to_have_attribute("title", "Run")
    _room(visitor, "dataset")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=ZH["Open an annotation file…"]).click()
    chooser.value.set_files(str(_jsonl(tmp_path / "some.jsonl")))
    row = page.locator("#dataset-results li").first
    expect(row.locator("b")).to_have_text("Stop")
    expect(row.locator("small")).to_contain_text("Text · ")
    expect(row.locator("span")).to_have_text("Fast")
    row.locator("button").click()
    expect(page.locator("#dataset-record h3")).to_have_text("Stop")
    expect(page.locator("#dataset-record .text").nth(1)).to_have_text("Run")


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_other_browsers_see_english(
    browser: Browser, contexts: list[BrowserContext], server: Server, locale: str
) -> None:
    page = arrive(browser, contexts, server.url, locale=locale).open().page
    assert [tab.inner_text() for tab in page.get_by_role("tab").all()] == list(TABS)
    expect(page.locator("#examples")).to_contain_text("Drop a video above")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    assert not re.search(r"[\u4e00-\u9fff]", page.locator("body").inner_text().replace("文", ""))


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_looks_in_chinese(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path, width: int, theme: str
) -> None:
    visitor = _open(_chinese(browser, contexts, server.url, width), theme)
    visitor.picture(f"zh-empty-{width}-{theme}")
    _done(_ready(visitor, clip).run())
    for tab in TABS:
        _tab(visitor, tab)
        assert not visitor.sideways(), tab
        visitor.picture(f"zh-{tab[0]}-{width}-{theme}")
    for panel in ("engine-panel", "about-panel"):
        visitor.page.locator(f"[data-panel={panel}]").click()
        visitor.picture(f"zh-{panel}-{width}-{theme}")
    visitor.page.keyboard.press("Escape")
    for room in ("compare", "dataset"):
        _room(visitor, room)
        visitor.picture(f"zh-{room}-{width}-{theme}")
        assert not visitor.sideways(), room
    assert visitor.errors == []
