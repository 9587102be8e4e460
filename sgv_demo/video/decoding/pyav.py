"""Frames of one local file by PyAV, each at its own time. Runs inside the reading process only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
from av import VideoFrame
from av.video.reformatter import VideoReformatter

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame
from sgv_demo.video.decoding.packets import closest
from sgv_demo.video.decoding.passes import Pass
from sgv_demo.video.decoding.picture import fitted, to_rgb
from sgv_demo.video.decoding.plan import Plan, Strategy
from sgv_demo.video.decoding.probe import find_facts
from sgv_demo.video.decoding.seeking import Walk

Timed: TypeAlias = tuple[float, VideoFrame]

NEAR_ENOUGH = 0.0006
"""Seconds: Matroska rounds times to a millisecond, so a wanted time this little early still means the next picture."""


class PyavReader:
    """See `sgv_demo.video.reader.VideoReader`."""

    def __init__(
        self,
        path: Path,
        settings: Settings,
        *,
        beat: Callable[[], None] = lambda: None,
        strategy: Strategy = "auto",
    ) -> None:
        """Probes the file.

        Args:
            path: a local file.
            settings: limits.
            beat: called for every decoded picture, as a sign of life.
            strategy: forces one way of reaching wanted pictures, for comparison.

        Raises:
            VideoError: the file can't be used.
        """
        self._path, self._settings, self._beat = path, settings, beat
        self._strategy: Strategy = strategy
        self._facts = find_facts(path, settings)
        self._lost: set[int] = set()
        self._flawed: set[int] = set()
        self._seeks = 0
        self._scaler = VideoReformatter()
        self.info = self._facts.info
        self.frame_count = self._facts.scan.count
        self.fps = self._facts.average_rate

    @property
    def notes(self) -> tuple[str, ...]:
        """See the protocol."""
        found = list(self.info.notes)
        if self._lost:
            found.append(_counted(len(self._lost), "damaged picture was skipped.", "damaged pictures were skipped."))
        if self._flawed:
            one, many = "picture is damaged and may look wrong.", "pictures are damaged and may look wrong."
            found.append(_counted(len(self._flawed), one, many))
        return tuple(found)

    @property
    def plan(self) -> str:
        """See the protocol."""
        return f"{self._seeks} seeks" if self._seeks else "in order"

    def frames(self, *, start: float = 0.0, end: float | None = None, long_side: int | None = None) -> Iterator[Frame]:
        """See the protocol."""
        canvas = fitted(self.info.size, long_side)
        reading = self._begin()
        try:
            for now, frame in self._timed(reading, start):
                if end is not None and now >= end:
                    return
                if now >= start - NEAR_ENOUGH:
                    yield Frame(now, to_rgb(frame, canvas, self._facts.aspect, self._scaler))
        finally:
            self._finish(reading)

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
        canvas = fitted(self.info.size, long_side)
        reading = self._begin()
        try:
            if self._facts.scan.trusted:
                found = self._walk(reading, self._targets(iter(times), exact, tolerance or 0.0, last))
            else:
                found = self._in_order(reading, iter(times), exact, last)
            latest: Frame | None = None
            for now, frame in found:
                if latest is None or now > latest.time:
                    latest = Frame(now, to_rgb(frame, canvas, self._facts.aspect, self._scaler))
                    yield latest
                elif exact:
                    yield latest
        finally:
            self._finish(reading)

    def at_indices(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See the protocol."""
        if any(not 0 <= i < self.frame_count for i in indices):
            raise VideoError(f"The video has {self.frame_count} pictures; choose numbers below that.")
        return (frame for run in _increasing_runs(indices) for frame in self._numbered(run))

    def _numbered(self, run: list[int]) -> Iterator[Frame]:
        if self._facts.scan.trusted:
            yield from self.near([self._facts.seconds(int(self._facts.scan.shown[i])) for i in run], exact=True)
            return
        wanted = deque(run)
        for number, frame in enumerate(self.frames()):
            while wanted and wanted[0] == number:
                wanted.popleft()
                yield frame
            if not wanted:
                return

    def _begin(self) -> Pass:
        self._seeks = 0
        return Pass(self._path, self._settings, self._beat)

    def _finish(self, reading: Pass) -> None:
        self._lost |= reading.lost
        self._flawed |= reading.flawed
        reading.close()

    def _timed(self, reading: Pass, start: float = 0.0) -> Iterator[Timed]:
        """Every picture with its time, from `start` (seconds) or a little before."""
        clock, facts = self._facts.clock(), self._facts
        pictures = reading.pictures()
        if start > 0 and facts.scan.trusted:
            walk = Walk(reading, Plan(facts.scan))
            walk.go_to(facts.scan.on_display(facts.tick(start)))
            pictures = walk.rest()
        for frame in pictures:
            yield clock.of(frame), frame

    def _in_order(self, reading: Pass, times: Iterator[float], exact: bool, last: bool) -> Iterator[Timed]:
        """Without trustworthy times in the container: decodes everything and looks at each picture's own time."""
        wanted = next(times, None)
        shown: Timed | None = None
        for now, frame in self._timed(reading):
            while wanted is not None and shown is not None and now > wanted + NEAR_ENOUGH:
                takes_next = not exact and now - wanted < wanted - shown[0]
                yield (now, frame) if takes_next else shown
                wanted = next(times, None)
            if wanted is None and not last:
                return
            shown = now, frame
        if shown is None:
            return
        end, answered = max(self._end, shown[0]), False
        while wanted is not None and wanted <= end:
            yield shown
            answered, wanted = True, next(times, None)
        if last and not answered:
            yield shown

    def _walk(self, reading: Pass, targets: Iterator[int]) -> Iterator[Timed]:
        walk = Walk(reading, Plan(self._facts.scan, self._strategy))
        target = next(targets, None)
        frame: VideoFrame | None = None
        while target is not None:
            following = next(targets, None)
            # Where nothing can be decoded any more, the last good picture stays on display.
            frame = walk.picture(target, following) or frame
            self._seeks = walk.plan.seeks
            if frame is not None:
                yield self._facts.seconds(target if frame.pts is None else frame.pts), frame
            target = following

    def _targets(self, times: Iterator[float], exact: bool, tolerance: float, last: bool) -> Iterator[int]:
        """Ticks of the pictures to decode, never decreasing, chosen before anything is decoded."""
        scan, facts = self._facts.scan, self._facts
        keys = np.sort(scan.pts[scan.keyframes])
        latest: int | None = None
        for wanted in times:
            if wanted > self._end:
                break
            tick = facts.tick(wanted)
            chosen = scan.on_display(tick + NEAR_ENOUGH / facts.time_base) if exact else scan.nearest(tick)
            if tolerance and not exact and len(keys):
                cheap = closest(keys, tick)
                chosen = cheap if abs(cheap - tick) * facts.time_base <= tolerance else chosen
            chosen = chosen if latest is None else max(chosen, latest)
            if exact or chosen != latest:
                yield chosen
            latest = chosen
        if last and latest != scan.shown[-1]:
            yield int(scan.shown[-1])

    @property
    def _end(self) -> float:
        """Seconds after which nothing is shown any more; a picture late, for times that were rounded up."""
        return self.info.start + self.info.duration + 1 / self.info.fps


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
