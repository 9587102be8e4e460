"""Evidence: what is measured between two neighbouring keyframes, whatever engine writes the words."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sgv_demo.types import CameraMove, Evidence, Frame, Keyframe
from sgv_demo.video.camera import moves
from sgv_demo.video.look import is_blank, look
from sgv_demo.video.motion import Flow, Grey, Step

__all__ = ["GapMeter", "is_blank", "look"]

_CUT = 0.15
"""Share of points whose flow cancels there and back: fewer and the two pictures show different things."""


class GapMeter:
    """Fed with frames in order, tells what happened between any two neighbouring keyframes."""

    def __init__(self) -> None:
        self._flow = Flow()
        self._last: tuple[float, Grey] | None = None
        self._steps: list[Step] = []

    def feed(self, frame: Frame) -> None:
        """Takes the next frame, about four a second; one that isn't later than the last is left out."""
        if self._last is not None and frame.time <= self._last[0]:
            return
        grey = self._flow.prepare(frame.image)
        if self._last is not None:
            time, before = self._last
            if before.shape != grey.shape:
                before = np.asarray(cv2.resize(before, grey.shape[::-1]), np.uint8)
            self._steps.append(self._flow.step(before, grey, time, frame.time))
        self._last = (frame.time, grey)

    def gap(self, before: Keyframe, after: Keyframe) -> Evidence:
        """What happened in (before.time, after.time]; what came before is forgotten."""
        if self._last is None:
            self.feed(before.frame)
        self.feed(after.frame)
        steps = [s for s in self._steps if before.time < s.end <= after.time + 1e-6]
        self._steps = [s for s in self._steps if s.end > after.time + 1e-6]
        cuts = tuple(s.end for s in steps if s.textured > 0.05 and s.consistent < _CUT)
        camera, found = _camera(steps, cuts)
        looks = before.look or look(before.frame), after.look or look(after.frame)
        return Evidence(
            start=before.time,
            end=after.time,
            camera=camera,
            moves=found,
            cuts=cuts,
            light=looks[1].light - looks[0].light,
            similarity=after.similarity,
        )


def _camera(steps: Sequence[Step], cuts: Sequence[float]) -> tuple[tuple[str, ...], tuple[CameraMove, ...]]:
    """Camera words and movements; with a cut inside, no word says more than that a side stands still."""
    shots: list[list[Step]] = [[]]
    for step in steps:
        if step.end in cuts:
            shots.append([])
        else:
            shots[-1].append(step)
    found = tuple(move for shot in shots for move in moves(shot))
    words = tuple(move.word for move in found)
    if cuts:
        return (("static",) if set(words) == {"static"} else ("cut",)), found
    return words or ("unknown",), found
