"""A camera over canvases that are drawn `SHARP` times as large as they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scenes import HEIGHT, SHARP, WIDTH


@dataclass(frozen=True)
class View:
    """A window onto a canvas: centre in picture widths and heights from the canvas's upper left corner, and zoom."""

    x: float
    y: float
    zoom: float = 1.0


def ease(t: float) -> float:
    """0 to 1 with soft ends."""
    t = float(np.clip(t, 0, 1))
    return t * t * (3 - 2 * t)


def window(canvas: np.ndarray, view: View, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """What the camera sees of a canvas, `size` (width, height) large."""
    width, height = size
    scale = SHARP / view.zoom
    left = view.x * width * SHARP - width * scale / 2
    top = view.y * height * SHARP - height * scale / 2
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    soft = cv2.GaussianBlur(canvas, (0, 0), 0.4 * scale) if scale > 1.2 else canvas
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(soft, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT)


def shown(canvas: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A whole float canvas as the picture that is shown."""
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return np.clip(small, 0, 255).astype(np.uint8)
