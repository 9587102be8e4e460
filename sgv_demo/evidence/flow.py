"""How one picture became the next one a fraction of a second later: the camera's step.

Pictures are compared in grey at the area of 320 x 180 pixels, local contrast evened out. Dense inverse search flow
(Kroeger et al. 2016) is measured both ways; a point counts when it has texture and its two flows cancel. Points are
spread evenly over the picture, and a similarity transform that most of them agree on is the camera's step. The flow is
measured coarsely first, which is a fifth of the work, and finely only where the coarse one doesn't settle it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.evidence.look import halved
from sgv_demo.types import Frame

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

_AREA = 320 * 180
"""Pixels of the picture that is measured."""
_CELL = 10
"""Pixels: one point is followed in each cell of this size."""
_TEXTURE = 2.0
"""Grey levels per pixel: where the evened picture is flatter than this, nothing can be followed."""
_ROUND_TRIP = 0.5
"""Pixels: how far a point may be from where it started after going along the flow and back."""
_INLIER = 1.5
"""Pixels: how far a point may be from the camera's motion and still agree with it."""
_SAME = 0.15
"""Share of points whose flow cancels: fewer and the pictures show different things (cuts have 0.01 to 0.05)."""
_SAME_DETAIL = 0.8
"""Correlation of details from which two pictures show the same thing whatever the flow says, as in a dim flicker."""
_SAME_SHIFTED = 0.5
"""Correlation of details that a shift must reach to be tried."""
_REACH = 4.0
"""Pixels: a shift that phase correlation proposes is tried when it is more than this."""
_SUPPORT = 0.4
"""Share of points that must agree for the camera's motion to be believed."""
_STILL = 1.0
"""Pixels: a corner that moves less stands still."""
_ACROSS = 0.8
"""Share of the width or height that the points must reach across, or a thing may have moved and not the camera."""
_FLAT = 4.0
"""Grey levels: a picture with less contrast shows nothing that could be followed."""
_GRAIN = 0.5
"""Correlation of neighbouring pixels: noise has less, pictures have far more."""
_MIN_POINTS = 12
"""Fewer points don't make a measurement."""
_SETTLED = 0.7
"""Share of points whose coarse flow cancels, and share of those that agree, from which a finer flow adds nothing."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture where something moved on its own."""

    x: float
    """Centre, share of the picture's width."""
    y: float
    """Centre, share of its height."""
    area: float
    """Share of the picture."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What was measured from one picture to the next."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    contrast_before: float = 0.0
    """Grey levels: standard deviation of the earlier picture."""
    contrast_after: float = 0.0
    """The same of the later picture."""
    different: bool = False
    """Whether the two pictures show different things."""
    returns: bool = False
    """Whether the later picture shows again what was seen before the earlier one."""
    consistent: float = 0.0
    """Share of the points with texture whose flow there and back cancels."""
    support: float = 0.0
    """Share of the followed points that agree with the camera's motion."""
    dx: float = 0.0
    """Movement of the content at the picture's centre, in picture widths, right positive."""
    dy: float = 0.0
    """The same downwards, also in picture widths."""
    zoom: float = 0.0
    """Natural logarithm of how much larger the content became."""
    roll: float = 0.0
    """Radians that the content turned clockwise."""
    aspect: float = 16 / 9
    """Width of the picture by its height."""
    narrow: bool = False
    """Whether what moved together is only a thing before flat surroundings: then the camera can't be told."""
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    """The same as a transform of the earlier plate's pixels (x, y, 1) to the later's."""
    regions: tuple[Region, ...] = ()
    """What moved on its own, largest first; filled in by `moving.regions`."""

    @property
    def reliable(self) -> bool:
        """Whether enough points agree for the camera's motion to be believed."""
        return not self.different and self.support >= _SUPPORT


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """A picture made ready for measuring."""

    time: float
    """Seconds."""
    grey: Grey
    """(h, w), about 320 x 180 pixels."""
    even: Grey
    """The same with its local contrast evened out, so that brightness changes don't look like motion."""
    contrast: float
    """Standard deviation of `grey`, in grey levels."""
    clear: bool
    """Whether it shows something: neither flat nor mere noise, whose neighbouring pixels have nothing in common."""


class Flow:
    """Measures steps; one for each video, because the flow keeps its buffers."""

    def __init__(self) -> None:
        self.coarse = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.fine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._even = cv2.createCLAHE(3.0, (8, 8))

    def plate(self, frame: Frame) -> Plate:
        """Makes a frame ready."""
        height, width = frame.image.shape[:2]
        scale = (_AREA / (height * width)) ** 0.5
        size = (max(32, round(width * scale)), max(32, round(height * scale)))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(halved(frame.image, size), size, interpolation=how)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        even = np.asarray(self._even.apply(grey), np.uint8)
        contrast = _deviation(grey)
        # Neighbours of one mean and deviation correlate by 1 - E (a - b)² / (2 σ²).
        rough = cv2.norm(grey[:, 1:], grey[:, :-1], cv2.NORM_L2SQR) / grey[:, 1:].size
        clear = contrast >= _FLAT and 1 - rough / (2 * contrast**2) >= _GRAIN
        return Plate(frame.time, grey, even, contrast, clear)

    def step(self, before: Plate, after: Plate) -> Motion:
        """Measures from one picture to the next, both of one shape.

        Where the flow finds nothing alike, it tries again from the shift that phase correlation proposes: a fast
        pan is further than the flow can reach by itself.
        """
        step = Motion(before.time, after.time, before.contrast, after.contrast)
        if not (before.clear and after.clear):
            return replace(step, different=before.contrast >= _FLAT and after.contrast >= _FLAT)
        found = self._follow(self.coarse, step, before, after, (0.0, 0.0))
        if min(found.consistent, found.support) < _SETTLED:
            found = self._follow(self.fine, step, before, after, (0.0, 0.0))
        if found.consistent < 2 * _SAME:
            size = before.even.shape[::-1]
            window = cv2.createHanningWindow(size, cv2.CV_32F)
            (x, y), _ = cv2.phaseCorrelate(before.even.astype(np.float32), after.even.astype(np.float32), window)
            if abs(x) + abs(y) > _REACH and _correlation(before.grey, after.grey, (x, y)) > _SAME_SHIFTED:
                shifted = self._follow(self.fine, step, before, after, (x, y))
                found = max(found, shifted, key=lambda step: step.consistent)
        # A dim flicker breaks the flow, but the details still lie where they lay.
        different = found.consistent < _SAME and _correlation(before.grey, after.grey) < _SAME_DETAIL
        return replace(found, different=different)

    def _follow(
        self, how: cv2.DISOpticalFlow, step: Motion, before: Plate, after: Plate, guess: tuple[float, float]
    ) -> Motion:
        """Fills in `step` from the flow that starts at a `guess` of the shift in pixels."""
        points, texture = _points(before.even)
        target, trip = _both_ways(how, before.even, after.even, points, guess)
        height, width = before.grey.shape
        inside = ((target >= 0) & (target <= (width - 1, height - 1))).all(axis=1)
        textured = (texture >= _TEXTURE) & inside
        # A point that something covers or uncovers has no partner: there and back it doesn't come home.
        good = textured & (trip < _ROUND_TRIP)
        consistent = float(good.sum()) / max(1, int(textured.sum()))
        if good.sum() < _MIN_POINTS or consistent < _SAME:
            return replace(step, consistent=consistent)
        matrix, support = _similarity(points[good].astype(np.float32), target[good])
        matrix = _refine(before.grey, after.grey, points[good].astype(np.float32), matrix)
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        shift = matrix @ [*centre, 1] - centre
        measured = replace(
            step,
            consistent=consistent,
            support=support,
            dx=float(shift[0]) / width,
            dy=float(shift[1]) / width,
            zoom=float(np.log(np.hypot(matrix[0, 0], matrix[1, 0]))),
            roll=float(np.arctan2(matrix[1, 0], matrix[0, 0])),
            aspect=width / height,
            matrix=tuple(tuple(row) for row in matrix.tolist()),
        )
        # What agrees on a movement must reach across the picture: a large thing before a flat wall agrees with itself.
        corners = np.array([(0, 0), (width, 0), (0, height), (width, height)])
        moves = float(np.abs(corners @ matrix[:, :2].T + matrix[:, 2] - corners).max()) > _STILL
        agree = np.linalg.norm(points @ matrix[:, :2].T + matrix[:, 2] - target, axis=1) < _INLIER
        reach = np.ptp(np.percentile(points[good & agree], (2, 98), axis=0), axis=0) if agree[good].any() else (0, 0)
        if moves and reach[0] < _ACROSS * width and reach[1] < _ACROSS * height:
            return replace(step, consistent=consistent, aspect=width / height, narrow=True)
        return measured


def _both_ways(
    how: cv2.DISOpticalFlow, before: Grey, after: Grey, points: NDArray[np.intp], guess: tuple[float, float]
) -> tuple[Floats, Floats]:
    """(n, 2) and (n,): where each of the `points` goes, and how many pixels off it is after going there and back."""
    start = np.full((*before.shape, 2), guess, np.float32) if any(guess) else None
    back_start = None if start is None else -start
    flow = np.asarray(how.calc(before, after, start), np.float32)  # pyright: ignore[reportCallIssue, reportArgumentType]
    back = np.asarray(how.calc(after, before, back_start), np.float32)  # pyright: ignore[reportCallIssue, reportArgumentType]
    column, row = points.T
    target = (points + flow[row, column]).astype(np.float32)
    returned = cv2.remap(back, target[:, :1], target[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
    return target, np.linalg.norm(target + returned - points, axis=1).astype(np.float32)


def _deviation(values: Grey) -> float:
    return float(cv2.meanStdDev(values)[1][0, 0])


def _refine(before: Grey, after: Grey, points: Floats, matrix: Matrix) -> Matrix:
    """The transform after each point looked around itself once more (Lucas-Kanade) in the pictures as they are.

    Evened contrast and smooth flow make small movements up to a tenth too small; this takes that out.
    """
    # Lucas-Kanade takes brightness for constant, so the later picture is lit like the earlier one first.
    gain = _deviation(before) / max(1.0, _deviation(after))
    lit = cv2.convertScaleAbs(after, alpha=gain, beta=cv2.mean(before)[0] - gain * cv2.mean(after)[0])
    expected = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        lit,
        points[:, None],
        expected[:, None].copy(),
        winSize=(13, 13),
        maxLevel=0,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.02),
    )
    near = (status[:, 0] == 1) & (np.linalg.norm(found[:, 0] - expected, axis=1) < _INLIER)
    if near.sum() < max(2 * _MIN_POINTS, 0.2 * len(points)):
        return matrix
    refined, support = _similarity(points[near], found[near, 0])
    return refined if support >= _SUPPORT else matrix


def _correlation(before: Grey, after: Grey, shift: tuple[float, float] = (0.0, 0.0)) -> float:
    """Correlation of the details of two pictures where they overlap, the later one moved back by `shift` pixels."""
    height, width = before.shape
    x, y = (round(part) for part in shift)
    there = before[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
    here = after[max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)]
    if min(*there.shape) < 16:
        return 0.0
    pair = there, here
    a, b = (cv2.GaussianBlur(p, (0, 0), 1.5).astype(np.float32) - cv2.GaussianBlur(p, (0, 0), 12) for p in pair)
    return float((a * b).sum() / max(1e-6, float(np.sqrt((a * a).sum() * (b * b).sum()))))


def _points(even: Grey) -> tuple[NDArray[np.intp], Floats]:
    """The point (x, y) of steepest gradient in each cell, and that gradient in grey levels per pixel."""
    # One point in each cell spreads them evenly: else a patterned shirt would outvote the wall behind it.
    soft = cv2.GaussianBlur(even, (0, 0), 1.0)
    steep = cv2.magnitude(
        cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=1 / 8)
    )
    parts = cells(np.asarray(steep, np.float32))
    rows, columns = parts.shape[:2]
    best = parts.argmax(axis=2)
    y = np.arange(rows)[:, None] * _CELL + best // _CELL
    x = np.arange(columns)[None] * _CELL + best % _CELL
    return np.stack([x.ravel(), y.ravel()], axis=1), parts.max(axis=2).ravel()


def cells(values: Floats) -> Floats:
    """(h, w) to (rows, columns, pixels of a cell of 10 x 10); what doesn't fill a cell is left out."""
    rows, columns = values.shape[0] // _CELL, values.shape[1] // _CELL
    whole = values[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    return whole.transpose(0, 2, 1, 3).reshape(rows, columns, -1)


def _similarity(source: Floats, target: Floats) -> tuple[Matrix, float]:
    """The (2, 3) similarity transform that most points agree on, and the share that does.

    RANSAC finds the group, then least squares with Tukey's weights uses all of it: in noise, a fit through the few
    best points would wander from step to step.
    """
    # Four unknowns (shift, zoom, roll): two points fix them, so that RANSAC needs few tries even with half outliers.
    matrix, _ = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=_INLIER, maxIters=300, confidence=0.995
    )
    if matrix is None:
        return np.eye(2, 3), 0.0
    matrix = np.asarray(matrix, np.float64)
    for cutoff in (3.0, 2.5, 2.0, 2.0):
        # Tukey: a point's weight falls to nothing at the cutoff, so that outliers pull no more.
        distance = np.linalg.norm(source @ matrix[:, :2].T + matrix[:, 2] - target, axis=1)
        matrix = _fit(source, target, np.clip(1 - (distance / cutoff) ** 2, 0, None) ** 2)
    distance = np.linalg.norm(source @ matrix[:, :2].T + matrix[:, 2] - target, axis=1)
    return matrix, float((distance < _INLIER).mean())


def _fit(source: Floats, target: Floats, weight: NDArray[np.float64]) -> Matrix:
    """The (2, 3) similarity transform of least weighted squares, which has a closed form about the centroids."""
    total = max(1e-9, float(weight.sum()))
    middle, there = weight @ source / total, weight @ target / total
    p, q = source - middle, target - there
    spread = max(1e-9, float(weight @ (p * p).sum(axis=1)))
    a = float(weight @ (p * q).sum(axis=1)) / spread
    b = float(weight @ (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])) / spread
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, there - turn @ middle])
