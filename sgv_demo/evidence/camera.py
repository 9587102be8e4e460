"""The camera's movement in words, from measured steps.

"pan left": the camera turns left and the content moves right. "tilt up": the content moves down. "zoom in": the
content grows. "shake": jitter that gets nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sgv_demo.evidence.flow import Step
from sgv_demo.types import CameraMove

_NET = {"shift": 0.015, "zoom": 0.02, "roll": 0.035}
"""Least movement over a span that is one: picture widths, logarithm, radians."""
_RATE = {"shift": 0.008, "zoom": 0.01, "roll": 0.0175}
"""Least movement a second: slower is a drift that nobody sees."""
_STRAIGHT = 0.4
"""A movement gets somewhere: its net is at least this share of the way that was gone."""
_STRAIGHT_PART = 0.6
"""The same for a part of a span: a piece of jitter may look like a movement."""
_DIAGONAL = 0.5
"""A second direction is named when it is at least this share of the first."""
_SHAKE = 0.004
"""Picture widths: jitter from step to step that can be seen."""
_SURE = 5.0
"""Times the scatter of the steps by which two speeds must differ."""
_SPAN = 0.7
"""Seconds: a shorter movement gets no word of its own."""
_RADIUS = 0.3
"""Mean distance of a picture's points from its centre, in widths: makes zoom and roll comparable with shifts."""

Path = NDArray[np.float64]


def moves(steps: Sequence[Step]) -> tuple[CameraMove, ...]:
    """What the camera did over neighbouring steps without a cut, in order; "unknown" where it can't be told."""
    if not steps:
        return ()
    known = [step for step in steps if step.reliable]
    start, end = steps[0].start, steps[-1].end
    if sum(s.end - s.start for s in known) < 0.5 * (end - start):
        return (CameraMove("unknown", start, end, 0.0, "frame widths"),)
    found: list[CameraMove] = []
    parts = _split(known)
    for part in parts:
        for move in _name(part, _STRAIGHT if len(parts) == 1 else _STRAIGHT_PART):
            if found and found[-1].word == move.word:
                found[-1] = _join(found[-1], move)
            else:
                found.append(move)
    return tuple(found)


def _path(steps: Sequence[Step]) -> Path:
    """(n, 4): shift right, shift down, zoom, roll of each step."""
    return np.array([(s.dx, s.dy, s.zoom, s.roll) for s in steps])


def _name(steps: Sequence[Step], straight: float) -> list[CameraMove]:
    """The one movement (two when it is diagonal) of a span, or "static", or "shake"."""
    path = _path(steps)
    seconds = sum(s.end - s.start for s in steps)
    start, end = steps[0].start, steps[-1].end
    dx, dy, zoom, roll = path.sum(axis=0)
    shift = float(np.hypot(dx, dy))
    gone = float(np.hypot(path[:, 0], path[:, 1]).sum())
    zooms = _counts("zoom", abs(zoom), float(np.abs(path[:, 2]).sum()), seconds, straight)
    rolls = _counts("roll", abs(roll), float(np.abs(path[:, 3]).sum()), seconds, straight)
    turning = max(abs(zoom) if zooms else 0.0, abs(roll) if rolls else 0.0)
    if turning > 0 and shift < 0.5 * turning:
        if abs(zoom) * zooms >= abs(roll) * rolls:
            return [CameraMove("zoom in" if zoom > 0 else "zoom out", start, end, float(np.exp(zoom)), "times")]
        return [CameraMove("roll", start, end, float(np.degrees(roll)), "degrees")]
    if _counts("shift", shift, gone, seconds, straight):
        pan = CameraMove("pan left" if dx > 0 else "pan right", start, end, abs(float(dx)), "frame widths")
        tilt = CameraMove(
            "tilt up" if dy > 0 else "tilt down", start, end, abs(float(dy)) * steps[0].aspect, "frame heights"
        )
        first, second = (pan, tilt) if abs(dx) >= abs(dy) else (tilt, pan)
        diagonal = min(abs(dx), abs(dy)) >= _DIAGONAL * max(abs(dx), abs(dy))
        return [first, second] if diagonal else [first]
    jitter = path[:, :2] - path[:, :2].mean(axis=0)
    shake = float(np.sqrt((jitter**2).sum(axis=1).mean() / 2))
    if len(steps) >= 3 and shake >= _SHAKE:
        return [CameraMove("shake", start, end, shake, "frame widths")]
    return [CameraMove("static", start, end, 0.0, "frame widths")]


def _counts(kind: str, net: float, gone: float, seconds: float, straight: float) -> bool:
    """Whether a net movement over a way of length `gone` in `seconds` is one that a viewer would see."""
    return net >= _NET[kind] and net >= _RATE[kind] * seconds and net >= straight * gone


def _split(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """Cuts a span where the camera's speed changes for good, again and again.

    The place is where two constant speeds explain the steps best; it counts when both sides are long enough, the
    speeds differ by more than a visible rate, and by far more than the steps scatter. Linear in the steps.
    """
    path = _path(steps) * (1, 1, _RADIUS, _RADIUS)
    lengths = np.array([s.end - s.start for s in steps])[:, None]
    parts: list[Sequence[Step]] = []
    waiting = [(0, len(steps))]
    while waiting:
        start, end = waiting.pop()
        at = _change(path[start:end], lengths[start:end])
        if at:
            waiting += [(start + at, end), (start, start + at)]
        else:
            parts.append(steps[start:end])
    return parts


def _change(path: Path, lengths: Path) -> int:
    """The step at which the speed changes for good, 0 when it doesn't; `lengths` are (n, 1) seconds."""
    n = len(path)
    if n < 2:
        return 0
    speeds, left_over, seconds = [], np.zeros(n - 1), []
    for flip in (1, -1):
        p, length = path[::flip], lengths[::flip]
        way, time = p.cumsum(axis=0), length.cumsum(axis=0)
        speed = way / time
        squares = (p**2).sum(axis=1).cumsum() + (speed**2).sum(axis=1) * (length[:, 0] ** 2).cumsum()
        rest = squares - 2 * (speed * (p * length).cumsum(axis=0)).sum(axis=1)
        side = slice(None, -1)
        speeds.append(speed[side][::flip])
        seconds.append(time[side][::flip, 0])
        left_over += np.clip(rest[side], 0, None)[::flip]
    difference = np.linalg.norm(speeds[0] - speeds[1], axis=1)
    scatter = np.sqrt(left_over / max(1, n - 2)) / float(lengths.mean())
    i = np.arange(1, n)
    clear = difference > _SURE * scatter * np.sqrt(1 / i + 1 / (n - i))
    fits = (np.minimum(*seconds) >= _SPAN) & (difference > 2 * _RATE["shift"]) & clear
    gain = difference * np.sqrt(seconds[0] * seconds[1] / (seconds[0] + seconds[1])) * fits
    return int(gain.argmax()) + 1 if gain.any() else 0


def _join(a: CameraMove, b: CameraMove) -> CameraMove:
    """Two spans of the same movement as one."""
    if a.unit == "times":
        amount = a.amount * b.amount
    elif a.word == "shake":
        amount = max(a.amount, b.amount)
    else:
        amount = a.amount + b.amount
    return CameraMove(a.word, a.start, b.end, amount, a.unit)
