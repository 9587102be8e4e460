"""The inspection room's components and which handler answers which of their events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from sgv_demo.ui.compare import layout as compare
from sgv_demo.ui.dataset import layout as dataset
from sgv_demo.ui.dataset.handlers import DatasetHandlers
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.inspect.handlers import Room, RoomHandlers
from sgv_demo.ui.video.handlers import Updates

_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


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
        made |= dataset.build(Path(desk.settings.dataset).name)
    return made


class RoomWiring:
    """Binds the room's events."""

    def __init__(self, desk: Desk, parts: dict[str, Any]) -> None:
        """`parts`: all components of the page by name, the room's among them."""
        self.parts = parts
        self.outputs = list(parts.values())
        self.room = RoomHandlers(desk)
        self.dataset = DatasetHandlers(desk, self.room)

    def bind(self, settled: list[Any]) -> None:
        """`settled`: events after which a run is over."""
        parts, room, data = self.parts, self.room, self.dataset
        shown = [parts["visit"], parts["room"]]
        for event in settled:
            self._bind(event.then, room.settled, [*shown, parts["left"], parts["right"]])
        self._on_data(parts["channel"].act, room.act, shown)
        for side in ("left", "right"):
            self._bind(parts[side].input, room.compared, [parts["room"], parts["left"], parts["right"]])
        self._stream(parts["dataset_file"].upload, data.open, [parts["dataset_file"]])
        self._stream(parts["dataset_offered"].click, data.offered, [])
        search = ("dataset", "dataset_words", "dataset_folder", "dataset_shortest", "dataset_longest")
        wanted = [parts[name] for name in search]
        for event in (
            parts["dataset_find"].click,
            parts["dataset_words"].submit,
            parts["dataset_folder"].input,
            parts["dataset_shortest"].submit,
            parts["dataset_longest"].submit,
        ):
            self._bind(event, data.find, wanted)
        opened = [parts["dataset"], parts["dataset_found"]]
        self._bind(parts["dataset_random"].click, data.anywhere, opened)
        for name in ("dataset_results", "dataset_record"):
            self._on_data(parts[name].record, data.act, [*opened, parts["room"]])

    def _bind(self, event: Callable[..., Any], handler: Callable[..., Updates], inputs: list[Any]) -> None:
        def call(*values: Any) -> dict[Any, Any]:
            return self._components(handler(*values))

        event(call, inputs, self.outputs, queue=False, **_PRIVATE)

    def _on_data(self, event: Callable[..., Any], handler: Callable[..., Updates], inputs: list[Any]) -> None:
        def call(data: gr.EventData, *values: Any) -> dict[Any, Any]:
            return self._components(handler(data, *values))

        event(call, inputs, self.outputs, queue=False, trigger_mode="multiple", **_PRIVATE)

    def _stream(self, event: Callable[..., Any], handler: Callable[..., Iterator[Updates]], inputs: list[Any]) -> None:
        def run(*values: Any) -> Iterator[dict[Any, Any]]:
            for updates in handler(*values):
                yield self._components(updates)

        event(run, inputs, self.outputs, concurrency_limit=2, **_PRIVATE)

    def _components(self, updates: Updates) -> dict[Any, Any]:
        # Gradio takes no empty dict; skipping one component says the same.
        return {self.parts[name]: value for name, value in updates.items()} or {self.parts["channel"]: gr.skip()}
