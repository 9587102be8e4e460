"""Frames of one local file by PyAV, each at its own time. Runs inside the reading process only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame
from sgv_demo.video.decoding.index import closest
from sgv_demo.video.decoding.passes import Pass
from sgv_demo.video.decoding.picture import Renderer, fitted
from sgv_demo.video.decoding.probe import TRANSPARENT, find_facts
from sgv_demo.video.decoding.seeking import Numbered, SeekPlan, Strategy, Walk

NEAR_ENOUGH = 0.0006
"""Seconds: Matroska rounds times to a millisecond, so a wanted time this little early still means the next picture."""


class PyavReader:
    """See `sgv_demo.video.VideoReader`."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        beat: Callable[[], None] = lambda: None,
        strategy: Strategy = "auto",
        notes: tuple[str, ...] = (),
    ) -> None:
        """Probes the file.

        Args:
            path: a local file.
            settings: limits.
            beat: called for every decoded picture, as a sign of life.
            strategy: forces one way of reaching wanted pictures, for comparison.
            notes: sentences to begin with.

        Raises:
            VideoError: the file can't be used.
        """
        self._path, self._settings, self._beat = path, settings, beat
        self._strategy: Strategy = strategy
        self._facts = find_facts(path, settings)
        self._index = self._facts.index
        self._lost: set[int] = set()
        self._flawed: set[int] = set()
        self._transparent = False
        self._plan = SeekPlan(self._index, strategy)
        self.info = replace(self._facts.info, notes=(*notes, *self._facts.info.notes))
        self.frame_count = len(self._index.times)
        self.fps = self._facts.average_rate

    @property
    def notes(self) -> tuple[str, ...]:
        """See the protocol."""
        found = list(self.info.notes)
        if self._transparent and TRANSPARENT not in found:
            found.append(TRANSPARENT)
        if self._lost:
            found.append(_counted(len(self._lost), "damaged picture was skipped.", "damaged pictures were skipped."))
        if self._flawed:
            one, many = "picture is damaged and may look wrong.", "pictures are damaged and may look wrong."
            found.append(_counted(len(self._flawed), one, many))
        return tuple(found)

    @property
    def plan(self) -> str:
        """See the protocol."""
        return f"{self._plan.seeks} seeks" if self._plan.seeks else "in order"

    def frames(self, *, start: float = 0.0, end: float | None = None, long_side: int | None = None) -> Iterator[Frame]:
        """See the protocol."""
        times = self._index.times
        first = int(np.searchsorted(times, start - NEAR_ENOUGH)) if start > 0 else 0
        until = len(times) if end is None else int(np.searchsorted(times, end))
        return self._numbered(iter(range(first, until)), long_side, repeat=False)

    def near(
        self,
        times: Iterable[float],
        *,
        long_side: int | None = None,
        exact: bool = False,
        tolerance: float | None = None,
        last: bool = False,
    ) -> Iterator[Frame]:
        """See the protocol."""
        return self._numbered(self._wanted(iter(times), exact, tolerance or 0.0, last), long_side, repeat=exact)

    def at_indices(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See the protocol."""
        if any(not 0 <= i < self.frame_count for i in indices):
            raise VideoError(f"The video has {self.frame_count} pictures; choose numbers below that.")
        return (frame for run in _increasing_runs(indices) for frame in self._numbered(iter(run), None, repeat=True))

    def close(self) -> None:
        """See the protocol; a reading in this very process ends when its iterator is closed."""

    def _numbered(self, numbers: Iterator[int], long_side: int | None, *, repeat: bool) -> Iterator[Frame]:
        """The pictures with these numbers, never decreasing; with `repeat` one for each, the same again if need be."""
        with _Reading(self, long_side) as reading:
            latest: Frame | None = None
            shown: Numbered | None = None
            number = next(numbers, None)
            while number is not None:
                following = next(numbers, None)
                found = reading.walk.picture(number, following)
                # Where nothing can be decoded any more, the last good picture stays on display.
                if found is not None and (shown is None or found.number > shown.number):
                    shown, latest = found, reading.frame(found)
                    yield latest
                elif repeat and latest is not None:
                    yield latest
                number = following

    def _wanted(self, times: Iterator[float], exact: bool, tolerance: float, last: bool) -> Iterator[int]:
        """Numbers of the pictures to decode, never decreasing, chosen before anything is decoded."""
        index = self._index
        keys = np.sort(index.number[index.keyframes])
        latest: int | None = None
        for wanted in times:
            if wanted > self._end:
                break
            chosen = index.on_display(wanted + NEAR_ENOUGH) if exact else index.nearest(wanted)
            if tolerance and not exact and len(keys):
                cheap = int(keys[closest(index.times[keys], wanted)])
                chosen = cheap if abs(float(index.times[cheap]) - wanted) <= tolerance else chosen
            chosen = chosen if latest is None else max(chosen, latest)
            if exact or chosen != latest:
                yield chosen
            latest = chosen
        if last and latest != self.frame_count - 1:
            yield self.frame_count - 1

    @property
    def _end(self) -> float:
        """Seconds after which nothing is shown any more; a picture late, for times that were rounded up."""
        return self.info.start + self.info.duration + 1 / self.info.fps


class _Reading:
    """One way through the file; what it learned is kept by the reader."""

    def __init__(self, reader: PyavReader, long_side: int | None) -> None:
        self._reader = reader
        facts = reader._facts
        self._renderer = Renderer(fitted(reader.info.size, long_side), facts.aspect)
        reader._plan = SeekPlan(facts.index, reader._strategy)
        self._pass = Pass(reader._path, reader._settings, reader._beat)
        self.walk = Walk(self._pass, reader._plan)

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        reader = self._reader
        reader._lost |= self._pass.lost
        reader._flawed |= self._pass.flawed
        reader._transparent |= self._renderer.transparent
        self._pass.close()

    def frame(self, picture: Numbered) -> Frame:
        return Frame(float(self._reader._index.times[picture.number]), self._renderer.render(picture.frame))


def _counted(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number} {many}"


def _increasing_runs(indices: Sequence[int]) -> Iterator[list[int]]:
    run = list(indices[:1])
    for before, now in pairwise(indices):
        if now < before:
            yield run
            run = []
        run.append(now)
    if run:
        yield run
