"""The page under its own content security policy: everything works, and a script that isn't the page's doesn't run."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, BrowserContext

from tests.browser.conftest import Server, arrive

NOTED = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
INTRUDERS = """
document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.owned = 1'>");
document.body.append(Object.assign(document.createElement("script"), { textContent: "window.owned = 2" }));
"""


def test_the_page_works_under_its_policy_and_a_script_that_got_in_is_not_run(
    browser: Browser, contexts: list[BrowserContext], server: Server, clip: Path
) -> None:
    visitor = arrive(browser, contexts, server.url)
    page = visitor.page
    page.add_init_script(NOTED)
    visitor.open().ready(clip).run().done()
    visitor.tab("3 Summary")
    visitor.tab("4 Ask")
    visitor.ask("What is shown?").answered(0)
    for name in ("Compare", "Dataset"):
        visitor.room(name)
    assert page.evaluate("violations") == []
    assert visitor.errors == []
    page.evaluate(INTRUDERS)
    page.wait_for_function("violations.length >= 2")
    assert page.evaluate("window.owned ?? null") is None
