"""From a decoded frame to an upright RGB array with square pixels, scaled while it is converted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from sgv_demo.types import Picture

Size = tuple[int, int]

_GROUND = 128
"""The neutral grey that shows through transparent parts."""
_AS_TURNED_DEGREES = 1.0
"""A display matrix may be this far off a quarter turn; FFmpeg's own players leave as much."""


@dataclass(frozen=True, slots=True)
class QuarterTurn:
    """How a stored picture becomes an upright one: transposed first, then mirrored."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    def apply(self, rgb: NDArray[np.uint8]) -> Picture:
        """The upright (h, w, 3) picture."""
        if self.transposed:
            rgb = rgb.swapaxes(0, 1)
        return np.ascontiguousarray(rgb[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1])


def turn_of(frame: VideoFrame) -> QuarterTurn:
    """The quarter turn and the mirroring in a frame's display matrix; none for odd angles and senseless matrices."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return QuarterTurn()
    # Rows of three fixed-point numbers; a point (x, y) is shown at (a·x + c·y, b·x + d·y).
    a, b, _, c, d = (float(part) for part in np.frombuffer(bytes(side_data), np.int32)[:5])
    scale_x, scale_y = math.hypot(a, c), math.hypot(b, d)
    if not scale_x or not scale_y:
        return QuarterTurn()
    degrees = math.degrees(math.atan2(b / scale_y, a / scale_x))
    quarters = round(degrees / 90)
    if abs(degrees - 90 * quarters) >= _AS_TURNED_DEGREES:
        return QuarterTurn()
    return QuarterTurn(True, c < 0, b < 0) if quarters % 2 else QuarterTurn(False, a < 0, d < 0)


def displayed_size(width: int, height: int, aspect: Fraction | None, turn: QuarterTurn) -> Size:
    """(width, height) as shown, from stored pixels, pixel aspect (width over height) and turn."""
    # Encoders leave crumbs such as 640:639 behind; nobody means a picture one pixel wider by that.
    if aspect and Fraction(1, 16) <= aspect <= 16 and abs(aspect - 1) > Fraction(1, 200):
        width = max(1, round(width * aspect))
    return (height, width) if turn.transposed else (width, height)


def fitted(size: Size, long_side: int | None) -> Size:
    """`size` scaled down so that its longer side is at most `long_side` pixels; never scaled up."""
    if long_side is None or max(size) <= long_side:
        return size
    scale = long_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class Renderer:
    """Makes pictures of one size; its scaler keeps its tables from one to the next."""

    def __init__(self, canvas: Size, aspect: Fraction | None) -> None:
        """`canvas` is the (width, height) of every picture, `aspect` a stored pixel's width over height."""
        self._canvas, self._aspect = canvas, aspect
        self._scaler = VideoReformatter()
        self.transparent = False
        """Whether any picture so far had transparent parts."""

    def render(self, frame: VideoFrame) -> Picture:
        """(h, w, 3) uint8 RGB, exactly the canvas.

        A picture of another shape (the size changed in mid-stream) is fitted into it between black bars.
        """
        canvas, turn = self._canvas, turn_of(frame)
        shown = displayed_size(frame.width, frame.height, self._aspect, turn)
        scale = min(canvas[0] / shown[0], canvas[1] / shown[1])
        inner = max(1, min(canvas[0], round(shown[0] * scale))), max(1, min(canvas[1], round(shown[1] * scale)))
        if abs(inner[0] - canvas[0]) <= 1 and abs(inner[1] - canvas[1]) <= 1:
            inner = canvas
        upright = turn.apply(self._converted(frame, *(inner[::-1] if turn.transposed else inner)))
        if inner == canvas:
            return upright
        boxed = np.zeros((canvas[1], canvas[0], 3), np.uint8)
        top, left = (canvas[1] - inner[1]) // 2, (canvas[0] - inner[0]) // 2
        boxed[top : top + inner[1], left : left + inner[0]] = upright
        return boxed

    def _converted(self, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        # At its own size the decoder's default conversion is kept: bit-identical to decord's.
        smaller = width < frame.width or height < frame.height
        how = Interpolation.AREA if smaller else None
        wanted = "rgba" if _may_be_transparent(frame) else "rgb24"
        converted = self._scaler.reformat(frame, width=width, height=height, format=wanted, interpolation=how)
        pixels = converted.to_ndarray().astype(np.uint8, copy=False)
        return self._composed(pixels) if wanted == "rgba" else pixels

    def _composed(self, rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rgb, alpha = rgba[:, :, :3], rgba[:, :, 3:].astype(np.uint16)
        if int(alpha.min()) == 255:
            return rgb
        self.transparent = True
        return ((rgb * alpha + _GROUND * (255 - alpha) + 127) // 255).astype(np.uint8)


def _may_be_transparent(frame: VideoFrame) -> bool:
    pixels = frame.format
    return pixels.has_palette or any(component.is_alpha for component in pixels.components)
