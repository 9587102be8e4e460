"""Title cards on laid paper, and a glass of lemon tea between them."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from camera import View, ease, window
from PIL import Image, ImageDraw, ImageFont
from scenes import HEIGHT, SHARP, WIDTH, blend, clouds, disc, finish, glow, gradient

FPS, SECONDS = 24, 10
CUTS = (3.0, 5.0, 7.0)
INK, RUST = (62, 46, 38), (164, 84, 52)
NIGHT, CREAM = (38, 62, 56), (246, 234, 206)


def letters(height: int, width: int, x: float, y: float, text: str, size: float) -> np.ndarray:
    """A line of text as a mask, centred on (x, y); its words stand far enough apart to be read as words."""
    font = ImageFont.load_default(size=size)
    layer = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(layer)
    words = text.split(" ")
    lengths, gap = [pen.textlength(word, font=font) for word in words], size * 0.42
    x -= (sum(lengths) + gap * (len(words) - 1)) / 2
    for word, length in zip(words, lengths, strict=True):
        pen.text((x, y), word, fill=255, font=font, anchor="lm")
        x += length + gap
    return np.asarray(layer, np.float32) / 255


def paper(rng: np.random.Generator, tint: tuple[float, float, float]) -> np.ndarray:
    """Laid paper with fibres, darker towards the edges."""
    height, width = int(HEIGHT * SHARP), int(WIDTH * SHARP)
    canvas = np.ones((height, width, 3), np.float32) * np.asarray(tint, np.float32)
    canvas *= (0.94 + 0.08 * clouds(rng, height, width, 160, 6))[..., None]
    canvas *= (0.985 + 0.02 * np.sin(np.arange(width) * 2 * np.pi / 9))[None, :, None].astype(np.float32)
    for _ in range(260):
        x, y, turn = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0, np.pi)
        bend = [(x + 7 * k * np.cos(turn + 0.15 * k), y + 7 * k * np.sin(turn + 0.15 * k)) for k in range(4)]
        cv2.polylines(
            canvas, [np.array(bend, np.int32)], False, [c * rng.uniform(0.9, 0.97) for c in tint], 1, cv2.LINE_AA
        )
    yy, xx = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return canvas * (1 - 0.16 * np.clip(np.hypot(xx * 0.9, yy) - 0.45, 0, 1) ** 1.5)[..., None].astype(np.float32)


def sprig(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float, turn: float, size: float) -> None:
    """A branch with leaves and a lemon or two."""
    at, way = np.array((x, y)), turn
    stem = [at]
    for _ in range(9):
        way += 0.09
        at = at + size * 0.1 * np.array((np.cos(way), np.sin(way)))
        stem.append(at)
    cv2.polylines(canvas, [np.array(stem, np.int32)], False, (110, 92, 60), 4, cv2.LINE_AA)
    for k, root in enumerate(stem[1:]):
        for side in (-1, 1):
            lean = way - 0.5 + side * (0.85 + rng.uniform(-0.15, 0.15))
            _leaf(canvas, root, lean, size * rng.uniform(0.2, 0.27) * (1 - 0.04 * k), rng.uniform(0.8, 1.2))
    for share, side in ((0.35, 1), (0.7, -1)):
        root = stem[int(share * 9)]
        across = np.array((-np.sin(way), np.cos(way))) * side
        _lemon(canvas, root + across * size * 0.16, size * 0.1, way + side)


def _leaf(canvas: np.ndarray, root: np.ndarray, turn: float, long: float, tone: float) -> None:
    way, across = np.array((np.cos(turn), np.sin(turn))), np.array((-np.sin(turn), np.cos(turn)))
    along = np.linspace(0, 1, 14)
    half = 0.21 * long * np.sin(np.pi * along**0.85)
    middle = root + along[:, None] * long * way + (0.06 * long * np.sin(np.pi * along))[:, None] * across
    for side, colour in ((1, (92, 128, 70)), (-1, (118, 150, 84))):
        outline = np.vstack((middle, (middle + side * half[:, None] * across)[::-1])).astype(np.int32)
        cv2.fillPoly(canvas, [outline], [c * tone for c in colour], cv2.LINE_AA)
    cv2.polylines(canvas, [middle.astype(np.int32)], False, [c * tone for c in (168, 186, 128)], 1, cv2.LINE_AA)


def _lemon(canvas: np.ndarray, centre: np.ndarray, radius: float, turn: float) -> None:
    x, y = float(centre[0]), float(centre[1])
    yy, xx = np.mgrid[0 : canvas.shape[0], 0 : canvas.shape[1]].astype(np.float32)
    u = ((xx - x) * np.cos(turn) + (yy - y) * np.sin(turn)) / (radius * 1.3)
    v = ((yy - y) * np.cos(turn) - (xx - x) * np.sin(turn)) / radius
    # A nipple at each end.
    off = np.hypot(np.sign(u) * np.abs(u) ** 1.25, v) - 0.16 * np.exp(-((v / 0.22) ** 2)) * (np.abs(u) > 0.7)
    nz = np.sqrt(np.clip(1 - off**2, 0, 1))
    light = 0.72 + 0.42 * np.clip(-0.5 * (xx - x) / radius - 0.6 * (yy - y) / radius + 0.5 * nz, -0.6, 1)
    pores = 1 + 0.05 * clouds(np.random.default_rng(7), *canvas.shape[:2], 5, 2)
    paint = np.asarray((244, 206, 72), np.float32) * (light * pores)[..., None]
    blend(canvas, np.clip(paint, 0, 255), np.clip((1 - off) * radius, 0, 1))


def card(
    seed: int, lines: tuple[tuple[str, float, float], ...], tint: tuple[float, float, float], corners: int
) -> np.ndarray:
    """Lines (text, height from 0 to 1, size) on paper within a double frame, sprigs in `corners` of it, 0 to 4."""
    rng = np.random.default_rng(seed)
    canvas = paper(rng, tint)
    height, width = canvas.shape[:2]
    ink = INK if sum(tint) > 300 else CREAM
    for inset, thick in ((26, 3), (36, 1)) if ink == INK else ():
        cv2.rectangle(canvas, (inset, inset), (width - inset, height - inset), RUST, thick, cv2.LINE_AA)
    places = ((130, 20, 0.2), (width - 130, height - 20, 3.34), (20, height - 130, -0.9), (width - 20, 130, 2.24))
    for x, y, turn in places[:corners]:
        sprig(canvas, rng, x, y, turn, 230)
    if ink == CREAM:
        # The last card is another one at first sight: dark, with a wreath.
        for turn in np.arange(0, 2 * np.pi, np.pi / 4):
            at = (width / 2 + 330 * np.cos(turn), height / 2 + 190 * np.sin(turn))
            sprig(canvas, rng, *at, turn + 1.3, 190)
    canvas[:] = cv2.GaussianBlur(canvas, (0, 0), 0.7)
    for text, y, size in lines:
        mask = letters(height, width, width / 2, y * height, text, size)
        # Printed ink is a little uneven.
        blend(canvas, ink, mask * (0.9 + 0.1 * clouds(rng, height, width, 10, 2)))
    return finish(canvas, rng, 2.5)


def table(rng: np.random.Generator) -> np.ndarray:
    """A garden table in the sun: a glass of tea, lemons, a spoon, flowers out of focus behind."""
    height, width = int(HEIGHT * SHARP), int(WIDTH * SHARP)
    canvas = gradient(height, width, (0, (168, 200, 150)), (0.5, (112, 160, 92)), (1, (96, 140, 80)))
    blend(canvas, (60, 104, 60), np.clip((clouds(rng, height, width, 170, 4) - 0.5) * 2.4, 0, 0.8))
    for _ in range(110):
        colour = ((250, 214, 120), (240, 150, 160), (255, 250, 236), (196, 170, 230), (214, 236, 170))[
            rng.integers(0, 5)
        ]
        spot = np.zeros((height, width), np.float32)
        cv2.circle(
            spot,
            (int(rng.integers(0, width)), int(rng.integers(0, height * 0.62))),
            int(rng.integers(9, 30)),
            1,
            -1,
            cv2.LINE_AA,
        )
        blend(canvas, colour, spot * rng.uniform(0.12, 0.5))
    canvas[:] = cv2.GaussianBlur(canvas, (0, 0), 6)
    glow(canvas, width * 0.15, 0, height * 0.9, (90, 80, 36), 0.9)
    edge = int(0.66 * height)
    wood = (
        np.asarray((198, 152, 108), np.float32)
        * (0.78 + 0.36 * clouds(rng, height - edge, width, 26, 5, stretch=9))[..., None]
    )
    canvas[edge:] = wood * np.linspace(0.92, 1.1, height - edge, dtype=np.float32)[:, None, None]
    for k in range(1, 4):
        y = edge + int((height - edge) * (k / 4) ** 1.3)
        cv2.line(canvas, (0, y), (width, y), (112, 76, 50), 2 + k, cv2.LINE_AA)
        cv2.line(canvas, (0, y + 3 + k), (width, y + 3 + k), (222, 184, 140), 1, cv2.LINE_AA)
    cv2.line(canvas, (0, edge), (width, edge), (234, 200, 156), 4)
    _shade(canvas, width * 0.53, height * 0.86, 200, 26)
    for x, y, radius, turn in ((0.24, 0.78, 52, 0.4), (0.345, 0.83, 46, 2.6)):
        _shade(canvas, x * width + 24, y * height + radius * 0.9, radius * 1.5, 14)
        _lemon(canvas, np.array((x * width, y * height)), radius, turn)
    _slice(canvas, width * 0.71, height * 0.88, 56, 0.42)
    _spoon(canvas, width * 0.84, height * 0.8)
    _glass(canvas, rng, width * 0.5, height * 0.86, 104, 300)
    return finish(cv2.GaussianBlur(canvas, (0, 0), 0.9), rng, 3.0)


def _shade(canvas: np.ndarray, x: float, y: float, wide: float, high: float) -> None:
    """A soft shadow to the right of what stands there."""
    yy, xx = np.mgrid[0 : canvas.shape[0], 0 : canvas.shape[1]].astype(np.float32)
    canvas *= 1 - 0.5 * np.exp(-(((xx - x) / wide) ** 2) - ((yy - y) / high) ** 2)[..., None]


def _slice(canvas: np.ndarray, x: float, y: float, radius: float, flat: float) -> None:
    """A slice of lemon, lying down when `flat` is small."""
    _shade(canvas, x + 10, y + 12, radius * 1.1, radius * flat)
    for r, colour in ((1.0, (236, 190, 54)), (0.93, (252, 246, 216)), (0.83, (250, 226, 120))):
        size = (int(radius * r), int(radius * r * flat))
        cv2.ellipse(canvas, (int(x), int(y)), size, 0, 0, 360, colour, -1, cv2.LINE_AA)
    for angle in np.arange(0.2, 2 * np.pi, np.pi / 4.5):
        tip = (int(x + radius * 0.82 * np.cos(angle)), int(y + radius * 0.82 * flat * np.sin(angle)))
        cv2.line(canvas, (int(x), int(y)), tip, (252, 246, 220), 3, cv2.LINE_AA)
        mid = angle + np.pi / 9
        drop = (int(x + radius * 0.5 * np.cos(mid)), int(y + radius * 0.5 * flat * np.sin(mid)))
        cv2.ellipse(
            canvas,
            drop,
            (int(radius * 0.12), max(2, int(radius * 0.1 * flat))),
            0,
            0,
            360,
            (255, 242, 170),
            -1,
            cv2.LINE_AA,
        )


def _spoon(canvas: np.ndarray, x: float, y: float) -> None:
    _shade(canvas, x + 20, y + 16, 100, 8)
    cv2.line(canvas, (int(x - 20), int(y + 4)), (int(x + 150), int(y - 22)), (150, 146, 140), 10, cv2.LINE_AA)
    cv2.line(canvas, (int(x - 20), int(y + 1)), (int(x + 150), int(y - 25)), (238, 236, 230), 4, cv2.LINE_AA)
    cv2.ellipse(canvas, (int(x - 52), int(y + 10)), (46, 21), -8, 0, 360, (168, 164, 158), -1, cv2.LINE_AA)
    cv2.ellipse(canvas, (int(x - 54), int(y + 8)), (38, 15), -8, 0, 360, (120, 112, 100), -1, cv2.LINE_AA)
    cv2.ellipse(canvas, (int(x - 60), int(y + 12)), (26, 8), -8, 0, 360, (226, 222, 214), -1, cv2.LINE_AA)


def _glass(canvas: np.ndarray, rng: np.random.Generator, x: float, foot: float, half: float, tall: float) -> None:
    """A straight glass: what is behind shines through, tea fills it to three quarters."""
    height, width = canvas.shape[:2]
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    up = (foot - yy) / tall
    reach = half * (0.84 + 0.16 * up)
    side = (xx - x) / reach
    curve = 0.05 * np.sqrt(np.clip(1 - side**2, 0, 1))
    body = np.clip((1 - np.abs(side)) * reach, 0, 1) * (up > -curve) * (up < 1 - curve * 0.9)
    tea = np.clip((1 - np.abs(side) - 0.05) * reach, 0, 1) * (up > 0.05 - curve) * (up < 0.74)
    blend(canvas, (236, 244, 236), body * (0.10 + 0.5 * np.abs(side) ** 5))
    warm = gradient(height, width, (0, (240, 176, 70)), (0.45, (232, 150, 44)), (0.9, (176, 86, 22)))
    warm *= (0.85 + 0.3 * np.exp(-(((side + 0.35) / 0.4) ** 2)) + 0.1 * clouds(rng, height, width, 60, 3))[..., None]
    blend(canvas, np.clip(warm, 0, 255), tea * 0.9)
    surface = int(foot - 0.74 * tall)
    for wide, high, colour in ((0.91, 0.062, (250, 202, 110)), (0.84, 0.05, (232, 156, 56))):
        cv2.ellipse(canvas, (int(x), surface), (int(half * wide), int(tall * high)), 0, 0, 360, colour, -1, cv2.LINE_AA)
    _slice(canvas, x + 12, surface - 2, 54, 0.26)
    blend(canvas, (255, 255, 250), body * np.exp(-(((side + 0.72) / 0.05) ** 2)) * 0.75)
    blend(canvas, (255, 255, 250), body * np.exp(-(((side - 0.8) / 0.03) ** 2)) * 0.5)
    rim = (int(x), int(foot - tall))
    cv2.ellipse(canvas, rim, (int(half), int(tall * 0.055)), 0, 0, 360, (246, 250, 246), 3, cv2.LINE_AA)
    cv2.ellipse(
        canvas, (int(x), int(foot)), (int(half * 0.84), int(tall * 0.05)), 0, 10, 170, (250, 226, 180), 3, cv2.LINE_AA
    )
    slot = (x + half * 0.96, foot - tall - 8)
    disc(canvas, *slot, 40, (236, 190, 54))
    disc(canvas, *slot, 37, (252, 246, 216))
    disc(canvas, *slot, 32, (250, 226, 120))
    for angle in np.arange(0.3, 2 * np.pi, np.pi / 4):
        tip = (int(slot[0] + 31 * np.cos(angle)), int(slot[1] + 31 * np.sin(angle)))
        cv2.line(canvas, (int(slot[0]), int(slot[1])), tip, (252, 246, 220), 3, cv2.LINE_AA)


def steamed(picture: np.ndarray, haze: np.ndarray, t: float, zoom: float) -> np.ndarray:
    """Steam that rises from the glass."""
    yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    x, y = (xx - WIDTH / 2) / zoom, (yy - HEIGHT / 2) / zoom
    rise = np.clip((-40 - y) / 130, 0, 1)
    drift = cv2.remap(
        haze, x * 1.6 + 300 + 14 * np.sin(rise * 5 + t * 2), np.mod(y * 0.8 + 60 * t + 400, 800), cv2.INTER_LINEAR
    )
    wide = 26 + 40 * rise
    mask = np.exp(-((x / wide) ** 2)) * np.sin(np.pi * rise) * np.clip(drift - 0.42, 0, 1) * 2.2
    return np.clip(picture + (250 - picture) * mask[..., None], 0, 255).astype(np.uint8)


def frames() -> Iterator[np.ndarray]:
    """A title, the picture with a slow zoom, a card of two lines, an end card."""
    cards = (
        card(61, (("LEMON TEA", 0.46, 84), ("in the garden", 0.62, 44)), (240, 226, 196), 4),
        card(62, (("Three slices of lemon", 0.43, 56), ("and a spoon of honey", 0.57, 56)), (226, 232, 208), 2),
        card(63, (("THE END", 0.5, 84),), NIGHT, 0),
    )
    picture = table(np.random.default_rng(64))
    haze = clouds(np.random.default_rng(65), 900, 700, 120, 4)
    for i in range(SECONDS * FPS):
        t = i / FPS
        shot = sum(t >= cut for cut in CUTS)
        if shot == 1:
            zoom = 1.02 + 0.22 * ease((t - CUTS[0] + 0.6) / 3.7)
            yield steamed(window(picture, View(0.5, 0.5, zoom)), haze, t, zoom)
        else:
            yield window(cards[max(0, shot - 1)], View(0.5, 0.5))
