"""The API for `gradio_client`: /keyframes, /caption, /summarize, /recaption, /ask. Documented by their docstrings.

Files come through a hidden `gr.Video`: Gradio lets a client name only files that it uploaded itself. Results are the
JSON of the command line; generators yield states that grow, the last one is the result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr

from sgv_demo import pipeline, steps, zerogpu
from sgv_demo.captions_in import parse_captions
from sgv_demo.engines import Captioner, Scene
from sgv_demo.errors import SgvError
from sgv_demo.events import Analysis, Delta, Event, Failed, Summarized
from sgv_demo.record import to_record
from sgv_demo.types import AnalysisOptions, EngineInfo, GenerationOptions, SamplingOptions, Trace, Turn
from sgv_demo.ui.controls import Controls
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.handlers import UNFORESEEN
from sgv_demo.ui.pump import batches
from sgv_demo.ui.talking import AskControls, answering
from sgv_demo.ui.writing import recaption_events
from sgv_demo.video.reader import open_video
from sgv_demo.watch import expected_samples

log = logging.getLogger(__name__)

_NOBODY = EngineInfo("none", "Nothing written")


def build(desk: Desk) -> None:
    """Inside the page's `gr.Blocks`: makes the endpoints."""
    endpoints = Endpoints(desk)
    names = [c.name for c in desk.choices if c.load_captioner]
    answerers = [c.name for c in desk.choices if c.load_answerer]
    with gr.Row(visible=False):
        video = gr.Video(label="video", include_audio=True)
        every = gr.Number(2.0, label="every", info="seconds between samples")
        threshold = gr.Number(0, label="threshold", info="0 or none: the embedder's own")
        start, end = gr.Number(0, label="start", info="seconds"), gr.Number(0, label="end", info="0: the end")
        most = gr.Number(0, label="maximum", info="0: no limit")
        keep_all = gr.Checkbox(False, label="keep_all", info="every sample becomes a keyframe")
        mode = gr.Radio(["sliding", "fast"], value="sliding", label="mode")
        engine = gr.Radio(names, value=names[0], label="engine")
        answerer = gr.Radio(answerers, value=answerers[0], label="engine")
        tokens = gr.Number(1024, label="max_new_tokens")
        captions, prompt, question = (
            gr.Textbox(label="captions"),
            gr.Textbox(label="prompt"),
            gr.Textbox(label="question"),
        )
        history = gr.JSON([], label="history")
        # Gradio's own schema of "any JSON" is not a valid one, and MCP clients refuse it.
        history.api_info = lambda: {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}
        frames, temperature = gr.Number(16, label="frames"), gr.Number(0, label="temperature")
        result = gr.JSON(label="result")
        button = gr.Button()
        sampling = [video, every, threshold, start, end, most, keep_all]
        _expose(button, endpoints.keyframes, sampling, result)
        _expose(button, endpoints.caption, [*sampling, mode, engine, tokens], result)
        _expose(button, endpoints.summarize, [captions, engine], result)
        _expose(button, endpoints.recaption, [prompt, engine], result)
        _expose(button, endpoints.ask, [video, question, history, start, end, frames, temperature, answerer], result)


def _expose(button: gr.Button, endpoint: Callable[..., Iterator[Any]], inputs: list[Any], result: gr.JSON) -> None:
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

    button.click(
        call,
        inputs,
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
        maximum: float | None, keep_all: bool,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Samples a video and keeps the frames where the picture changes; measures the gaps between them.

        Result: {"video", "settings", "samples", "keyframes": [{"index", "time", "similarity", …}], "evidence": […]}.
        """
        sampling = _sampling(every, threshold, start, end, maximum, keep_all)
        analysis = Analysis(_NOBODY, AnalysisOptions(sampling))
        for batch in batches(pipeline.find_keyframes(_path(video), sampling, self.desk.settings), seconds=0.25):
            for event in batch:
                analysis = analysis.apply(event)
            yield to_record(analysis)

    def caption(
        self, video: str, every: float, threshold: float | None, start: float, end: float | None,
        maximum: float | None, keep_all: bool, mode: str, engine: str, max_new_tokens: float,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Captions a video pair by pair ("sliding") or all at once ("fast") and sums the captions up; streams.

        Result: {"video", "engine", "settings", "keyframes", "captions": [{"index", "start", "end", "text",
        "evidence"}], "summary", "failure", …}.
        """
        captioner = self.desk.captioner(engine)
        controls = Controls(mode=mode, max_new_tokens=max_new_tokens).options()
        sampling = _sampling(every, threshold, start, end, maximum, keep_all)
        options = pipeline.fitted(AnalysisOptions(sampling, controls.mode, controls.generation), captioner.info)
        analysis = Analysis(captioner.info, options)
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

    def summarize(self, captions: str, engine: str) -> Iterator[dict[str, Any]]:
        """Sums up captions given as text: this program's JSON, WebVTT, SRT, or one caption a line; streams.

        Result: {"summary", "engine"}.
        """
        captioner = self.desk.captioner(engine)
        marks = parse_captions(captions)
        with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
            events = steps.summarize(marks, slotted, GenerationOptions())
            yield from self._texts(events, "summary", captioner.info)

    def recaption(self, prompt: str, engine: str) -> Iterator[dict[str, Any]]:
        """Turns a short generation prompt into a detailed caption; streams.

        Result: {"text", "engine"}.
        """
        captioner = self.desk.captioner(engine)
        with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
            yield from self._texts(recaption_events(slotted, prompt), "text", captioner.info)

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
        temperature: float, engine: str,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """Answers a question about a video; streams. `history` holds earlier [question, answer] pairs, oldest first.

        Result: {"answer", "frames": [seconds], "history", "engine", "token_ids"}.
        """
        controls = AskControls(engine, start, end, frames, temperature)
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
    every: float, threshold: float | None, start: float, end: float | None, maximum: float | None, keep_all: bool
) -> SamplingOptions:
    return SamplingOptions(
        every=float(every or 0),
        threshold=float(threshold) if threshold else None,
        start=float(start or 0),
        end=float(end) if end else None,
        maximum=int(maximum) if maximum else None,
        keep_all=bool(keep_all),
    )
