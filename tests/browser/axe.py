"""What axe-core finds on a page."""

from __future__ import annotations

from pathlib import Path

from tests.browser.conftest import Visitor

_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
"""axe-core 4.14.1 (MPL-2.0), for tests only."""


def serious(visitor: Visitor) -> list[str]:
    """What it finds of the WCAG 2 A and AA rules with serious or critical impact, as "rule: where"."""
    if not visitor.page.evaluate("!!window.axe"):
        visitor.page.evaluate(_AXE.read_text(encoding="utf-8"))
    # In between two colours of a button there is no contrast to judge.
    settled = "!document.getAnimations().some((a) => a instanceof CSSTransition && a.playState === 'running')"
    visitor.page.wait_for_function(settled)
    found = visitor.page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations']})"
    )
    return [
        f"{v['id']}: {node['target']} {node['html'][:120]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
        # Gradio's own drop area says "Drop Video Here" and is labelled "Drop a video file here".
        if not (v["id"] == "label-content-name-mismatch" and "upload-container" in node["html"])
    ]
