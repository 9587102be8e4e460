"""Tab 3: the summary, downloads, and the captioner's two other roles."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.ui.language import say
from sgv_demo.ui.summary import view

_CAPTIONS = "0:00 A man unrolls a mat on a lawn.\n0:04 The camera pans right; he kneels."


def build() -> dict[str, Any]:
    """Returns the components by name."""
    made: dict[str, Any] = {}
    made["summary"] = gr.HTML(view.summary(None, lambda _: ""), elem_id="summary")
    made["downloads"] = gr.HTML(view.downloads(()), elem_id="downloads")
    with gr.Accordion(say("Summarize other captions"), open=False, elem_id="clip"):
        made["clip_file"] = gr.File(
            label=say("Captions as JSON, WebVTT or SRT"), file_types=[".json", ".vtt", ".srt", ".txt"], height=110
        )
        made["clip_text"] = gr.Textbox(
            label=say("…or pasted here: one caption a line, with its time if you like"),
            lines=5,
            max_lines=14,
            placeholder=_CAPTIONS,
        )
        with gr.Row(elem_classes="buttons"):
            made["clip_run"] = gr.Button(say("Summarize these"), scale=0, min_width=180)
            made["clip_stop"] = gr.Button(say("Stop"), scale=0, min_width=80)
        made["clip_result"] = gr.HTML("", elem_id="clip-result")
    with gr.Accordion(say("Turn a short prompt into a detailed caption"), open=False, elem_id="recaption"):
        made["prompt"] = gr.Textbox(
            label=say("Prompt"), lines=2, max_lines=8, placeholder=say("A lighthouse in a storm, seen from a drone")
        )
        with gr.Row(elem_classes="buttons"):
            made["recaption_run"] = gr.Button(say("Write the caption"), scale=0, min_width=180)
            made["recaption_stop"] = gr.Button(say("Stop"), scale=0, min_width=80)
        made["recaption_result"] = gr.HTML("", elem_id="recaption-result")
    return made
