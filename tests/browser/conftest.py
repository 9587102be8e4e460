"""Chromium, a page on scripted engines, and pictures of it in test-output/ (kept by CI, not by git)."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.layout import build_app, launch_options
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner
from tests.support.shots import texture, write_shots

OUTPUT = Path(__file__).resolve().parents[2] / "test-output"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]

expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs Chromium."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.ui)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; skips where there is none, fails there under CI."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        reason = f"No Chromium found (looked for {', '.join(NAMES)}); the UI tests did NOT run."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@dataclass
class Server:
    """A running page and the script that its engines follow."""

    url: str
    desk: Desk
    script: Script


def serve(desk: Desk, script: Script) -> Iterator[Server]:
    """Runs the page for a desk in this process, on a free port."""
    app = build_app(desk)
    _, url, _ = app.launch(quiet=True, prevent_thread_lock=True, server_name="127.0.0.1", **launch_options(desk))
    yield Server(url, desk, script)
    app.close()


@pytest.fixture(scope="session")
def scripted_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = Script()
    settings = Settings(store_dir=tmp_path_factory.mktemp("store"), frame_long_side=320)
    choice = Choice(
        "scripted",
        "Scripted, for tests",
        "Says what a test wants.",
        load_captioner=lambda report: ScriptedCaptioner(script),
        load_answerer=lambda report: ScriptedAnswerer(script),
    )
    yield from serve(Desk(settings, [choice], Store(settings.store_path, 200)), script)


@pytest.fixture
def server(scripted_server: Server) -> Iterator[Server]:
    """The scripted page with a fresh script and an empty store."""
    script, desk = scripted_server.script, scripted_server.desk
    fresh = Script()
    for name in ("pause", "prefix", "fail", "blank", "asked", "closed"):
        setattr(script, name, getattr(fresh, name))
    script.gate.set()
    shutil.rmtree(desk.store.root.parent, ignore_errors=True)
    yield scripted_server
    script.gate.set()


@dataclass
class Visitor:
    """One browser tab, in the words of a person."""

    page: Page
    url: str
    errors: list[str]
    outside: list[str]

    def open(self, theme: str = "light") -> Visitor:
        self.page.goto(f"{self.url}?__theme={theme}")
        expect(self.page.get_by_role("tab").first).to_be_visible()
        expect(self.page.locator("#player input[type=file]").first).to_be_attached()
        return self

    def upload(self, path: Path) -> Visitor:
        self.page.locator("#player input[type=file]").first.set_input_files(str(path))
        return self

    def ready(self, path: Path) -> Visitor:
        """Uploads, and switches off the reading of text, which takes seconds and isn't the page's."""
        self.upload(path)
        expect(self.page.locator("#run")).to_be_enabled()
        self.options().page.get_by_label("Read text in the picture").uncheck()
        return self

    def options(self) -> Visitor:
        """Unfolds what is set for a run."""
        if not self.page.locator("#mode").is_visible():
            self.page.get_by_role("button", name="Options").click()
        expect(self.page.locator("#mode")).to_be_visible()
        return self

    def active(self, number: int) -> Locator:
        """A caption's card, with the tools that show on the one that is read."""
        card = self.cards().nth(number)
        card.locator(".text").first.click()
        return card

    def run(self) -> Visitor:
        self.button("run").click()
        return self

    def done(self) -> Visitor:
        expect(self.page.locator("#progress")).to_contain_text("Done", timeout=90_000)
        return self

    def tab(self, name: str) -> Visitor:
        tab = self.page.get_by_role("tab", name=re.compile(name))
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        return self

    def room(self, name: str) -> Visitor:
        """Opens "Compare" or "Dataset"."""
        button = self.page.get_by_role("navigation", name="Inspection").get_by_role("button", name=name)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        return self

    def button(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    def cards(self) -> Locator:
        return self.page.locator(".cards > .card")

    def ask(self, question: str) -> Visitor:
        self.page.locator("#question textarea").fill(question)
        self.page.locator("#question textarea").press("Enter")
        return self

    def turns(self) -> Locator:
        return self.page.locator(".chat > .turn")

    def answered(self, number: int) -> Locator:
        """The answer of turn `number`, once it is finished."""
        turn = self.turns().nth(number)
        expect(turn.locator(".acts")).to_be_visible()
        return turn.locator(".answer")

    def position(self) -> float:
        """Where the player is, seconds."""
        return self.page.evaluate("document.querySelector('#player video').currentTime")

    def at(self, seconds: float) -> None:
        """Waits until the player is there."""
        self.page.wait_for_function(
            "t => Math.abs(document.querySelector('#player video').currentTime - t) < 0.3", arg=seconds
        )

    def picture(self, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        self.page.screenshot(path=OUTPUT / f"{name}.png", full_page=True)

    def sideways(self) -> bool:
        return self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")


@pytest.fixture
def contexts(browser: Browser) -> Iterator[list[BrowserContext]]:
    made: list[BrowserContext] = []
    yield made
    for context in made:
        context.close()


def arrive(
    browser: Browser,
    contexts: list[BrowserContext],
    url: str,
    width: int = 1440,
    height: int = 900,
    locale: str = "en-US",
) -> Visitor:
    """A visitor of their own; whatever goes to the console or outside is noted."""
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, locale=locale)
    contexts.append(context)
    page = context.new_page()
    visitor = Visitor(page, url, [], [])
    host = urlsplit(url).netloc
    page.on("console", lambda m: visitor.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    page.on(
        "request",
        lambda r: (
            visitor.outside.append(r.url)
            if urlsplit(r.url).scheme in ("http", "https", "ws", "wss") and urlsplit(r.url).netloc != host
            else None
        ),
    )
    return visitor


@pytest.fixture
def visitor(browser: Browser, contexts: list[BrowserContext], server: Server) -> Iterator[Visitor]:
    """A visitor of the scripted page; at the end nothing may have gone wrong in the console or gone outside."""
    made = arrive(browser, contexts, server.url).open()
    yield made
    assert made.errors == []
    assert made.outside == []


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s at 8 fps: three shots of two seconds each."""
    size = (256, 144)
    shots = [texture(1, (220, 60, 40), size), texture(2, (30, 120, 200), size), texture(3, (60, 200, 80), size)]
    return write_shots(tmp_path_factory.mktemp("clips") / "three shots.mp4", shots, each=16, rate=8)


@pytest.fixture
def another_desk(server: Server, tmp_path: Path) -> Desk:
    """A desk with other settings, for tests that need them."""
    return Desk(replace(server.desk.settings, store_dir=tmp_path), server.desk.choices, Store(tmp_path, 100))
