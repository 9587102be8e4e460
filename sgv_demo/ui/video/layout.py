"""Tab 1: facts of the file, how it is sampled, its keyframes."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sgv_demo.fields import leaves
from sgv_demo.formats.markup import macros
from sgv_demo.keyframes.similarity import settled
from sgv_demo.options import AnalysisOptions, GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.ui.language import say
from sgv_demo.ui.parts import hint
from sgv_demo.ui.video import view
from sgv_demo.ui.widgets import widget

_OPTIONS = {spec.name: spec for spec in leaves(AnalysisOptions)}
_DECODING = {spec.name for spec in leaves(GenerationOptions)}


def build(models: bool, settings: Settings) -> dict[str, Any]:
    """`models`: whether an engine is offered that decodes tokens."""
    made: dict[str, Any] = {}

    def add(name: str, **how: Any) -> None:
        made[name] = widget(_OPTIONS[name], settings, **how)

    made["facts"] = gr.HTML("", elem_id="facts")
    as_built = AnalysisOptions(settled(AnalysisOptions().sampling, settings))
    made["chosen"] = gr.HTML(view.chosen(as_built), elem_id="chosen")
    with gr.Accordion(say("Options"), open=False, elem_id="options"):
        kinds = [(say("Sliding: one caption for each pair"), "sliding"), (say("Fast: one caption for all"), "fast")]
        kinds += [(say("Sheet: one caption, from one picture of all"), "sheet")] if models else []
        add("mode", choices=kinds, info=None, elem_id="mode")
        with gr.Row():
            add("every", label=say("A sample every (s)"), info=None, step=0.5, min_width=120)
            add("start", label=say("From (s)"), info=None, step=0.5, min_width=100)
            add("end", label=say("To (s)"), info=None, step=0.5, min_width=100, placeholder=say("end"))
            add("maximum", label=say("Keyframes at most"), info=None, precision=0, placeholder=say("no limit"))
        with gr.Row():
            made["threshold"] = gr.Slider(
                0,
                1,
                value=as_built.sampling.threshold_in_force,
                step=0.01,
                label=say("Threshold: less similar than this becomes a keyframe"),
                min_width=260,
            )
            means = [
                (say("CLIP where it is at hand"), "auto"),
                (say("Colour histogram"), "histogram"),
                (say("CLIP (downloads a model)"), "clip"),
            ]
            add("similarity", choices=means, info=None, min_width=180)
        with gr.Row():
            add("keep_all", label=say("Keep every sample"), info=None, elem_id="keep-all")
            add("read_text", label=say("Read text in the picture"), info=None)
            add("language", choices=[("English", "en"), ("中文", "zh")], label=say("Measured in"), info=None)
        with gr.Row():
            for name in [name for name in _OPTIONS if name not in made and name not in _DECODING]:
                add(name)
        with gr.Column(visible=models, elem_id="decoding") as made["model_decoding"]:
            with gr.Row():
                add("max_new_tokens", label=say("Longest caption (tokens)"))
                for name in [name for name in _OPTIONS if name not in made]:
                    add(name)
            made["published_decoding"] = gr.Button(say("Published decoding: 3 beams, whole captions"), size="sm")
    made["estimate"] = gr.HTML("", elem_id="estimate")
    made["gallery"] = gr.HTML(
        macros("video").gallery(hint("Keyframes appear here as the run finds them.")),
        js_on_load="sgv.mount(element)",
        elem_id="gallery",
    )
    return made
