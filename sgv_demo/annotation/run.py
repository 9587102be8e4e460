"""A pool of videos through the road that one video takes on the page: keyframes, evidence, captions, summary.

Several videos are under way at once, so that reading, measuring and writing overlap and an engine that takes several
steps gets steps of different videos.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Protocol

from sgv_demo.annotation.inputs import Video, at_hand
from sgv_demo.annotation.pool import Pool
from sgv_demo.dataset.index import FIELD
from sgv_demo.dataset.record import to_record
from sgv_demo.engines import Captioner
from sgv_demo.errors import SgvError
from sgv_demo.events import Analysis
from sgv_demo.options import AnalysisOptions
from sgv_demo.pipeline import analyze
from sgv_demo.results.provenance import prompts
from sgv_demo.settings import Settings
from sgv_demo.shards import in_shard
from sgv_demo.times import counted, length

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Which videos of a pool a run takes."""

    shard: tuple[int, int] = (1, 1)
    """The I-th of N parts, by a hash of the name: the same on every machine."""
    limit: int | None = None
    """At most so many."""
    retry_errors: bool = False
    """Also those that failed before."""

    def of(self, found: Iterator[Video], pool: Pool) -> Iterator[Video]:
        """Those of `found` that a pool doesn't have yet."""
        count = 0
        for video in found:
            if count == self.limit:
                return
            passed = video.name in pool.done or (not self.retry_errors and video.name in pool.failed)
            if not passed and in_shard(video.name, self.shard):
                count += 1
                yield video


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one video."""

    record: dict[str, Any]
    """In the published annotation schema; as far as it got."""
    reason: str = ""
    """Why it isn't whole; empty: it is."""
    video_seconds: float = 0.0
    tokens: int = 0
    """New ones of all texts."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    failed: int
    total: int
    """Of this run."""
    video_seconds: float
    """Seconds of video annotated in this run."""
    seconds: float
    """Since it began."""
    tokens: int = 0
    """New ones in this run."""

    def __str__(self) -> str:
        ended = self.done + self.failed
        rate = 60 * ended / self.seconds if self.seconds else 0.0
        left = (self.total - ended) * self.seconds / ended if ended else 0.0
        faster = self.video_seconds / self.seconds if self.seconds else 0.0
        speed = f", {self.tokens / self.seconds:.0f} tokens a second" if self.tokens and self.seconds else ""
        about = f"; about {length(left)} to go" if left else ""
        return (
            f"{self.done} done, {self.failed} failed, {self.total - ended} left; {rate:.1f} videos a minute, "
            f"{faster:.1f} s of video a second{speed}{about}"
        )


class Workers(Protocol):
    """Whoever annotates videos: threads of this process, or actors of a Ray cluster."""

    at_once: int
    """Videos under way at the same time."""

    def submit(self, video: Video) -> Future[Outcome]:
        """Begins a video."""
        ...

    def stop(self) -> None:
        """What waits isn't begun, and what is under way ends soon, unfinished."""
        ...


class Threads:
    """Videos side by side in this process."""

    def __init__(self, captioner: Captioner, options: AnalysisOptions, settings: Settings, at_once: int) -> None:
        self.at_once = at_once
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="video")
        self._annotated = partial(
            annotated, captioner=captioner, options=options, settings=settings, stopped=self._stop.is_set
        )

    def submit(self, video: Video) -> Future[Outcome]:
        """Begins a video as soon as a thread is free."""
        return self._pool.submit(self._annotated, video)

    def stop(self) -> None:
        """Ends what is under way with its next event."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


def annotate(
    wanted: Iterator[Video],
    total: int,
    pool: Pool,
    workers: Workers,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Annotates `wanted`, `total` videos; each is in the pool the moment it is done.

    A video that can't be annotated is noted with its reason, and the run goes on.
    """
    tally, under_way = _Tally(total), dict[Future[Outcome], Video]()
    try:
        for video in wanted:
            under_way[workers.submit(video)] = video
            if len(under_way) >= workers.at_once:
                _collect(under_way, pool, tally, progress)
        while under_way:
            _collect(under_way, pool, tally, progress)
    finally:  # also at Ctrl+C or a full disk
        workers.stop()
    return tally.progress()


def _collect(
    under_way: dict[Future[Outcome], Video], pool: Pool, tally: _Tally, progress: Callable[[Progress], None]
) -> None:
    """Waits until a video has ended and writes what came of it."""
    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
        video, outcome = under_way.pop(future), future.result()
        if outcome.reason:
            pool.fail(video.name, outcome.reason, outcome.record)
        else:
            pool.add(video.name, outcome.record)
        tally.count(outcome)
        progress(tally.progress())


@dataclass(slots=True)
class _Tally:
    """What became of the videos of a run so far."""

    total: int
    done: int = 0
    failed: int = 0
    video_seconds: float = 0.0
    tokens: int = 0
    began: float = field(default_factory=time.monotonic)

    def count(self, outcome: Outcome) -> None:
        """One more."""
        self.done, self.failed = self.done + (not outcome.reason), self.failed + bool(outcome.reason)
        self.video_seconds += outcome.video_seconds if not outcome.reason else 0.0
        self.tokens += outcome.tokens

    def progress(self) -> Progress:
        """How far that is."""
        seconds = time.monotonic() - self.began
        return Progress(self.done, self.failed, self.total, self.video_seconds, seconds, self.tokens)


def failures(pool: Pool) -> str:
    """The list at the end."""
    lines = [f"  {video}: {reason}" for video, reason in sorted(pool.failed.items())]
    return "\n".join([f"{counted(len(lines), 'video')} without annotation:", *lines])


def annotated(
    video: Video,
    captioner: Captioner,
    options: AnalysisOptions,
    settings: Settings,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """One video. What fails is tried once more: an engine may have been restarted meanwhile."""
    if video.start or video.end is not None:
        options = replace(options, sampling=replace(options.sampling, start=video.start, end=video.end))
    analysis, reason = _tried(video, captioner, options, settings, stopped)
    if reason and not stopped():
        analysis, reason = _tried(video, captioner, options, settings, stopped)
    traces = [trace for trace in (*(c.trace for c in analysis.captions), analysis.summary_trace) if trace]
    seconds = analysis.video.duration if analysis.video else 0.0
    if video.end is not None:
        seconds = min(seconds, video.end - video.start)
    return Outcome(_record(video, analysis), reason, seconds, sum(trace.new_tokens for trace in traces))


def _record(video: Video, analysis: Analysis) -> dict[str, Any]:
    """The record of an analysis under the pool's name, with what tells its source and its prompts apart."""
    record: dict[str, Any] = to_record(analysis)
    record |= {"video_id": PurePosixPath(video.name).stem, "video_path": video.name}
    told = "\n".join(prompt.text for prompt in prompts(analysis))
    source = {"size": video.size, "key": video.key}
    record[FIELD] |= {
        "source": source,
        "prompts_hash": hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:16],
    }
    return record


def _tried(
    video: Video,
    captioner: Captioner,
    options: AnalysisOptions,
    settings: Settings,
    stopped: Callable[[], bool],
) -> tuple[Analysis, str]:
    """(what was done, why it isn't whole)."""
    analysis, reason = Analysis(), ""
    try:
        with (
            at_hand(video, settings.max_megabytes << 20) as path,
            closing(analyze(path, captioner, options, settings)) as events,
        ):
            for event in events:
                analysis = analysis.apply(event)
                if stopped():
                    break
    except SgvError as error:
        reason = str(error)
    except Exception:
        # The boundary of one video: the others go on.
        log.exception("Unexpected error at %s", video.name)
        reason = "It failed for an unforeseen reason (logged)."
    if analysis.failure is not None:
        reason = f"At {analysis.failure.step}: {analysis.failure.message}"
    return analysis, reason
