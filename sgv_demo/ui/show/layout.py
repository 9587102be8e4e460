"""Where a result is shown: over the whole page, and small on the landing page."""

from __future__ import annotations

from typing import Any

import gradio as gr


def stage() -> dict[str, Any]:
    """Above the workbench, which it hides while it shows something."""
    return {"show": gr.HTML("", js_on_load="sgv.show.mount(element)", elem_id="show")}


def example() -> dict[str, Any]:
    """On the landing page, until the visitor's own run begins."""
    return {"example": gr.HTML("", js_on_load="sgv.show.mount(element)", elem_id="example")}
