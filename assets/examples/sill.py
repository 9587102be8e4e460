"""A cat on a window sill on a rainy evening, upright; the lamp beside it is lit half way through."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import cv2
import numpy as np
from camera import ease, shown
from scenes import blend, clouds, finish, glow, gradient

SIZE, FPS, SECONDS = (360, 640), 24, 8
HIGH, WIDE = 960, 540
LIT = (4.0, 5.6)
"""Seconds in which the lamp comes up."""
SILL = 690
FUR = (214, 142, 84)


def outside(rng: np.random.Generator, night: bool) -> np.ndarray:
    """A street out of focus in the rain."""
    day = ((150, 164, 182), (186, 190, 194), (150, 156, 160))
    dark = ((40, 48, 78), (62, 62, 92), (50, 52, 74))
    low, mid, end = dark if night else day
    canvas = gradient(HIGH, WIDE, (0, low), (0.45, mid), (1, end))
    x = -20.0
    while x < WIDE:
        wide, top = rng.uniform(70, 130), rng.uniform(150, 330)
        tone = rng.uniform(0.8, 1.1) * (0.5 if night else 1)
        cv2.rectangle(canvas, (int(x), int(top)), (int(x + wide), HIGH), [c * tone for c in (120, 116, 122)], -1)
        for wy in np.arange(top + 26, 640, 46):
            for wx in np.arange(x + 16, x + wide - 20, 36):
                lit, bright = rng.random() < 0.45, rng.uniform(0.8, 1)
                glass = (255, 206, 120) if night and lit else (96 * tone, 104 * tone, 120 * tone)
                cv2.rectangle(canvas, (int(wx), int(wy)), (int(wx + 18), int(wy + 26)), [c * bright for c in glass], -1)
        x += wide + rng.uniform(-4, 30)
    canvas[:] = cv2.GaussianBlur(canvas, (0, 0), 7)
    for _ in range(70):
        spot = np.zeros((HIGH, WIDE), np.float32)
        cv2.circle(spot, (int(rng.integers(0, WIDE)), int(rng.integers(360, 690))), int(rng.integers(10, 24)), 1, -1)
        colour = ((255, 196, 110), (255, 120, 96), (150, 220, 200), (250, 240, 210))[rng.integers(0, 4)]
        strength = rng.uniform(0.15, 0.6)
        blend(canvas, colour, cv2.GaussianBlur(spot, (0, 0), 2) * strength * (1 if night else 0.22))
    return canvas


def room(rng: np.random.Generator, lit: bool) -> tuple[np.ndarray, np.ndarray]:
    """Everything inside, and a mask of it: frame, sill, pots, books, lamp."""
    canvas = gradient(HIGH, WIDE, (0, (120, 108, 112)), (0.7, (132, 116, 112)), (1, (104, 90, 88)))
    mask = np.zeros((HIGH, WIDE), np.float32)
    wood, edge = (206, 196, 186), (150, 138, 132)
    bars = [
        ((0, 0), (46, HIGH)),
        ((WIDE - 46, 0), (WIDE, HIGH)),
        ((0, 0), (WIDE, 48)),
        ((0, 262), (WIDE, 284)),
        ((263, 48), (281, 262)),
    ]
    for a, b in bars:
        cv2.rectangle(mask, a, b, 1, -1)
        cv2.rectangle(canvas, a, b, wood, -1)
        cv2.rectangle(canvas, (a[0] + 3, a[1] + 3), (b[0] - 3, b[1] - 3), edge, 2)
    mask[SILL:] = 1
    plank = np.asarray((196, 176, 156), np.float32) * (0.82 + 0.26 * clouds(rng, 70, WIDE, 20, 4, stretch=8))[..., None]
    canvas[SILL : SILL + 70] = plank * np.linspace(1.05, 0.9, 70, dtype=np.float32)[:, None, None]
    canvas[SILL + 70 : SILL + 92] = np.asarray((128, 110, 96), np.float32)
    wall = clouds(rng, HIGH - SILL - 92, WIDE, 60, 5)
    canvas[SILL + 92 :] = np.asarray((128, 106, 104), np.float32) * (0.86 + 0.22 * wall)[..., None]
    canvas[SILL + 92 : SILL + 120] *= np.linspace(0.6, 1, 28, dtype=np.float32)[:, None, None]
    for k, colour in enumerate(((126, 62, 58), (70, 96, 112), (190, 156, 92))):
        y = SILL + 34 - 26 * k
        cv2.rectangle(canvas, (58 + 5 * k, y - 26), (176 - 7 * k, y), colour, -1)
        cv2.rectangle(canvas, (58 + 5 * k, y - 26), (176 - 7 * k, y - 20), [c * 1.2 for c in colour], -1)
        cv2.rectangle(canvas, (58 + 5 * k, y - 26), (70 + 5 * k, y), [c * 0.75 for c in colour], -1)
        cv2.rectangle(mask, (58 + 5 * k, y - 26), (176 - 7 * k, y), 1, -1)
    _plant(canvas, mask, rng)
    _lamp(canvas, mask, lit)
    # The light by which the room is seen: grey from the window, warm from the lamp.
    if lit:
        canvas *= np.array((0.6, 0.5, 0.46), np.float32)
        glow(canvas, 428, 520, 560, (150, 96, 44), 0.75)
    return cv2.GaussianBlur(canvas, (0, 0), 0.8), cv2.GaussianBlur(mask, (0, 0), 0.8)


def _plant(canvas: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> None:
    """A pot on the books, its leaves hanging."""
    foot = SILL - 44
    for turn in rng.uniform(-1.5, 1.5, 26):
        reach, tone = rng.uniform(50, 120), rng.uniform(0.7, 1.25)
        stem = [
            (117 + reach * np.sin(turn) * s, foot - 56 - reach * (1.3 * s - 1.25 * s * s * abs(turn) / 1.4))
            for s in np.linspace(0, 1, 9)
        ]
        for k, (a, b) in enumerate(pairwise(stem)):
            wide = int(3 + 13 * np.sin(np.pi * (k + 1) / 9.2))
            for target, colour in ((canvas, [c * tone for c in (74, 118, 78)]), (mask, 1)):
                cv2.line(target, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), colour, wide)
        cv2.polylines(canvas, [np.array(stem, np.int32)], False, [c * tone for c in (120, 156, 104)], 2)
    for row in range(64):
        half = 30 + row * -0.12 if row > 14 else 34
        light = np.linspace(0.75, 1.15, int(2 * half))[:, None]
        y, x = foot - 64 + row, int(117 - half)
        canvas[y, x : x + int(2 * half)] = np.array((176, 106, 82), np.float32) * light
        mask[y, x : x + int(2 * half)] = 1


def _lamp(canvas: np.ndarray, mask: np.ndarray, lit: bool) -> None:
    """A table lamp with a cloth shade."""
    x, top = 440, 436
    for target, colour in ((canvas, (110, 84, 62)), (mask, 1)):
        cv2.rectangle(target, (x - 5, top + 100), (x + 5, SILL + 20), colour, -1)
        cv2.ellipse(target, (x, SILL + 22), (46, 13), 0, 0, 360, colour, -1)
        cv2.ellipse(target, (x, SILL - 34), (26, 34), 0, 0, 360, colour, -1)
    cv2.ellipse(canvas, (x - 9, SILL - 42), (6, 18), 14, 0, 360, (176, 146, 116), -1)
    for row in range(120):
        half = int(40 + 0.36 * row)
        across = np.linspace(-1, 1, 2 * half)[:, None]
        cloth = np.array((196, 182, 158), np.float32) * (0.72 + 0.28 * np.sqrt(1 - across**2))
        if lit:
            heat = np.exp(-(((row - 76) / 62) ** 2))
            cloth = np.array((300, 222, 140), np.float32) * (0.75 + 0.55 * heat * (1 - across**2))
        part = slice(max(0, x - half), min(WIDE, x + half))
        canvas[top + row, part] = cloth[: part.stop - part.start]
        mask[top + row, part] = 1
    for y, half in ((top, 40), (top + 119, 83)):
        cv2.line(canvas, (x - half, y), (x + half, y), (236, 180, 110) if lit else (150, 132, 110), 4)


def _blob(canvas: np.ndarray, x: float, y: float, wide: float, high: float, turn: float = 0.0) -> None:
    cv2.ellipse(canvas, (int(x * 4), int(y * 4)), (int(wide * 4), int(high * 4)), turn, 0, 360, 255, -1, cv2.LINE_AA, 2)


def cat(t: float) -> tuple[np.ndarray, np.ndarray]:
    """The sitting cat as a height map and a mask: it breathes, turns an ear and swings its tail."""
    shape = np.zeros((HIGH, WIDE), np.uint8)
    x, foot, breath = 292.0, SILL + 30.0, 2.0 * np.sin(t * 2.2)
    height = np.zeros((HIGH, WIDE), np.float32)

    def lay(tall: float, soft: float) -> None:
        nonlocal shape
        solid = shape.astype(np.float32) / 255
        swell = np.sqrt(np.clip(cv2.distanceTransform((shape > 127).astype(np.uint8), cv2.DIST_L2, 3) / soft, 0, 1))
        np.maximum(height, tall * cv2.GaussianBlur(swell, (0, 0), 3) * solid, out=height)
        shape = np.zeros_like(shape)

    swing = np.sin(t * 1.5)
    tail = [
        (x + 66 + 46 * np.sin(2.1 * s) + 30 * swing * s * s, foot - 8 + 118 * s**1.2) for s in np.linspace(0, 1, 16)
    ]
    for k, (tx, ty) in enumerate(tail):
        _blob(shape, tx, ty, 17 - 0.35 * k, 17 - 0.35 * k)
    lay(26, 15)
    _blob(shape, x, foot - 82, 84 + breath * 0.6, 92 + breath)
    _blob(shape, x + 2, foot - 158, 58 + breath * 0.5, 74)
    lay(60, 62)
    for side in (-1, 1):
        _blob(shape, x + side * 62, foot - 26, 34, 32)
    lay(56, 30)
    for side in (-1, 1):
        _blob(shape, x + side * 20, foot - 46, 19, 60)
        _blob(shape, x + side * 21, foot - 8, 23, 14)
    lay(66, 20)
    nod = 2.5 * np.sin(t * 0.9)
    for side in (-1, 1):
        flick = 7 * np.exp(-(((t - 2.6) / 0.12) ** 2)) if side > 0 else 5 * np.exp(-(((t - 6.4) / 0.12) ** 2))
        tip = (x + side * (50 + flick) + nod, foot - 318 + flick)
        ear = [(x + side * 12 + nod, foot - 268), tip, (x + side * 60 + nod, foot - 238)]
        cv2.fillPoly(shape, [np.array(ear, np.int32)], 255, cv2.LINE_AA)
    lay(52, 16)
    _blob(shape, x + nod, foot - 234, 64, 54)
    lay(78, 44)
    mask = cv2.GaussianBlur((height > 1).astype(np.float32), (0, 0), 1.6)
    return height, np.clip(mask * 1.5 - 0.2, 0, 1)


def fur(rng: np.random.Generator) -> np.ndarray:
    """Stripes and hairs in fixed places, as shares of the fur's colour."""
    yy, xx = np.mgrid[0:HIGH, 0:WIDE].astype(np.float32)
    x, y = xx - 292, yy - (SILL + 30)
    wave = 16 * clouds(rng, HIGH, WIDE, 60, 3)
    stripes = np.clip(np.sin((y + 0.0022 * x**2 + wave) / 8.5) * 1.6 - 0.35, 0, 1) * np.clip(
        np.abs(x) / 34 - 0.35, 0, 1
    )
    brow = np.clip(np.sin(x / 5.6 + 1.6) * 1.5, 0, 1) * np.exp(-(((y + 268) / 17) ** 2)) * np.exp(-((x / 34) ** 2))
    hairs = clouds(rng, HIGH, WIDE, 7, 2, stretch=0.4)
    return (1 - 0.4 * np.maximum(stripes, brow)) * (0.86 + 0.28 * hairs)


def lit_cat(canvas: np.ndarray, t: float, coat: np.ndarray, lamp: float, day: float) -> None:
    """The cat with light on it, white on chest and paws, and its face."""
    height, mask = cat(t)
    soft = cv2.GaussianBlur(height, (0, 0), 2.2)
    down, right = np.gradient(soft)
    normal = np.stack((-right, -down, np.full_like(soft, 0.9)), 2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    x, foot, nod = 292.0, SILL + 30.0, 2.5 * np.sin(t * 0.9)
    paint = np.asarray(FUR, np.float32) * coat[..., None]
    yy, xx = np.mgrid[0:HIGH, 0:WIDE].astype(np.float32)
    bib = np.exp(-(((xx - x) / 30) ** 4) - ((yy - foot + 140) / 58) ** 4)
    muzzle = np.exp(-(((xx - x - nod) / 26) ** 2) - ((yy - foot + 213) / 17) ** 2)
    paws = np.clip((yy - foot + 24) / 8, 0, 1) * (np.abs(xx - x) < 46)
    white = np.clip(np.maximum(np.maximum(bib, muzzle * 1.3), paws), 0, 1) * (0.9 + 0.1 * coat)
    paint += (np.asarray((244, 234, 222), np.float32) - paint) * white[..., None]
    window = np.clip(normal @ np.array((-0.5, -0.65, 0.57)), 0, 1)[..., None]
    warm = np.clip(normal @ np.array((0.82, 0.1, 0.56)), 0, 1)[..., None]
    light = (
        (0.38 + 0.04 * lamp) + window * day * np.array((0.62, 0.66, 0.74)) + warm * lamp * np.array((1.0, 0.7, 0.42))
    )
    canvas += (np.clip(paint * light, 0, 255).astype(np.float32) - canvas) * mask[..., None]
    _face(canvas, x + nod, foot - 228, t, 0.55 + 0.3 * lamp + 0.15 * day)


def _face(canvas: np.ndarray, x: float, y: float, t: float, bright: float) -> None:
    """Eyes that blink, nose, mouth, whiskers; drawn on a piece of eight bits, which smooths the lines."""
    x0, y0 = int(x) - 110, int(y) - 100
    piece = np.clip(canvas[y0 : y0 + 170, x0 : x0 + 220], 0, 255).astype(np.uint8)
    cx, cy = x - x0, y - y0
    shut = max(np.exp(-(((t - at) / 0.11) ** 2)) for at in (1.3, 4.7, 7.2))

    def at(px: float, py: float) -> tuple[int, int]:
        return int((cx + px) * 8), int((cy + py) * 8)

    for side in (-1, 1):
        inner = np.array([at(side * 24, -46), at(side * 46, -76), at(side * 53, -34)], np.int32)
        cv2.fillPoly(piece, [inner], [c * bright for c in (196, 128, 112)], cv2.LINE_AA, 3)
        tall = max(0.12, 1 - shut)
        cv2.ellipse(piece, at(side * 27, -6), (116, int(104 * tall)), 0, 0, 360, (46, 34, 28), -1, cv2.LINE_AA, 3)
        cv2.ellipse(
            piece,
            at(side * 27, -6),
            (94, int(86 * tall)),
            0,
            0,
            360,
            [c * bright for c in (176, 206, 96)],
            -1,
            cv2.LINE_AA,
            3,
        )
        cv2.ellipse(piece, at(side * 27, -6), (34, int(82 * tall)), 0, 0, 360, (22, 18, 18), -1, cv2.LINE_AA, 3)
        if tall > 0.5:
            cv2.circle(piece, at(side * 27 - 4, -11), 22, (250, 250, 244), -1, cv2.LINE_AA, 3)
        for k in (-1, 0, 1):
            cv2.line(
                piece,
                at(side * 20, 19 + 3 * k),
                at(side * 92, 14 + 14 * k),
                [c * bright for c in (246, 240, 232)],
                1,
                cv2.LINE_AA,
                3,
            )
        cv2.ellipse(piece, at(side * 8, 19), (64, 52), 0, 10, 170, (96, 62, 54), 2, cv2.LINE_AA, 3)
    nose = np.array([at(-8, 7), at(8, 7), at(0, 16)], np.int32)
    cv2.fillPoly(piece, [nose], [c * bright for c in (206, 122, 116)], cv2.LINE_AA, 3)
    canvas[y0 : y0 + 170, x0 : x0 + 220] = piece


def rain(rng: np.random.Generator, count: int) -> np.ndarray:
    """Drops on the pane: x, y, radius, speed, when they set out."""
    return np.stack(
        (
            rng.uniform(50, 490, count),
            rng.uniform(55, 640, count),
            rng.gamma(4, 0.9, count) + 1.2,
            rng.uniform(60, 190, count),
            rng.uniform(0, 14, count),
        ),
        1,
    )


def wet(view: np.ndarray, drops: np.ndarray, t: float) -> np.ndarray:
    """The view through drops: each shows it upside down; some run down and leave a trail."""
    bend = np.zeros((HIGH, WIDE, 2), np.float32)
    shine = np.zeros((HIGH, WIDE), np.float32)
    for k, (x, y, radius, speed, start) in enumerate(drops):
        if k % 7 == 0:
            radius, late = radius + 3, max(0.0, t + 6 - start)
            # A running drop stops and goes.
            way = speed * (late + 0.5 * np.sin(late * 3) / 3)
            y = 50 + (y + way) % 640
            x += 5 * np.sin(y / 37)
            top = int(max(50, y - 150))
            trail = np.linspace(0, 0.35, max(1, int(y) - top), dtype=np.float32)[:, None]
            shine[top : top + len(trail), int(x) - 1 : int(x) + 2] += trail * 0.5
        reach = int(radius * 1.5) + 2
        x0, y0 = int(x) - reach, int(y) - reach
        if x0 < 0 or y0 < 0 or y0 + 2 * reach > HIGH or x0 + 2 * reach > WIDE:
            continue
        yy, xx = np.mgrid[y0 : y0 + 2 * reach, x0 : x0 + 2 * reach].astype(np.float32)
        u, v = (xx - x) / radius, (yy - y) / (radius * 1.25)
        inside = np.clip((1 - np.hypot(u, v)) * radius, 0, 1)
        part = (slice(y0, y0 + 2 * reach), slice(x0, x0 + 2 * reach))
        bend[part] += np.stack((-u, -v), 2) * (inside * radius * 5)[..., None]
        shine[part] += inside * (np.exp(-((u + 0.35) ** 2 + (v + 0.4) ** 2) * 9) * 0.8 - 0.3 * np.clip(v, 0, 1))
    yy, xx = np.mgrid[0:HIGH, 0:WIDE].astype(np.float32)
    seen = cv2.remap(view, xx + bend[..., 0], yy + bend[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return seen + 130 * shine[..., None] * (0.35 + view.mean() / 200)


def frames() -> Iterator[np.ndarray]:
    """Dusk falls until the lamp is lit."""
    views = [cv2.GaussianBlur(outside(np.random.default_rng(71), night), (0, 0), 3) for night in (False, True)]
    rooms = [room(np.random.default_rng(72), lit) for lit in (False, True)]
    coat, drops = fur(np.random.default_rng(73)), rain(np.random.default_rng(74), 230)
    grain = finish(np.full((HIGH, WIDE, 3), 128.0, np.float32), np.random.default_rng(75), 2.5).astype(np.float32) - 128
    for i in range(SECONDS * FPS):
        t = i / FPS
        dusk, lamp = ease(t / 4.2), ease((t - LIT[0]) / (LIT[1] - LIT[0]))
        canvas = wet(views[0] * (1 - dusk) + views[1] * dusk, drops, t)
        inside = rooms[0][0] * (1 - 0.62 * dusk) * (1 - lamp) + rooms[1][0] * lamp
        canvas += (inside - canvas) * rooms[0][1][..., None]
        glow(canvas, 440, 520, 190, (92, 62, 26), 0.8 * lamp)
        _cat_shadow(canvas, lamp)
        lit_cat(canvas, t, coat, lamp, 1 - 0.62 * dusk)
        yield shown(canvas + grain, SIZE)


def _cat_shadow(canvas: np.ndarray, lamp: float) -> None:
    """Where the cat keeps the light from the sill: in front by day, on the left by lamp."""
    yy, xx = np.mgrid[SILL : SILL + 90, 0:WIDE].astype(np.float32)
    spot = np.exp(-(((xx - 292 + 60 * lamp) / 120) ** 2) - ((yy - SILL - 36) / 22) ** 2)
    canvas[SILL : SILL + 90] *= 1 - 0.45 * spot[..., None]
