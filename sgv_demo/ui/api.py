"""The API for `gradio_client`: /keyframes, /caption, /summarize, /recaption, /ask. Documented by their docstrings.

Files come through a hidden `gr.Video`: Gradio lets a client name only files that it uploaded itself. Results are the
JSON of the command line; generators yield states that grow, the last one is the result. Parameters, their defaults and
what is said of them come from the fields of `sgv_demo.options`; clients pass them by place, so new ones come last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, wraps
from inspect import Parameter, Signature, getdoc
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.components import Component
from pydantic import TypeAdapter, ValidationError

from sgv_demo import pipeline, steps
from sgv_demo.engines import Captioner, Scene
from sgv_demo.engines.turns import zerogpu
from sgv_demo.errors import SettingsError, SgvError
from sgv_demo.events import Analysis, Delta, Event, Failed, Summarized
from sgv_demo.fields import Spec, leaves, read
from sgv_demo.formats.captions_in import parse_captions
from sgv_demo.keyframes.watch import expected_samples
from sgv_demo.options import AnalysisOptions, GenerationOptions, QuestionOptions, SamplingOptions
from sgv_demo.results.record import to_record
from sgv_demo.settings import Settings
from sgv_demo.types import EngineInfo, Trace, Turn
from sgv_demo.ui.ask.handlers import answering
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.guests import Guests
from sgv_demo.ui.pump import batches
from sgv_demo.ui.summary.handlers import recaption_events
from sgv_demo.video import open_video

_ENGINE = 8
"""Its place among a run's parameters."""
_ANSWERER = 5
"""Its place among a question's."""
_LAST = 1000
_HISTORY = TypeAdapter(list[tuple[str, str]])

_DESCRIPTIONS = {
    "video": "A video file, as handle_file(path or address).",
    "engine": "Who writes; the names on offer are in its type.",
    "captions": "This program's JSON, WebVTT, SRT, or one caption a line.",
    "prompt": "A short idea of a video.",
    "question": "What to ask about the video.",
    "history": "Earlier [question, answer] pairs, oldest first.",
}
"""What each parameter means that is no option, for `view_api()` and MCP."""


def build(desk: Desk) -> None:
    """Inside the page's `gr.Blocks`: makes the endpoints."""
    endpoints, settings = Endpoints(desk), desk.settings
    engines = [c.name for c in desk.choices if c.load_captioner]
    answerers = [c.name for c in desk.choices if c.load_answerer]
    writing = _ordered(leaves(GenerationOptions), engines)
    asking = sorted((s for s in leaves(QuestionOptions) if s.option.ask is not None), key=lambda s: s.option.ask or 0)
    before = sum((spec.option.ask or 0) < _ANSWERER for spec in asking)
    with gr.Row(visible=False):
        result, button = gr.JSON(label="result"), gr.Button()
        expose = partial(_expose, button, result, settings, desk.guests)
        expose(endpoints.keyframes, ["video", *_ordered(leaves(SamplingOptions))])
        expose(endpoints.caption, ["video", *_ordered(leaves(AnalysisOptions), engines)])
        expose(endpoints.summarize, ["captions", *writing])
        expose(endpoints.recaption, ["prompt", *writing])
        expose(endpoints.ask, ["video", "question", "history", *asking[:before], answerers, *asking[before:]])


def _ordered(specs: Iterator[Spec], engines: list[str] | None = None) -> list[Spec | list[str]]:
    """Options by their places, with the choice of an engine among them; those without a place last."""
    placed: list[tuple[int, Spec | list[str]]] = [(s.option.place or _LAST, s) for s in specs]
    placed += [(_ENGINE, engines)] if engines else []
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]


def _component(item: Spec | list[str] | str, settings: Settings) -> tuple[str, Component, str]:
    """A parameter: its name, its hidden component, whose default is the parameter's, and what it means."""
    match item:
        case "video":
            return item, gr.Video(label=item, include_audio=True), _DESCRIPTIONS[item]
        case "history":
            return item, gr.JSON([], label=item), _DESCRIPTIONS[item]
        case str():
            return item, gr.Textbox(label=item), _DESCRIPTIONS[item]
        case list():
            return "engine", gr.Radio(item, value=item[0], label="engine"), _DESCRIPTIONS["engine"]
    if item.kind is bool:
        component: Component = gr.Checkbox(item.default, label=item.name)
    elif item.choices:
        component = gr.Radio(list(item.choices), value=item.default, label=item.name)
    else:
        component = gr.Number(0 if item.default is None else item.default, label=item.name)
    bounds = item.range_in_words(settings) if item.kind in (int, float) else ""
    told = "; ".join(filter(None, (bounds, f"0 is {item.option.none}" if item.optional else "")))
    return item.name, component, f"{item.sentence} ({told})" if told else item.sentence


def _expose(
    button: gr.Button,
    result: gr.JSON,
    settings: Settings,
    guests: Guests,
    endpoint: Callable[..., Iterator[Any]],
    items: Sequence[Spec | list[str] | str],
) -> None:
    made = [_component(item, settings) for item in items]
    for name, component, about in made:
        # Gradio's own schema of "any JSON" is not a valid one, and MCP clients refuse it.
        schema = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
        info = schema if name == "history" else component.api_info()
        component.api_info = partial(dict, {**info, "additional_description": about})

    @wraps(endpoint)
    def call(*values: Any) -> Iterator[Any]:
        given = dict(zip((name for name, _, _ in made), values, strict=True))
        with boundary(f"/{endpoint.__name__}") as told, guests.one_more():
            yield from endpoint(given)
        if told.sentence:
            raise gr.Error(told.sentence, print_exception=False)

    cast(Any, call).__signature__ = Signature([Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name, _, _ in made])
    call.__doc__ = f"{getdoc(endpoint)}\n\nArgs:" + "".join(f"\n    {name}: {about}" for name, _, about in made)
    button.click(
        call,
        [component for _, component, _ in made],
        result,
        api_name=endpoint.__name__,
        concurrency_id="runs",
        concurrency_limit=settings.max_runs,
        show_progress="hidden",
    )


class Endpoints:
    """What the endpoints do with what they are given, by name."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def keyframes(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Samples a video and keeps the frames where the picture changes; measures the gaps between them.

        Result: {"video", "settings", "samples", "keyframes": [{"index", "time", "similarity", …}], "evidence": […]}.
        """
        sampling = read(SamplingOptions, given, self.desk.settings)
        analysis = Analysis()
        for batch in batches(pipeline.find_keyframes(_path(given), sampling, self.desk.settings), seconds=0.25):
            for event in batch:
                analysis = analysis.apply(event)
            yield to_record(analysis)

    def caption(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Captions a video pair by pair ("sliding") or all at once ("fast") and sums the captions up; streams.

        Result: {"video", "engine", "settings", "keyframes", "captions": [{"index", "start", "end", "text",
        "evidence"}], "summary", "failure", …}.
        """
        options, path = read(AnalysisOptions, given, self.desk.settings), _path(given)
        captioner = self.desk.captioner(given["engine"])
        options = pipeline.settle(options, captioner.info, self.desk.settings)
        analysis = Analysis()
        for batch in batches(self._analysis(path, captioner, given["engine"], options), seconds=0.25):
            for event in batch:
                analysis = analysis.apply(event)
            yield to_record(analysis)

    def _analysis(self, path: Path, captioner: Captioner, engine: str, options: AnalysisOptions) -> Iterator[Event]:
        settings, most = self.desk.settings, 1
        if settings.zero_gpu:  # elsewhere nobody counts the steps
            with open_video(path, settings) as reader:
                most = expected_samples(reader.info, options.sampling) + 1
        with zerogpu.captioner_in_slots(captioner, settings, most) as slotted:
            inline = self.desk.line(engine).captioner(slotted)
            yield from pipeline.analyze(path, inline, options, settings, store=self.desk.store)

    def summarize(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Sums up captions given as text: this program's JSON, WebVTT, SRT, or one caption a line; streams.

        Result: {"summary", "engine"}.
        """
        how = read(GenerationOptions, given, self.desk.settings)
        marks = parse_captions(given["captions"] or "").captions
        captioner = self.desk.captioner(given["engine"])
        with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
            events = steps.summarize(marks, self.desk.line(given["engine"]).captioner(slotted), how)
            yield from self._texts(events, "summary", captioner.info)

    def recaption(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Turns a short generation prompt into a detailed caption; streams.

        Result: {"text", "engine"}.
        """
        how = read(GenerationOptions, given, self.desk.settings)
        prompt = self.desk.settings.bounded(given["prompt"] or "", "prompt")
        captioner = self.desk.captioner(given["engine"])
        with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
            inline = self.desk.line(given["engine"]).captioner(slotted)
            yield from self._texts(recaption_events(inline, prompt, how), "text", captioner.info)

    def _texts(self, events: Iterator[Any], field: str, info: EngineInfo) -> Iterator[dict[str, Any]]:
        text = ""
        for batch in batches(events, seconds=0.25):
            for event in batch:
                match event:
                    case Delta():
                        text += event.text
                    case Summarized():
                        text = event.text
                    case Failed():
                        raise SgvError(event.failure.message)
            yield {field: text, "engine": info.label}

    def ask(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Answers a question about a video; streams. `history` holds earlier [question, answer] pairs, oldest first.

        Result: {"answer", "frames": [seconds], "history", "engine", "token_ids"}.
        """
        options = read(QuestionOptions, given, self.desk.settings)
        question, turns = given["question"] or "", _turns(given["history"], self.desk.settings)
        answer, times, label, tokens = "", [], "", ()
        items = answering(self.desk, _path(given), question, turns, given["engine"], options, None)
        for batch in batches(items, seconds=0.25):
            for item in batch:
                match item:
                    case str():
                        answer += item
                    case Scene():
                        times = [f.time for f in item.frames or item.keyframes]
                    case EngineInfo():
                        label = item.label
                    case Trace():
                        tokens = item.token_ids
            pairs = [*([t.question, t.answer] for t in turns), [question, answer]]
            yield {"answer": answer, "frames": times, "history": pairs, "engine": label, "token_ids": list(tokens)}


def _turns(history: object, settings: Settings) -> tuple[Turn, ...]:
    """Earlier questions and answers.

    Raises:
        SettingsError: they aren't pairs of texts, or a question is too long.
    """
    try:
        pairs = _HISTORY.validate_python(history or [])
    except ValidationError as error:
        raise SettingsError(
            "The history isn't a list of [question, answer] pairs of texts; send what the last call gave."
        ) from error
    if len(pairs) > settings.max_turns:
        raise SettingsError(f"This history has {len(pairs):,} turns; send {settings.max_turns} at most.")
    return tuple(
        Turn(settings.bounded(question, "question"), settings.bounded(answer, "answer", settings.max_answer))
        for question, answer in pairs
    )


def _path(given: Mapping[str, Any]) -> Path:
    if not given["video"]:
        raise SgvError("There is no video; give one with handle_file(…).")
    return Path(given["video"])
