"""What a walk over the packets, without decoding, tells: every picture's number, time and place, and the keyframes."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

import av.format
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from sgv_demo.errors import VideoError
from sgv_demo.video.decoding.clock import Jumps, Timeline, lay_out, spread
from sgv_demo.video.decoding.container import packets
from sgv_demo.video.decoding.hidden import hidden_in

Numbers = NDArray[np.int64]
Seconds = NDArray[np.float64]

NONE = -1
"""Number of a packet that holds no picture of its own, or whose picture can't be told beforehand."""

_MOST_PACKETS = 1_000_000
_MOST_TICKS = 1 << 53
_MARKED_BYTES = 512
FASTEST = 1000
"""Pictures a second; a header that claims more means its clock."""


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Packets of one stream by their position in decoding order, pictures by their number in display order."""

    times: Seconds
    """When each picture is shown, increasing; not empty. Jumps of the clock are taken out."""
    end: float
    """Seconds when the last picture ends."""
    number: Numbers
    """The picture in each packet, or NONE."""
    position: Numbers
    """The packet that each picture is in; empty unless `numbered`."""
    keyframes: Numbers
    """Positions where decoding may start, if the container tells the truth, increasing; empty unless `numbered`."""
    pts: Numbers
    """Presentation time of each packet in ticks, as the container gives it (the decoding time where it has none)."""
    dts: Numbers
    """Decoding time of each packet in ticks (`pts` where the container has none)."""
    marks: Numbers
    """A number for each packet's content, by which it is known again after a seek."""
    clocked: bool
    """Whether the container gives times at all."""
    jumped: bool
    """Whether its clock jumps."""

    @property
    def numbered(self) -> bool:
        """Whether every packet's picture is known, so that one can be chosen and sought before it is decoded."""
        return len(self.position) > 0

    def stamp(self, position: int) -> int | None:
        """What a packet carries through the decoder instead of its own time: the number of its picture."""
        number = int(self.number[position]) if position < len(self.number) else NONE
        return None if number == NONE else number

    def on_display(self, seconds: float) -> int:
        """Number of the picture on display at `seconds` (the first one for anything before it)."""
        return max(0, int(np.searchsorted(self.times, seconds, "right")) - 1)

    def nearest(self, seconds: float) -> int:
        """Number of the picture whose own time is closest to `seconds`."""
        return closest(self.times, seconds)

    def counted(self, rate: float) -> Index:
        """The same for a file whose times don't say which packet holds which picture: they are counted as they come.

        Where their distance agrees with the container's `rate` (pictures a second), they come evenly.
        """
        nothing, count = np.zeros(0, np.int64), len(self.times)
        usual = float(np.median(np.diff(self.times))) if count > 1 else 0.0
        all_there = self.jumped or abs((self.end - self.times[0]) * rate - count) <= 1
        if rate > 0 and all_there and abs(usual * rate - 1) < 0.02:
            even = self.times[0] + np.arange(count + 1) / rate
            return replace(self.counted(0.0), times=even[:-1], end=float(even[-1]))
        return replace(self, number=np.full_like(self.number, NONE), position=nothing, keyframes=nothing)

    def in_coded_order(self) -> bool:
        """Whether pictures seem to be shown in the order in which they are coded."""
        shown = self.number[self.number != NONE]
        return bool(np.all(np.diff(shown) > 0))

    def locate(self, run: Sequence[Packet]) -> Numbers:
        """Positions where the last packet of this run (not empty) may be, judged by content and time."""
        found = np.flatnonzero(self.marks == mark(run[0]))
        found = found[found + len(run) <= len(self.marks)]
        for further, packet in enumerate(run[1:], 1):
            found = found[self.marks[found + further] == mark(packet)]
        found += len(run) - 1
        same_time = found[(self.pts[found] == run[-1].pts) & (self.dts[found] == run[-1].dts)] if len(found) else found
        return same_time if len(same_time) else found


def closest(increasing: Seconds, wanted: float) -> int:
    """Index of the one of `increasing` (not empty) that is closest to `wanted`."""
    after = int(np.searchsorted(increasing, wanted))
    around = range(max(0, after - 1), min(after + 1, len(increasing)))
    return min(around, key=lambda i: abs(float(increasing[i]) - wanted))


def mark(packet: Packet) -> int:
    """A number for a packet's content: its length and a checksum of its head."""
    return packet.size << 32 | zlib.crc32(memoryview(packet)[:_MARKED_BYTES])


def build_index(container: InputContainer, stream: VideoStream) -> Index:
    """Reads all packets of `stream` from where the container stands; decodes nothing.

    Raises:
        VideoError: there are no packets, or too many.
    """
    walk = _Walk(container, stream)
    for packet in packets(container, stream):
        if packet.size:
            walk.feed(packet)
    return walk.index()


class _Walk:
    """Collects what the packets say, in decoding order."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container, self._stream = container, stream
        self._base = float(stream.time_base or 0) or 1e-6
        broadcast = bool(container.format.flags & av.format.Flags.ts_discont.value)
        matroska = container.format.name.startswith("matroska")
        self._jumps = Jumps(self._base, broadcast=broadcast, decoding_times=not matroska)
        self._hidden = hidden_in(stream)
        self._pts, self._dts, self._marks = array("q"), array("q"), array("q")
        self._keys, self._shown, self._parts, self._lengths = array("q"), array("q"), array("q"), array("q")
        self._timed, self._clocked = True, False

    def feed(self, packet: Packet) -> None:
        """Takes the next packet."""
        place = len(self._marks)
        if place >= _MOST_PACKETS:
            raise VideoError(f"The video has more than {_MOST_PACKETS:,} pictures; cut it first.")
        pts, dts = _believable(packet.pts), _believable(packet.dts)
        if self._container.format.name == "avi":
            # AVI knows decoding times only; the others are FFmpeg's guess.
            pts = dts
        tick = pts if pts is not None else dts
        if tick is None:
            tick = self._pts[-1] + 1 if place else 0
        else:
            self._clocked = True
        self._marks.append(mark(packet))
        self._pts.append(tick)
        self._dts.append(tick if dts is None else dts)
        part = self._jumps.part(tick, dts, packet.is_keyframe)
        if packet.is_discard or self._hidden(packet):
            return
        if packet.is_keyframe:
            self._keys.append(place)
        self._timed = self._timed and pts is not None
        self._shown.append(place)
        self._parts.append(part)
        self._lengths.append(_believable(packet.duration) or 0)

    def index(self) -> Index:
        """Everything together."""
        if not self._shown:
            raise VideoError("This file's video track holds no pictures; export or upload it again.")
        shown, ticks = _numbers(self._shown), _numbers(self._pts)
        parts = _numbers(self._parts)
        # Matroska states a default length even where the rate varies.
        matroska = self._container.format.name.startswith("matroska")
        line = lay_out(ticks[shown], parts, _numbers(self._lengths), believe_lengths=not matroska)
        times, end = self._seconds(line)
        number = np.full(len(self._marks), NONE, np.int64)
        number[shown[line.order]] = np.arange(len(shown))
        jumped = bool(parts[-1])
        position, marks = shown[line.order], _numbers(self._marks)
        found = Index(
            times, end, number, position, _numbers(self._keys), ticks, _numbers(self._dts), marks, self._clocked, jumped
        )
        distinct = not np.any(np.diff(line.ticks) <= 0)
        # Around a jump, MPEG-PS demuxers give some packets times of the other side.
        guessed = jumped and self._container.format.name == "mpeg"
        if self._timed and self._clocked and distinct and not guessed:
            return found
        return found.counted(float(self._stream.average_rate or 0))

    def _seconds(self, line: Timeline) -> tuple[Seconds, float]:
        if not self._clocked:
            guesses = (float(self._stream.guessed_rate or 0), float(self._stream.average_rate or 0))
            rate = next((rate for rate in guesses if 0 < rate <= FASTEST), 25.0)
            return np.arange(len(line.ticks), dtype=np.float64) / rate, len(line.ticks) / rate
        origin = self._origin(int(line.ticks[0]))
        end = (line.end - origin) * self._base
        return spread((line.ticks - origin).astype(np.float64) * self._base, end), end

    def _origin(self, first: int) -> int:
        """The tick that people call zero: the container's start; a negative one is sound running up to the pictures.

        AVI and raw streams have none.
        """
        start_time = self._container.start_time
        if self._container.format.name == "avi" or start_time is None:
            return first
        start = round(start_time / 1e6 / self._base)
        return start if start > 0 else min(0, first)


def _believable(ticks: int | None) -> int | None:
    return ticks if ticks is not None and abs(ticks) < _MOST_TICKS else None


def _numbers(found: array[int]) -> Numbers:
    return np.frombuffer(found, np.int64) if found else np.zeros(0, np.int64)
