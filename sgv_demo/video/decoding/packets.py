"""What a walk over the packets, without decoding, tells: every picture's time, the keyframes, where it ends."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from sgv_demo.video.decoding.container import packets

Ticks = NDArray[np.int64]

_MOST_PACKETS = 1_000_000
_NONE: Ticks = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Packets of one stream. Times are in ticks of the stream's time base."""

    count: int
    """Pictures to be shown."""
    first: int | None
    """Earliest time, or None when the container gives no times."""
    end: int | None
    """End of the last picture, with jumps of the clock taken out; None without times."""
    pts: Ticks = field(default_factory=lambda: _NONE)
    """Presentation time of each packet, in decoding order; empty when the times can't be trusted."""
    dts: Ticks = field(default_factory=lambda: _NONE)
    """Decoding time of each packet (`pts` where the container has none); empty like `pts`."""
    keyframes: Ticks = field(default_factory=lambda: _NONE)
    """Positions in decoding order where decoding may start, increasing; empty like `pts`."""
    shown: Ticks = field(default_factory=lambda: _NONE)
    """Presentation times of the pictures that are to be shown, increasing; empty like `pts`."""

    @property
    def trusted(self) -> bool:
        """Whether every picture's time is known, so that a picture can be chosen before it is decoded."""
        return len(self.shown) > 0

    def on_display(self, tick: float) -> int:
        """Time of the picture on display at `tick` (the first one for anything before it)."""
        return int(self.shown[max(0, np.searchsorted(self.shown, tick, "right") - 1)])

    def nearest(self, tick: float) -> int:
        """Time of the picture whose own time is closest to `tick`."""
        return closest(self.shown, tick)


def closest(increasing: Ticks, tick: float) -> int:
    """The one of `increasing` (not empty) that is closest to `tick`."""
    after = int(np.searchsorted(increasing, tick))
    around = increasing[max(0, after - 1) : after + 1]
    return int(around[np.argmin(np.abs(around - tick))])


def scan(container: InputContainer, stream: VideoStream) -> Scan:
    """Reads all packets of `stream` from where the container stands; decodes nothing."""
    pts, dts, shown, keyframes = array("q"), array("q"), array("q"), array("q")
    jumps = _Jumps()
    count, timed, last, length = 0, True, None, 0
    for packet in packets(container, stream):
        if packet.size == 0:
            continue
        if count >= _MOST_PACKETS:
            timed = False
            break
        count += not packet.is_discard
        timed = timed and packet.pts is not None
        tick = packet.pts if packet.pts is not None else packet.dts
        if tick is None:
            continue
        jumps.feed(packet.dts)
        if packet.is_keyframe:
            keyframes.append(len(pts))
        pts.append(tick)
        dts.append(tick if packet.dts is None else packet.dts)
        if not packet.is_discard:
            shown.append(tick)
            if last is None or tick + jumps.shift > last:
                last, length = tick + jumps.shift, packet.duration or 0
    if last is None:
        return Scan(count, None, None)
    order = np.sort(np.frombuffer(shown, np.int64))
    first, end = int(order[0]), last + _length_of_last(container.format.name, order, length, jumps.step)
    if not timed or jumps.shift or np.any(np.diff(order) <= 0):
        return Scan(count, first, end)
    decoding, starts = np.frombuffer(dts, np.int64), np.frombuffer(keyframes, np.int64) if keyframes else _NONE
    return Scan(count, first, end, np.frombuffer(pts, np.int64), decoding, starts, order)


class _Jumps:
    """Follows the decoding times of a file whose clock may start again."""

    def __init__(self) -> None:
        self.shift, self.step = 0, 1
        self._last: int | None = None

    def feed(self, dts: int | None) -> None:
        if dts is None:
            return
        if self._last is not None:
            step = dts + self.shift - self._last
            if step < 0:
                self.shift += self.step - step
            elif step:
                self.step = step
        self._last = dts + self.shift


def _length_of_last(format_name: str, shown: Ticks, stated: int, step: int) -> int:
    """Ticks that the last picture stays. Matroska states a default length even where the rate varies."""
    gap = int(shown[-1] - shown[-2]) if len(shown) > 1 else step
    if format_name.startswith("matroska") and len(shown) > 1:
        return gap
    return stated or gap
