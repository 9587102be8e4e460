"""The control of an option: its default, its bounds and its sentence as the option's field has them."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from sgv_demo.fields import Spec
from sgv_demo.settings import Settings
from sgv_demo.ui.language import say

_LONGEST_SLIDER = 20_000
"""A wider range is typed."""
_STEPS = {int: 1, float: 0.05}


def widget(spec: Spec, settings: Settings, **how: Any) -> Component:
    """`how`: what one control has of its own, such as its label. A typed number is checked when it is used."""
    how = {"label": say(spec.label), "info": say(spec.sentence), "min_width": 160} | how
    if spec.kind is bool:
        return gr.Checkbox(spec.default, **how)
    if spec.choices:
        return gr.Radio(**({"choices": list(spec.choices), "value": spec.default} | how))
    least, most = spec.bounds(settings)
    step = _STEPS[spec.kind]
    if most is not None and most <= _LONGEST_SLIDER and not spec.optional:
        return gr.Slider(step if least is None else least, most, **({"value": spec.default, "step": step} | how))
    return gr.Number(**({"value": spec.default, "step": step} | how))
