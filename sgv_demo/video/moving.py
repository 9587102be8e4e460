"""Things that move on their own: regions of single steps, linked over a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sgv_demo.types import Moving
from sgv_demo.video.look import place
from sgv_demo.video.motion import Blob, Step

_REACH = 0.15
"""Picture widths: how far a region may be from where the last one was and still be the same thing."""
_SEEN = 0.5
"""Seconds that something must move to be reported."""
_MOST = 3
"""Things reported at most."""
_DIRECTIONS = ("right", "down and right", "down", "down and left", "left", "up and left", "up", "up and right")
_STRAIGHT = 0.4
"""Share of the way gone that the net movement must reach for a direction to be named."""


@dataclass(slots=True)
class _Track:
    """One thing, followed from step to step."""

    blobs: list[Blob] = field(default_factory=list)
    seconds: float = 0.0
    last: float = 0.0


def moving(steps: Sequence[Step]) -> tuple[Moving, ...]:
    """The largest things that moved for long enough during steps without a cut."""
    tracks: list[_Track] = []
    for step in steps:
        if not step.reliable:
            continue
        free = [track for track in tracks if step.start - track.last <= 2 * (step.end - step.start)]
        for blob in step.blobs:
            near = min(free, key=lambda track: _distance(track.blobs[-1], blob, step.aspect), default=None)
            if near is None or _distance(near.blobs[-1], blob, step.aspect) > _REACH:
                near = _Track()
                tracks.append(near)
            else:
                free.remove(near)
            near.blobs.append(blob)
            near.seconds += step.end - step.start
            near.last = step.end
    found = [_describe(track) for track in tracks if track.seconds >= _SEEN and len(track.blobs) >= 2]
    return tuple(sorted(found, key=lambda thing: -thing.area)[:_MOST])


def _distance(a: Blob, b: Blob, aspect: float) -> float:
    return float(np.hypot(a.x - b.x + b.dx, (a.y - b.y) / aspect + b.dy))


def _describe(track: _Track) -> Moving:
    way = np.array([(blob.dx, blob.dy) for blob in track.blobs])
    net, gone = way.sum(axis=0), float(np.linalg.norm(way, axis=1).sum())
    straight = float(np.linalg.norm(net)) >= _STRAIGHT * gone
    eighth = round(float(np.arctan2(net[1], net[0])) / (np.pi / 4)) % 8
    return Moving(
        place=place(track.blobs[-1].x, track.blobs[-1].y),
        direction=_DIRECTIONS[eighth] if straight else "in place",
        speed=gone / track.seconds,
        area=float(np.median([blob.area for blob in track.blobs])),
    )
