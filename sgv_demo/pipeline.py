"""The road: a video's keyframes through a captioner to captions and a summary, and through an answerer to answers.

Everything is a generator of events; closing one stops the work behind it. No model library and no page in here: an
engine is whatever fits the protocols of `sgv_demo.engines`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from sgv_demo.engines import Captioner
from sgv_demo.errors import SgvError
from sgv_demo.events import NOBODY, Begun, Captioned, Event, Failed, Finished, Noted, Opened, Summarized
from sgv_demo.keyframes.similarity import settled
from sgv_demo.keyframes.watch import Step, watch
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.results.log import Read
from sgv_demo.results.store import Store, content_hash, key_of
from sgv_demo.settings import Settings
from sgv_demo.steps import attempt, summarize, trace_mark
from sgv_demo.types import Caption, EngineInfo, Evidence, Failure, Generation, Keyframe

FAST_KEYFRAMES = 128
"""Most keyframes in one fast caption: the picture is cut into 16 tiles, so more would leave a few pixels each."""


def find_keyframes(path: Path, sampling: SamplingOptions, settings: Settings) -> Iterator[Event]:
    """Samples, keyframes and evidence, no captions.

    Raises:
        SgvError: the file or the options can't be used.
    """
    started = time.monotonic()
    sampling = settled(sampling, settings)
    yield Begun(NOBODY, AnalysisOptions(sampling))
    for item in watch(path, sampling, settings):
        if not isinstance(item, Step):
            yield item
    yield Finished(time.monotonic() - started)


def result_key(path: Path, engine: EngineInfo, options: AnalysisOptions, settings: Settings, take: str = "") -> str:
    """The key under which a store keeps this analysis; another `take` is another analysis with the same options."""
    extra = (settings.frame_long_side, settings.measure_rate, settings.clip_model, *([take] if take else []))
    return key_of(content_hash(path), engine, settle(options, engine, settings), extra)


def settle(options: AnalysisOptions, engine: EngineInfo, settings: Settings) -> AnalysisOptions:
    """`options` as a run has them: what they leave open is decided, and what the engine can't do without is there.

    An engine that writes from measurements gets them; to another one, their language makes no difference.
    """
    sampling = settled(options.sampling, settings)
    if engine.needs_evidence:
        return replace(options, sampling=replace(sampling, measure=True))
    generation = replace(options.generation, language=GenerationOptions().language)
    return replace(options, sampling=sampling, generation=generation)


def analyze(
    path: Path,
    captioner: Captioner,
    options: AnalysisOptions,
    settings: Settings,
    *,
    store: Store | None = None,
    take: str = "",
) -> Generator[Event, None, None]:
    """The whole way: keyframes, a caption for each step, a summary.

    With a store every event is kept as it comes. What an earlier run of the same video, engine and options (and the
    same `take`) left is taken from there: a finished one opens at once, one that was stopped or failed goes on where
    it ended.

    Raises:
        SgvError: the file or the options can't be used. A failing engine is a `Failed` event instead.
    """
    options = settle(options, captioner.info, settings)
    if store is None:
        yield Begun(captioner.info, options)
        yield from _Run(path, captioner, options, settings).events()
        return
    with store.log(result_key(path, captioner.info, options, settings, take)) as log:
        run = _Run(path, captioner, options, settings, log.earlier.events)
        yield from log.record(_begun(Begun(captioner.info, options, log.key), path, log.earlier, run))


def _begun(begun: Begun, path: Path, earlier: Read, run: _Run) -> Generator[Event, None, None]:
    """The beginning, then what an earlier run left if that was whole, else the run."""
    yield begun
    if not earlier.finished:
        yield from run.events()
        return
    for event in earlier.events:
        if not isinstance(event, Begun):
            yield Opened(replace(event.info, path=path)) if isinstance(event, Opened) else event


class _Run:
    """One analysis under way."""

    def __init__(
        self,
        path: Path,
        captioner: Captioner,
        options: AnalysisOptions,
        settings: Settings,
        earlier: Iterable[Event] = (),
    ) -> None:
        """`earlier`: what another run of the same left; its captions needn't be written again."""
        self.path, self.captioner, self.options, self.settings = path, captioner, options, settings
        self.captions: list[Caption] = []
        self.published = options.sampling.published
        """Published sampling goes on after a blank answer, as the published code does."""
        self.broken = False
        """True when the video couldn't be read to its end."""
        self.earlier = {e.caption.index: e.caption for e in earlier if isinstance(e, Captioned)}

    def events(self) -> Iterator[Event]:
        """Everything up to `Finished`, or up to a `Failed`."""
        started = time.monotonic()
        steps = self._fast() if self.options.at_once else self._sliding()
        if not (yield from steps):
            return
        if self.options.summarize and not self.options.at_once:
            how = self.options.generation
            if not (yield from summarize(self.captions, self.captioner, how, blank_is_fine=self.published)):
                return
        elif self.options.summarize and self.captions:
            # One text about the whole video is a summary already; nothing is written twice.
            yield Summarized(self.captions[-1].text, trace=self.captions[-1].trace)
        yield Finished(time.monotonic() - started)

    def _sliding(self) -> Generator[Event, None, bool]:
        before: Keyframe | None = None
        for item in self._watch(self.options.sampling, self.settings):
            if not isinstance(item, Step):
                yield item
                continue
            after, evidence, how = item.keyframe, item.evidence, self.options.generation
            if before is None:
                make = partial(self.captioner.describe, after, how)
            else:
                make = partial(self.captioner.difference, before, after, evidence, self.captions[-1].text, how)
            if not (yield from self._step(before or after, after, evidence, make)):
                return False
            before = after
        return not self.broken

    def _fast(self) -> Generator[Event, None, bool]:
        sampling = self.options.sampling
        keyframes: list[Keyframe] = []
        evidence: list[Evidence] = []
        if not sampling.published:
            sampling = replace(sampling, maximum=min(sampling.maximum or FAST_KEYFRAMES, FAST_KEYFRAMES))
        for item in self._watch(sampling, self._small()):
            if isinstance(item, Step):
                keyframes.append(item.keyframe)
                evidence += [item.evidence] if item.evidence else []
            else:
                yield item
        sheet = self.options.mode == "sheet"
        if sheet and not self.captioner.info.sees_several:
            yield Noted("This engine has one way to write about all keyframes at once; the sheet is its fast caption.")
        make = partial(self.captioner.overview, keyframes, evidence, self.options.generation, sheet=sheet)
        return (yield from self._step(keyframes[0], keyframes[-1], None, make))

    def _watch(self, sampling: SamplingOptions, settings: Settings) -> Generator[Event | Step, None, None]:
        """`watch`, but once there are captions a reading error is a `Failed`, so that they are kept."""
        try:
            yield from watch(self.path, sampling, settings)
        except SgvError as error:
            if not self.captions:
                raise
            yield Failed(Failure("reading the video", str(error), len(self.captions)))
            self.broken = True

    def _small(self) -> Settings:
        """All keyframes of a fast caption are in memory together: small ones do, each gets only a few tiles."""
        return replace(self.settings, frame_long_side=min(self.settings.frame_long_side, 640))

    def _step(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, make: Callable[[], Generation]
    ) -> Generator[Event, None, bool]:
        index = len(self.captions)
        stored = self.earlier.get(index)
        if stored and (stored.start, stored.end) == (before.time, after.time):
            self.captions.append(stored)
            yield Captioned(stored, from_store=True)
            return True
        what = f"caption {index + 1}"
        result = yield from attempt(make, what, index, (before.time, after.time), blank_is_fine=self.published)
        if result is None:
            return False
        text, trace = result
        mark = trace_mark(trace)
        caption = Caption(index, before.time, after.time, text, evidence, after.stated_time, after.look, mark)
        self.captions.append(caption)
        yield Captioned(caption, picture=trace.picture)
        return True
