"""Clips drawn with a known camera: textured canvases seen through a moving window. For tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.types import Frame, Picture

TEXTURES = ("clouds", "shapes", "grain", "soft", "streets")
Overlay = Callable[[Picture, float], Picture]
"""Draws over a picture at a time in seconds."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Constant camera speeds; everything is 0 for a camera that stands still."""

    pan: float = 0.0
    """Picture widths a second, positive to the right (the content moves left)."""
    tilt: float = 0.0
    """Picture heights a second, positive downwards (the content moves up)."""
    zoom: float = 1.0
    """Times larger each second."""
    roll: float = 0.0
    """Degrees a second."""
    shake: float = 0.0
    """Picture widths: standard deviation of jitter from picture to picture."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip to be drawn."""

    camera: Camera = field(default_factory=Camera)
    texture: str = "shapes"
    seed: int = 0
    size: tuple[int, int] = (480, 270)
    seconds: float = 2.0
    rate: float = 4.0
    """Pictures a second."""
    noise: float = 0.0
    """Grey levels of noise in each picture."""
    jpeg: int | None = None
    """Quality that pictures are squeezed with, None for clean ones."""
    overlays: tuple[Overlay, ...] = ()

    def frames(self, start: float = 0.0) -> Iterator[Frame]:
        """Draws the pictures at start, start + 1/rate, … up to and including start + seconds."""
        canvas = draw_canvas(self.texture, self.seed, self.size)
        rng = np.random.default_rng(self.seed + 1)
        for i in range(round(self.seconds * self.rate) + 1):
            t = i / self.rate
            picture = view(canvas, self.size, self.camera, t, rng.normal(0, self.camera.shake, 2))
            for overlay in self.overlays:
                picture = overlay(picture, t)
            if self.noise:
                picture = np.clip(picture + rng.normal(0, self.noise, picture.shape), 0, 255).astype(np.uint8)
            if self.jpeg is not None:
                _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])
                picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
            yield Frame(start + t, picture)


def view(
    canvas: Picture, size: tuple[int, int], camera: Camera, t: float, jitter: NDArray[np.float64] | None = None
) -> Picture:
    """The window of `size` (width, height) that `camera` sees of a canvas after `t` seconds."""
    width, height = size
    scale = camera.zoom**t
    angle = np.radians(camera.roll * t)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    centre = np.array([canvas.shape[1] / 2 + camera.pan * t * width, canvas.shape[0] / 2 + camera.tilt * t * height])
    if jitter is not None:
        centre = centre + jitter * width
    matrix = np.column_stack([turn, centre - turn @ (width / 2, height / 2)])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(canvas, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT), np.uint8)


def draw_canvas(texture: str, seed: int, size: tuple[int, int]) -> Picture:
    """A canvas three times as wide and high as the window."""
    rng = np.random.default_rng(seed)
    width, height = size[0] * 3, size[1] * 3
    sizes = {"clouds": (4, 8, 16, 32, 64), "shapes": (4, 12), "grain": (16, 90, 300), "soft": (10,), "streets": (4,)}
    canvas = np.zeros((height, width, 3), np.float32)
    for cells in sizes[texture]:
        patch = rng.uniform(0, 1, (max(2, cells * 3 * size[1] // size[0]), cells * 3, 3)).astype(np.float32)
        canvas += cv2.resize(patch, (width, height), interpolation=cv2.INTER_CUBIC) / cells**0.35
    canvas = 70 + 110 * (canvas - canvas.min()) / (canvas.max() - canvas.min())
    picture = np.clip(canvas, 0, 255).astype(np.uint8)
    if texture == "shapes":
        _draw_shapes(picture, rng, size)
    if texture == "streets":
        _draw_streets(picture, rng, size)
    return picture


def _draw_shapes(canvas: Picture, rng: np.random.Generator, size: tuple[int, int]) -> None:
    height, width = canvas.shape[:2]
    for _ in range(70):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        colour = rng.integers(0, 256, 3).tolist()
        reach = int(rng.uniform(0.02, 0.09) * size[0])
        if rng.random() < 0.5:
            cv2.circle(canvas, (x, y), reach, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(canvas, (x, y), (x + 2 * reach, y + reach), colour, -1)


def _draw_streets(canvas: Picture, rng: np.random.Generator, size: tuple[int, int]) -> None:
    """Houses with rows of equal windows: repetitive texture."""
    height, width = canvas.shape[:2]
    x = 0
    while x < width:
        wide, top = int(rng.uniform(0.08, 0.2) * size[0]), int(rng.uniform(0, 0.6) * height)
        cv2.rectangle(canvas, (x, top), (x + wide, height), rng.integers(30, 200, 3).tolist(), -1)
        step = max(8, size[0] // 40)
        for wx in range(x + step // 2, x + wide - step // 2, step):
            for wy in range(top + step // 2, height, step):
                lit = 220 if rng.random() < 0.4 else 50
                cv2.rectangle(canvas, (wx, wy), (wx + step // 2, wy + step // 2), (lit, lit, lit // 2), -1)
        x += wide


def ball(speed: float = 0.2, radius: float = 0.07, up: float = 0.0) -> Overlay:
    """A red ball that crosses the picture to the right, in widths a second, and `up` heights a second upwards."""

    def draw(picture: Picture, t: float) -> Picture:
        height, width = picture.shape[:2]
        at = (int((0.2 + speed * t) % 1.2 * width), int((0.5 - up * t) * height))
        return np.asarray(cv2.circle(picture.copy(), at, int(radius * width), (230, 40, 40), -1, cv2.LINE_AA), np.uint8)

    return draw


def block(speed: float = 0.1, share: float = 0.3) -> Overlay:
    """A tall orange block of `share` of the width that crosses to the right."""

    def draw(picture: Picture, t: float) -> Picture:
        height, width = picture.shape[:2]
        left = int((speed * t + 0.1) * width)
        out = picture.copy()
        out[int(0.2 * height) :, left : left + int(share * width)] = (230, 140, 30)
        return out

    return draw


def watermark(picture: Picture, t: float) -> Picture:
    """A logo that stays where it is."""
    height, width = picture.shape[:2]
    out = picture.copy()
    x, y = int(0.75 * width), int(0.04 * height)
    out[y : y + height // 10, x : x + width // 5] = 245
    cv2.putText(out, "LOGO", (x + 4, y + height // 12), cv2.FONT_HERSHEY_SIMPLEX, width / 700, (20, 20, 160), 2)
    return out


def bars(picture: Picture, t: float) -> Picture:
    """Black bars above and below."""
    out = picture.copy()
    band = picture.shape[0] // 7
    out[:band] = out[-band:] = 0
    return out


def flicker(picture: Picture, t: float) -> Picture:
    """Light that swings between 35 % and 100 % a bit over once a second."""
    return (picture * (0.675 + 0.325 * np.cos(7.3 * t))).astype(np.uint8)


def fade(seconds: float) -> Overlay:
    """Comes up from black."""

    def draw(picture: Picture, t: float) -> Picture:
        return (picture * min(1.0, t / seconds)).astype(np.uint8)

    return draw


def flash(at: float) -> Overlay:
    """One picture goes nearly white."""

    def draw(picture: Picture, t: float) -> Picture:
        return (250 - (255 - picture) * 0.02).astype(np.uint8) if abs(t - at) < 0.05 else picture

    return draw


def becomes(other: Picture, start: float, seconds: float) -> Overlay:
    """Dissolves into another picture."""

    def draw(picture: Picture, t: float) -> Picture:
        share = float(np.clip((t - start) / seconds, 0, 1)) if seconds else float(t >= start)
        return np.asarray(cv2.addWeighted(picture, 1 - share, other, share, 0), np.uint8)

    return draw
