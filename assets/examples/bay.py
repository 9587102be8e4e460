"""Ten minutes of a day over a bay with boats, from before dawn into the night; five shots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from camera import ease
from scenes import Colour, blend, clouds, gradient

SIZE, FPS, SECONDS = (480, 270), 5, 600
CUTS = (130.0, 250.0, 370.0, 490.0)
WIDE, HIGH = 720, 405
LEVEL = 196
"""Row of the horizon."""


@dataclass(frozen=True)
class Light:
    """An hour's look: the sky above, in the middle and at the horizon, and the colour that everything else takes."""

    above: Colour
    middle: Colour
    low: Colour
    tint: Colour


NIGHT = Light((14, 18, 44), (26, 32, 66), (44, 48, 82), (0.2, 0.22, 0.34))
DAWN = Light((88, 106, 158), (226, 158, 150), (255, 204, 150), (0.66, 0.56, 0.58))
MORNING = Light((92, 154, 214), (164, 204, 232), (240, 232, 212), (0.98, 0.96, 0.9))
NOON = Light((58, 134, 212), (118, 182, 232), (196, 222, 236), (1.08, 1.08, 1.04))
GOLD = Light((104, 146, 196), (238, 206, 156), (255, 206, 128), (1.06, 0.9, 0.7))
DUSK = Light((58, 54, 110), (188, 96, 112), (252, 150, 84), (0.52, 0.4, 0.48))
BLUE = Light((30, 36, 84), (74, 62, 112), (150, 98, 116), (0.34, 0.32, 0.44))
HOURS = (
    (0, NIGHT), (15, NIGHT), (130, DAWN), (130, MORNING), (250, MORNING), (250, NOON), (370, NOON), (370, GOLD),
    (490, DUSK), (490, BLUE), (560, NIGHT), (600, NIGHT),
)  # fmt: skip
"""Seconds of the clip; at a cut some time has passed."""


def hour(t: float) -> Light:
    """The light at a second of the clip."""
    for (start, one), (end, other) in pairwise(HOURS):
        if t < end:
            share = (t - start) / (end - start)
            mixed = (
                np.add(np.multiply(getattr(one, name), 1 - share), np.multiply(getattr(other, name), share))
                for name in ("above", "middle", "low", "tint")
            )
            return Light(*(tuple(map(float, colour)) for colour in mixed))
    return NIGHT


@dataclass(frozen=True)
class Place:
    """What a shot looks at: land and things on it as they are by day, masks, and lamps (x, y, size)."""

    land: np.ndarray
    mask: np.ndarray
    lamps: tuple[tuple[float, float, float], ...]
    boats: tuple[tuple[float, float, float, float, int], ...]
    """Where each starts, pixels a second, row, size, kind (0 sails, 1 a fishing boat)."""
    sun: tuple[float, float, float, float] | None = None
    """From x, y to x, y over the shot."""


def hills(
    rng: np.random.Generator,
    land: np.ndarray,
    mask: np.ndarray,
    reach: float,
    rough: float,
    colour: Colour,
    tilt: float,
) -> None:
    """A wooded shore that rises to one side."""
    rows, slope = np.arange(HIGH, dtype=np.float32)[:, None], np.linspace(-1, 1, WIDE)
    line = LEVEL + 3 - reach * clouds(rng, 4, WIDE, rough, 5)[0] * np.clip(0.25 + tilt * slope, 0, 1)
    inside = np.clip(rows - line[None], 0, 1) * (rows < LEVEL + 3) * (line < LEVEL)[None]
    wood = clouds(rng, HIGH, WIDE, 16, 4)
    blend(land, np.asarray(colour, np.float32) * (0.68 + 0.6 * wood)[..., None], inside)
    np.maximum(mask, inside, out=mask)


def village(
    rng: np.random.Generator, land: np.ndarray, mask: np.ndarray, left: int, right: int, foot: int, size: float
) -> list[tuple[float, float, float]]:
    """Houses along the shore; returns their windows."""
    lamps = []
    for row in range(2):
        x = left + 9.0 * row
        while x < right:
            wide, tall = size * rng.uniform(0.8, 1.3), size * rng.uniform(0.7, 1.2)
            y = foot - (1 - row) * size * 0.75 + rng.uniform(-2, 2)
            wall = ((238, 226, 204), (226, 196, 168), (214, 214, 208), (240, 214, 160))[rng.integers(0, 4)]
            roof = ((168, 84, 62), (150, 72, 58), (124, 86, 76))[rng.integers(0, 3)]
            box = [(int(x), int(y - tall)), (int(x + wide), int(y))]
            peak = np.array(
                [(x - 2, y - tall), (x + wide / 2, y - tall - size * 0.5), (x + wide + 2, y - tall)], np.int32
            )
            for target, paint, top in ((land, wall, roof), (mask, 1, 1)):
                cv2.rectangle(target, *box, paint, -1)
                cv2.fillPoly(target, [peak], top)
            cv2.rectangle(land, (int(x + wide * 0.62), int(y - tall)), box[1], [c * 0.86 for c in wall], -1)
            for wx in (0.25, 0.65):
                a = (int(x + wide * wx), int(y - tall * 0.72))
                cv2.rectangle(
                    land, a, (a[0] + max(1, int(size * 0.16)), a[1] + max(2, int(size * 0.24))), (86, 92, 104), -1
                )
                if rng.random() < 0.7:
                    lamps.append((a[0] + size * 0.08, a[1] + size * 0.12, size * 0.09))
            x += wide * rng.uniform(0.95, 1.2)
    return lamps


def lighthouse(land: np.ndarray, mask: np.ndarray, x: int, foot: int, tall: int) -> tuple[float, float, float]:
    """A banded tower on a rock; returns its lamp."""
    rock = np.array(
        [
            (x - tall * 0.62, foot + 14),
            (x - tall * 0.4, foot - 10),
            (x, foot - 16),
            (x + tall * 0.45, foot - 8),
            (x + tall * 0.7, foot + 14),
        ],
        np.int32,
    )
    for target, stone in ((land, (122, 110, 98)), (mask, 1)):
        cv2.fillPoly(target, [rock], stone)
    cv2.fillPoly(
        land,
        [
            np.array(
                [(x, foot - 16), (x + tall * 0.45, foot - 8), (x + tall * 0.7, foot + 14), (x, foot + 14)], np.int32
            )
        ],
        (98, 88, 82),
    )
    for row in range(tall):
        half = tall * (0.1 - 0.04 * row / tall)
        y = foot - 12 - row
        band = (198, 62, 54) if int(row / tall * 5) % 2 else (244, 240, 232)
        across = np.linspace(1.08, 0.7, int(2 * half) + 1)[:, None]
        land[y, int(x - half) : int(x - half) + len(across)] = np.asarray(band, np.float32) * across
        mask[y, int(x - half) : int(x - half) + len(across)] = 1
    top = foot - 12 - tall
    for target, dark, glass in ((land, (60, 64, 72), (250, 240, 190)), (mask, 1, 1)):
        cv2.rectangle(target, (x - int(tall * 0.09), top - 3), (x + int(tall * 0.09), top), dark, -1)
        cv2.rectangle(
            target, (x - int(tall * 0.05), top - int(tall * 0.12)), (x + int(tall * 0.05), top - 3), glass, -1
        )
        cap = [(x - tall * 0.07, top - tall * 0.12), (x, top - tall * 0.2), (x + tall * 0.07, top - tall * 0.12)]
        cv2.fillPoly(target, [np.array(cap, np.int32)], dark)
    return x, top - tall * 0.07, tall * 0.06


def pier(land: np.ndarray, mask: np.ndarray, left: int, right: int, row: int) -> None:
    """A jetty of planks on posts."""
    for x in range(left + 8, right, 34):
        for target, wood in ((land, (92, 70, 54)), (mask, 1)):
            cv2.rectangle(target, (x, row), (x + 6, row + 46), wood, -1)
    for target, wood in ((land, (166, 128, 92)), (mask, 1)):
        cv2.rectangle(target, (left, row - 9), (right, row + 3), wood, -1)
    for x in range(left, right, 11):
        cv2.line(land, (x, row - 9), (x, row - 2), (128, 96, 70), 1)
    cv2.rectangle(land, (left, row - 2), (right, row + 3), (118, 88, 64), -1)


def empty() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((HIGH, WIDE, 3), np.float32), np.zeros((HIGH, WIDE), np.float32)


def places() -> tuple[Place, ...]:
    """The five shots."""
    found = []
    rng = np.random.default_rng(91)
    land, mask = empty()
    hills(rng, land, mask, 110, 200, (112, 128, 136), -0.6)
    hills(rng, land, mask, 84, 110, (78, 108, 78), 0.8)
    lamps = village(rng, land, mask, 470, 700, LEVEL + 8, 17)
    lamps.append(lighthouse(land, mask, 120, LEVEL + 22, 70))
    found.append(
        Place(
            land,
            mask,
            tuple(lamps),
            ((60, 1.7, 262, 40, 0), (420, -1.1, 300, 52, 1), (250, 0.7, 222, 20, 0)),
            (250, 230, 320, 120),
        )
    )
    rng = np.random.default_rng(92)
    land, mask = empty()
    hills(rng, land, mask, 90, 130, (88, 118, 84), -0.7)
    lamps = village(rng, land, mask, 20, 330, LEVEL + 12, 40)
    pier(land, mask, 0, 400, 318)
    found.append(
        Place(land, mask, tuple(lamps), ((430, 0.9, 262, 62, 1), (690, -1.5, 236, 44, 0), (340, -0.5, 368, 104, 1)))
    )
    rng = np.random.default_rng(93)
    land, mask = empty()
    hills(rng, land, mask, 46, 90, (120, 146, 140), 0.3)
    lamps = [lighthouse(land, mask, 520, LEVEL + 66, 170)]
    found.append(
        Place(land, mask, tuple(lamps), ((40, 2.2, 252, 66, 0), (330, 1.2, 224, 34, 0), (200, -1.3, 330, 84, 0)))
    )
    found.append(
        Place(
            found[0].land[:, ::-1].copy(),
            found[0].mask[:, ::-1].copy(),
            tuple((WIDE - x, y, s) for x, y, s in found[0].lamps),
            ((640, -1.8, 268, 46, 0), (160, 1.0, 312, 58, 1), (480, -0.8, 224, 22, 0)),
            (340, 90, 300, 214),
        )
    )
    rng = np.random.default_rng(95)
    land, mask = empty()
    hills(rng, land, mask, 130, 150, (84, 104, 88), 0.7)
    lamps = village(rng, land, mask, 300, 720, LEVEL + 12, 30)
    pier(land, mask, 420, 720, 322)
    lamps += [(x + 3.0, 300.0, 4.0) for x in range(440, 720, 68)]
    found.append(Place(land, mask, tuple(lamps), ((60, 1.2, 270, 58, 1), (300, -0.9, 236, 36, 0)), None))
    return tuple(found)


def boat(size: float, kind: int) -> tuple[np.ndarray, np.ndarray]:
    """A boat by day and its mask; its water line is the lower edge."""
    side = int(size * 8)
    paint, mask = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8)

    def fill(points: list[tuple[float, float]], colour: Colour) -> None:
        outline = np.array([(x * side, y * side) for x, y in points], np.int32)
        cv2.fillPoly(paint, [outline], colour, cv2.LINE_AA)
        cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA)

    if kind == 0:
        fill([(0.5, 0.0), (0.515, 0.0), (0.515, 0.9), (0.5, 0.9)], (110, 84, 62))
        fill([(0.525, 0.04), (0.6, 0.3), (0.66, 0.55), (0.7, 0.78), (0.525, 0.8)], (250, 246, 236))
        fill([(0.525, 0.5), (0.648, 0.5), (0.7, 0.78), (0.525, 0.8)], (232, 224, 212))
        fill([(0.49, 0.1), (0.4, 0.42), (0.25, 0.78), (0.49, 0.8)], (214, 88, 70))
        fill([(0.49, 0.4), (0.405, 0.4), (0.25, 0.78), (0.49, 0.8)], (190, 72, 60))
        fill([(0.2, 0.86), (0.84, 0.86), (0.76, 1), (0.28, 1)], (58, 84, 120))
        fill([(0.2, 0.86), (0.84, 0.86), (0.825, 0.89), (0.22, 0.89)], (240, 236, 226))
    else:
        fill([(0.3, 0.3), (0.315, 0.3), (0.315, 0.8), (0.3, 0.8)], (96, 76, 60))
        fill([(0.305, 0.32), (0.62, 0.44), (0.62, 0.455), (0.305, 0.345)], (96, 76, 60))
        fill([(0.42, 0.52), (0.68, 0.52), (0.68, 0.8), (0.42, 0.8)], (240, 236, 226))
        fill([(0.4, 0.49), (0.71, 0.49), (0.71, 0.53), (0.4, 0.53)], (196, 84, 66))
        for x in (0.45, 0.53, 0.61):
            fill([(x, 0.57), (x + 0.05, 0.57), (x + 0.05, 0.66), (x, 0.66)], (76, 96, 116))
        fill([(0.06, 0.74), (0.18, 0.8), (0.9, 0.79), (0.96, 0.76), (0.86, 1), (0.16, 1)], (52, 116, 122))
        fill(
            [
                (0.06, 0.74),
                (0.18, 0.8),
                (0.9, 0.79),
                (0.96, 0.76),
                (0.95, 0.8),
                (0.9, 0.83),
                (0.18, 0.84),
                (0.075, 0.78),
            ],
            (236, 232, 222),
        )
    return paint.astype(np.float32), mask.astype(np.float32) / 255


def stand(
    canvas: np.ndarray, shape: tuple[np.ndarray, np.ndarray], x: float, foot: float, size: float, tint: np.ndarray
) -> None:
    """A boat whose water line's middle is at (x, foot)."""
    side = shape[1].shape[0]
    scale, reach = size / side, int(size) + 3
    x0, y0 = int(x - size / 2), int(foot - size)
    matrix = np.array([[scale, 0, x - size / 2 - x0], [0, scale, foot - size - y0]])
    soft = [cv2.GaussianBlur(each, (0, 0), 0.4 / scale) for each in (shape[0] * shape[1][..., None], shape[1])]
    paint, mask = (cv2.warpAffine(each, matrix, (reach, reach)) for each in soft)
    a, b = max(0, -x0), min(reach, WIDE - x0)
    if a < b:
        part = canvas[y0 : y0 + reach, x0 + a : x0 + b]
        part *= 1 - mask[: len(part), a:b, None]
        part += paint[: len(part), a:b] * tint


@dataclass(frozen=True)
class Water:
    """What never changes of the sea: where a row mirrors from, and its glitter."""

    x: np.ndarray
    y: np.ndarray
    glint: np.ndarray


def water(seed: int) -> Water:
    deep = HIGH - LEVEL
    rng = np.random.default_rng(seed)
    swell = (clouds(rng, deep, WIDE, 22, 4, stretch=6) - 0.5) * np.linspace(3, 22, deep)[:, None]
    y = np.clip(LEVEL - 1 - np.arange(deep)[:, None] * 0.95 + swell, 0, LEVEL - 1)
    x = np.arange(WIDE)[None] + 0.4 * swell
    glint = np.clip((clouds(rng, deep, WIDE, 10, 3, stretch=5) - 0.62) * 4, 0, 1)
    return Water(x.astype(np.float32), y.astype(np.float32), glint)


def picture(
    t: float,
    start: float,
    end: float,
    place: Place,
    sea: Water,
    puffs: np.ndarray,
    shapes: list[list[tuple[np.ndarray, np.ndarray]]],
) -> np.ndarray:
    """One frame of a shot."""
    light, share = hour(t), (t - start) / (end - start)
    tint = np.asarray(light.tint, np.float32)
    dark = float(np.clip((0.62 - tint.mean()) / 0.3, 0, 1))
    canvas = gradient(HIGH, WIDE, (0, light.above), (0.3, light.middle), (LEVEL / HIGH, light.low), (1, light.low))
    drift = int(t * 0.4) % (puffs.shape[1] - WIDE)
    blend(
        canvas[:LEVEL],
        np.clip(np.asarray(light.low, np.float32) * 0.6 + 105 * tint, 0, 255),
        puffs[:LEVEL, drift : drift + WIDE] * (1 - 0.7 * dark),
    )
    if place.sun:
        x, y = (a + (b - a) * ease(share) for a, b in (place.sun[::2], place.sun[1::2]))
        _sun(canvas, x, y, 1 - dark)
    blend(canvas, place.land * tint, place.mask * (np.arange(HIGH) < LEVEL + 2)[:, None])
    mirror = cv2.remap(canvas[:LEVEL], sea.x, sea.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    canvas[LEVEL:] = mirror * 0.74 + np.asarray((10, 40, 56), np.float32) * tint
    blend(canvas[LEVEL:], np.asarray(light.low, np.float32), sea.glint * 0.3 * (1 - 0.6 * dark))
    blend(canvas, place.land * tint, place.mask)
    for k, (x, speed, foot, size, _) in enumerate(place.boats):
        bob = 0.8 * np.sin(t * 0.9 + 2 * k)
        _wake(canvas, x + speed * (t - start), foot, size, tint)
        stand(canvas, shapes[k][0] if speed < 0 else shapes[k][1], x + speed * (t - start), foot + bob, size, tint)
    _lamps(canvas, place, dark)
    return canvas


def _sun(canvas: np.ndarray, x: float, y: float, strength: float) -> None:
    yy, xx = np.mgrid[0:LEVEL, 0:WIDE].astype(np.float32)
    off = np.hypot(xx - x, yy - y)
    canvas[:LEVEL] += (strength * 90 * np.exp(-((off / 80) ** 2)))[..., None] * np.array((1, 0.72, 0.4), np.float32)
    blend(canvas[:LEVEL], (255, 240, 204), np.clip(15 - off, 0, 1) * strength)


def _wake(canvas: np.ndarray, x: float, foot: float, size: float, tint: np.ndarray) -> None:
    """A dark image of the hull in the water under it."""
    y0, x0, x1 = int(foot), max(0, int(x - size * 0.6)), min(WIDE, int(x + size * 0.6))
    if x0 < x1:
        yy, xx = np.mgrid[0 : min(HIGH - y0, int(size * 0.5)), x0:x1].astype(np.float32)
        shade = np.exp(-(((xx - x) / (size * 0.33)) ** 2) - (yy / (size * 0.22)) ** 2)
        blend(canvas[y0 : y0 + len(yy), x0:x1], np.array((30, 52, 62), np.float32) * tint, shade * 0.65)


def _lamps(canvas: np.ndarray, place: Place, dark: float) -> None:
    """Lit windows and lamps, each with its streak on the water."""
    if dark <= 0:
        return
    light = np.zeros((HIGH, WIDE), np.float32)
    for k, (x, y, size) in enumerate(place.lamps):
        # They are lit one after another.
        on = float(np.clip(dark * 2.2 - (k * 0.37) % 1, 0, 1))
        cv2.circle(light, (int(x), int(y)), max(1, round(size)), on, -1)
        streak = np.zeros((HIGH, 1), np.float32)
        streak[LEVEL + 14 :, 0] = 0.16 * on * np.exp(-np.arange(HIGH - LEVEL - 14) / 40) * (size / 2.6)
        light[:, int(np.clip(x, 1, WIDE - 2)) - 1 : int(np.clip(x, 1, WIDE - 2)) + 2] += streak * (
            1 - place.mask[:, int(np.clip(x, 0, WIDE - 1)), None] * 0.9
        )
    halo = cv2.GaussianBlur(light, (0, 0), 5) * 2.6
    canvas += halo[..., None] * np.array((120, 84, 36), np.float32)
    blend(canvas, (255, 222, 150), np.clip(cv2.GaussianBlur(light, (0, 0), 0.8), 0, 1))


def frames() -> Iterator[np.ndarray]:
    """Night, dawn, the harbour in the morning, the lighthouse at noon, sunset, night again."""
    edges = (0.0, *CUTS, float(SECONDS))
    puffs = np.clip((clouds(np.random.default_rng(96), HIGH, 2 * WIDE, 110, 6, stretch=3) - 0.52) * 2.4, 0, 0.85)
    puffs *= np.clip(1.15 - np.arange(HIGH) / LEVEL, 0, 1)[:, None]
    for shot, (place, (start, end)) in enumerate(zip(places(), pairwise(edges), strict=True)):
        # Each shot looks another way: other clouds, another swell.
        sky, sea = np.roll(puffs, 431 * shot, axis=1), water(97 + shot)
        shapes = []
        for *_, size, kind in place.boats:
            right = boat(size, kind)
            shapes.append([right, tuple(np.ascontiguousarray(each[:, ::-1]) for each in right)])
        for i in range(round(start * FPS), round(end * FPS)):
            canvas = picture(i / FPS, start, end, place, sea, sky, shapes)
            small = cv2.resize(canvas, SIZE, interpolation=cv2.INTER_AREA)
            yield np.clip(small, 0, 255).astype(np.uint8)
