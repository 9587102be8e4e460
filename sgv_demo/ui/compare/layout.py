"""The comparison: two results side by side."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.ui.compare import view as comparison
from sgv_demo.ui.language import say
from sgv_demo.ui.parts import hint


def build() -> dict[str, Any]:
    """Which two, and the comparison."""
    made: dict[str, Any] = {}
    with gr.Row(elem_id="compare-choice"):
        made["left"] = gr.Dropdown([], value=None, label=say("Left"), interactive=True, min_width=200)
        made["right"] = gr.Dropdown([], value=None, label=say("Right"), interactive=True, min_width=200)
    with gr.Row(elem_id="strategies", elem_classes="buttons"):
        made["other_ways"] = gr.Button(
            say("Run the other ways, too"), size="sm", scale=0, min_width=200, interactive=False, elem_id="other-ways"
        )
        gr.HTML(
            hint(
                "Pair by pair, all keyframes at once, or all on one sheet where an engine takes several pictures: "
                "the same engine writes each, and what each took is beside it."
            ),
            elem_id="other-ways-hint",
        )
    made["comparison"] = gr.HTML(
        comparison.page(None, None), js_on_load="sgv.frames.compare(element)", elem_id="comparison"
    )
    return made
