"""Evidence: what is measured between two neighbouring keyframes, whatever engine writes the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from sgv_demo.evidence.camera import moves
from sgv_demo.evidence.cuts import find_cuts
from sgv_demo.evidence.flow import Flow, Plate, Step
from sgv_demo.evidence.look import is_blank, look
from sgv_demo.evidence.moving import moving, regions
from sgv_demo.evidence.text import TextReader, text_changes
from sgv_demo.keyframes.similarity import HistogramEmbedder
from sgv_demo.types import CameraMove, ColourChange, Evidence, Frame, Keyframe, Look

__all__ = ["GapMeter", "TextReader", "is_blank", "look"]

_COLOURS_DIFFER = 0.3
"""Bhattacharyya distance from which two pictures have clearly different colours."""
_COLOUR_SHARE = 0.08
"""Share of the picture that a colour must win or lose to be named."""
_MOMENT = 0.6
"""Seconds: a flash is shorter."""


class GapMeter:
    """Fed with frames in order, tells what happened between any two neighbouring keyframes."""

    def __init__(self) -> None:
        self._flow = Flow()
        self._plates: list[Plate] = []
        self._steps: list[Step] = []

    def feed(self, frame: Frame) -> None:
        """Takes the next frame, about four a second; one that isn't later than the last is left out."""
        if self._plates and frame.time <= self._plates[-1].time:
            return
        plate = self._flow.plate(frame)
        if self._plates and self._plates[-1].grey.shape != plate.grey.shape:
            self._plates = [_reshape(old, plate) for old in self._plates]
        if self._plates:
            self._steps.append(self._step(plate))
        self._plates = [*self._plates[-1:], plate]

    def gap(self, before: Keyframe, after: Keyframe) -> Evidence:
        """What happened in (before.time, after.time]; what came before is forgotten.

        Frames between the two should have been fed; the two themselves are fed here if they weren't.
        """
        if not self._plates:
            self.feed(before.frame)
        self.feed(after.frame)
        start, end = before.time + 1e-6, after.time + 1e-6
        cuts = tuple(time for time in find_cuts(self._steps) if start < time <= end)
        steps = [step for step in self._steps if start < step.end <= end]
        self._steps = [step for step in self._steps if step.end > end or step is steps[-1]] if steps else self._steps
        camera, found = _camera(steps, cuts)
        looks = before.look or look(before.frame), after.look or look(after.frame)
        appeared, gone = text_changes(looks[0].text, looks[1].text)
        return Evidence(
            start=before.time,
            end=after.time,
            camera=camera,
            moves=found,
            cuts=cuts,
            light=looks[1].light - looks[0].light,
            colour=_colour(before.frame, after.frame, *looks),
            moving=() if cuts else moving(steps),
            text_appeared=appeared,
            text_gone=gone,
            similarity=after.similarity,
        )

    def _step(self, plate: Plate) -> Step:
        """Measures the step to `plate`; when the last picture was a sudden other one, also whether it was a flash."""
        step = self._flow.step(self._plates[-1], plate)
        if len(self._plates) == 1 or not self._steps:
            return step
        first, middle = self._plates
        last = self._steps[-1]
        flash = middle.contrast < 0.7 * min(first.contrast, plate.contrast)
        if flash and not last.reliable and plate.time - first.time <= _MOMENT:
            return replace(step, returns=self._flow.step(first, plate).reliable)
        if all(one.reliable or one.narrow for one in (last, step)):
            return replace(step, regions=regions(first, middle, plate, last.matrix, step.matrix))
        return step


def _reshape(old: Plate, new: Plate) -> Plate:
    size = (new.grey.shape[1], new.grey.shape[0])
    grey, even = (np.asarray(cv2.resize(each, size), np.uint8) for each in (old.grey, old.even))
    return replace(old, grey=grey, even=even)


def _camera(steps: Sequence[Step], cuts: Sequence[float]) -> tuple[tuple[str, ...], tuple[CameraMove, ...]]:
    """Camera words and movements; with a cut inside, no word says more than that the camera stood still."""
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


def _colour(before: Frame, after: Frame, was: Look, now: Look) -> ColourChange | None:
    """The named colour that lost most and the one that gained most, when the pictures' colours differ clearly."""
    rows = HistogramEmbedder().embed([before, after])
    distance = float(np.sqrt(max(0.0, 1 - float(rows[0] @ rows[1]))))
    shares = dict(was.colours), dict(now.colours)
    gain = {name: shares[1].get(name, 0.0) - shares[0].get(name, 0.0) for name in {**shares[0], **shares[1]}}
    if distance < _COLOURS_DIFFER or not gain:
        return None
    lost, won = min(gain, key=lambda name: gain[name]), max(gain, key=lambda name: gain[name])
    if gain[lost] > -_COLOUR_SHARE or gain[won] < _COLOUR_SHARE:
        return None
    return ColourChange(lost, won, distance)
