"""A pool of videos through the road that one video takes on the page: keyframes, evidence, captions, summary.

Several videos are under way at once, so that reading, measuring and writing overlap and an engine that takes several
steps gets steps of different videos.
"""

from __future__ import annotations

import hashlib
import mimetypes
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sgv_demo.annotation.pool import Pool
from sgv_demo.engines import Captioner
from sgv_demo.errors import SettingsError, SgvError
from sgv_demo.events import Analysis
from sgv_demo.options import AnalysisOptions
from sgv_demo.pipeline import analyze
from sgv_demo.settings import Settings
from sgv_demo.times import counted, length

ATTEMPTS = 2
"""How often a video is tried: an engine may have been restarted meanwhile."""
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
    """Its path below the pool's folder, with "/": the same on every system."""
    path: Path


def videos(source: Path) -> list[Video]:
    """The videos that `source` means: a folder with all below it, a list (.txt, one path a line), or one file.

    Raises:
        SettingsError: it isn't there, or means none.
    """
    if source.is_dir():
        files = [path for path in sorted(source.rglob("*")) if path.is_file() and _is_video(path)]
        found = [Video(path.relative_to(source).as_posix(), path) for path in files]
    elif source.suffix.lower() == ".txt" and source.is_file():
        lines = [line.strip() for line in source.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        found = [Video(Path(line).as_posix(), source.parent / line) for line in dict.fromkeys(lines)]
    elif source.is_file():
        found = [Video(source.name, source)]
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
    todo = [video for video in found if _in(video, part.shard) and video.name not in passed][: part.limit]
    began, lock, state = time.monotonic(), threading.Lock(), [0, 0, 0.0]

    def one(video: Video) -> None:
        reason, seconds = "", 0.0
        for _ in range(ATTEMPTS):
            try:
                analysis = _annotated(video.path, captioner, options, settings)
            except SgvError as error:
                reason = str(error)
                continue
            pool.add(video.name, analysis)
            reason, seconds = "", analysis.video.duration if analysis.video else 0.0
            break
        if reason:
            pool.fail(video.name, reason)
        with lock:
            state[bool(reason)] += 1
            state[2] += seconds
            progress(now())

    def now() -> Progress:
        return Progress(int(state[0]), int(state[1]), len(todo), state[2], time.monotonic() - began)

    with ThreadPoolExecutor(max(at_once, 1), thread_name_prefix="video") as workers:
        for work in [workers.submit(one, video) for video in todo]:
            work.result()
    return now()


def failures(pool: Pool) -> str:
    """The list at the end."""
    lines = [f"  {video}: {reason}" for video, reason in sorted(pool.failed.items())]
    return "\n".join([f"{counted(len(lines), 'video')} without annotation:", *lines])


def _annotated(path: Path, captioner: Captioner, options: AnalysisOptions, settings: Settings) -> Analysis:
    analysis = Analysis()
    with closing(analyze(path, captioner, options, settings)) as events:
        for event in events:
            analysis = analysis.apply(event)
    if analysis.failure is not None:
        raise SgvError(f"At {analysis.failure.step}: {analysis.failure.message}")
    return analysis


def _is_video(path: Path) -> bool:
    kind, _ = mimetypes.guess_type(path.name)
    hidden = any(part.startswith(".") for part in path.parts[-1:])
    return not hidden and ((kind or "").startswith("video/") or path.suffix.lower() in MORE_SUFFIXES)


def _in(video: Video, shard: tuple[int, int]) -> bool:
    number = int.from_bytes(hashlib.sha256(video.name.encode("utf-8", "surrogateescape")).digest()[:8])
    return number % shard[1] == shard[0] - 1
