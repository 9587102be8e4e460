"""The whole way on the measured engine: `python app.py`, a real clip, no engine of the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from sgv_demo.ui.language import table
from tests.browser.conftest import OUTPUT, Visitor, arrive
from tests.browser.running import ROOT, free_port, running

CLIP = ROOT / "assets" / "examples" / "city.mp4"


@pytest.fixture(scope="module")
def app_url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with a store of its own."""
    with running(free_port(), tmp_path_factory.mktemp("whole") / "store") as url:
        yield url


def test_whole_way(browser: Browser, contexts: list[BrowserContext], app_url: str) -> None:
    visitor = arrive(browser, contexts, app_url).open()
    page = visitor.page
    expect(page.locator("#status")).to_contain_text("Measured, no language model")
    visitor.upload(CLIP)
    expect(page.locator("#facts")).to_contain_text("640×360")
    visitor.picture("real-ready")
    visitor.run().done()
    expect(page.locator("#strip .frame img").first).to_be_visible()
    count = visitor.cards().count()
    assert count >= 3
    expect(page.locator(".card .chips", has_text="cut at 0:07").first).to_be_visible()
    expect(page.locator("#cards-by")).to_contain_text("Measured, no language model")
    visitor.picture("real-captions")
    last = visitor.cards().nth(count - 1).locator(".span")
    last.click()
    visitor.at(float(last.get_attribute("data-seek") or 0))
    _summary(visitor, count)
    visitor.tab("4 Ask").ask("Are there any cuts?")
    expect(visitor.answered(0)).to_contain_text("0:07")
    visitor.answered(0).locator("button.time").first.click()
    visitor.at(7.0)
    visitor.picture("real-ask")
    assert visitor.errors == []
    assert visitor.outside == []


def _summary(visitor: Visitor, count: int) -> None:
    page = visitor.tab("3 Summary").page
    expect(page.locator("#summary .text")).not_to_be_empty()
    expect(page.locator("#summary .by")).to_contain_text("Measured, no language model")
    with page.expect_download() as got:
        page.get_by_role("link", name="JSON").first.click()
    record = json.loads(Path(got.value.path()).read_text())
    assert record["video"]["file"] == "city.mp4"
    assert len(record["captions"]) == count
    assert str(ROOT) not in json.dumps(record)
    visitor.picture("real-summary")


def test_example_tile(browser: Browser, contexts: list[BrowserContext], app_url: str) -> None:
    visitor = arrive(browser, contexts, app_url).open()
    tile = visitor.page.locator(".example").first
    expect(tile.locator("video")).to_have_js_property("readyState", 4)
    tile.click()
    expect(visitor.page.locator("#facts h3")).to_have_text(re.compile(r"\.mp4$"))
    expect(visitor.page.locator("#examples")).to_be_hidden()
    visitor.page.get_by_role("button", name="Clear").first.click()
    expect(visitor.page.locator("#examples")).to_be_visible()
    assert visitor.errors == []
    assert OUTPUT.exists()


def test_measured_in_chinese_to_the_end(browser: Browser, contexts: list[BrowserContext], app_url: str) -> None:
    visitor = arrive(browser, contexts, app_url, locale="zh-CN").open()
    page = visitor.page
    visitor.upload(CLIP)
    expect(page.locator("#run")).to_be_enabled()
    visitor.run()
    expect(page.locator("#progress")).to_contain_text("完成", timeout=60_000)
    texts = visitor.cards().locator(".text").all_inner_texts()
    assert len(texts) >= 3
    assert not re.search(r"[A-Za-z]{2,}", re.sub("“[^”]*”", "", "".join(texts)))
    assert any("切换到新镜头" in text for text in texts)
    visitor.picture("chinese-captions")
    report = page.locator("a[href$='.zh.html']").first.get_attribute("href")
    told = page.evaluate("address => fetch(address).then(response => response.text())", report)
    assert '<html lang="zh">' in told
    assert "生成方式" in told
    page.get_by_role("tab").nth(2).click()
    expect(page.locator("#summary .text")).to_contain_text("共有 2 个镜头")
    page.locator("#recaption .label-wrap").click()
    page.locator("#recaption textarea").fill("a lighthouse")
    page.locator("#recaption button", has_text=table("zh")["Write the caption"]).click()
    expect(page.locator("#recaption-result")).to_contain_text("提示词有 2 个词")
    page.get_by_role("tab").nth(3).click()
    visitor.ask("有几个镜头？")
    expect(visitor.answered(0)).to_contain_text("2 个镜头：切换时间为 0:07")
    visitor.picture("chinese-ask")
    assert visitor.errors == []
    assert visitor.outside == []
