"""The inspection room's components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from sgv_demo.evaluation.browsing import Shelf
from sgv_demo.ui.compare import layout as compare
from sgv_demo.ui.dataset import layout as dataset
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.inspect.handlers import Room


def channel(desk: Desk) -> dict[str, Any]:
    """What isn't seen: the visitor's room and the script's line to it."""
    return {
        "room": gr.State(Room(), time_to_live=desk.settings.state_minutes * 60),
        "channel": gr.HTML(
            None,
            html_template="<i hidden></i>",
            js_on_load="sgv.room.listen(props, watch, (what) => trigger('act', what))",
            elem_id="channel",
        ),
    }


def replay() -> dict[str, Any]:
    """The player of opened results; on the left, where the other one is."""
    return {"replay": gr.HTML("", elem_id="replay")}


def bar() -> dict[str, Any]:
    """Over the captions."""
    return {"bar": gr.HTML("", js_on_load="sgv.room.bar(element)", elem_id="bar")}


def tabs(desk: Desk) -> dict[str, Any]:
    """Two more rooms; their tabs are opened by the buttons of `masthead.rooms` and have none of their own."""
    made: dict[str, Any] = {}
    with gr.Tab("Compare", id="compare", elem_id="compare-room"):
        made |= compare.build()
    with gr.Tab("Dataset", id="dataset", elem_id="dataset-room"):
        made |= dataset.build(Path(desk.settings.dataset).name, Shelf(desk.benchmarks).names())
    return made
