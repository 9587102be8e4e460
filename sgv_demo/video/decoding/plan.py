"""Which packets to decode for the next wanted picture: go on in order, skip what nothing needs, or seek."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sgv_demo.video.decoding.packets import Scan

Strategy = Literal["auto", "in order", "seek"]

_SEEK_COSTS = 6
"""Emptying the decoder and finding the place is about as dear as decoding so many pictures."""
_IN_ORDER_IS_FASTER = 1.6
"""In order, the decoder's threads work on several pictures at once; after a seek they begin with one."""


class Plan:
    """Chooses, picture by picture, the cheaper way: never much worse than reading in order or seeking each time."""

    def __init__(self, scan: Scan, strategy: Strategy = "auto") -> None:
        """`scan` must be trusted; the strategies "in order" and "seek" force one way, for comparison."""
        self.scan = scan
        self.seeks = 0
        """Seeks made so far."""
        self._strategy: Strategy = strategy
        self._order = np.argsort(scan.pts, kind="stable")
        self._sorted = scan.pts[self._order]

    def place(self, tick: int) -> int:
        """Position in decoding order of the picture at `tick`."""
        return int(self._order[np.searchsorted(self._sorted, tick)])

    def place_or_none(self, tick: int) -> int | None:
        """Position in decoding order, or None for a time that no packet has."""
        at = int(np.searchsorted(self._sorted, tick))
        return int(self._order[at]) if at < len(self._sorted) and self._sorted[at] == tick else None

    def entry(self, tick: int) -> int | None:
        """Position of the last keyframe from which the picture at `tick` can be decoded, if there is one."""
        keys = self.scan.keyframes
        i = int(np.searchsorted(keys, self.place(tick), "right")) - 1
        # Pictures that follow an open group's keyframe but are shown before it need the group before.
        while i >= 0 and self.scan.pts[keys[i]] > tick:
            i -= 1
        return int(keys[i]) if i >= 0 else None

    def seek_to(self, tick: int, position: int) -> int | None:
        """Keyframe position to seek to before decoding the picture at `tick`, or None to go on from `position`."""
        entry = None if self._strategy == "in order" else self.entry(tick)
        if entry is None or self._strategy == "seek":
            return entry
        place = self.place(tick)
        after_seek = place - entry + 1 + _SEEK_COSTS
        return entry if entry > position and after_seek < (place - position) / _IN_ORDER_IS_FASTER else None
