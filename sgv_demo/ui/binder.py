"""Which handler answers which event. Nothing here is an endpoint of the API (see `api`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gradio as gr

from sgv_demo.ui.ask.handlers import AskHandlers
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.dataset.benchmark_handlers import BenchmarkHandlers
from sgv_demo.ui.dataset.handlers import DatasetHandlers
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.engines.handlers import EngineHandlers
from sgv_demo.ui.engines.ownserver import OwnServer
from sgv_demo.ui.feed import message
from sgv_demo.ui.inspect.handlers import Room, RoomHandlers
from sgv_demo.ui.show.handlers import ShowHandlers
from sgv_demo.ui.summary.handlers import WritingHandlers
from sgv_demo.ui.video.controls import (
    ASKING,
    CONTROLS,
    MODES,
    PUBLISHED_ANSWERING,
    PUBLISHED_DECODING,
    AskControls,
    Controls,
)
from sgv_demo.ui.video.handlers import Updates, VideoHandlers
from sgv_demo.ui.visit import Talk, Visit

RUNS = "runs"
"""All events that run an engine share one queue; within it each step waits in its engine's own line."""

_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


class Binder:
    """Binds handlers to the components of one page.

    A handler takes values and returns updates by component name, or yields them. Whatever it raises ends here: the
    visitor reads one sentence over the page, the log has one line (see `boundary`).
    """

    def __init__(self, parts: dict[str, Any], most_runs: int) -> None:
        """
        Args:
            parts: all components of the page by name.
            most_runs: events that run an engine at once; more wait in the queue.
        """
        self.parts, self.most_runs = parts, most_runs
        self.outputs = list(parts.values())

    def now(self, event: Callable[..., Any], handler: Callable[..., Updates], inputs: list[Any], **how: Any) -> Any:
        """Answers at once, beside the queue."""

        def call(*values: Any) -> dict[Any, Any]:
            return self._answer(handler, values)

        return event(call, inputs, self.outputs, **({"queue": False} | _PRIVATE | how))

    def on_data(self, event: Callable[..., Any], handler: Callable[..., Updates], inputs: list[Any], **how: Any) -> Any:
        """Like `now`, for a handler that wants the event's data first."""

        def call(data: gr.EventData, *values: Any) -> dict[Any, Any]:
            return self._answer(handler, (data, *values))

        return event(call, inputs, self.outputs, **({"queue": False} | _PRIVATE | how))

    def stream(
        self, event: Callable[..., Any], handler: Callable[..., Iterator[Updates]], inputs: list[Any], **how: Any
    ) -> Any:
        """Answers bit by bit, from the queue."""

        def run(*values: Any) -> Iterator[dict[Any, Any]]:
            # A generator that yields nothing would set every output to None.
            yield self._components({})
            with boundary(_name(handler)) as told:
                for updates in handler(*values):
                    yield self._components(updates)
            if told.sentence:
                yield self._components({"channel": message(say=told.sentence)})

        return event(run, inputs, self.outputs, **(_PRIVATE | how))

    def working(
        self, event: Callable[..., Any], handler: Callable[..., Iterator[Updates]], inputs: list[Any], place: Any
    ) -> Any:
        """A stream that runs an engine; the place in the queue shows on `place`."""
        turn: dict[str, Any] = {"concurrency_id": RUNS, "concurrency_limit": self.most_runs}
        return self.stream(event, handler, inputs, **turn, show_progress="minimal", show_progress_on=[place])

    def _answer(self, handler: Callable[..., Updates], values: tuple[Any, ...]) -> dict[Any, Any]:
        with boundary(_name(handler)) as told:
            return self._components(handler(*values))
        return self._components({"channel": message(say=told.sentence)})

    def _components(self, updates: Updates) -> dict[Any, Any]:
        # Gradio takes no empty dict; skipping one component says the same.
        return {self.parts[name]: value for name, value in updates.items()} or {self.parts["feed"]: gr.skip()}


def _name(handler: Callable[..., Any]) -> str:
    return getattr(handler, "__qualname__", "a handler")


class Page:
    """What the page's events do."""

    def __init__(self, desk: Desk, parts: dict[str, Any]) -> None:
        self.desk, self.parts, self.on = desk, parts, Binder(parts, desk.settings.max_runs)
        self.video, self.ask = VideoHandlers(desk), AskHandlers(desk)
        self.writing, self.engines = WritingHandlers(desk), EngineHandlers(desk)
        self.room = RoomHandlers(desk)
        self.dataset = DatasetHandlers(desk, self.room)
        self.benchmarks = BenchmarkHandlers(desk.settings, desk.benchmarks)
        self.show = ShowHandlers(desk)
        self.controls = [parts[name] for name in CONTROLS]
        self.asking = [parts[name] for name in ASKING]

    def bind(self) -> None:
        """Binds everything."""
        self._bind_room(settled=self._bind_video())
        self._bind_ask()
        self._bind_writing()
        self._bind_engines()
        self._bind_dataset()
        self._bind_benchmarks()

    def _bind_video(self) -> list[Any]:
        """Returns the events after which a run is over, one way or another."""
        parts, video = self.parts, self.video
        state = [parts["visit"], *self.controls]

        def of(handler: Callable[[Visit, Controls], Any]) -> Callable[..., Any]:
            return lambda visit, *values: handler(visit, Controls(*values))

        def restart(visit: Visit, room: Room, *values: Any) -> Updates:
            return video.restart(visit, Controls(*values), room.person)

        runs = []
        for begun in (
            self.on.now(parts["run"].click, of(video.begin), state),
            self.on.now(parts["restart"].click, restart, [parts["visit"], parts["room"], *self.controls]),
        ):
            runs.append(self.on.working(begun.then, of(video.run), state, parts["progress"]))
            self._shows_engines(runs[-1])
        begun = self.on.now(parts["other_ways"].click, of(video.other_ways), state)
        for _ in MODES[1:]:
            runs.append(self.on.working(begun.then, of(video.run), state, parts["progress"]))
            self._shows_engines(runs[-1])
            # Only what was kept may be followed by the next.
            begun = self.on.now(self._settles(runs[-1]).then, of(video.next_way), state)
        stopped = self.on.now(parts["stop"].click, of(video.stop), state, cancels=runs)
        written = self.on.now(stopped.then, of(video.after_stop), state, queue=True, concurrency_limit=4)
        came = self.on.now(parts["player"].change, video.looking, [parts["visit"], parts["player"]])
        self.on.now(
            came.then,
            lambda visit, path, *values: video.probe(visit, path, Controls(*values)),
            [parts["visit"], parts["player"], *self.controls],
            queue=True,
            concurrency_limit=8,
            cancels=runs,
        )
        for name in CONTROLS:
            self.on.now(parts[name].change, of(video.adjust), state, trigger_mode="always_last")
        self.on.now(parts["similarity"].change, video.own_threshold, [parts["similarity"]])
        self.on.now(parts["published_decoding"].click, lambda: dict(PUBLISHED_DECODING), [])
        self.on.on_data(parts["examples"].pick, lambda e: {"player": str(self.desk.examples[int(e.index)])}, [])
        self.on.on_data(parts["timeline"].range, _ranged, [])
        return [*runs[:2], written]

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
        begun = [self.on.now(event, begin, inputs) for event in (parts["ask"].click, parts["question"].submit)]
        begun.append(self.on.on_data(parts["chat"].act, act, [*state, *self.asking]))
        begun.append(self.on.on_data(parts["suggested"].pick, pick, [*state, *self.asking]))
        runs = [self.on.working(event.then, run, [*state, *self.asking], parts["subject"]) for event in begun]
        for run_event in runs:
            self._shows_engines(run_event)
        stopped = self.on.now(parts["ask_stop"].click, ask.stop, state, cancels=runs)
        self.on.now(stopped.then, ask.after_stop, state, queue=True, concurrency_limit=4)
        cleared = self.on.now(parts["clear"].click, ask.clear, state, cancels=runs)
        self.on.now(cleared.then, ask.after_clear, state, queue=True, concurrency_limit=4)
        self.on.now(parts["defaults"].click, lambda: dict(PUBLISHED_ANSWERING), [])

    def _bind_writing(self) -> None:
        parts, writing = self.parts, self.writing
        for name, asked, handler, given in (
            ("clip", writing.clip_asked, writing.clip, [parts["clip_file"], parts["clip_text"]]),
            ("recaption", writing.recaption_asked, writing.recaption, [parts["prompt"]]),
        ):
            result = parts[f"{name}_result"]
            begun = self.on.now(parts[f"{name}_run"].click, asked, given)
            run = self.on.working(begun.then, handler, [*given, parts["engine"], parts["language"]], result)
            stopped = lambda html, target=f"{name}_result": {target: writing.stopped(html)}  # noqa: E731
            ended = self.on.now(parts[f"{name}_stop"].click, stopped, [result], cancels=[run])
            self.on.now(ended.then, stopped, [result], queue=True, concurrency_limit=4)

    def _bind_engines(self) -> None:
        parts, engines = self.parts, self.engines
        chosen = [parts["engine"], parts["answerer"]]
        for name in ("engine", "answerer"):
            self.on.now(parts[name].change, engines.view, chosen)
        self.on.working(parts["load"].click, engines.load, chosen, parts["engine_state"])
        if "own_use" in parts:
            given = [parts["own_url"], parts["own_model"]]
            use = OwnServer(self.desk).use
            for event in (parts["own_use"].click, parts["own_url"].submit, parts["own_model"].submit):
                self.on.now(event, use, given, queue=True, concurrency_limit=4)
        self.on.now(parts["unload"].click, engines.unload, chosen, queue=True, concurrency_limit=1)

    def _shows_engines(self, event: Any) -> None:
        """A run may have loaded an engine."""
        self.on.now(event.then, self.engines.view, [self.parts["engine"], self.parts["answerer"]])

    def _settles(self, event: Any) -> Any:
        """What a run left is kept when `event` is over."""
        given = [self.parts[name] for name in ("visit", "room", "left", "right")]
        return self.on.now(event.then, self.room.settled, given)

    def _bind_room(self, settled: list[Any]) -> None:
        parts, room = self.parts, self.room
        shown = [parts["visit"], parts["room"]]
        sides = [parts["left"], parts["right"]]
        for event in settled:
            self._settles(event)
        self.on.on_data(parts["channel"].act, self._act, shown, trigger_mode="multiple")
        for side in sides:
            self.on.now(side.input, room.compared, [parts["room"], *sides])

    def _act(self, event: Any, visit: Visit, room: Room) -> Updates:
        if str(event.name) == "resume":
            return self.video.resume(visit, str(event.ticket))
        return self.room.act(event, visit, room)

    def _bind_dataset(self) -> None:
        parts, data = self.parts, self.dataset
        self.on.stream(parts["dataset_file"].upload, data.open, [parts["dataset_file"]], concurrency_limit=2)
        self.on.stream(parts["dataset_offered"].click, data.offered, [], concurrency_limit=2)
        narrowed = ("folder", "engine", "rating")
        search = ("words", *narrowed, "shortest", "longest")
        asked = [
            parts["dataset_find"].click,
            parts["dataset_words"].submit,
            *(parts[f"dataset_{name}"].input for name in narrowed),
            parts["dataset_shortest"].submit,
            parts["dataset_longest"].submit,
        ]
        given = [parts["dataset"], *(parts[f"dataset_{name}"] for name in search)]
        self.on.stream(partial(gr.on, asked), data.find, given, concurrency_limit=4, trigger_mode="always_last")
        opened = [parts["dataset"], parts["dataset_found"]]
        self.on.now(parts["dataset_random"].click, data.anywhere, opened)
        for name in ("dataset_results", "dataset_record"):
            self.on.on_data(parts[name].record, data.act, [*opened, parts["room"]], trigger_mode="multiple")

    def _bind_benchmarks(self) -> None:
        parts, benchmarks = self.parts, self.benchmarks
        chosen = [parts["benchmark"], parts["benchmark_rules"]]
        for event in (parts["benchmark"].input, parts["benchmark_rules"].input):
            self.on.now(event, benchmarks.open, chosen)
        filters = [parts[f"benchmark_{name}"] for name in ("show", "task", "other")]
        for part in filters:
            self.on.now(part.input, benchmarks.find, [*chosen, *filters])
        for name in ("benchmark_results", "benchmark_record"):
            opened = [*chosen, parts["benchmark_found"]]
            self.on.on_data(parts[name].record, benchmarks.act, opened, trigger_mode="multiple")


def _ranged(event: Any) -> Updates:
    start, end = float(event.start), float(event.end)
    return {"start": round(start, 2), "end": round(end, 2) or None}
