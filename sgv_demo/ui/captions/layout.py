"""Tab 2: one card for each pair."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.formats.markup import macros
from sgv_demo.ui.captions import view


def build() -> dict[str, Any]:
    """The find field and the list; cards come through the feed."""
    return {
        "cards_by": gr.HTML("", elem_id="cards-by"),
        "cards": gr.HTML(macros("captions").cards(), js_on_load="sgv.mount(element)", elem_id="cards"),
        "cards_empty": gr.HTML(view.empty("empty"), elem_id="cards-empty"),
    }
