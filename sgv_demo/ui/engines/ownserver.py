"""A server that a visitor names, where the operator allows it (`Settings.visitor_urls`); see `VisitorsServer`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.errors import SgvError
from sgv_demo.ui.desk import Desk, VisitorsServer
from sgv_demo.ui.language import say
from sgv_demo.ui.parts import hint, trouble
from sgv_demo.ui.video.handlers import Updates


def build() -> dict[str, Any]:
    """The fields for an address and a model."""
    made: dict[str, Any] = {}
    with gr.Accordion(say("A server of your own"), open=False, elem_id="own-server"):
        with gr.Row():
            made["own_url"] = gr.Textbox(
                label=say("Address"), placeholder="https://example.org/v1", max_lines=1, scale=3, min_width=220
            )
            made["own_model"] = gr.Textbox(
                label=say("Model"), placeholder=say("the first it lists"), max_lines=1, scale=2, min_width=160
            )
        made["own_use"] = gr.Button(say("Use it"), size="sm", min_width=100)
        made["own_note"] = gr.HTML(
            hint("Any OpenAI-compatible server that can be reached from the internet without a key."),
            elem_id="own-note",
        )
    return made


class OwnServer:
    """What its button does."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def use(self, base_url: str, model: str) -> Updates:
        """Asks the server what it runs, then offers it for both roles and chooses it."""
        if not base_url.strip():
            return {"own_note": trouble("Give the server's address, such as https://example.org/v1.")}
        server = VisitorsServer(base_url, model).name()
        try:
            label = self.desk.captioner(server).info.label
        except SgvError as error:
            return {"own_note": trouble(str(error))}
        captioners = [(c.label, c.name) for c in self.desk.choices if c.load_captioner]
        answerers = [(c.label, c.name) for c in self.desk.choices if c.load_answerer]
        return {
            "engine": gr.update(choices=[*captioners, (label, server)], value=server),
            "answerer": gr.update(choices=[*answerers, (label, server)], value=server),
            "own_note": hint("It answers. It is chosen for captions and answers."),
        }
