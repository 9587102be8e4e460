"""A pool of videos through the road that one video takes on the page: keyframes, evidence, captions, summary.

Several videos are under way at once, so that reading, measuring and writing overlap and an engine that takes several
steps gets steps of different videos.
"""

from __future__ import annotations

import logging
import mimetypes
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sgv_demo.annotation.pool import Pool
from sgv_demo.clean import clean
from sgv_demo.engines import Captioner
from sgv_demo.errors import SettingsError, SgvError
from sgv_demo.events import Analysis
from sgv_demo.options import AnalysisOptions
from sgv_demo.pipeline import analyze
from sgv_demo.settings import Settings
from sgv_demo.shards import in_shard
from sgv_demo.times import counted, length

log = logging.getLogger(__name__)

MORE_SUFFIXES = (
    ".ts",
    ".m2ts",
    ".mts",
    ".mkv",
    ".mxf",
    ".webm",
    ".gif",
    ".apng",
    ".avif",
    ".h264",
    ".nut",
    ".flv",
    ".vob",
)
"""Of videos, where the system's own list may not know them."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which videos of a pool a run takes."""

    shard: tuple[int, int] = (1, 1)
    """The I-th of N parts, by a hash of the name: the same on every machine."""
    limit: int | None = None
    """At most so many."""
    retry_errors: bool = False
    """Also those that failed before."""


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

    def __str__(self) -> str:
        ended = self.done + self.failed
        rate = 60 * ended / self.seconds if self.seconds else 0.0
        left = (self.total - ended) * self.seconds / ended if ended else 0.0
        faster = self.video_seconds / self.seconds if self.seconds else 0.0
        about = f"; about {length(left)} to go" if left else ""
        return (
            f"{self.done} done, {self.failed} failed, {self.total - ended} left; {rate:.1f} videos a minute, "
            f"{faster:.1f} s of video a second{about}"
        )


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a pool."""

    name: str
    """Its path below the pool's folder, with "/" and fit for a record: the same on every system."""
    path: Path


def videos(source: Path) -> list[Video]:
    """The videos that `source` means: a folder with all below it, a list (.txt, one path a line), or one file.

    Raises:
        SettingsError: it isn't there, or means none.
    """
    if source.is_dir():
        files = [path for path in sorted(source.rglob("*")) if path.is_file() and _is_video(path)]
        found = [Video(clean(path.relative_to(source).as_posix()), path) for path in files]
    elif source.suffix.lower() == ".txt" and source.is_file():
        lines = [line.strip() for line in source.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        found = [Video(clean(Path(line).as_posix()), source.parent / line) for line in dict.fromkeys(lines)]
    elif source.is_file():
        found = [Video(clean(source.name), source)]
    else:
        raise SettingsError(f"There is no “{source}”; give a folder, a list or a video.")
    if not found:
        raise SettingsError(f"There is no video in “{source}”; give a folder, a list or a video.")
    return found


def annotate(
    found: Sequence[Video],
    pool: Pool,
    captioner: Captioner,
    options: AnalysisOptions,
    settings: Settings,
    *,
    part: Part,
    at_once: int,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Annotates what a pool doesn't have yet; each video is in the pool the moment it is done.

    A video that can't be annotated is tried once more, then noted with its reason, and the run goes on.
    """
    passed = pool.done if part.retry_errors else pool.done | pool.failed.keys()
    wanted = [video for video in found if in_shard(video.name, part.shard) and video.name not in passed][: part.limit]
    began, lock, stop = time.monotonic(), threading.Lock(), threading.Event()
    tally = Tally()

    def one(video: Video) -> None:
        """Tries a video and writes what came of it; nothing once the run is stopped."""
        analysis, reason = _annotated(video.path, captioner, options, settings, stop)
        if reason:  # once more: an engine may have been restarted meanwhile
            analysis, reason = _annotated(video.path, captioner, options, settings, stop)
        if stop.is_set():
            return
        if reason:
            pool.fail(video.name, reason, analysis)
        else:
            pool.add(video.name, analysis)
        with lock:
            tally.count(analysis, failed=bool(reason))
            progress(tally.progress(len(wanted), time.monotonic() - began))

    with ThreadPoolExecutor(at_once, thread_name_prefix="video") as workers:
        try:
            for work in as_completed([workers.submit(one, video) for video in wanted]):
                work.result()
        except BaseException:
            # Ctrl+C, or a full disk: what waits isn't begun, and what is under way ends with its next event.
            stop.set()
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    return tally.progress(len(wanted), time.monotonic() - began)


@dataclass(slots=True)
class Tally:
    """What became of the videos of a run so far."""

    done: int = 0
    failed: int = 0
    video_seconds: float = 0.0
    """Seconds of the videos that were annotated."""

    def count(self, analysis: Analysis, *, failed: bool) -> None:
        """One more."""
        self.done, self.failed = self.done + (not failed), self.failed + failed
        self.video_seconds += analysis.video.duration if analysis.video and not failed else 0.0

    def progress(self, total: int, seconds: float) -> Progress:
        """How far that is."""
        return Progress(self.done, self.failed, total, self.video_seconds, seconds)


def failures(pool: Pool) -> str:
    """The list at the end."""
    lines = [f"  {video}: {reason}" for video, reason in sorted(pool.failed.items())]
    return "\n".join([f"{counted(len(lines), 'video')} without annotation:", *lines])


def _annotated(
    path: Path, captioner: Captioner, options: AnalysisOptions, settings: Settings, stop: threading.Event
) -> tuple[Analysis, str]:
    """(what was done, why it isn't whole)."""
    analysis, reason = Analysis(), ""
    try:
        with closing(analyze(path, captioner, options, settings)) as events:
            for event in events:
                analysis = analysis.apply(event)
                if stop.is_set():
                    break
    except SgvError as error:
        reason = str(error)
    except Exception:
        # The boundary of one video: the others go on.
        log.exception("Unexpected error at %s", path)
        reason = "It failed for an unforeseen reason (logged)."
    if analysis.failure is not None:
        reason = f"At {analysis.failure.step}: {analysis.failure.message}"
    return analysis, reason


def _is_video(path: Path) -> bool:
    kind, _ = mimetypes.guess_type(path.name)
    return not path.name.startswith(".") and ((kind or "").startswith("video/") or path.suffix.lower() in MORE_SUFFIXES)
