"""The page on the real model code with tiny checkpoints: loading, streaming, what the model saw, unloading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.serve import choices
from tests.browser.conftest import Server, Visitor, arrive, serve
from tests.support import tiny_captioner, tiny_llava
from tests.support.scripted import Script


@pytest.fixture(scope="module")
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    tiny_captioner.write_checkpoint(folder / "captioner")
    tiny_llava.make_checkpoint(folder / "answerer")
    settings = Settings(
        store_dir=folder / "store",
        captioner=str(folder / "captioner"),
        answerer=str(folder / "answerer"),
        quantization="none",
        dtype="float32",
        frame_long_side=320,
    )
    yield from serve(Desk(settings, choices(settings), Store(settings.store_path, 200)), Script())


@pytest.fixture
def user(browser: Browser, contexts: list[BrowserContext], model_server: Server) -> Iterator[Visitor]:
    visitor = arrive(browser, contexts, model_server.url).open()
    yield visitor
    assert visitor.errors == []


def number(visitor: Visitor, label: str, value: str) -> None:
    """Types into the number field of a slider."""
    field = visitor.page.get_by_label(f"number input for {label}").filter(visible=True)
    field.fill(value)
    field.press("Tab")


def test_captioner(user: Visitor, clip: Path) -> None:
    page = user.page
    expect(page.locator("#status")).to_contain_text("ShareCaptioner-Video 7B")
    user.ready(clip)
    number(user, "Longest caption (tokens)", "16")
    user.run().done()
    card = user.active(1)
    expect(card).to_be_visible()
    card.get_by_text("What the model saw").click()
    expect(card.locator(".saw pre")).to_contain_text("[UNUSED_TOKEN_146]")
    expect(card.locator(".saw")).to_contain_text("tokens in, 16 out")
    expect(card.locator(".tiles img")).to_have_js_property("complete", True)
    expect(card.locator(".tiles")).to_contain_text("tiles")
    expect(page.locator("#cards-by")).to_contain_text("ShareCaptioner-Video")
    expect(page.locator("#status")).to_contain_text("float32")
    user.picture("model-captions")
    page.locator('[data-panel="engine-panel"]').click()
    expect(page.locator("#engine-state")).to_contain_text("Loaded")
    page.get_by_role("button", name="Unload").click()
    expect(page.locator("#engine-state")).not_to_contain_text("Loaded")
    assert str(os.sep + "captioner") not in page.locator("#engine-state").inner_text()


def test_answerer(user: Visitor, clip: Path) -> None:
    page = user.ready(clip).tab("4 Ask").page
    page.get_by_role("button", name="How it answers").click()
    number(user, "Longest answer (tokens)", "16")
    number(user, "Frames it looks at", "4")
    number(user, "Temperature", "0")
    user.ask("What moves? <|eot_id|>")
    expect(user.turns().first.locator(".acts")).to_be_visible(timeout=60_000)
    expect(page.locator("#grid .cells .frame img")).to_have_count(4)
    page.locator("#grid").get_by_text("What the model saw").click()
    expect(page.locator("#grid .tiles img")).to_be_visible()
    user.picture("model-ask")
    user.ask("And then?")
    expect(user.turns().nth(1).locator(".acts")).to_be_visible(timeout=60_000)
    user.turns().nth(1).get_by_role("button", name="Retry").click()
    expect(user.turns().nth(1).locator(".caret")).to_have_count(0)
    expect(user.turns().nth(1).locator(".acts")).to_be_visible(timeout=60_000)
