"""The API for `gradio_client`: /keyframes, /caption, /summarize, /recaption, /ask. Documented by their docstrings.

Files come through a hidden `gr.Video`: Gradio lets a client name only files that it uploaded itself. Results are the
JSON of the command line; generators yield states that grow, the last one is the result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial, wraps
from inspect import getdoc, signature
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from sgv_demo import pipeline, steps
from sgv_demo.asking import MOST_FRAMES
from sgv_demo.engines import Captioner, Scene
from sgv_demo.engines.turns import zerogpu
from sgv_demo.errors import SgvError
from sgv_demo.events import Analysis, Delta, Event, Failed, Summarized
from sgv_demo.formats.captions_in import parse_captions
from sgv_demo.keyframes.watch import expected_samples
from sgv_demo.results.record import to_record
from sgv_demo.types import AnalysisOptions, EngineInfo, GenerationOptions, SamplingOptions, Trace, Turn
from sgv_demo.ui.ask.handlers import AskControls, answering
from sgv_demo.ui.boundary import UNFORESEEN
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.pump import batches
from sgv_demo.ui.summary.handlers import recaption_events
from sgv_demo.ui.video.controls import THRESHOLDS
from sgv_demo.video.reader import open_video

log = logging.getLogger(__name__)

MOST_BEAMS = 8
"""Beams multiply memory and time."""

_DESCRIPTIONS = {
    "video": "a video file, as handle_file(path or address)",
    "every": "seconds between samples",
    "threshold": "0 to 1: keep a sample less similar than this to the last kept; 0 takes the similarity's own, "
    + " or ".join(f"{value} ({name})" for name, value in THRESHOLDS.items()),
    "start": "seconds where the range begins",
    "end": "seconds where the range ends; 0 is the end of the video",
    "maximum": "keyframes at most, the most different ones stay; 0 is no limit",
    "keep_all": "make every sample a keyframe",
    "similarity": "what samples are compared by: colour histograms, or CLIP (needs its weights)",
    "read_text": "read text in the pictures",
    "mode": "sliding: a caption for each pair of keyframes; fast: one for all",
    "engine": "who writes; the names on offer are in its type",
    "max_new_tokens": "tokens at most for one text",
    "beams": f"1 streams word by word, 3 is the published decoding, {MOST_BEAMS} is the most",
    "temperature": "0 always takes the likeliest word",
    "top_p": "share of the likeliest words to draw from, above 0 to 1; only with a temperature",
    "captions": "this program's JSON, WebVTT, SRT, or one caption a line",
    "prompt": "a short idea of a video",
    "question": "what to ask about the video",
    "history": "earlier [question, answer] pairs, oldest first",
    "frames": f"pictures to look at, 1 to {MOST_FRAMES}; an engine that measures has no use for it",
}
"""What each parameter means, for `view_api()` and MCP."""


def build(desk: Desk) -> None:
    """Inside the page's `gr.Blocks`: makes the endpoints."""
    endpoints = Endpoints(desk)
    with gr.Row(visible=False):
        made = _inputs(desk)
        result = gr.JSON(label="result")
        button = gr.Button()
        for endpoint in (
            endpoints.keyframes,
            endpoints.caption,
            endpoints.summarize,
            endpoints.recaption,
            endpoints.ask,
        ):
            names = list(signature(endpoint).parameters)
            chosen = made | {"engine": made["answerer"]} if endpoint == endpoints.ask else made
            _expose(button, endpoint, {name: chosen[name] for name in names}, result)


def _inputs(desk: Desk) -> dict[str, Component]:
    """A hidden component for each parameter: its default is the parameter's."""
    names = [c.name for c in desk.choices if c.load_captioner]
    answerers = [c.name for c in desk.choices if c.load_answerer]
    numbers = {
        "every": 2.0, "threshold": 0, "start": 0, "end": 0, "maximum": 0, "max_new_tokens": 1024, "beams": 1,
        "temperature": 0, "top_p": 1.0, "frames": 16,
    }  # fmt: skip
    made: dict[str, Component] = {
        "video": gr.Video(label="video", include_audio=True),
        "keep_all": gr.Checkbox(False, label="keep_all"),
        "read_text": gr.Checkbox(True, label="read_text"),
        "similarity": gr.Radio(list(THRESHOLDS), value="histogram", label="similarity"),
        "mode": gr.Radio(["sliding", "fast"], value="sliding", label="mode"),
        "engine": gr.Radio(names, value=names[0], label="engine"),
        "answerer": gr.Radio(answerers, value=answerers[0], label="engine"),
        "history": gr.JSON([], label="history"),
    }
    made |= {name: gr.Number(value, label=name) for name, value in numbers.items()}
    made |= {name: gr.Textbox(label=name) for name in ("captions", "prompt", "question")}
    # Gradio's own schema of "any JSON" is not a valid one, and MCP clients refuse it.
    schema = {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
    for name, component in made.items():
        info = schema if name == "history" else component.api_info()
        described = {**info, "additional_description": _DESCRIPTIONS["engine" if name == "answerer" else name]}
        component.api_info = partial(dict, described)
    return made


def _expose(
    button: gr.Button,
    endpoint: Callable[..., Iterator[Any]],
    inputs: dict[str, Component],
    result: gr.JSON,
) -> None:
    @wraps(endpoint)
    def call(*values: Any) -> Iterator[Any]:
        try:
            yield from endpoint(*values)
        except SgvError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            # The API's boundary: a client gets a sentence, the log the traceback.
            log.exception("An API call failed")
            raise gr.Error(UNFORESEEN, print_exception=False) from error

    arguments = "".join(f"\n    {name}: {_DESCRIPTIONS[name]}" for name in inputs)
    call.__doc__ = f"{getdoc(endpoint)}\n\nArgs:{arguments}"
    button.click(
        call,
        list(inputs.values()),
        result,
        api_name=endpoint.__name__,
        concurrency_id="gpu",
        concurrency_limit=1,
        show_progress="hidden",
    )


class Endpoints:
    """What the endpoints do."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def keyframes(
        self, video: str, every: float, threshold: float | None, start: float, end: float | None,
        maximum: float | None, keep_all: bool, similarity: str, read_text: bool,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Samples a video and keeps the frames where the picture changes; measures the gaps between them.

        Result: {"video", "settings", "samples", "keyframes": [{"index", "time", "similarity", …}], "evidence": […]}.
        """
        sampling = _sampling(every, threshold, start, end, maximum, keep_all, similarity, read_text)
        analysis = Analysis()
        for batch in batches(pipeline.find_keyframes(_path(video), sampling, self.desk.settings), seconds=0.25):
            for event in batch:
                analysis = analysis.apply(event)
            yield to_record(analysis)

    def caption(
        self, video: str, every: float, threshold: float | None, start: float, end: float | None,
        maximum: float | None, keep_all: bool, mode: str, engine: str, max_new_tokens: float, similarity: str,
        read_text: bool, beams: float, temperature: float, top_p: float,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Captions a video pair by pair ("sliding") or all at once ("fast") and sums the captions up; streams.

        Result: {"video", "engine", "settings", "keyframes", "captions": [{"index", "start", "end", "text",
        "evidence"}], "summary", "failure", …}.
        """
        captioner = self.desk.captioner(engine)
        how = _generation(max_new_tokens, beams, temperature, top_p)
        sampling = _sampling(every, threshold, start, end, maximum, keep_all, similarity, read_text)
        options = pipeline.fitted(
            AnalysisOptions(sampling, "fast" if mode == "fast" else "sliding", how), captioner.info
        )
        analysis = Analysis()
        for batch in batches(self._analysis(_path(video), captioner, options), seconds=0.25):
            for event in batch:
                analysis = analysis.apply(event)
            yield to_record(analysis)

    def _analysis(self, path: Path, captioner: Captioner, options: AnalysisOptions) -> Iterator[Event]:
        settings, most = self.desk.settings, 1
        if settings.zero_gpu:  # elsewhere nobody counts the steps
            with open_video(path, settings) as reader:
                most = expected_samples(reader.info, options.sampling) + 1
        with zerogpu.captioner_in_slots(captioner, settings, most) as slotted:
            yield from pipeline.analyze(path, slotted, options, settings, store=self.desk.store)

    def summarize(
        self, captions: str, engine: str, max_new_tokens: float, beams: float, temperature: float, top_p: float
    ) -> Iterator[dict[str, Any]]:
        """Sums up captions given as text: this program's JSON, WebVTT, SRT, or one caption a line; streams.

        Result: {"summary", "engine"}.
        """
        marks, how = parse_captions(captions).captions, _generation(max_new_tokens, beams, temperature, top_p)
        captioner = self.desk.captioner(engine)
        with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
            events = steps.summarize(marks, slotted, how)
            yield from self._texts(events, "summary", captioner.info)

    def recaption(
        self, prompt: str, engine: str, max_new_tokens: float, beams: float, temperature: float, top_p: float
    ) -> Iterator[dict[str, Any]]:
        """Turns a short generation prompt into a detailed caption; streams.

        Result: {"text", "engine"}.
        """
        how = _generation(max_new_tokens, beams, temperature, top_p)
        captioner = self.desk.captioner(engine)
        with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
            yield from self._texts(recaption_events(slotted, prompt, how), "text", captioner.info)

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

    def ask(
        self, video: str, question: str, history: list[Any], start: float, end: float | None, frames: float,
        temperature: float, engine: str, top_p: float, max_new_tokens: float,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Answers a question about a video; streams. `history` holds earlier [question, answer] pairs, oldest first.

        Result: {"answer", "frames": [seconds], "history", "engine", "token_ids"}.
        """
        if not 1 <= frames <= MOST_FRAMES:
            raise SgvError(f"A question needs 1 to {MOST_FRAMES} pictures, not {frames:g}; choose a number in between.")
        _generation(max_new_tokens, 1, temperature, top_p)
        controls = AskControls(engine, start, end, frames, temperature, top_p, max_new_tokens)
        turns = tuple(Turn(str(pair[0]), str(pair[1])) for pair in history or () if len(pair) == 2)
        answer, times, label, tokens = "", [], "", ()
        items = answering(self.desk, _path(video), question, turns, controls, None)
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


def _path(video: str | None) -> Path:
    if not video:
        raise SgvError("There is no video; give one with handle_file(…).")
    return Path(video)


def _sampling(
    every: float, threshold: float | None, start: float, end: float | None, maximum: float | None, keep_all: bool,
    similarity: str, read_text: bool,
) -> SamplingOptions:  # fmt: skip
    return SamplingOptions(
        every=float(every or 0),
        similarity="clip" if similarity == "clip" else "histogram",
        threshold=float(threshold) if threshold else None,
        start=float(start or 0),
        end=float(end) if end else None,
        maximum=int(maximum) if maximum else None,
        keep_all=bool(keep_all),
        read_text=bool(read_text),
    )


def _generation(max_new_tokens: float, beams: float, temperature: float, top_p: float) -> GenerationOptions:
    """As an engine takes them.

    Raises:
        SgvError: a number is out of range.
    """
    if not 1 <= beams <= MOST_BEAMS:
        raise SgvError(f"There are 1 to {MOST_BEAMS} beams, not {beams:g}; choose a number in between.")
    if max_new_tokens < 1:
        raise SgvError(f"A text needs at least one token, not {max_new_tokens:g}; choose more.")
    if temperature < 0 or not 0 < top_p <= 1:
        raise SgvError("A temperature isn't negative and top_p lies above 0 and up to 1; choose others.")
    return GenerationOptions(int(beams), int(max_new_tokens), float(temperature), float(top_p))
