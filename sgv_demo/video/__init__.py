"""Reading videos that strangers upload: probe, frames at their own times, published sampling.

The decoding itself runs in a process of its own (`guard` here, `worker` there), so a hostile file can't take the app
down. What touches a file's content lies in `decoding`, which nothing but the worker imports.
"""

from __future__ import annotations

import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, VideoInfo

Backend: TypeAlias = Literal["pyav", "decord"]


class VideoReader(Protocol):
    """An open video. Each reading starts from the file anew; several may be under way at once."""

    @property
    def info(self) -> VideoInfo:
        """What the probe found."""
        ...

    @property
    def frame_count(self) -> int:
        """Pictures that the file holds, counted and not claimed: decord's number, for published sampling."""
        ...

    @property
    def fps(self) -> float:
        """The container's average rate, decord's number, for published sampling; `info.fps` is the believable one."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user, including what became known while reading."""
        ...

    @property
    def plan(self) -> str:
        """How the last `near` went about it: "in order" or "12 seeks"."""
        ...

    def frames(self, *, start: float = 0.0, end: float | None = None, long_side: int | None = None) -> Iterator[Frame]:
        """Every picture with start <= time < end (seconds), in order, its longer side at most `long_side` pixels."""
        ...

    def near(
        self,
        times: Iterable[float],
        *,
        long_side: int | None = None,
        exact: bool = False,
        tolerance: float | None = None,
        last: bool = False,
    ) -> Iterator[Frame]:
        """One frame for each wanted time (seconds, increasing, may be unending); stops at the end of the video.

        The wanted times are asked for a few ahead of the frames.

        Args:
            times: wanted times.
            long_side: scale down to this longer side, in pixels.
            exact: the picture on display at each time, one per wanted time. Otherwise the picture closest to it, and
                a picture that is closest to several times comes once.
            tolerance: without `exact`, seconds by which a picture that is cheaper to decode may be off.
            last: also yield the very last picture, if it has not come yet.

        Raises:
            VideoError: reading failed; frames that came before stay valid.
        """
        ...

    def close(self) -> None:
        """Ends every reading at once, whatever it is doing. May be called from another thread."""
        ...

    def at_indices(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Pictures by number in display order, at native size (published sampling).

        Raises:
            VideoError: a number is not that of a picture.
        """
        ...


@contextmanager
def open_video(path: Path, settings: Settings, *, backend: Backend = "pyav") -> Generator[VideoReader, None, None]:
    """Opens a video for reading.

    Args:
        path: a local file.
        settings: limits on size, duration, pixels, memory and time.
        backend: "decord" reproduces the published sampling on files known to be good; where it isn't installed, PyAV
            takes the same pictures and a note says so.

    Raises:
        VideoError: the file can't be used; one sentence with cause and remedy.
    """
    check_file(path, settings)
    from sgv_demo.video.guard import IsolatedReader

    with IsolatedReader(path, settings, backend) as reader:
        yield reader


def probe(path: Path, settings: Settings) -> VideoInfo:
    """What the file is, without reading on; raises VideoError when it can't be used."""
    with open_video(path, settings) as video:
        return video.info


def check_file(path: Path, settings: Settings) -> None:
    """What can be said without looking inside; raises VideoError."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise VideoError("The file does not exist or can't be reached; check its name.") from error
    if not stat.S_ISREG(found.st_mode):
        raise VideoError("This is not a file but a folder or device; choose a video file.")
    if found.st_size == 0:
        raise VideoError("The file is empty (0 bytes); upload or copy it again.")
    if found.st_size > settings.max_megabytes * 2**20:
        raise VideoError(
            f"The file has {found.st_size / 2**20:.0f} MB, over the limit of {settings.max_megabytes} MB; "
            "shorten or compress it first."
        )
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise VideoError("The file can't be read; check its permissions.") from error
