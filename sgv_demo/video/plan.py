"""Which packets to decode for the next wanted picture: go on in order, skip what nothing needs, or seek."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from sgv_demo.video.scan import Scan

Strategy = Literal["auto", "in order", "seek"]

_SEEK_COSTS = 6
"""A seek empties the decoder: about as dear as decoding so many pictures."""


@dataclass(slots=True)
class Plan:
    """Chooses, picture by picture, the cheaper way: never worse than reading in order or than seeking each time."""

    scan: Scan
    strategy: Strategy = "auto"
    """"in order" and "seek" force one way, for comparison."""
    seeks: int = 0
    """Seeks made so far."""
    _place: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place = {tick: i for i, tick in enumerate(self.scan.pts)}

    def place(self, tick: int) -> int:
        """Position in decoding order of the picture at `tick`."""
        return self._place[tick]

    def place_or_none(self, tick: int | None) -> int | None:
        """Position in decoding order, or None for an unknown time."""
        return None if tick is None else self._place.get(tick)

    def entry(self, tick: int) -> int:
        """Position of the last keyframe from which the picture at `tick` can be decoded; 0 when there is none."""
        keys = self.scan.keyframes
        i = bisect_right(keys, self._place[tick]) - 1
        # Pictures that follow an open group's keyframe but are shown before it need the group before.
        while i > 0 and self.scan.pts[keys[i]] > tick:
            i -= 1
        return keys[i] if i >= 0 else 0

    def seek_to(self, tick: int, position: int) -> int | None:
        """Keyframe position to seek to before decoding the picture at `tick`, or None to go on from `position`."""
        if self.strategy == "in order" or not self.scan.keyframes:
            return None
        entry = self.entry(tick)
        if self.strategy == "seek":
            return entry
        return entry if entry > position + _SEEK_COSTS else None
