"""Frames of one local file by PyAV, each at its own time. Runs inside the reading process only."""

from __future__ import annotations

import time as clock
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

from av import VideoFrame
from av.error import FFmpegError
from av.packet import Packet

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, VideoInfo
from sgv_demo.video.container import NOTHING_DECODABLE, choose_stream, open_container, packets
from sgv_demo.video.picture import displayed_size, fitted, to_rgb
from sgv_demo.video.plan import Plan, Strategy
from sgv_demo.video.scan import Scan, scan

Timed: TypeAlias = tuple[float, VideoFrame]

NEAR_ENOUGH = 0.0006
"""Seconds: Matroska rounds times to a millisecond, so a wanted time this little early still means the next picture."""
_FIRST_PICTURE_SECONDS = 3.0
_SCAN_BYTES = 512 * 2**20


class Pass:
    """One walk through the file: an open container, the decoder, and the clock that people see."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path, self._settings = path, settings
        self.damaged = 0
        """Packets that could not be decoded."""
        self._open()

    def _open(self) -> None:
        self.container = open_container(self._path)
        try:
            self.stream = choose_stream(self.container, self._settings)
        except VideoError:
            self.container.close()
            raise

    def reopen(self) -> None:
        """Back to the very beginning, for a file where seeking can't be relied on."""
        self.container.close()
        self._open()

    def close(self) -> None:
        """Frees the decoder and the file."""
        self.container.close()

    def decode(self, packet: Packet | None) -> list[VideoFrame]:
        """Pictures that come out after `packet` went in (None empties the decoder); damage is counted, not raised."""
        try:
            return self.stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            self.damaged += 1
            return []

    def pictures(self) -> Iterator[VideoFrame]:
        """Every picture from where the container stands, in display order."""
        for packet in packets(self.container, self.stream):
            yield from self.decode(packet)


class Clock:
    """Seconds since the container's start, going on from the last time where the file's clock jumps back."""

    def __init__(self, time_base: float, origin: int, step: float) -> None:
        self._base, self._origin, self._step = time_base, origin, step
        self._shift = 0.0
        self._last: float | None = None

    def of(self, frame: VideoFrame) -> float:
        """The time of the next picture in display order."""
        if frame.pts is None:
            now = 0.0 if self._last is None else self._last + self._step
        else:
            now = (frame.pts - self._origin) * self._base + self._shift
            if self._last is not None and now <= self._last:
                self._shift += self._last + self._step - now
                now = self._last + self._step
        self._last = now
        return now


class PyavReader:
    """See `sgv_demo.video.reader.VideoReader`."""

    def __init__(self, path: Path, settings: Settings, strategy: Strategy = "auto") -> None:
        """Raises VideoError when the file can't be used."""
        self._path, self._settings = path, settings
        self._strategy: Strategy = strategy
        self._damaged = 0
        self._plans: list[Plan] = []
        opened = Pass(path, settings)
        try:
            self._base = float(opened.stream.time_base or 0) or 1e-6
            self._scan = scan(opened.container, opened.stream)
            self._rate = _rate(opened, self._scan, self._base)
            self._average_rate = float(opened.stream.average_rate or 0) or self._rate
            self._aspect = opened.stream.sample_aspect_ratio
            container_start = opened.container.start_time
            claimed = opened.stream.duration
            self._claimed = claimed * self._base if claimed else 0.0
            if not self._claimed and opened.container.duration:
                self._claimed = opened.container.duration / 1e6
            codec = opened.stream.codec_context.codec.canonical_name
            has_audio = bool(opened.container.streams.audio)
            name = opened.container.format.name
        finally:
            opened.close()
        self._origin = self._find_origin(container_start, name)
        first = self._first_picture()
        size = displayed_size(first[1].width, first[1].height, self._aspect, first[1].rotation)
        self.info = VideoInfo(
            path=path,
            duration=self._duration(),
            fps=self._rate,
            size=size,
            codec=codec,
            has_audio=has_audio,
            start=first[0],
            notes=self._probe_notes(name),
        )
        if self.info.duration > settings.max_seconds:
            raise VideoError(
                f"The video lasts {self.info.duration / 60:.0f} minutes, over the limit of "
                f"{settings.max_seconds / 60:.0f}; cut it first."
            )

    @property
    def frame_count(self) -> int:
        """Pictures in the file, counted by walking over it."""
        return self._scan.count

    @property
    def fps(self) -> float:
        """The container's average rate, as decord reports it (published sampling)."""
        return self._average_rate

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user, those of the probe and what became known while reading."""
        lost = self._damaged
        if not lost:
            return self.info.notes
        text = "1 damaged picture was skipped." if lost == 1 else f"{lost} damaged pictures were skipped."
        return (*self.info.notes, text)

    @property
    def plan(self) -> str:
        """How the last reading went about it, for people: "in order", "3 seeks"."""
        if not self._plans:
            return "in order"
        seeks = self._plans[-1].seeks
        return f"{seeks} seeks" if seeks else "in order"

    def frames(self, *, start: float = 0.0, end: float | None = None, long_side: int | None = None) -> Iterator[Frame]:
        """Every picture with start <= time < end, in order."""
        canvas = fitted(self.info.size, long_side)
        reading = Pass(self._path, self._settings)
        try:
            for now, frame in self._timed(reading, seek=start):
                if end is not None and now >= end:
                    return
                if now >= start - NEAR_ENOUGH:
                    yield Frame(now, to_rgb(frame, canvas, self._aspect))
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
        """One frame for each wanted time; see the protocol."""
        canvas = fitted(self.info.size, long_side)
        reading = Pass(self._path, self._settings)
        choose = self._near_known if self._scan.trusted else self._near_in_order
        yielded = None
        try:
            for now, frame in choose(reading, iter(times), exact, tolerance or 0.0, last):
                if exact or yielded is None or now > yielded:
                    yield Frame(now, to_rgb(frame, canvas, self._aspect))
                    yielded = now
        finally:
            self._finish(reading)

    def at_indices(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Pictures by number in display order, at native size.

        Raises:
            VideoError: a number is not that of a picture.
        """
        if any(not 0 <= i < self.frame_count for i in indices):
            raise VideoError(f"The video has {self.frame_count} pictures; choose numbers below that.")
        for run in _increasing_runs(indices):
            yield from self._numbered(run)

    def _numbered(self, run: list[int]) -> Iterator[Frame]:
        if self._scan.trusted:
            yield from self.near([self._seconds(self._scan.shown[i]) for i in run], exact=True)
            return
        wanted = deque(run)
        for number, frame in enumerate(self.frames()):
            while wanted and wanted[0] == number:
                wanted.popleft()
                yield frame
            if not wanted:
                return

    def _finish(self, reading: Pass) -> None:
        self._damaged = max(self._damaged, reading.damaged)
        reading.close()

    def _seconds(self, tick: int) -> float:
        return (tick - self._origin) * self._base

    def _timed(self, reading: Pass, seek: float = 0.0) -> Iterator[Timed]:
        tick_clock = Clock(self._base, self._origin, 1 / self._rate)
        if seek > 0 and self._scan.trusted and self._scan.keyframes:
            walk = Walk(reading, Plan(self._scan))
            walk.go_to(self._scan.on_display(seek / self._base + self._origin))
            yield from ((tick_clock.of(frame), frame) for frame in walk.rest())
            return
        for frame in reading.pictures():
            yield tick_clock.of(frame), frame

    def _near_in_order(
        self, reading: Pass, times: Iterator[float], exact: bool, _tolerance: float, last: bool
    ) -> Iterator[Timed]:
        wanted = next(times, None)
        shown: Timed | None = None
        end = self.info.duration + 1 / self._rate
        for now, frame in self._timed(reading):
            while wanted is not None and shown is not None and now > wanted + NEAR_ENOUGH:
                takes_next = not exact and now - wanted < wanted - shown[0]
                yield (now, frame) if takes_next else shown
                wanted = next(times, None)
            if wanted is None and not last:
                return
            shown = now, frame
        while wanted is not None and shown is not None and wanted <= max(end, shown[0]):
            yield shown
            wanted = next(times, None)
        if last and shown is not None and not (exact and wanted is None):
            yield shown

    def _near_known(
        self, reading: Pass, times: Iterator[float], exact: bool, tolerance: float, last: bool
    ) -> Iterator[Timed]:
        walk = Walk(reading, Plan(self._scan, self._strategy))
        self._plans.append(walk.plan)
        targets = self._targets(times, exact, tolerance, last)
        target = next(targets, None)
        while target is not None:
            following = next(targets, None)
            frame = walk.picture(target, following)
            if frame is None:
                return
            yield self._seconds(target if frame.pts is None else frame.pts), frame
            target = following

    def _targets(self, times: Iterator[float], exact: bool, tolerance: float, last: bool) -> Iterator[int]:
        end = self.info.duration + 1 / self._rate
        keys = sorted(self._scan.pts[k] for k in self._scan.keyframes) if tolerance else []
        latest: int | None = None
        for wanted in times:
            if wanted > end:
                break
            tick = (wanted + NEAR_ENOUGH) / self._base + self._origin
            chosen = self._scan.on_display(tick) if exact else self._scan.nearest(wanted / self._base + self._origin)
            if keys and not exact:
                chosen = _within(keys, wanted / self._base + self._origin, tolerance / self._base, chosen)
            chosen = chosen if latest is None else max(chosen, latest)
            if exact or chosen != latest:
                yield chosen
            latest = chosen
        if last and latest != self._scan.shown[-1]:
            yield self._scan.shown[-1]

    def _find_origin(self, container_start: int | None, format_name: str) -> int:
        """The tick that people call zero: the container's start; AVI has none, its first picture counts."""
        first = self._scan.first or 0
        if format_name == "avi":
            return first
        start = round((container_start or 0) / 1e6 / self._base)
        return start if start > 0 else min(0, first)

    def _first_picture(self) -> Timed:
        reading = Pass(self._path, self._settings)
        limit = clock.monotonic() + _FIRST_PICTURE_SECONDS
        try:
            tick_clock = Clock(self._base, self._origin, 1 / self._rate)
            for packet in packets(reading.container, reading.stream):
                for frame in reading.decode(packet):
                    return tick_clock.of(frame), frame
                if clock.monotonic() > limit:
                    break
        finally:
            reading.close()
        raise VideoError(NOTHING_DECODABLE)

    def _measured_end(self) -> float:
        if self._scan.end is None:
            return self._scan.count / self._rate
        return (self._scan.end - self._origin) * self._base

    def _duration(self) -> float:
        end = self._measured_end()
        return self._claimed if self._is_cut_short() else end

    def _is_cut_short(self) -> bool:
        return False

    def _probe_notes(self, format_name: str) -> tuple[str, ...]:
        return ()


class Walk:
    """Decodes towards one wanted picture after another, seeking where the plan says so."""

    def __init__(self, reading: Pass, plan: Plan) -> None:
        self.reading, self.plan = reading, plan
        self._packets = packets(reading.container, reading.stream)
        self._position = 0
        self._ready: deque[VideoFrame] = deque()
        self._shown: VideoFrame | None = None
        self._late = False
        self._over = False

    def go_to(self, target: int) -> None:
        """Seeks if that is the cheaper way to the picture at `target`."""
        place = None if self._late else self.plan.seek_to(target, self._position)
        if place is not None:
            self._seek(place)

    def picture(self, target: int, following: int | None) -> VideoFrame | None:
        """The picture at tick `target`, or where it is damaged the nearest one before (else after) it."""
        if self._shown is not None and self._shown.pts is not None and self._shown.pts >= target:
            return self._shown
        if not self._ready or (self._ready[-1].pts or 0) < target:
            self.go_to(target)
        place = self.plan.place(target)
        while True:
            while self._ready:
                if self._shown is not None and (self._ready[0].pts or 0) > target:
                    return self._shown
                self._shown = self._ready.popleft()
                if (self._shown.pts or 0) >= target:
                    return self._shown
            if self._over:
                return self._shown
            if self._position > place and self._may_empty(following):
                self._empty()
            else:
                self._feed(target)

    def rest(self) -> Iterator[VideoFrame]:
        """All pictures from here on."""
        yield from self._ready
        for packet in self._packets:
            yield from self.reading.decode(packet)

    def _empty(self) -> None:
        """Has the decoder hand out all it holds instead of feeding it further pictures until it does."""
        self._ready.extend(self.reading.decode(None))
        if self._ready or self._shown is not None:
            self._over = True
        else:
            # The wanted picture is damaged and nothing before it is there: go on to the next that is.
            self.reading.stream.codec_context.flush_buffers()
            self._late = True

    def _may_empty(self, following: int | None) -> bool:
        """Whether nothing after the wanted packet is needed from the decoder in its present state."""
        if self._late:
            return False
        return following is None or self.plan.seek_to(following, self._position) is not None

    def _feed(self, target: int) -> None:
        packet = next(self._packets, None)
        if packet is None:
            self._over = True
            return
        needed = packet.pts is None or packet.pts >= target
        self.reading.stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
        self._ready.extend(self.reading.decode(packet))
        if packet.size:
            self._position += 1

    def _seek(self, place: int) -> None:
        scan, reading = self.plan.scan, self.reading
        by_pts = reading.container.format.name.startswith("matroska")
        tick = scan.pts[place] if by_pts else scan.dts[place]
        reading.container.seek(tick, stream=reading.stream, backward=True)
        self._restart()
        first = next(self._packets, None)
        landed = self.plan.place_or_none(first.pts) if first is not None and first.size else None
        if first is None or landed is None or landed > place:
            self._late = True
            reading.reopen()
            self._restart()
            self._position = 0
            return
        self.plan.seeks += 1
        self._position = landed + 1
        self._ready.extend(reading.decode(first))

    def _restart(self) -> None:
        self._packets = packets(self.reading.container, self.reading.stream)
        self._ready.clear()
        self._shown = None
        self._over = False


def _rate(opened: Pass, known: Scan, base: float) -> float:
    """Pictures a second: the container's average where the scan agrees, otherwise measured."""
    stated = float(opened.stream.average_rate or 0)
    if known.end is None or known.first is None:
        return float(opened.stream.guessed_rate or 0) or stated or 25.0
    measured = known.count / max((known.end - known.first) * base, base)
    if stated and abs(stated - measured) <= 0.02 * measured:
        return stated
    return measured


def _within(keys: list[int], tick: float, tolerance: float, otherwise: int) -> int:
    """The keyframe time closest to `tick` when it is within `tolerance`, else `otherwise`."""
    closest = min(keys, key=lambda k: abs(k - tick))
    return closest if abs(closest - tick) <= tolerance else otherwise


def _increasing_runs(indices: Sequence[int]) -> Iterator[list[int]]:
    run = list(indices[:1])
    for before, now in pairwise(indices):
        if now < before:
            yield run
            run = []
        run.append(now)
    if run:
        yield run
