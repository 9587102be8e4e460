"""Five browsers and fifteen API visitors of one page, doing different things; each must see its own video's result."""

from __future__ import annotations

import re
import shutil
import threading
import time
import urllib.request
from pathlib import Path
from statistics import mean
from typing import Any

from gradio_client import Client, handle_file
from playwright.sync_api import BrowserContext, expect, sync_playwright

from tests.browser.conftest import FLAGS, NAMES, Visitor, arrive
from tests.load.harness import clips, page, reading, visit

BROWSERS, CALLERS, STEP = 5, 15, 1.0


def mixed(folder: Path) -> None:
    """Sliding, fast, questions by API; run, stop, reload, a closed tab and a question in browsers."""
    (folder / "long").mkdir()
    films = [*clips(folder / "long", BROWSERS, 80), *clips(folder, BROWSERS + CALLERS, 16)[BROWSERS:]]
    with (
        reading(STEP) as server,
        page(folder, "--engine", "remote", "--base-url", server.url, SGV_REMOTE_AT_ONCE="16") as served,
    ):
        wrong: list[str] = []
        callers = [
            threading.Thread(target=_call, args=(served.url, films[n], n + 1, wrong), daemon=True)
            for n in range(BROWSERS, BROWSERS + CALLERS)
        ]
        over, delays = threading.Event(), list[float]()
        threading.Thread(target=_knock, args=(served.url, over, delays), daemon=True).start()
        for caller in callers:
            caller.start()
        stops, gone = _browse(served.url, films[:BROWSERS], wrong, served)
        for caller in callers:
            caller.join(180)
        over.set()
        readers = len(served.readers())
    traces = served.log.read_text().count("Traceback")
    print(f"mixed, {BROWSERS} browsers and {CALLERS} callers: {len(wrong)} wrong {wrong}, {traces} tracebacks")
    print(f"  the page's server answered within {mean(delays):.2f} s on the mean, {max(delays):.2f} s at most")
    print(
        f"  Stop answered after {mean(stops):.2f} s ({max(stops):.2f} s at most); readers of a stopped run gone after "
        f"{gone:.2f} s; readers left: {readers}",
        flush=True,
    )


def _knock(url: str, over: threading.Event, delays: list[float]) -> None:
    """Asks for a small thing five times a second."""
    while not over.wait(0.2):
        began = time.monotonic()
        with urllib.request.urlopen(f"{url}theme.css", timeout=60) as answer:
            answer.read()
        delays.append(time.monotonic() - began)


def _call(url: str, film: Path, number: int, wrong: list[str]) -> None:
    client = Client(url, verbose=False)
    try:
        if number % 3 == 0:
            said = _question(client, film)
        else:
            mode: dict[str, Any] = {"mode": "fast"} if number % 3 == 1 else {}
            got = visit(client, film, number, time.monotonic(), **mode)
            said = {got.failure} if got.failure else set(got.texts)
        if said != {f"The number {number}."}:
            wrong.append(f"caller {number}: {said}")
    finally:
        client.close()


def _question(client: Client, film: Path) -> set[str]:
    found: Any = client.predict(video=handle_file(str(film)), question="Which number is it?", api_name="/ask")
    return {found["answer"].strip()}


def _browse(url: str, films: list[Path], wrong: list[str], served: Any) -> tuple[list[float], float]:
    """(seconds until Stop was answered, seconds until a stopped run's reader was gone)."""
    chromium = next(found for name in NAMES if (found := shutil.which(name)))
    stops: list[float] = []
    gone = 0.0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        contexts: list[BrowserContext] = []
        visitors = [arrive(browser, contexts, url).open() for _ in films]
        for visitor, film in zip(visitors, films, strict=True):
            visitor.ready(film).page.get_by_label("Keep every sample").check()
        for visitor in (*visitors[2:], visitors[0], visitors[1]):
            visitor.run()
        expect(visitors[2].cards().first).to_be_visible()
        visitors[2].page.reload()
        expect(visitors[2].button("run")).to_have_text("Continue")
        visitors[2].run()
        visitors[3].page.close()
        expect(visitors[1].cards().nth(1)).to_be_visible()
        for _ in range(3):
            before = {process.pid for process in served.readers()}
            began = time.monotonic()
            visitors[1].button("stop").click()
            expect(visitors[1].page.locator("#progress")).to_contain_text("Stopped")
            stops.append(time.monotonic() - began)
            while before <= {process.pid for process in served.readers()} and time.monotonic() - began < 10:
                time.sleep(0.02)
            gone = time.monotonic() - began
            visitors[1].run()
            expect(visitors[1].page.locator("#progress")).not_to_contain_text("Stopped")
            visitors[1].page.wait_for_timeout(1500)
        for number in (0, 1, 2, 4):
            _check(visitors[number], number + 1, wrong)
        visitors[4].tab("Ask").ask("Which number is it?")
        if visitors[4].answered(0).inner_text().strip() != "The number 5.":
            wrong.append(f"browser 5: {visitors[4].answered(0).inner_text()}")
        browser.close()
    return stops, gone


def _check(visitor: Visitor, number: int, wrong: list[str]) -> None:
    visitor.done()
    texts = {re.sub(r"\s+", " ", text.strip()) for text in visitor.page.locator(".card .text").all_inner_texts()} - {""}
    if texts != {f"The number {number}."}:
        wrong.append(f"browser {number}: {texts}")
