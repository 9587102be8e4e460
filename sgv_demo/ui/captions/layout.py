"""Tab 2: one card for each pair."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.ui.captions import view as render

_FIND = (
    '<div id="find"><label><span class="sr">Find in captions</span>'
    '<input type="search" placeholder="Find in captions" autocomplete="off" spellcheck="false"></label>'
    '<output aria-live="polite"></output></div>'
)
_CARDS = '<div class="list cards" data-list="cards" role="feed" aria-label="Captions"></div><div class="empty">'


def build() -> dict[str, Any]:
    """The find field and the list; cards come through the feed."""
    hint = render.hint("Choose a video and press Run. Each pair of keyframes gets a card here as it is written.")
    hint += render.hint("The first caption appears here as soon as it is being written.", kind="hint begun")
    return {
        "cards_by": gr.HTML("", elem_id="cards-by"),
        "cards": gr.HTML(_FIND + _CARDS + hint + "</div>", js_on_load="sgv.mount(element)", elem_id="cards"),
    }
