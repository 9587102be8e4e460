"""A yoga room with two people in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np
from body import Person, Pose, between, draw, pose
from camera import ease, shown
from scenes import blend, clouds, finish, glow, gradient

SIZE, FPS, SECONDS, CUT = (640, 360), 24, 12, 7.0
CLOSE, WIDE = 400.0, 229.0
"""Pixels a metre on the canvas, which is twice as large as what is shown."""
DRAWN = 300.0
"""Pixels a metre of the room."""
ANNA = Person((224, 168, 136), (74, 44, 30), (196, 92, 84), (58, 70, 104), True)
BEN = Person((150, 104, 78), (34, 28, 28), (222, 206, 172), (70, 92, 82), False, 1.16, True)
HERE = {"anna": 1.72, "ben": 3.85}
"""Metres from the left wall."""
FLOOR, FEET = 2.3, 2.72
"""Metres from the ceiling: where the wall meets the floor, and where people stand."""

STAND = pose()
UP = pose(
    upper_l=336.0, fore_l=350.0, hand_l=354.0, upper_r=24.0, fore_r=10.0, hand_r=6.0, neck=(0, 10)
)  # fmt: skip
WARRIOR = pose(
    thigh_l=(242, 8), shin_l=181.0, foot_l=(262, 8), thigh_r=139.0, shin_r=139.0, foot_r=(140, 45),
    upper_l=270.0, fore_l=270.0, hand_l=270.0, upper_r=90.0, fore_r=90.0, hand_r=90.0, yaw=-58.0,
)  # fmt: skip
HEART = {
    "upper_l": (203, 16), "fore_l": (76, 30), "hand_l": (16, 6), "upper_r": (157, 16), "fore_r": (284, 30),
    "hand_r": (344, 6),
}  # fmt: skip
TREE = pose(thigh_l=(228, 14), shin_l=(99, 4), foot_l=(168, 4), shift=-4.0, **HEART)
STAND_AGAIN = pose(upper_l=203.0, upper_r=157.0)


def posed(t: float) -> Pose:
    """What both do: stand, raise their arms, the warrior; after the cut down again and into the tree."""
    steps = ((0.5, 2.3, UP), (3.0, 5.2, WARRIOR), (7.8, 9.2, STAND_AGAIN), (9.3, 11.1, TREE))
    now = STAND
    for start, end, then in steps:
        now = between(now, then, ease((t - start) / (end - start)))
    breath = 0.9 * np.sin(t * 1.9)
    return now | {"chest": (now["chest"][0] + 0.4 * breath, breath), "neck": (now["neck"][0], now["neck"][1] + breath)}


def room(rng: np.random.Generator) -> np.ndarray:
    """Plaster, a wide window, a floor of planks with the window's light on it, mats, a plant and a bench."""
    width, height = int(5.6 * DRAWN), int(3.15 * DRAWN)
    m = DRAWN
    canvas = gradient(height, width, (0, (226, 212, 192)), (0.7, (212, 192, 168)), (1, (206, 186, 162)))
    canvas *= (0.95 + 0.08 * clouds(rng, height, width, 70, 5))[..., None]
    # Away from the window the wall is darker.
    canvas *= np.linspace(1.04, 0.8, width, dtype=np.float32)[None, :, None]
    _boards(canvas, rng)
    _window(canvas, rng)
    _plant(canvas, rng, 5.2 * m, (FLOOR + 0.25) * m)
    _shelf(canvas, rng)
    for x, colour in ((HERE["anna"], (86, 124, 132)), (HERE["ben"], (136, 96, 128))):
        _mat(canvas, rng, x * m, colour)
    return finish(canvas, rng, 3.0).astype(np.float32)


def _boards(canvas: np.ndarray, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    top, middle = int(FLOOR * DRAWN), width / 2
    for k in range(-16, 17):
        a, b = middle + k * 130, middle + (k + 1) * 130
        low = [(middle + (x - middle) * 1.55, height) for x in (b, a)]
        tone = rng.uniform(0.88, 1.08)
        cv2.fillPoly(
            canvas, [np.array([(a, top), (b, top), *low], np.int32)], [c * tone for c in (176, 128, 88)], cv2.LINE_AA
        )
        cv2.line(canvas, (int(a), top), (int(low[1][0]), height), (118, 80, 54), 2, cv2.LINE_AA)
    grain = clouds(rng, height - top, width, 30, 5, stretch=0.4)
    canvas[top:] *= (0.86 + 0.22 * grain)[..., None]
    canvas[top:] *= np.linspace(0.86, 1.04, height - top, dtype=np.float32)[:, None, None]
    cv2.rectangle(canvas, (0, top - 22), (width, top), (238, 230, 214), -1)
    cv2.line(canvas, (0, top), (width, top), (120, 90, 66), 3)


def _window(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """Trees out of focus behind three panes, curtains, and the light that falls in."""
    m = DRAWN
    x0, y0, x1, y1 = int(0.35 * m), int(0.32 * m), int(2.75 * m), int(1.72 * m)
    high, wide = y1 - y0, x1 - x0
    view = gradient(high, wide, (0, (226, 238, 246)), (0.5, (240, 240, 214)), (1, (190, 208, 150)))
    leaves = clouds(rng, high, wide, 150, 3)
    rise = np.linspace(-0.55, 0.5, high, dtype=np.float32)[:, None]
    blend(view, (128, 164, 96), np.clip((leaves - 0.5 + rise) * 3, 0, 0.85))
    blend(view, (86, 128, 72), np.clip((clouds(rng, high, wide, 90, 3) - 0.62 + rise) * 3, 0, 0.8))
    for _ in range(46):
        spot = (int(rng.integers(0, wide)), int(rng.integers(0, high)))
        light = np.zeros(view.shape[:2], np.float32)
        cv2.circle(light, spot, int(rng.integers(10, 30)), 1, -1, cv2.LINE_AA)
        blend(view, (255, 252, 220), light * rng.uniform(0.08, 0.3))
    canvas[y0:y1, x0:x1] = cv2.GaussianBlur(view, (0, 0), 5)
    glow(canvas, (x0 + x1) / 2, (y0 + y1) / 2, 1.5 * m, (66, 58, 40), 0.6)
    frame = (244, 238, 226)
    for x in np.linspace(x0, x1, 4):
        cv2.line(canvas, (int(x), y0), (int(x), y1), (186, 170, 150), 20)
        cv2.line(canvas, (int(x) - 2, y0), (int(x) - 2, y1), frame, 13)
    for y in (y0, y1, y0 + int(0.34 * high)):
        cv2.line(canvas, (x0 - 9, y + 3), (x1 + 9, y + 3), (186, 170, 150), 18)
        cv2.line(canvas, (x0 - 9, y), (x1 + 9, y), frame, 13)
    cv2.rectangle(canvas, (x0 - 50, y1 + 6), (x1 + 50, y1 + 28), (236, 226, 210), -1)
    cv2.rectangle(canvas, (x0 - 50, y1 + 28), (x1 + 50, y1 + 36), (170, 150, 128), -1)
    for left, right in ((x0 - 90, x0 + 50), (x1 - 50, x1 + 90)):
        cloth = np.arange(left, right, dtype=np.float32)
        folds = 0.86 + 0.13 * np.sin(cloth / 9) + 0.05 * np.sin(cloth / 4.1)
        strip = (
            np.asarray((242, 228, 204), np.float32)
            * folds[None, :, None]
            * np.linspace(1.02, 0.9, int(1.55 * m))[:, None, None]
        )
        part = canvas[y0 - 30 : y0 - 30 + len(strip), left:right]
        part += (strip - part) * 0.9
    cv2.line(canvas, (x0 - 120, y0 - 34), (x1 + 120, y0 - 34), (126, 96, 70), 8, cv2.LINE_AA)
    # Three slanted patches, soft at the edges, where the sun reaches the floor.
    sun = np.zeros(canvas.shape[:2], np.float32)
    top, low = int((FLOOR + 0.08) * m), int(3.1 * m)
    for k in range(3):
        a, b = (1.05 + 0.86 * k) * m, (1.05 + 0.86 * k + 0.72) * m
        points = np.array([(a, top), (b, top), (b + 0.75 * m, low), (a + 0.75 * m, low)], np.int32)
        cv2.fillPoly(sun, [points], 1.0)
    canvas *= 1 + 0.3 * cv2.GaussianBlur(sun, (0, 0), 16)[..., None] * np.array((1.05, 0.95, 0.7), np.float32)


def _mat(canvas: np.ndarray, rng: np.random.Generator, x: float, colour: tuple[int, int, int]) -> None:
    m = DRAWN
    y0, y1, half = (FEET - 0.13) * m, (FEET + 0.16) * m, 0.92 * m
    outline = np.array([(x - half, y0), (x + half, y0), (x + half * 1.1, y1), (x - half * 1.1, y1)], np.int32)
    cv2.fillPoly(canvas, [outline + np.array((0, 9), np.int32)], [c * 0.45 for c in colour], cv2.LINE_AA)
    inside = np.zeros(canvas.shape[:2], np.float32)
    cv2.fillPoly(inside, [outline], 1.0, cv2.LINE_AA)
    weave = 0.9 + 0.16 * clouds(rng, *canvas.shape[:2], 8, 2)
    blend(canvas, np.asarray(colour, np.float32) * weave[..., None], inside)
    inner = ((outline - (x, (y0 + y1) / 2)) * 0.95 + (x, (y0 + y1) / 2)).astype(np.int32)
    cv2.polylines(canvas, [inner], True, [min(255, c * 1.25) for c in colour], 2, cv2.LINE_AA)


def _plant(canvas: np.ndarray, rng: np.random.Generator, x: float, foot: float) -> None:
    """A tall plant in a pot."""
    for angle in np.sort(rng.uniform(-1.15, 1.15, 30))[np.argsort(rng.random(30))]:
        reach = rng.uniform(150, 330)
        stem = np.array(
            [
                (x + np.sin(angle) * reach * s**1.3, foot - 120 - reach * s * (1.25 - 0.55 * s * abs(angle)))
                for s in np.linspace(0, 1, 12)
            ]
        )
        tone = rng.uniform(0.65, 1.25)
        for k, (a, b) in enumerate(pairwise(stem)):
            wide = int(3 + 22 * np.sin(np.pi * (k + 1) / 12.5))
            cv2.line(
                canvas,
                a.astype(int).tolist(),
                b.astype(int).tolist(),
                [c * tone * (0.8 + 0.03 * k) for c in (62, 108, 66)],
                wide,
                cv2.LINE_AA,
            )
        cv2.polylines(canvas, [stem.astype(np.int32)], False, [c * tone for c in (110, 150, 92)], 2, cv2.LINE_AA)
    for row in range(130):
        half = 62 - 18 * row / 130
        light = np.clip(1.15 - 0.5 * np.linspace(0, 1, int(2 * half)), 0.6, 1.2)[:, None]
        y, left = int(foot - 130 + row), int(x - half)
        part = canvas[y, left : left + int(2 * half)]
        part[:] = (np.array((196, 120, 88), np.float32) * light)[: len(part)]


def _shelf(canvas: np.ndarray, rng: np.random.Generator) -> None:
    """A framed picture, a shelf with candles and rolled mats."""
    m = DRAWN
    a, b = (int(3.35 * m), int(0.5 * m)), (int(4.05 * m), int(1.05 * m))
    cv2.rectangle(canvas, (a[0] + 8, a[1] + 10), (b[0] + 8, b[1] + 10), (150, 132, 112), -1)
    cv2.rectangle(canvas, a, b, (128, 92, 62), -1)
    cv2.rectangle(canvas, (a[0] + 12, a[1] + 12), (b[0] - 12, b[1] - 12), (240, 234, 222), -1)
    x0, y0, x1, y1 = a[0] + 36, a[1] + 34, b[0] - 36, b[1] - 34
    canvas[y0:y1, x0:x1] = gradient(
        y1 - y0, x1 - x0, (0, (244, 214, 180)), (0.6, (226, 150, 120)), (1, (120, 110, 130))
    )
    cv2.circle(canvas, ((x0 + x1) // 2, y0 + 52), 22, (252, 240, 214), -1, cv2.LINE_AA)
    y = int(1.5 * m)
    cv2.rectangle(canvas, (int(3.2 * m), y), (int(4.5 * m), y + 14), (142, 102, 70), -1)
    cv2.rectangle(canvas, (int(3.2 * m), y + 14), (int(4.5 * m), y + 22), (160, 142, 122), -1)
    for k, colour in enumerate(((170, 96, 92), (92, 126, 132), (196, 162, 100))):
        x = int((3.4 + 0.19 * k) * m)
        for r, light in ((27, 0.8), (25, 1.0), (18, 0.8), (15, 1.05), (8, 0.7)):
            cv2.circle(canvas, (x, y - 28), r, [c * light for c in colour], -1, cv2.LINE_AA)
    for k, tall in enumerate((60, 84, 48)):
        x = int((4.1 + 0.13 * k) * m)
        cv2.rectangle(canvas, (x - 13, y - tall), (x + 13, y), (244, 234, 214), -1)
        cv2.rectangle(canvas, (x + 4, y - tall), (x + 13, y), (220, 204, 180), -1)
        glow(canvas, x, y - tall - 12, 34, (110, 80, 30), 0.7)
        cv2.ellipse(canvas, (x, y - tall - 12), (4, 11), 0, 0, 360, (255, 232, 160), -1, cv2.LINE_AA)


def frames() -> Iterator[np.ndarray]:
    """Both from afar until the cut, then the woman from near."""
    back = room(np.random.default_rng(41))
    canvas_size = (2 * SIZE[0], 2 * SIZE[1])
    for i in range(SECONDS * FPS):
        t = i / FPS
        scale = WIDE if t < CUT else CLOSE * (1.06 + 0.016 * (t - CUT))
        centre = (2.8, 1.58) if t < CUT else (HERE["anna"] + 0.05, 1.69)
        matrix = np.array(
            [
                [scale / DRAWN, 0, canvas_size[0] / 2 - centre[0] * scale],
                [0, scale / DRAWN, canvas_size[1] / 2 - centre[1] * scale],
            ]
        )
        # From near the camera is set a little lighter, as for a face against a window.
        sharp = cv2.GaussianBlur(back, (0, 0), 0.6) if t < CUT else back * 1.07
        canvas = cv2.warpAffine(sharp, matrix, canvas_size, borderMode=cv2.BORDER_REFLECT)
        for person, name, late in ((BEN, "ben", 0.3), (ANNA, "anna", 0.0)):
            foot = matrix @ (HERE[name] * DRAWN, FEET * DRAWN, 1)
            draw(canvas, person, posed(t - late if t < CUT else max(CUT, t - late)), tuple(foot), scale)
        yield shown(canvas, SIZE)
