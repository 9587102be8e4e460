"""Tab 4: questions about the video."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.fields import leaves
from sgv_demo.formats.markup import macros
from sgv_demo.options import QuestionOptions
from sgv_demo.settings import Settings
from sgv_demo.ui.ask import view as chat
from sgv_demo.ui.language import say
from sgv_demo.ui.video.controls import answer_part
from sgv_demo.ui.visit import Talk
from sgv_demo.ui.widgets import widget

SUGGESTED = ("What happens in this video?", "When does the camera move?", "Are there any cuts?", "What can be read?")

_LABELS = {
    "frames": {"label": say("Frames it looks at")},
    "max_new_tokens": {"label": say("Longest answer (tokens)")},
}


def build(models: bool, settings: Settings) -> dict[str, Any]:
    """`models`: whether an answerer is offered that looks at frames."""
    made: dict[str, Any] = {}
    made["subject"] = gr.HTML(chat.subject_line(None, Talk(), None), elem_id="subject")
    made["chat"] = gr.HTML(
        macros("ask").conversation(),
        js_on_load="sgv.mount(element); sgv.acts(element, (act) => trigger('act', act))",
        elem_id="chat",
    )
    made["suggested"] = gr.HTML(
        chat.suggestions(SUGGESTED),
        js_on_load="sgv.asks(element, (text) => trigger('pick', { text }))",
        elem_id="suggested",
    )
    with gr.Row(elem_id="asking"):
        made["question"] = gr.Textbox(
            show_label=False,
            label=say("Question"),
            placeholder=say("Ask about the video"),
            lines=1,
            max_lines=5,
            scale=5,
            interactive=True,
            submit_btn=False,
            elem_id="question",
        )
        made["ask"] = gr.Button("Ask", variant="primary", scale=0, min_width=90, elem_id="ask")
        made["ask_stop"] = gr.Button(say("Stop"), scale=0, min_width=80, interactive=False, elem_id="ask-stop")
    made["clear"] = gr.Button(say("Clear conversation"), size="sm", visible=False, elem_id="clear")
    made["grid"] = gr.HTML("", elem_id="grid")
    with gr.Accordion(say("How it answers"), open=False, visible=models, elem_id="answering") as made["answering"]:
        with gr.Row():
            for spec in leaves(QuestionOptions):
                part = answer_part(spec.name)
                if spec.option.ask is not None and part != spec.name:
                    made[part] = widget(spec, settings, **_LABELS.get(spec.name, {}))
        made["defaults"] = gr.Button(say("Published defaults"), size="sm", elem_id="defaults")
    return made
