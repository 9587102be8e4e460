"""Which handler answers which event. Nothing here is an endpoint of the API (see `api`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from sgv_demo.ui.ask.handlers import AskControls, AskHandlers
from sgv_demo.ui.ask.layout import TEMPERATURE
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.engines.handlers import EngineHandlers
from sgv_demo.ui.engines.ownserver import OwnServer
from sgv_demo.ui.inspect.handlers import Room
from sgv_demo.ui.summary.handlers import WritingHandlers
from sgv_demo.ui.video.controls import THRESHOLDS, Controls
from sgv_demo.ui.video.handlers import Updates, VideoHandlers
from sgv_demo.ui.visit import Talk, Visit

GPU = "gpu"
"""All events that run a model share one queue: there is one device."""

_CONTROLS = (
    "engine", "mode", "every", "similarity", "threshold", "start", "end", "maximum", "keep_all", "read_text",
    "decoding", "max_new_tokens",
)  # fmt: skip
_ASKING = ("answerer", "start", "end", "frames", "temperature", "top_p", "answer_tokens")
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class Wiring:
    """Binds handlers to the components of one page."""

    def __init__(self, desk: Desk, parts: dict[str, Any], room: Any) -> None:
        """`room`: the state of the inspection room, which knows who the visitor is."""
        self.desk, self.parts, self.room = desk, parts, room
        self.outputs = list(parts.values())
        self.video, self.ask = VideoHandlers(desk), AskHandlers(desk)
        self.writing, self.engines = WritingHandlers(desk), EngineHandlers(desk)
        self.controls = [parts[name] for name in _CONTROLS]
        self.asking = [parts[name] for name in _ASKING]

    def bind(self) -> None:
        """Binds everything."""
        self.settled = self._bind_video()
        """Events after which a run is over, one way or another."""
        self._bind_ask()
        self._bind_writing()
        self._bind_engines()

    def _bind_video(self) -> list[Any]:
        parts, video = self.parts, self.video
        state = [parts["visit"], *self.controls]

        def of(handler: Callable[[Visit, Controls], Any]) -> Callable[..., Any]:
            return lambda visit, *values: handler(visit, Controls(*values))

        runs = []

        def restart(visit: Visit, room: Room, *values: Any) -> Updates:
            return video.restart(visit, Controls(*values), room.person)

        for begun in (
            self._now(parts["run"].click, of(video.begin), state),
            self._now(parts["restart"].click, restart, [parts["visit"], self.room, *self.controls]),
        ):
            runs.append(self._gpu(begun.then, of(video.run), state, parts["progress"]))
            self._shows_engines(runs[-1])
        stopped = self._now(parts["stop"].click, of(video.stop), state, cancels=runs)
        written = self._now(stopped.then, of(video.written), state, queue=True, concurrency_limit=4)
        came = self._now(parts["player"].change, video.looking, [parts["visit"], parts["player"]])
        self._now(
            came.then,
            lambda visit, path, *values: video.probe(visit, path, Controls(*values)),
            [parts["visit"], parts["player"], *self.controls],
            queue=True,
            concurrency_limit=8,
            cancels=runs,
        )
        for name in _CONTROLS:
            self._now(parts[name].change, of(video.adjust), state, trigger_mode="always_last")
        self._now(parts["similarity"].change, lambda name: {"threshold": THRESHOLDS[name]}, [parts["similarity"]])
        self._on_data(parts["examples"].pick, lambda e: {"player": str(self.desk.examples[int(e.index)])}, [])
        self._on_data(parts["timeline"].range, _ranged, [])
        return [*runs, written]

    def _bind_ask(self) -> None:
        parts, ask = self.parts, self.ask
        state = [parts["visit"], parts["talk"]]

        def begin(visit: Visit, talk: Talk, question: str, *values: Any) -> Updates:
            return ask.begin(visit, talk, question, AskControls(*values))

        def run(visit: Visit, talk: Talk, *values: Any) -> Iterator[Updates]:
            return ask.run(visit, talk, AskControls(*values))

        def act(event: Any, visit: Visit, talk: Talk, *values: Any) -> Updates:
            return ask.act(visit, talk, str(event.act), int(event.turn), AskControls(*values))

        def pick(event: Any, visit: Visit, talk: Talk, *values: Any) -> Updates:
            return ask.begin(visit, talk, str(event.text), AskControls(*values))

        inputs = [*state, parts["question"], *self.asking]
        begun = [self._now(event, begin, inputs) for event in (parts["ask"].click, parts["question"].submit)]
        begun.append(self._on_data(parts["chat"].act, act, [*state, *self.asking]))
        begun.append(self._on_data(parts["suggested"].pick, pick, [*state, *self.asking]))
        runs = [self._gpu(event.then, run, [*state, *self.asking], parts["subject"]) for event in begun]
        for run_event in runs:
            self._shows_engines(run_event)
        self._now(parts["ask_stop"].click, ask.stop, state, cancels=runs)
        self._now(parts["clear"].click, ask.clear, state, cancels=runs)
        self._now(
            parts["defaults"].click,
            lambda: {"frames": 16, "temperature": TEMPERATURE, "top_p": 1, "answer_tokens": 1024},
            [],
        )

    def _bind_writing(self) -> None:
        parts, writing = self.parts, self.writing
        inputs = [parts["clip_file"], parts["clip_text"], parts["engine"]]
        for name, handler, given in (
            ("clip", writing.clip, inputs),
            ("recaption", writing.recaption, [parts["prompt"], parts["engine"]]),
        ):
            result = parts[f"{name}_result"]
            run = self._gpu(parts[f"{name}_run"].click, handler, given, result)
            stopped = lambda html, target=f"{name}_result": {target: writing.stopped(html)}  # noqa: E731
            self._now(parts[f"{name}_stop"].click, stopped, [result], cancels=[run])

    def _bind_engines(self) -> None:
        parts, engines = self.parts, self.engines
        chosen = [parts["engine"], parts["answerer"]]
        for name in ("engine", "answerer"):
            self._now(parts[name].change, engines.view, chosen)
        self._gpu(parts["load"].click, engines.load, chosen, parts["engine_state"])
        if "own_use" in parts:
            given = [parts["own_url"], parts["own_model"]]
            use = OwnServer(self.desk).use
            for event in (parts["own_use"].click, parts["own_url"].submit, parts["own_model"].submit):
                self._now(event, use, given, queue=True, concurrency_limit=4)
        self._now(parts["unload"].click, engines.unload, chosen, queue=True, concurrency_id=GPU, concurrency_limit=1)

    def _shows_engines(self, event: Any) -> None:
        """A run may have loaded an engine."""
        self._now(event.then, self.engines.view, [self.parts["engine"], self.parts["answerer"]])

    def _now(self, event: Callable[..., Any], handler: Callable[..., Updates], inputs: list[Any], **how: Any) -> Any:
        """Answers at once, beside the queue."""

        def call(*values: Any) -> dict[Any, Any]:
            return self._components(handler(*values))

        return event(call, inputs, self.outputs, **({"queue": False} | _PRIVATE | how))

    def _on_data(self, event: Callable[..., Any], handler: Callable[..., Updates], inputs: list[Any]) -> Any:
        """Like `_now`, for a handler that wants the event's data first."""

        def call(data: gr.EventData, *values: Any) -> dict[Any, Any]:
            return self._components(handler(data, *values))

        return event(call, inputs, self.outputs, queue=False, **_PRIVATE)

    def _gpu(
        self, event: Callable[..., Any], handler: Callable[..., Iterator[Updates]], inputs: list[Any], place: Any
    ) -> Any:
        """Waits its turn for the device; the place in the queue shows on `place`."""

        def run(*values: Any) -> Iterator[dict[Any, Any]]:
            # A generator that yields nothing would set every output to None.
            yield self._components({})
            for updates in handler(*values):
                yield self._components(updates)

        return event(
            run,
            inputs,
            self.outputs,
            concurrency_id=GPU,
            concurrency_limit=1,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=[place],
        )

    def _components(self, updates: Updates) -> dict[Any, Any]:
        # Gradio takes no empty dict; skipping one component says the same.
        return {self.parts[name]: value for name, value in updates.items()} or {self.parts["feed"]: gr.skip()}


def _ranged(event: Any) -> Updates:
    start, end = float(event.start), float(event.end)
    return {"start": round(start, 2), "end": round(end, 2) or None}
