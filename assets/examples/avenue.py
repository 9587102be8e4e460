"""A walk under autumn trees with the camera in the hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from camera import ease, shown
from scenes import HEIGHT, WIDTH, blend, clouds, glow, gradient

FPS, SECONDS = 24, 10
WIDE, HIGH = WIDTH * 3 // 2, HEIGHT * 3 // 2
EYE, FOCUS, HORIZON = 1.6, 760.0, 0.47
"""Metres above the path, pixels, share of the height."""
HAZE = (236, 216, 178)
SETS_OUT = -1.0
"""Seconds: when the walk begins; it is under way when the clip starts."""


@dataclass(frozen=True)
class Sprite:
    """A picture with its mask, `tall` metres high, standing at (x, z) metres to the right and ahead."""

    paint: np.ndarray
    mask: np.ndarray
    tall: float
    x: float
    z: float


def tree(rng: np.random.Generator, warm: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A trunk, forking branches and a crown of leaves, lit from the upper left."""
    high, wide = 560, 480
    paint, mask = np.zeros((high, wide, 3), np.uint8), np.zeros((high, wide), np.uint8)

    def branch(x: float, y: float, turn: float, long: float, thick: float) -> None:
        tip = (x + long * np.sin(turn), y - long * np.cos(turn))
        for width, tone, off in ((thick, 0.62, 0), (thick * 0.55, 1.0, -thick * 0.18)):
            ends = [(int((p[0] + off) * 8), int(p[1] * 8)) for p in ((x, y), tip)]
            cv2.line(paint, *ends, [c * tone for c in (104, 80, 62)], max(1, int(width)), cv2.LINE_AA, 3)
        cv2.line(mask, (int(x), int(y)), (int(tip[0]), int(tip[1])), 255, max(1, int(thick)), cv2.LINE_AA)
        if thick > 3:
            for side in (-1, 1):
                branch(*tip, turn + side * rng.uniform(0.25, 0.6), long * rng.uniform(0.62, 0.8), thick * 0.62)

    branch(wide / 2, high - 1, rng.uniform(-0.04, 0.04), 150, 26)
    clumps = [(wide / 2 + rng.normal(0, 95), 190 + rng.normal(0, 68), rng.uniform(34, 62)) for _ in range(34)]
    for layer in range(3):
        for x, y, radius in clumps:
            for _ in range(85):
                turn, off = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.random())
                lx, ly = x + off * np.cos(turn), y + off * 0.8 * np.sin(turn)
                lit = 0.5 + 0.26 * layer - 0.3 * (lx - wide / 2 + (ly - 190)) / 300 - 0.2 * np.sin(turn) * off / radius
                colour = [np.clip(c * lit * rng.uniform(0.8, 1.25), 0, 255) for c in warm]
                size = (int(rng.uniform(3, 7)), int(rng.uniform(2, 4)))
                for target, value in ((paint, colour), (mask, 255)):
                    cv2.ellipse(
                        target, (int(lx), int(ly)), size, float(np.degrees(turn)), 0, 360, value, -1, cv2.LINE_AA
                    )
    return paint.astype(np.float32), mask.astype(np.float32) / 255


def lamp() -> tuple[np.ndarray, np.ndarray]:
    """An iron street lamp."""
    paint, mask = np.zeros((400, 90, 3), np.uint8), np.zeros((400, 90), np.uint8)
    for target, iron in ((paint, (46, 54, 52)), (mask, 255)):
        cv2.rectangle(target, (41, 70), (49, 399), iron, -1)
        cv2.rectangle(target, (35, 350), (55, 399), iron, -1)
        cv2.rectangle(target, (37, 150), (53, 158), iron, -1)
        cv2.fillPoly(target, [np.array([(28, 70), (62, 70), (70, 22), (20, 22)], np.int32)], iron, cv2.LINE_AA)
        cv2.fillPoly(target, [np.array([(16, 22), (74, 22), (45, 0)], np.int32)], iron, cv2.LINE_AA)
    cv2.fillPoly(paint, [np.array([(32, 66), (58, 66), (64, 28), (26, 28)], np.int32)], (252, 232, 176), cv2.LINE_AA)
    cv2.line(paint, (43, 74), (43, 396), (104, 114, 108), 2)
    return paint.astype(np.float32), mask.astype(np.float32) / 255


def bench() -> tuple[np.ndarray, np.ndarray]:
    """A park bench seen from the front."""
    paint, mask = np.zeros((130, 250, 3), np.uint8), np.zeros((130, 250), np.uint8)
    for target, wood in ((paint, None), (mask, 255)):
        for k, y in enumerate((6, 24, 42, 66, 78)):
            cv2.rectangle(
                target, (8, y), (242, y + 11), wood or [c * (0.85 + 0.1 * (k % 3)) for c in (156, 100, 62)], -1
            )
        for x in (26, 216):
            cv2.rectangle(target, (x, 4), (x + 9, 128), wood or (50, 54, 54), -1)
    return paint.astype(np.float32), mask.astype(np.float32) / 255


def park(rng: np.random.Generator) -> list[Sprite]:
    """Two rows of trees with lamps and benches between, and a few trees behind; the farthest first."""
    warms = ((226, 142, 44), (206, 92, 42), (232, 178, 66), (176, 66, 40), (190, 156, 62))
    kinds = [tree(rng, warm) for warm in warms]
    found: list[Sprite] = []
    for k in range(16):
        z = 5.5 + 5.2 * k
        for side in (-1, 1):
            found.append(
                Sprite(*kinds[rng.integers(0, 5)], rng.uniform(7.2, 8.6), side * rng.uniform(3.5, 4.1), z + side * 0.9)
            )
            found.append(Sprite(*kinds[rng.integers(0, 5)], rng.uniform(7, 10), side * rng.uniform(8.5, 12), z + 2.5))
        found.append(Sprite(*lamp(), 3.4, (2.5, -2.5)[k % 2], z + 2.4))
        if k % 2:
            found.append(Sprite(*bench(), 0.95, (2.75, -2.75)[k // 2 % 2], z + 3.4))
    return sorted(found, key=lambda sprite: -sprite.z)


def ground(rng: np.random.Generator) -> np.ndarray:
    """Path, verges and lawn from above, 40 pixels a metre: 24 m across, 60 m long."""
    wide, long = 960, 2400
    canvas = np.ones((long, wide, 3), np.float32) * np.asarray((126, 130, 60), np.float32)
    canvas *= (0.72 + 0.5 * clouds(rng, long, wide, 50, 5))[..., None]
    x = np.abs(np.arange(wide) - wide / 2)[None] + 7 * (clouds(rng, long, wide, 60, 3) - 0.5)
    gravel = np.asarray((196, 174, 144), np.float32) * (0.8 + 0.3 * clouds(rng, long, wide, 22, 4))[..., None]
    canvas += (gravel - canvas) * np.clip((84 - x) / 5, 0, 1)[..., None]
    blend(canvas, (104, 84, 60), np.exp(-(((x - 86) / 5) ** 2)) * 0.7)
    for _ in range(15000):
        spot = (int(np.clip(rng.normal(wide / 2, 170), 0, wide)), int(rng.integers(0, long)))
        colour = ((222, 138, 44), (196, 82, 40), (236, 186, 76), (150, 60, 38))[rng.integers(0, 4)]
        size = (int(rng.integers(2, 5)), int(rng.integers(1, 3)))
        cv2.ellipse(
            canvas, spot, size, int(rng.integers(0, 180)), 0, 360, [c * rng.uniform(0.75, 1.1) for c in colour], -1
        )
    # The trees' shade lies across the path.
    shade = np.clip((clouds(rng, long, wide, 130, 4, stretch=1.6) - 0.45) * 4, 0, 1)
    return canvas * (1 - 0.34 * shade[..., None] * np.array((1, 0.95, 0.8), np.float32))


def backdrop(rng: np.random.Generator) -> np.ndarray:
    """Sky and far trees in the haze, wider than the picture."""
    high, wide = HIGH + 240, WIDE + 400
    level = 120 + HORIZON * HIGH
    canvas = gradient(high, wide, (0, (126, 170, 214)), (0.3, (196, 212, 220)), (0.5, HAZE), (1, HAZE))
    puffs = clouds(rng, high, wide, 160, 6, stretch=2)
    blend(canvas, (255, 244, 226), np.clip((puffs - 0.5) * 2.4, 0, 0.8) * np.linspace(1, 0.1, high)[:, None])
    glow(canvas, wide * 0.5, level - 40, 240, (70, 60, 24), 0.9)
    rows = np.arange(high, dtype=np.float32)[:, None]
    for k, colour in enumerate(((214, 192, 156), (204, 166, 116))):
        line = level - (50 - 20 * k) * clouds(rng, 4, wide, 70 - 20 * k, 5)[0] - 6
        blend(canvas, colour, np.clip(rows - line[None], 0, 1) * 0.85)
    return canvas


@dataclass(frozen=True)
class Hand:
    """Where the camera is: metres walked and to the right; and how far the hand has turned it: pixels, degrees."""

    ahead: float
    aside: float
    right: float
    down: float
    roll: float


def held(t: float) -> Hand:
    """Slow sway of a hand, steps once it walks, and a drift to the left that ends where it began."""
    walk = ease((t - SETS_OUT) / 0.9)
    step = 2 * np.pi * 1.75 * (t - SETS_OUT)
    sway = 17 * np.sin(4.1 * t + 0.4) + 10 * np.sin(7.3 * t + 1.7) + 5 * np.sin(12.1 * t)
    nod = 11 * np.sin(4.9 * t + 2.0) + 7 * np.sin(8.3 * t + 0.6)
    calm = 1 - 0.55 * walk
    ahead = 1.15 * max(0.0, t - SETS_OUT - 0.45 * (1 - walk)) * walk
    return Hand(
        ahead,
        0.18 * np.sin(0.6 * t) + 0.025 * walk * np.sin(step / 2),
        sway * calm,
        nod * calm + 5 * walk * abs(np.sin(step / 2)),
        0.5 * np.sin(2.3 * t) + 0.25 * walk * np.sin(step / 2),
    )


def scene(hand: Hand, sky: np.ndarray, floor: np.ndarray, sprites: list[Sprite]) -> np.ndarray:
    """What stands before the camera, the far first, each with the haze of its distance; not yet turned by the hand."""
    # A margin of 60 pixels all round, so that the hand may turn it.
    canvas = sky[60 : 60 + HIGH + 120, 140 : 140 + WIDE + 120].copy()
    high, wide = canvas.shape[:2]
    middle, level = wide / 2, HORIZON * HIGH + 60
    rows = np.arange(int(level) + 4, high, dtype=np.float32)
    z = EYE * FOCUS / (rows - level)
    along = np.repeat((z + hand.ahead)[:, None], wide, 1)
    across = (np.arange(wide, dtype=np.float32)[None] - middle) * (z / FOCUS)[:, None] + hand.aside
    at = ((across * 40 + 480).astype(np.float32), np.clip(along * 40, 0, 2399).astype(np.float32))
    earth = cv2.remap(floor, *at, cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
    fog = (1 - np.exp(-z / 34))[:, None, None]
    canvas[int(level) + 4 :] = earth * (1 - fog) + np.asarray(HAZE, np.float32) * fog
    for sprite in sprites:
        away = sprite.z - hand.ahead
        if away > 1.2:
            _stand(canvas, sprite, away, middle + (sprite.x - hand.aside) * FOCUS / away, level + EYE * FOCUS / away)
    return canvas


def _stand(canvas: np.ndarray, sprite: Sprite, away: float, x: float, foot: float) -> None:
    scale = sprite.tall * FOCUS / away / sprite.mask.shape[0]
    half = sprite.mask.shape[1] * scale / 2
    top = foot - sprite.mask.shape[0] * scale
    x0, x1 = max(0, int(x - half)), min(canvas.shape[1], int(x + half) + 1)
    y0, y1 = max(0, int(top)), min(canvas.shape[0], int(foot) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    matrix = np.array([[scale, 0, x - half - x0], [0, scale, top - y0]])
    how = cv2.INTER_LINEAR
    source, cover = sprite.paint * sprite.mask[..., None], sprite.mask
    if scale < 0.6:
        source, cover = (cv2.GaussianBlur(each, (0, 0), 0.35 / scale) for each in (source, cover))
    paint = cv2.warpAffine(source, matrix, (x1 - x0, y1 - y0), flags=how)
    mask = cv2.warpAffine(cover, matrix, (x1 - x0, y1 - y0), flags=how)[..., None]
    fog = 1 - np.exp(-away / 30)
    part = canvas[y0:y1, x0:x1]
    part *= 1 - mask
    part += paint * (1 - fog) + np.asarray(HAZE, np.float32) * fog * mask


def frames() -> Iterator[np.ndarray]:
    """The walk leads down the avenue, and the hand sways."""
    rng = np.random.default_rng(81)
    sky, floor, sprites = backdrop(rng), ground(rng), park(rng)
    for i in range(SECONDS * FPS):
        hand = held(i / FPS)
        canvas = scene(hand, sky, floor, sprites)
        turn = cv2.getRotationMatrix2D((canvas.shape[1] / 2, canvas.shape[0] / 2), float(hand.roll), 1.0)
        turn[:, 2] -= (60 + hand.right, 60 + hand.down)
        yield shown(cv2.warpAffine(canvas, turn, (WIDE, HIGH), borderMode=cv2.BORDER_REFLECT), (WIDTH, HEIGHT))
