"""Canvases for the example clips, `SHARP` times as large as they are shown; each a (h, w, 3) uint8 RGB picture."""

from __future__ import annotations

import cv2
import numpy as np

WIDTH, HEIGHT, SHARP = 640, 360, 1.5
Rng = np.random.Generator
Colour = tuple[float, float, float]


def clouds(rng: Rng, height: int, width: int, coarse: float, octaves: int = 5, stretch: float = 1.0) -> np.ndarray:
    """Smooth noise from 0 to 1; `coarse` is the largest feature in pixels, `stretch` makes it wider."""
    out, weight = np.zeros((height, width), np.float32), 1.0
    for _ in range(octaves):
        cells = max(2, int(height / coarse) + 2), max(2, int(width / coarse / stretch) + 2)
        grid = rng.random(cells, np.float32)
        out += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        coarse, weight = max(2.0, coarse / 2), weight * 0.55
    low, high = np.percentile(out, (1, 99))
    return np.clip((out - low) / (high - low), 0, 1)


def gradient(height: int, width: int, *stops: tuple[float, Colour]) -> np.ndarray:
    """A vertical gradient through (share of the height, colour)."""
    at = np.linspace(0, 1, height)
    columns = [np.interp(at, [s[0] for s in stops], [s[1][c] for s in stops]) for c in range(3)]
    return np.repeat(np.stack(columns, 1)[:, None].astype(np.float32), width, axis=1)


def blend(canvas: np.ndarray, colour: np.ndarray | Colour, mask: np.ndarray) -> None:
    """Lays a colour over a canvas where a mask from 0 to 1 says so."""
    canvas += (np.asarray(colour, np.float32) - canvas) * mask[..., None]


def glow(canvas: np.ndarray, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
    """Adds light around a point."""
    yy, xx = np.mgrid[0 : canvas.shape[0], 0 : canvas.shape[1]].astype(np.float32)
    canvas += strength * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / radius**2)[..., None] * np.asarray(colour, np.float32)


def disc(canvas: np.ndarray, x: float, y: float, radius: float, colour: Colour) -> None:
    yy, xx = np.mgrid[0 : canvas.shape[0], 0 : canvas.shape[1]].astype(np.float32)
    blend(canvas, colour, np.clip(radius - np.hypot(xx - x, yy - y), 0, 1))


def ridge(rng: Rng, width: int, rough: float, octaves: int = 6) -> np.ndarray:
    """A mountain line: heights from 0 to 1."""
    return clouds(rng, 4, width, rough, octaves)[0]


def finish(canvas: np.ndarray, rng: Rng, grain: float = 5.0) -> np.ndarray:
    """Adds a little paper grain, so that nothing is perfectly flat."""
    noise = cv2.GaussianBlur(rng.normal(0, grain * 2, canvas.shape[:2]).astype(np.float32), (0, 0), 1.1)
    return np.clip(canvas + noise[..., None], 0, 255).astype(np.uint8)


def pine(canvas: np.ndarray, rng: Rng, x: float, foot: float, tall: float, colour: Colour) -> None:
    """A fir of stacked ragged triangles, lit from the left."""
    for k in range(6):
        top, bottom = foot - tall * (1 - 0.13 * k), foot - tall * (0.62 - 0.12 * k)
        half = tall * (0.06 + 0.035 * k)
        for side, light in ((-1, 1.25), (1, 0.8)):
            tip = (x + side * half, bottom + rng.uniform(-2, 2))
            points = np.array([(x, top), tip, (x, bottom - tall * 0.02)], np.int32)
            cv2.fillPoly(canvas, [points], [c * light * rng.uniform(0.9, 1.1) for c in colour], cv2.LINE_AA)
    cv2.rectangle(canvas, (int(x - 2), int(foot - tall * 0.06)), (int(x + 2), int(foot)), (58, 40, 28), -1)


def valley(rng: Rng) -> np.ndarray:
    """A lake between mountains at sunrise, two and a bit pictures wide."""
    height, width = int(HEIGHT * SHARP), int(WIDTH * SHARP * 2.3)
    canvas = gradient(
        height, width, (0, (74, 118, 178)), (0.3, (168, 178, 204)), (0.5, (252, 205, 160)), (0.6, (255, 226, 184))
    )
    glow(canvas, width * 0.42, height * 0.47, height * 0.5, (90, 60, 10), 0.9)
    disc(canvas, width * 0.42, height * 0.42, height * 0.045, (255, 244, 214))
    puffs = clouds(rng, height, width, 150, 6, stretch=3)
    fade = np.clip(1 - np.linspace(0, 1, height) / 0.55, 0, 1)[:, None]
    blend(canvas, (255, 226, 214), np.clip((puffs - 0.5) * 2.4, 0, 0.85) * fade)
    shore = 0.665
    layers = (
        (0.34, 0.17, 420, (150, 152, 188)),
        (0.44, 0.13, 300, (112, 124, 160)),
        (0.53, 0.10, 220, (76, 102, 118)),
        (0.61, 0.06, 160, (52, 84, 70)),
    )
    rows = np.arange(height, dtype=np.float32)[:, None]
    for base, reach, rough, colour in layers:
        line = (base - reach * (ridge(rng, width, rough) - 0.5)) * height
        inside = np.clip(rows - line[None], 0, 1) * (rows < shore * height)
        depth = np.clip((rows - line[None]) / (0.25 * height), 0, 1)
        rock = clouds(rng, height, width, 60, 5)
        shade = 0.72 + 0.56 * rock
        snow = np.clip((0.10 - depth) * 12, 0, 1) * (rock > 0.45) * (base < 0.5)
        paint = np.asarray(colour, np.float32) * shade[..., None] * (1 - 0.25 * depth[..., None]) + 52 * depth[..., None]
        canvas += (paint - canvas) * inside[..., None]
        blend(canvas, (244, 240, 246), inside * snow * 0.85)
    _lake(canvas, rng, shore)
    _meadow(canvas, rng)
    return finish(canvas, rng)


def _lake(canvas: np.ndarray, rng: Rng, shore: float) -> None:
    """Mirrors what is above the shore, with ripples."""
    height, width = canvas.shape[:2]
    top = int(shore * height)
    deep = height - top
    ripple = (clouds(rng, deep, width, 26, 4, stretch=6) - 0.5) * np.linspace(4, 26, deep)[:, None]
    source_y = (top - 1 - np.arange(deep, dtype=np.float32)[:, None] * 1.1 + ripple).astype(np.float32)
    source_x = np.repeat(np.arange(width, dtype=np.float32)[None], deep, 0) + ripple.astype(np.float32) * 0.3
    mirror = cv2.remap(canvas, source_x, np.clip(source_y, 0, top - 1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    canvas[top:] = mirror * 0.82 + np.array((14, 26, 40), np.float32)
    sparkle = clouds(rng, deep, width, 14, 3, stretch=5) > 0.86
    near = np.exp(-(((np.arange(width) - width * 0.42) / (width * 0.16)) ** 2))[None]
    blend(canvas[top:], (255, 236, 200), sparkle * near * 0.7)


def _meadow(canvas: np.ndarray, rng: Rng) -> None:
    """The near shore: grass, flowers, firs and a cabin with a lit window."""
    height, width = canvas.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    line = (0.83 - 0.07 * (ridge(rng, width, 260, 4) - 0.5)) * height
    inside = np.clip(rows - line[None], 0, 1)
    grass = clouds(rng, height, width, 24, 4)
    canvas += (np.asarray((66, 104, 48), np.float32) * (0.55 + 0.9 * grass[..., None]) - canvas) * inside[..., None]
    for _ in range(900):
        x, y = rng.integers(0, width), rng.integers(int(0.8 * height), height)
        if y > line[x] + 8:
            colour = ((238, 214, 92), (236, 236, 232), (206, 92, 116))[rng.integers(0, 3)]
            cv2.circle(canvas, (int(x), int(y)), int(1 + 2.2 * (y / height - 0.75) * 4), colour, -1, cv2.LINE_AA)
    x, y = width * 0.655, height * 0.79
    _cabin(canvas, x, y, height * 0.115)
    for x in rng.uniform(0, width, 60):
        if abs(x - width * 0.655) > 90:
            tall = height * rng.uniform(0.1, 0.25)
            pine(canvas, rng, x, line[int(x)] + rng.uniform(2, 30), tall, (40, 78, 58))


def _cabin(canvas: np.ndarray, x: float, y: float, size: float) -> None:
    wall = (x - size * 0.8, y - size * 0.55, x + size * 0.8, y + size * 0.35)
    corners = [(int(wall[0]), int(wall[1])), (int(wall[2]), int(wall[3]))]
    cv2.rectangle(canvas, *corners, (124, 78, 48), -1)
    for k in range(6):
        row = int(wall[1] + (wall[3] - wall[1]) * k / 6)
        cv2.line(canvas, (corners[0][0], row), (corners[1][0], row), (88, 54, 34), 2)
    roof = np.array([(x - size * 1.02, y - size * 0.5), (x, y - size * 1.15), (x + size * 1.02, y - size * 0.5)], np.int32)
    cv2.fillPoly(canvas, [roof], (142, 52, 44), cv2.LINE_AA)
    cv2.polylines(canvas, [roof], True, (92, 34, 30), 2, cv2.LINE_AA)
    glow(canvas, x - size * 0.35, y - size * 0.15, size * 0.8, (110, 80, 20), 0.5)
    for dx in (-0.35, 0.4):
        a, b = (int(x + size * (dx - 0.16)), int(y - size * 0.32)), (int(x + size * (dx + 0.16)), int(y + size * 0.0))
        cv2.rectangle(canvas, a, b, (255, 214, 120), -1)
        cv2.rectangle(canvas, a, b, (70, 42, 26), 2)
    cv2.rectangle(canvas, (int(x - size * 0.1), int(y - size * 0.12)), (int(x + size * 0.12), int(y + size * 0.35)), (66, 40, 26), -1)


def city(rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """A skyline over a river at dusk and the same at night."""
    height, width = int(HEIGHT * SHARP), int(WIDTH * SHARP)
    skies = (
        gradient(height, width, (0, (70, 84, 150)), (0.35, (196, 120, 140)), (0.62, (252, 176, 104)), (1, (255, 200, 120))),
        gradient(height, width, (0, (8, 10, 32)), (0.4, (22, 26, 66)), (0.7, (58, 48, 92)), (1, (66, 50, 90))),
    )
    puffs = np.clip((clouds(rng, height, width, 110, 5, stretch=4) - 0.52) * 2, 0, 0.7)
    blend(skies[0], (255, 214, 180), puffs)
    blend(skies[1], (40, 40, 84), puffs)
    for _ in range(160):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, int(height * 0.5)))
        cv2.circle(skies[1], (x, y), 1, [float(rng.uniform(150, 255))] * 3, -1, cv2.LINE_AA)
    glow(skies[1], width * 0.8, height * 0.16, 90, (40, 44, 60), 0.8)
    disc(skies[1], width * 0.8, height * 0.16, 26, (244, 240, 220))
    disc(skies[1], width * 0.8 + 10, height * 0.16 - 6, 22, (26, 28, 66))
    ground = int(height * 0.78)
    for depth, (low, high) in enumerate(((0.25, 0.5), (0.12, 0.42))):
        x = -20.0
        while x < width:
            wide, tall = rng.uniform(44, 104), rng.uniform(low, high) * height
            _house(skies, rng, x, wide, ground - tall, ground, depth)
            x += wide + rng.uniform(0, 10)
    for sky, water in zip(skies, ((196, 140, 120), (24, 24, 56)), strict=True):
        deep = height - ground
        wave = (clouds(np.random.default_rng(2), deep, width, 20, 4, stretch=5) - 0.5) * 18
        rows = np.clip(ground - 1 - np.arange(deep)[:, None] * 1.6 + wave, 0, ground - 1).astype(np.float32)
        columns = np.repeat(np.arange(width, dtype=np.float32)[None], deep, 0)
        mirror = cv2.remap(sky, columns, rows, cv2.INTER_LINEAR)
        sky[ground:] = 0.6 * mirror + 0.4 * np.asarray(water, np.float32)
    seed = int(rng.integers(1 << 30))
    dusk, night = (finish(sky, np.random.default_rng(seed), 4.0) for sky in skies)
    return dusk, night


def _house(skies: tuple[np.ndarray, np.ndarray], rng: Rng, x: float, wide: float, top: float, foot: int, depth: int) -> None:
    tone = rng.uniform(0.85, 1.15)
    walls = (((128, 92, 116), (36, 34, 66)), ((74, 58, 86), (20, 20, 42)))[depth]
    for sky, wall in zip(skies, walls, strict=True):
        cv2.rectangle(sky, (int(x), int(top)), (int(x + wide), foot), [c * tone for c in wall], -1)
    if rng.random() < 0.4:
        for sky, wall in zip(skies, walls, strict=True):
            mast = (int(x + wide / 2), int(top - rng.uniform(18, 40)))
            cv2.line(sky, mast, (mast[0], int(top)), [c * tone for c in wall], 3)
    if depth == 0:
        return
    for wy in np.arange(top + 10, foot - 10, 15):
        for wx in np.arange(x + 7, x + wide - 10, 13):
            lit = rng.random() < 0.55
            warm = ((255, 206, 110), (255, 232, 170), (190, 216, 255))[rng.integers(0, 3)]
            a, b = (int(wx), int(wy)), (int(wx + 6), int(wy + 8))
            cv2.rectangle(skies[0], a, b, (104, 84, 112) if not lit or rng.random() < 0.75 else (250, 200, 120), -1)
            cv2.rectangle(skies[1], a, b, warm if lit else (28, 28, 54), -1)


def street(rng: Rng) -> np.ndarray:
    """A tower at night seen from the street, two pictures high."""
    height, width = int(HEIGHT * SHARP * 2), int(WIDTH * SHARP)
    canvas = gradient(height, width, (0, (10, 12, 40)), (0.5, (34, 32, 80)), (1, (90, 60, 96)))
    for _ in range(220):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height // 2))
        cv2.circle(canvas, (x, y), 1, [float(rng.uniform(140, 255))] * 3, -1, cv2.LINE_AA)
    for left, wide, top, wall in (
        (0, 240, 0.42, (30, 30, 58)),
        (680, 290, 0.3, (34, 28, 56)),
        (300, 330, 0.1, (44, 46, 84)),
    ):
        y0 = int(top * height)
        cv2.rectangle(canvas, (left, y0), (left + wide, height), wall, -1)
        for wy in range(y0 + 24, height - 150, 40):
            for wx in range(left + 16, left + wide - 24, 34):
                lit = rng.random() < 0.5
                warm = ((255, 206, 110), (255, 232, 170), (170, 206, 255))[rng.integers(0, 3)]
                bright = rng.uniform(0.7, 1.0)
                colour = [c * bright for c in warm] if lit else [c * rng.uniform(0.5, 0.8) for c in wall]
                cv2.rectangle(canvas, (wx, wy), (wx + 18, wy + 24), colour, -1)
                cv2.line(canvas, (wx, wy + 12), (wx + 18, wy + 12), [c * 0.7 for c in colour], 1)
    for k, colour in enumerate(((255, 96, 120), (96, 214, 255), (255, 196, 90), (150, 255, 170))):
        x = 60 + k * 240
        cv2.rectangle(canvas, (x, height - 140), (x + 170, height - 40), (16, 16, 30), -1)
        cv2.rectangle(canvas, (x + 8, height - 128), (x + 162, height - 60), [c * 0.75 for c in colour], -1)
        glow(canvas, x + 85, height - 90, 130, tuple(c * 0.35 for c in colour), 1.0)
    cv2.rectangle(canvas, (0, height - 40), (width, height), (24, 22, 36), -1)
    return finish(canvas, rng)


def bedroom(rng: Rng) -> np.ndarray:
    """A child's room: wallpaper, window, shelf, wooden floor."""
    height, width = int(HEIGHT * SHARP), int(WIDTH * SHARP * 1.5)
    canvas = gradient(height, width, (0, (182, 214, 206)), (0.7, (206, 228, 214)), (1, (206, 228, 214)))
    canvas *= (0.94 + 0.1 * clouds(rng, height, width, 90, 4))[..., None]
    for y in range(20, int(0.78 * height), 44):
        for x in range(20 + 22 * ((y // 44) % 2), width, 44):
            cv2.circle(canvas, (x, y), 5, (158, 196, 190), -1, cv2.LINE_AA)
    floor = int(0.78 * height)
    for k, x in enumerate(range(-60, width, 90)):
        tone = rng.uniform(0.85, 1.1)
        points = np.array([(x, floor), (x + 88, floor), (x + 130, height), (x + 30, height)], np.int32)
        cv2.fillPoly(canvas, [points], [c * tone for c in (186, 132, 84)], cv2.LINE_AA)
    canvas[floor:] *= (0.86 + 0.24 * clouds(rng, height - floor, width, 14, 3, stretch=6))[..., None]
    cv2.rectangle(canvas, (0, floor - 10), (width, floor), (244, 240, 228), -1)
    x0, y0, x1, y1 = int(width * 0.5), 60, int(width * 0.66), 250
    canvas[y0:y1, x0:x1] = gradient(y1 - y0, x1 - x0, (0, (120, 186, 236)), (1, (214, 236, 246)))
    blend(canvas[y0:y1, x0:x1], (255, 255, 255), np.clip((clouds(rng, y1 - y0, x1 - x0, 60, 4) - 0.5) * 2, 0, 0.9))
    cv2.rectangle(canvas, (x0 - 6, y0 - 6), (x1 + 6, y1 + 6), (250, 248, 240), 10)
    cv2.line(canvas, ((x0 + x1) // 2, y0), ((x0 + x1) // 2, y1), (250, 248, 240), 6)
    cv2.line(canvas, (x0, (y0 + y1) // 2), (x1, (y0 + y1) // 2), (250, 248, 240), 6)
    shelf = int(width * 0.24)
    cv2.rectangle(canvas, (shelf, 226), (shelf + 260, 238), (150, 100, 62), -1)
    x = shelf + 8
    while x < shelf + 236:
        wide, tall = int(rng.integers(12, 26)), int(rng.integers(52, 90))
        colour = ((196, 72, 64), (66, 110, 158), (232, 184, 78), (86, 138, 96), (140, 92, 150))[rng.integers(0, 5)]
        cv2.rectangle(canvas, (x, 226 - tall), (x + wide, 226), colour, -1)
        cv2.rectangle(canvas, (x, 226 - tall), (x + wide, 226), [c * 0.7 for c in colour], 1)
        x += wide + 2
    cv2.ellipse(canvas, (int(width * 0.5), height - 34), (330, 34), 0, 0, 360, (196, 92, 84), -1, cv2.LINE_AA)
    cv2.ellipse(canvas, (int(width * 0.5), height - 34), (280, 26), 0, 0, 360, (238, 206, 176), 4, cv2.LINE_AA)
    return finish(canvas, rng)


def beach(rng: Rng) -> np.ndarray:
    """Sea, sand, shells, palms and a parasol."""
    height, width = int(HEIGHT * SHARP), int(WIDTH * SHARP * 1.9)
    canvas = gradient(height, width, (0, (64, 154, 224)), (0.48, (186, 226, 244)), (1, (186, 226, 244)))
    blend(canvas, (255, 255, 255), np.clip((clouds(rng, height, width, 120, 6, stretch=2.4) - 0.55) * 3, 0, 0.95))
    sea, sand = int(0.48 * height), int(0.66 * height)
    water = gradient(sand - sea, width, (0, (22, 112, 160)), (0.8, (60, 186, 190)), (1, (150, 222, 208)))
    foam = clouds(rng, sand - sea, width, 18, 4, stretch=5)
    canvas[sea:sand] = water * (0.86 + 0.3 * foam[..., None])
    blend(canvas[sea:sand], (244, 252, 252), np.clip((foam - 0.8) * 5, 0, 0.8))
    dune = clouds(rng, height - sand, width, 40, 5, stretch=2)
    canvas[sand:] = np.asarray((236, 208, 152), np.float32) * (0.84 + 0.26 * dune[..., None])
    for _ in range(260):
        x, y = int(rng.integers(0, width)), int(rng.integers(sand + 8, height))
        colour = ((250, 240, 224), (214, 160, 120), (176, 140, 104))[rng.integers(0, 3)]
        cv2.ellipse(canvas, (x, y), (int(rng.integers(2, 6)), int(rng.integers(2, 4))), 0, 0, 360, colour, -1, cv2.LINE_AA)
    for x in (int(width * 0.12), int(width * 0.47), int(width * 0.84)):
        _palm(canvas, rng, x, sand + 40)
    x, y = int(width * 0.3), sand + 30
    cv2.line(canvas, (x, y), (x, y - 150), (240, 240, 236), 6)
    for k in range(6):
        points = np.array([(x, y - 190), (x - 110 + k * 37, y - 120), (x - 73 + k * 37, y - 120)], np.int32)
        cv2.fillPoly(canvas, [points], ((226, 74, 70), (250, 246, 236))[k % 2], cv2.LINE_AA)
    return finish(canvas, rng)


def _palm(canvas: np.ndarray, rng: Rng, x: int, foot: int) -> None:
    at = [(x + int(34 * (k / 11) ** 2), foot - 20 * k) for k in range(12)]
    for k, (a, b) in enumerate(zip(at, at[1:], strict=False)):
        cv2.line(canvas, a, b, (130 - 4 * k, 96, 62), 14 - k // 2, cv2.LINE_AA)
    crown = at[-1]
    for angle in np.linspace(-0.5, np.pi + 0.5, 9):
        for share in np.linspace(0.15, 1, 14):
            px = crown[0] + 110 * share * np.cos(angle)
            py = crown[1] - 60 * share * np.sin(angle) + 60 * share**2
            tone = rng.uniform(0.8, 1.2)
            tip = (int(px + 6 * np.cos(angle)), int(py + 26 * (1.1 - share)))
            cv2.line(canvas, (int(px), int(py)), tip, [c * tone for c in (44, 128, 66)], 4, cv2.LINE_AA)


def rooftop(rng: Rng) -> np.ndarray:
    """A roof terrace at sunset with lamps and far houses."""
    height, width = int(HEIGHT * SHARP), int(WIDTH * SHARP * 1.5)
    canvas = gradient(height, width, (0, (52, 44, 104)), (0.35, (156, 84, 136)), (0.62, (246, 150, 104)), (1, (255, 190, 120)))
    blend(canvas, (255, 196, 170), np.clip((clouds(rng, height, width, 100, 6, stretch=3) - 0.5) * 2, 0, 0.6))
    x = 0.0
    while x < width:
        wide, tall = rng.uniform(40, 90), rng.uniform(0.1, 0.32) * height
        top, wall = int(0.72 * height - tall), rng.uniform(0.85, 1.2)
        cv2.rectangle(canvas, (int(x), top), (int(x + wide), height), [c * wall for c in (84, 56, 96)], -1)
        for wy in range(top + 8, int(0.72 * height), 14):
            for wx in range(int(x) + 6, int(x + wide) - 8, 12):
                if rng.random() < 0.45:
                    cv2.rectangle(canvas, (wx, wy), (wx + 5, wy + 7), (255, 210, 130), -1)
        x += wide
    floor = int(0.8 * height)
    canvas[floor:] = gradient(height - floor, width, (0, (104, 66, 74)), (1, (140, 90, 84)))
    canvas[floor:] *= (0.8 + 0.35 * clouds(rng, height - floor, width, 22, 4, stretch=2))[..., None]
    for k in range(-14, 15):
        a, b = (int(width / 2 + k * 60), floor), (int(width / 2 + k * 110), height)
        cv2.line(canvas, a, b, (84, 52, 62), 2, cv2.LINE_AA)
    cv2.rectangle(canvas, (0, floor - 46), (width, floor - 38), (52, 38, 58), -1)
    for x in range(0, width, 30):
        cv2.line(canvas, (x, floor - 42), (x, floor), (52, 38, 58), 4)
    line = [(x, int(110 + 46 * np.sin(np.pi * ((x / 300) % 1)))) for x in range(0, width + 1, 20)]
    cv2.polylines(canvas, [np.array(line, np.int32)], False, (46, 34, 52), 2, cv2.LINE_AA)
    for x, y in line[1::2]:
        glow_at = canvas[max(0, y - 40) : y + 50, max(0, x - 45) : x + 45]
        glow(glow_at, min(45, x), min(40, y), 26, (120, 90, 30), 0.9)
        cv2.circle(canvas, (x, y + 6), 6, (255, 236, 170), -1, cv2.LINE_AA)
    return finish(canvas, rng)
