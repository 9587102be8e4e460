"""Where one shot ends and the next begins, from measured steps."""

from __future__ import annotations

from collections.abc import Sequence

from sgv_demo.evidence.flow import Step

_SHOWN = 10.0
"""Grey levels of contrast that a picture needs for its sudden coming or going to be a cut."""
_EMPTY = 4.0
"""Grey levels: less contrast is black, white or another flat picture."""
_FADING = 0.15
"""Share by which contrast changes in a step when a fade is under way."""
_STROBE = 3
"""So many cuts, each right after the other, are no shots but noise or a strobe."""
_MOMENT = 0.45
"""Seconds: steps longer than this are far enough apart to be shots of their own."""


def find_cuts(steps: Sequence[Step]) -> tuple[float, ...]:
    """Times in seconds of hard cuts: the first picture of each new shot.

    A fade or dissolve changes in several steps, each alike enough; a flash returns to what was there before. A flat
    picture that comes or goes at once is a cut; one that comes or goes by and by is a fade.
    """
    marks = [_is_cut(steps, i) for i in range(len(steps))]
    for i in range(len(marks)):
        run = _run(steps, marks, i)
        if run >= _STROBE:
            marks[i : i + run] = [False] * run
    return tuple(step.end for step, mark in zip(steps, marks, strict=True) if mark)


def _is_cut(steps: Sequence[Step], i: int) -> bool:
    step = steps[i]
    before = steps[i - 1] if i > 0 else None
    after = steps[i + 1] if i + 1 < len(steps) else None
    if step.returns or (after is not None and after.returns):
        return False
    if step.contrast_before >= _SHOWN and step.contrast_after < _EMPTY:
        return before is None or before.contrast_after >= (1 - _FADING) * before.contrast_before
    if step.contrast_after >= _SHOWN and step.contrast_before < _EMPTY:
        if after is None:
            return step.contrast_after >= 2 * _SHOWN
        return after.contrast_after <= (1 + _FADING) * after.contrast_before
    return step.different


def _run(steps: Sequence[Step], marks: Sequence[bool], start: int) -> int:
    """How many cuts follow each other from `start` without a quiet step between."""
    end = start
    while end < len(marks) and marks[end] and steps[end].end - steps[end].start < _MOMENT:
        end += 1
    return end - start
