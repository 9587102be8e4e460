"""What a walk over the packets, without decoding, tells: every picture's time, the keyframes, where it ends."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise

from av.container import InputContainer
from av.video.stream import VideoStream

from sgv_demo.video.container import packets

_MOST_PACKETS = 2_000_000


@dataclass(frozen=True, slots=True)
class Scan:
    """Packets of one stream. Times are in ticks of the stream's time base."""

    pts: tuple[int, ...]
    """Presentation time of each packet, in decoding order; empty when the times can't be trusted."""
    keyframes: tuple[int, ...]
    """Positions in decoding order where decoding may start, increasing."""
    dts: tuple[int, ...]
    """Decoding time of each packet; empty like `pts`."""
    shown: tuple[int, ...]
    """Presentation times of all pictures that are to be shown, increasing; empty like `pts`."""
    count: int
    """Pictures to be shown."""
    first: int | None
    """Earliest time, or None when the container gives no times."""
    end: int | None
    """End of the last picture, with clock jumps taken out; None without times."""

    @property
    def trusted(self) -> bool:
        """Whether every picture's time is known, so that a picture can be chosen before it is decoded."""
        return bool(self.pts)

    def on_display(self, tick: float) -> int:
        """Time of the picture on display at `tick` (the first one for anything before it)."""
        return self.shown[max(0, bisect_right(self.shown, tick) - 1)]

    def nearest(self, tick: float) -> int:
        """Time of the picture whose own time is closest to `tick`."""
        after = bisect_left(self.shown, tick)
        around = self.shown[max(0, after - 1) : after + 1]
        return min(around, key=lambda t: abs(t - tick))


def scan(container: InputContainer, stream: VideoStream) -> Scan:
    """Reads all packets of `stream` from where the container stands; decodes nothing."""
    pts: list[int] = []
    dts: list[int] = []
    shown: list[int] = []
    keyframes: list[int] = []
    count, trusted = 0, True
    first = end = last_dts = last_pts = None
    shift, step, final = 0, 0, 0
    for packet in packets(container, stream):
        if packet.size == 0:
            continue
        if len(pts) >= _MOST_PACKETS:
            trusted = False
            break
        tick = packet.pts if packet.pts is not None else packet.dts
        count += not packet.is_discard
        if packet.pts is None or packet.dts is None:
            trusted = False
        if tick is None:
            continue
        if packet.dts is not None:
            if last_dts is not None and packet.dts + shift < last_dts:
                shift += last_dts + max(step, 1) - (packet.dts + shift)
                trusted = False
            elif last_dts is not None:
                step = packet.dts + shift - last_dts
            last_dts = packet.dts + shift
        if packet.is_keyframe:
            keyframes.append(len(pts))
        pts.append(tick)
        dts.append(packet.dts or 0)
        if packet.is_discard:
            continue
        shown.append(tick)
        first = tick if first is None else min(first, tick)
        if last_pts is None or tick + shift > last_pts:
            final, last_pts = packet.duration or 0, tick + shift
    if last_pts is not None:
        end = last_pts + _length_of_last(container, sorted(shown), final, step)
    shown.sort()
    trusted = trusted and bool(shown) and all(a < b for a, b in pairwise(shown))
    if not trusted:
        return Scan((), (), (), (), count, first, end)
    return Scan(tuple(pts), tuple(keyframes), tuple(dts), tuple(shown), count, first, end)


def _length_of_last(container: InputContainer, shown: list[int], stated: int, step: int) -> int:
    """Ticks that the last picture stays. Matroska states a default length even where the rate varies."""
    gap = shown[-1] - shown[-2] if len(shown) > 1 else step
    if container.format.name.startswith("matroska") and len(shown) > 1:
        return gap
    return stated or gap
