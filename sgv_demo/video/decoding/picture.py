"""From a decoded frame to an upright RGB array with square pixels, scaled while it is converted."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from sgv_demo.types import Picture

Size = tuple[int, int]


def displayed_size(width: int, height: int, aspect: Fraction | None, rotation: int) -> Size:
    """(width, height) as shown, from stored pixels, pixel aspect (width over height) and rotation in degrees."""
    # Encoders leave crumbs such as 640:639 behind; nobody means a picture one pixel wider by that.
    if aspect and Fraction(1, 16) <= aspect <= 16 and abs(aspect - 1) > Fraction(1, 200):
        width = max(1, round(width * aspect))
    return (height, width) if rotation // 90 % 2 else (width, height)


def fitted(size: Size, long_side: int | None) -> Size:
    """`size` scaled down so that its longer side is at most `long_side` pixels; never scaled up."""
    if long_side is None or max(size) <= long_side:
        return size
    scale = long_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def to_rgb(frame: VideoFrame, canvas: Size, aspect: Fraction | None, scaler: VideoReformatter) -> Picture:
    """(h, w, 3) uint8 RGB of exactly `canvas` (width, height).

    A picture of another shape than the canvas (the size changed in mid-stream) is fitted into it between black bars.
    `scaler` keeps its tables from one picture to the next.
    """
    shown = displayed_size(frame.width, frame.height, aspect, frame.rotation)
    scale = min(canvas[0] / shown[0], canvas[1] / shown[1])
    inner = max(1, min(canvas[0], round(shown[0] * scale))), max(1, min(canvas[1], round(shown[1] * scale)))
    if abs(inner[0] - canvas[0]) <= 1 and abs(inner[1] - canvas[1]) <= 1:
        inner = canvas
    turned = frame.rotation // 90 % 4
    width, height = inner if turned % 2 == 0 else inner[::-1]
    # At its own size the decoder's default conversion is kept: bit-identical to decord's.
    smaller = width < frame.width or height < frame.height
    how = Interpolation.AREA if smaller else None
    rgb = scaler.reformat(frame, width=width, height=height, format="rgb24", interpolation=how).to_ndarray()
    upright = np.ascontiguousarray(np.rot90(rgb, turned), np.uint8)
    if inner == canvas:
        return upright
    boxed = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    top, left = (canvas[1] - inner[1]) // 2, (canvas[0] - inner[0]) // 2
    boxed[top : top + inner[1], left : left + inner[0]] = upright
    return boxed
