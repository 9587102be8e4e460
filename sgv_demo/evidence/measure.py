"""Evidence: what is measured between two neighbouring keyframes, whatever engine writes the words."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np

from sgv_demo.evidence import KINDS
from sgv_demo.evidence.cuts import find_cuts
from sgv_demo.evidence.flow import Flow, Motion, Plate
from sgv_demo.evidence.kind import Gap
from sgv_demo.evidence.look import look
from sgv_demo.evidence.moving import regions
from sgv_demo.types import Evidence, Frame, Keyframe

_MOMENT = 0.6
"""Seconds: a flash is shorter."""
_FIELDS = {field.name for field in fields(Evidence)}


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What happened from picture to picture between two keyframes."""

    shots: tuple[tuple[Motion, ...], ...]
    """Parted at the cuts; the steps across them belong to no shot."""
    cuts: tuple[float, ...]
    """Seconds: the first picture of each new shot."""


class GapMeter:
    """Fed with frames in order, tells what happened between any two neighbouring keyframes."""

    def __init__(self) -> None:
        self.flow = Flow()
        self._plates: list[Plate] = []
        self._steps: list[Motion] = []

    def feed(self, frame: Frame) -> None:
        """Takes the next frame, about four a second; one that isn't later than the last is left out."""
        if self._plates and frame.time <= self._plates[-1].time:
            return
        plate = self.flow.plate(frame)
        if self._plates and self._plates[-1].grey.shape != plate.grey.shape:
            self._plates = [_reshape(old, plate) for old in self._plates]
        if self._plates:
            self._steps.append(self._step(plate))
        self._plates = [*self._plates[-1:], plate]

    def steps(self, before: Frame, after: Frame) -> Steps:
        """What happened in (before.time, after.time]; what came before is forgotten.

        Frames between the two should have been fed; the two themselves are fed here if they weren't.
        """
        if not self._plates:
            self.feed(before)
        self.feed(after)
        start, end = before.time + 1e-6, after.time + 1e-6
        cuts = tuple(time for time in find_cuts(self._steps) if start < time <= end)
        inside = [step for step in self._steps if start < step.end <= end]
        # The last step stays: whether the next one is a flash or a cut depends on the one before it.
        self._steps = [s for s in self._steps if s.end > end or s is inside[-1]] if inside else self._steps
        shots: list[list[Motion]] = [[]]
        for step in inside:
            if step.end in cuts:
                shots.append([])
            else:
                shots[-1].append(step)
        return Steps(tuple(map(tuple, shots)), cuts)

    def gap(self, before: Keyframe, after: Keyframe) -> Evidence:
        """Everything measured between two neighbouring keyframes; see `steps`."""
        return measured(before, after, self.steps(before.frame, after.frame))

    def _step(self, plate: Plate) -> Motion:
        """Measures the step to `plate`; when the last picture was a sudden other one, also whether it was a flash."""
        step = self.flow.step(self._plates[-1], plate)
        if len(self._plates) == 1 or not self._steps:
            return step
        first, middle = self._plates
        last = self._steps[-1]
        flash = middle.contrast < 0.7 * min(first.contrast, plate.contrast)
        if flash and not last.reliable and plate.time - first.time <= _MOMENT:
            return replace(step, returns=self.flow.step(first, plate).reliable)
        if all(one.reliable or one.narrow for one in (last, step)):
            return replace(step, regions=regions(first, middle, plate, last.matrix, step.matrix))
        return step


def measured(before: Keyframe, after: Keyframe, steps: Steps) -> Evidence:
    """What every kind measures between two neighbouring keyframes, from the steps between them."""
    was, now = (keyframe.look or look(keyframe.frame) for keyframe in (before, after))
    gap = Gap(before, after, was, now, steps.shots, steps.cuts)
    found: dict[str, Any] = {"camera": ()}
    for kind in KINDS:
        found.update(kind.measure(gap))
    more = {name: found.pop(name) for name in set(found) - _FIELDS}
    return Evidence(before.time, after.time, **found, similarity=after.similarity, more=more)


def _reshape(old: Plate, new: Plate) -> Plate:
    size = (new.grey.shape[1], new.grey.shape[0])
    grey, even = (np.asarray(cv2.resize(each, size), np.uint8) for each in (old.grey, old.even))
    return replace(old, grey=grey, even=even)
