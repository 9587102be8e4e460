"""Tab 4: questions about the video."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.formats.markup import macros
from sgv_demo.ui.ask import view as chat
from sgv_demo.ui.language import say
from sgv_demo.ui.visit import Talk

SUGGESTED = ("What happens in this video?", "When does the camera move?", "Are there any cuts?", "What can be read?")
TEMPERATURE = 0.2
"""The published demo's."""


def build(models: bool) -> dict[str, Any]:
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
            made["frames"] = gr.Slider(1, 64, value=16, step=1, label=say("Frames it looks at"), min_width=180)
            made["temperature"] = gr.Slider(
                0, 1.5, value=TEMPERATURE, step=0.05, label=say("Temperature"), min_width=180
            )
        with gr.Row():
            made["top_p"] = gr.Slider(0.05, 1, value=1, step=0.05, label=say("Top-p"), min_width=180)
            made["answer_tokens"] = gr.Slider(
                16, 2048, value=1024, step=16, label=say("Longest answer (tokens)"), min_width=180
            )
        made["defaults"] = gr.Button(say("Published defaults"), size="sm", elem_id="defaults")
    return made
