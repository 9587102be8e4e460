"""Tab 1: facts of the file, how it is sampled, its keyframes."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.formats.markup import macros
from sgv_demo.ui.language import say
from sgv_demo.ui.parts import hint
from sgv_demo.ui.video import view
from sgv_demo.ui.video.controls import Controls

_DEFAULTS = Controls()


def build(models: bool) -> dict[str, Any]:
    """`models`: whether an engine is offered that decodes tokens."""
    made: dict[str, Any] = {}
    made["facts"] = gr.HTML("", elem_id="facts")
    made["chosen"] = gr.HTML(view.chosen(_DEFAULTS), elem_id="chosen")
    with gr.Accordion(say("Options"), open=False, elem_id="options"):
        made["mode"] = gr.Radio(
            [(say("Sliding: one caption for each pair"), "sliding"), (say("Fast: one caption for all"), "fast")],
            value=_DEFAULTS.mode,
            label=say("Captions"),
            elem_id="mode",
        )
        with gr.Row():
            made["every"] = gr.Number(_DEFAULTS.every, label=say("A sample every (s)"), step=0.5, min_width=120)
            made["start"] = gr.Number(0, label=say("From (s)"), step=0.5, min_width=100)
            made["end"] = gr.Number(None, label=say("To (s)"), step=0.5, min_width=100, placeholder=say("end"))
            made["maximum"] = gr.Number(
                None, label=say("Keyframes at most"), step=1, precision=0, min_width=120, placeholder=say("no limit")
            )
        with gr.Row():
            made["threshold"] = gr.Slider(
                0.3,
                1.0,
                value=0.87,
                step=0.01,
                label=say("Threshold: less similar than this becomes a keyframe"),
                min_width=260,
            )
            made["similarity"] = gr.Dropdown(
                [(say("Colour histogram"), "histogram"), (say("CLIP (downloads a model)"), "clip")],
                value=_DEFAULTS.similarity,
                label=say("Similarity by"),
                min_width=180,
            )
        with gr.Row():
            made["keep_all"] = gr.Checkbox(False, label=say("Keep every sample"), min_width=160, elem_id="keep-all")
            made["read_text"] = gr.Checkbox(True, label=say("Read text in the picture"), min_width=160)
        with gr.Column(visible=models, elem_id="decoding") as made["model_decoding"]:
            made["decoding"] = gr.Radio(
                [
                    (say("Stream: token by token"), "stream"),
                    (say("Published decoding: 3 beams, whole captions"), "published"),
                ],
                value="stream",
                label=say("Decoding of the model"),
            )
            made["max_new_tokens"] = gr.Slider(16, 2048, value=1024, step=16, label=say("Longest caption (tokens)"))
    made["estimate"] = gr.HTML("", elem_id="estimate")
    made["gallery"] = gr.HTML(
        macros("video").gallery(hint("Keyframes appear here as the run finds them.")),
        js_on_load="sgv.mount(element)",
        elem_id="gallery",
    )
    return made
