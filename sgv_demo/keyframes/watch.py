"""Watches a video once, in order: samples, keeps keyframes, measures the gaps between them.

Causal: a keyframe and its evidence come out as soon as the reader has passed it, so that the first caption never waits
for the last frame. Two threads do it: one reads frames and measures from one to the next, the other reads text and
tells what was measured; each is a few items ahead of whoever takes them, so that no engine waits for what could be
there.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import merge
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sgv_demo.errors import SettingsError
from sgv_demo.events import Event, Kept, Measured, Noted, Opened, Sampled, Working
from sgv_demo.evidence.look import is_blank, look
from sgv_demo.evidence.measure import GapMeter, Steps, measured
from sgv_demo.evidence.reading import Reading, text_reader
from sgv_demo.fields import check
from sgv_demo.keyframes.ahead import ahead
from sgv_demo.keyframes.published import captioner_indices
from sgv_demo.keyframes.select import Decision, KeyframeSelector, limit
from sgv_demo.keyframes.similarity import Embedder, make_embedder, settled
from sgv_demo.lanes import TICK, Lane, in_line
from sgv_demo.options import SamplingOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Evidence, Frame, Keyframe, Sample, VideoInfo
from sgv_demo.video import VideoReader, open_video

CHOOSING_LONG_SIDE = 480
"""Pixels: enough for similarity and motion while a maximum number of keyframes is being chosen."""

_AHEAD = 8
"""Items that a thread may be ahead: a few keyframes, whose pictures must stay in memory till they are taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A keyframe ready for captioning, with the evidence of the gap before it (None for the first)."""

    keyframe: Keyframe
    evidence: Evidence | None


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    frame: Frame
    sample: bool
    """False for a frame that is only measured."""
    last: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """A frame that becomes a keyframe, and what happened since the one before it."""

    frame: Frame
    similarity: float | None
    steps: Steps | None


def watch(path: Path, sampling: SamplingOptions, settings: Settings) -> Generator[Event | Step, None, None]:
    """Yields `Opened`, then `Sampled`, `Kept`, `Measured` and a `Step` for each keyframe, and `Noted` at the end.

    Raises:
        VideoError: the file can't be read.
        SettingsError: an option is out of bounds, the range is empty, or it takes too many samples.
    """
    check(sampling, settings)
    return _in_line(path, settled(sampling, settings), settings)


CORES = Lane(os.cpu_count() or 2)
"""Measuring and reading text, a picture at a time: the videos of different visitors get on side by side."""
_READER_BYTES = 300_000_000
"""Memory that a reading process and what it sent usually take."""


@lru_cache(maxsize=4)
def readers(most: int) -> Lane:
    """The line of those who want a video read; `most`: as in the settings."""
    if most:
        return Lane(most)
    import psutil

    return Lane(min(max(psutil.virtual_memory().available // _READER_BYTES, 2), 64))


def _in_line(path: Path, sampling: SamplingOptions, settings: Settings) -> Generator[Event | Step, None, None]:
    place = readers(settings.max_readers).join()
    try:
        while not place.wait(TICK):
            yield Working(in_line("a place to read the video", place))
        opened: list[VideoReader] = []
        yield from ahead(_watch(path, sampling, settings, opened), _AHEAD, lambda: _close(opened))
    finally:
        place.leave()


def _close(opened: list[VideoReader]) -> None:
    for reader in opened:
        reader.close()


def _watch(
    path: Path, sampling: SamplingOptions, settings: Settings, opened: list[VideoReader]
) -> Generator[Event | Step, None, None]:
    backend = "decord" if sampling.published else "pyav"
    with ThreadPoolExecutor(1) as loading, open_video(path, settings, backend=backend) as reader:
        opened.append(reader)
        teller = _Teller(sampling)
        if teller.text:
            # The models load while the first frames are read; what goes wrong with them shows at the first reading.
            loading.submit(teller.text.reader.load)
        yield Opened(reader.info)
        _check_range(sampling, reader.info, settings)
        with closing(ahead(_chosen(path, reader, sampling, settings), _AHEAD)) as items:
            for item in items:
                if not isinstance(item, _Chosen):
                    yield item
                    continue
                yield from teller.announced(item)
                with CORES.turn():
                    told = list(teller.tell(item))
                yield from told
        if not teller.count:
            raise SettingsError("No picture lies in the chosen range; widen it.")
        for note in reader.notes:
            yield Noted(note)


def _chosen(
    path: Path, reader: VideoReader, sampling: SamplingOptions, settings: Settings
) -> Generator[Event | _Chosen, None, None]:
    """Samples, and the frames that become keyframes."""
    ends = reader.info.start + reader.info.duration
    until = min(ends, sampling.end if sampling.end is not None else ends)
    keeper = _Keeper(sampling, until, settings)
    if sampling.maximum:
        yield from _limited(reader, sampling, settings, keeper)
        return
    long_side = None if sampling.published else settings.frame_long_side
    for seen in _frames(path, reader, sampling, settings, long_side):
        with CORES.turn():
            came = list(keeper.offer(seen))
        yield from came
        if len(keeper.embeddings) >= settings.max_keyframes:
            yield Noted(f"Stopped at {len(keeper.embeddings)} keyframes, the most in one run; choose a shorter range.")
            return


def expected_samples(info: VideoInfo, sampling: SamplingOptions) -> int:
    """How many samples a run will take, closing frame included; for estimates before the run."""
    start, end = sampling.start, sampling.end if sampling.end is not None else info.start + info.duration
    if sampling.published:
        return max(1, len(captioner_indices(round(info.duration * info.fps), info.fps)))
    span = max(0.0, min(end, info.start + info.duration) - max(start, info.start))
    return math.ceil(span / sampling.every - 1e-9) + 1 if span > 0 else 1


def _check_range(sampling: SamplingOptions, info: VideoInfo, settings: Settings) -> None:
    if sampling.end is not None and sampling.end <= sampling.start:
        raise SettingsError("The range ends before it starts; choose a later end.")
    if sampling.start >= info.start + info.duration:
        raise SettingsError(
            f"The range starts at {sampling.start:g} s but the video ends at {info.start + info.duration:.2f} s; "
            "choose an earlier start."
        )
    samples = expected_samples(info, sampling)
    if samples > settings.max_samples:
        raise SettingsError(
            f"A sample every {sampling.every:g} s makes {samples:,} samples, and {settings.max_samples:,} are the "
            "most in one run; choose a longer interval or a shorter range."
        )


class _Keeper:
    """Turns frames into samples and chosen frames, and measures from one frame to the next."""

    def __init__(self, sampling: SamplingOptions, end: float, settings: Settings) -> None:
        self.sampling = sampling
        self.end = end
        """Seconds: where the range or the video ends."""
        self.embedder: Embedder = make_embedder(sampling.similarity, settings)
        self.selector = KeyframeSelector[NDArray[np.float32]](
            sampling.threshold_in_force, keep_all=sampling.keep_all, every=sampling.every
        )
        self.meter = GapMeter() if sampling.measure else None
        self.embeddings: list[NDArray[np.float32]] = []
        """Of the kept ones."""
        self.waiting = False
        """True after a blank start, until something is seen."""
        self.previous: Frame | None = None
        """The last frame that was chosen."""

    def offer(self, seen: _Seen) -> Iterator[Event | _Chosen]:
        """What one frame leads to."""
        for frame, decision in self.decide(seen):
            yield Sampled(Sample(frame.time, decision.similarity, decision.kept))
            if decision.kept:
                yield self.choose(frame, decision.similarity)

    def decide(self, seen: _Seen) -> Iterator[tuple[Frame, Decision]]:
        """Measures a frame and, where it is a sample or the last one, asks the selector."""
        frame = seen.frame
        if self.meter:
            self.meter.feed(frame)
        # After a blank start the first picture that shows something is the first keyframe, whenever it comes.
        if not (seen.sample or seen.last or self.waiting):
            return
        embedding = self.embedder.embed([frame])[0]
        decision = Decision(False, None)
        if seen.sample or self.waiting:
            blank = is_blank(frame)
            decision = self.selector.offer(frame.time, embedding, blank)
            self.waiting = blank and decision.similarity is None and not decision.kept
        if seen.last and not decision.kept and not self.sampling.published:
            decision = self.selector.close(frame.time, embedding, end=self.end)
        if decision.kept:
            self.embeddings.append(embedding)
        yield frame, decision

    def choose(self, frame: Frame, similarity: float | None) -> _Chosen:
        """Makes `frame` the next keyframe."""
        steps = self.meter.steps(self.previous, frame) if self.meter and self.previous else None
        self.previous = frame
        return _Chosen(frame, similarity, steps)


class _Teller:
    """Turns chosen frames into keyframes with their looks and their evidence."""

    def __init__(self, sampling: SamplingOptions) -> None:
        self.sampling = sampling
        self.text = Reading(text_reader()) if sampling.measure and sampling.read_text else None
        self.previous: Keyframe | None = None
        self.count = 0

    def announced(self, chosen: _Chosen) -> Iterator[Event]:
        """What is about to be done with a chosen frame, where that takes a while."""
        if self.text:
            yield Working(f"Reading text in the picture at {chosen.frame.time:.1f} s")

    def tell(self, chosen: _Chosen) -> Iterator[Event | Step]:
        """What a chosen frame leads to."""
        frame = chosen.frame
        seen = look(frame, self.text) if self.sampling.measure else None
        stated = 2.0 * self.count if self.sampling.published else frame.time
        keyframe = Keyframe(self.count, frame, chosen.similarity, stated, seen)
        evidence = measured(self.previous, keyframe, chosen.steps) if self.previous and chosen.steps else None
        yield Kept(keyframe.mark(), frame)
        if evidence:
            yield Measured(evidence)
        yield Step(keyframe, evidence)
        self.previous = keyframe
        self.count += 1


def _frames(
    path: Path, reader: VideoReader, sampling: SamplingOptions, settings: Settings, long_side: int | None
) -> Iterator[_Seen]:
    """Frames in time order, marked as sample, measured only, or last."""
    if sampling.published:
        samples = (_Seen(f, sample=True) for f in _published(reader, sampling))
        if not sampling.measure:
            yield from samples
            return
        with open_video(path, settings) as second:
            between = (_Seen(f, sample=False) for f in _dense(second, sampling, settings, CHOOSING_LONG_SIDE))
            yield from _until_last_sample(merge(between, samples, key=lambda s: s.frame.time))
        return
    if sampling.measure:
        frames = _dense(reader, sampling, settings, long_side)
        half = sampling.every / _parts(sampling, settings) / 2
    else:
        end = _end(reader.info, sampling)
        frames = reader.near(_grid(sampling.start, sampling.every, end), long_side=long_side, last=sampling.end is None)
        half = sampling.every / 2
    yield from _mark(frames, sampling, half)


def _published(reader: VideoReader, sampling: SamplingOptions) -> Iterator[Frame]:
    indices = captioner_indices(reader.frame_count, reader.fps)
    end = float("inf") if sampling.end is None else sampling.end
    for frame in reader.at_indices(indices):
        if sampling.start <= frame.time <= end:
            yield frame


def _until_last_sample(seen: Iterable[_Seen]) -> Iterator[_Seen]:
    """Drops the measured-only frames after the last sample: no gap will ask for them."""
    waiting: list[_Seen] = []
    for item in seen:
        waiting.append(item)
        if item.sample:
            yield from waiting
            waiting.clear()


def _dense(
    reader: VideoReader, sampling: SamplingOptions, settings: Settings, long_side: int | None
) -> Iterator[Frame]:
    every = sampling.every / _parts(sampling, settings)
    end = _end(reader.info, sampling)
    return reader.near(_grid(sampling.start, every, end), long_side=long_side, last=sampling.end is None)


def _parts(sampling: SamplingOptions, settings: Settings) -> int:
    """Into how many parts an interval is cut, so that sampled times are measured times too."""
    return max(1, round(sampling.every * settings.measure_rate))


def _end(info: VideoInfo, sampling: SamplingOptions) -> float:
    return float("inf") if sampling.end is None else sampling.end


def _grid(start: float, every: float, end: float) -> Iterator[float]:
    return itertools.takewhile(lambda t: t <= end + 1e-9, (start + every * i for i in itertools.count()))


def _mark(frames: Iterable[Frame], sampling: SamplingOptions, tolerance: float) -> Iterator[_Seen]:
    """Marks as samples the first frame at (or within `tolerance` seconds before) each wanted time."""
    wanted = sampling.start
    pending: _Seen | None = None
    for frame in frames:
        if pending:
            yield pending
        sample = frame.time >= wanted - tolerance
        while sample and wanted <= frame.time + tolerance:
            wanted += sampling.every
        pending = _Seen(frame, sample)
    if pending:
        yield replace(pending, last=True)


def _limited(
    reader: VideoReader, sampling: SamplingOptions, settings: Settings, keeper: _Keeper
) -> Iterator[Event | _Chosen]:
    """At most `sampling.maximum` keyframes: choose them on small pictures first, then read those alone."""
    kept: list[float] = []
    for seen in _frames(reader.info.path, reader, sampling, settings, CHOOSING_LONG_SIDE):
        for frame, decision in keeper.decide(seen):
            yield Sampled(Sample(frame.time, decision.similarity, decision.kept))
            if decision.kept:
                kept.append(frame.time)
    assert sampling.maximum is not None
    chosen = limit(keeper.embeddings, sampling.maximum)
    if chosen.dropped:
        most = f"{len(chosen.indices)} most different"
        yield Noted(f"{chosen.dropped} of {len(kept)} keyframes were dropped to keep the {most}.")
    long_side = None if sampling.published else settings.frame_long_side
    times = [kept[i] for i in chosen.indices]
    frames = reader.near(times, long_side=long_side, exact=True)
    for frame, similarity in zip(frames, chosen.similarities, strict=False):
        yield keeper.choose(frame, similarity)
