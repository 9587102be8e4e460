"""Pictures made of pictures: what the vision-language models were trained to look at.

Every function is pure: (h, w, 3) uint8 RGB arrays in, one such array out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sgv_demo.types import Picture

BAND = 50
"""Pixels of white between the cells of a grid."""
GRID_LONG_SIDE = 1920
"""Pixels: a grid longer than this is scaled down to it."""


def published_indices(frame_count: int, n: int) -> list[int]:
    """Indices of the frames that ShareGPT4Video's published demo looks at: middles of `n` equal segments.

    Args:
        frame_count: decoded frames in the range, at least 1. Fewer than `n` repeat frames.
        n: frames wanted, at least 1.

    Raises:
        ValueError: either is below 1.
    """
    if frame_count < 1 or n < 1:
        raise ValueError(f"published_indices needs frames to choose from, not {frame_count} for {n}")
    segment = (frame_count - 1) / n
    return [int(segment / 2) + int(np.round(segment * i)) for i in range(n)]


def grid(images: Sequence[Picture]) -> Picture:
    """Arranges pictures in the square grid that ShareGPT4Video was trained on, as large as it comes.

    The side is ceil(sqrt(n)) cells, filled row by row; white bands of 50 px lie between the cells, none around
    them, and cells left over are white. Pictures of another size than the first are scaled to the first's.

    Raises:
        ValueError: there is no picture.
    """
    if not images:
        raise ValueError("a grid needs at least one picture")
    height, width = images[0].shape[:2]
    side = math.ceil(math.sqrt(len(images)))
    bands = BAND * (side - 1)
    canvas = np.full((side * height + bands, side * width + bands, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // side) * (height + BAND), (i % side) * (width + BAND)
        cell = image if image.shape[:2] == (height, width) else resized(image, (width, height))
        canvas[top : top + height, left : left + width] = cell
    return canvas


def shown_grid(images: Sequence[Picture], longest_side: int | None = GRID_LONG_SIDE) -> Picture:
    """`grid`, scaled down bilinearly to a long side of 1920 px when it is longer; both sides are truncated.

    Truncating can leave 1919: 2710 x 1590 becomes 1919 x 1126, as in the published code.

    Args:
        images: in time order.
        longest_side: pixels; None leaves the grid as large as it comes.
    """
    whole = grid(images)
    height, width = whole.shape[:2]
    if longest_side is None or max(height, width) <= longest_side:
        return whole
    scale = longest_side / max(height, width)
    return resized(whole, (max(int(width * scale), 1), max(int(height * scale), 1)))


def resized(image: Picture, size: tuple[int, int]) -> Picture:
    """Scales to (width, height) with Pillow's bilinear filter."""
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


PAIR_GAP = 50
"""Pixels of white between the two frames of a pair."""
COLUMN_GAP = 20
"""Pixels of white between the frames of a column, with a black line in the middle."""
COLUMN_PIXELS = 100_000_000
"""Largest column; frames of a longer one are scaled down first, far above what a model sees of it in the end."""


def pair(before: Picture, after: Picture) -> Picture:
    """The later frame 50 px under the earlier one, as ShareCaptioner-Video was trained.

    The canvas is made for the earlier frame; of a later one that is larger, what sticks out is cut off.
    """
    height, width = before.shape[:2]
    canvas = Image.new("RGB", (width, 2 * height + PAIR_GAP), "white")
    canvas.paste(Image.fromarray(before), (0, 0))
    canvas.paste(Image.fromarray(after), (0, height + PAIR_GAP))
    return np.asarray(canvas)


def column(images: Sequence[Picture]) -> Picture:
    """All keyframes in one labelled column, as ShareCaptioner-Video was trained for fast captions.

    The label font of the published demo (SimHei) isn't free; Pillow's own is used at the same size.

    Raises:
        ValueError: there is no picture.
    """
    if not images:
        raise ValueError("a column needs at least one picture")
    images = _bounded(images)
    widest = max(image.shape[1] for image in images)
    pad = max(widest // 4, 100)
    width = widest + COLUMN_GAP + pad
    canvas = Image.new("RGB", (width, sum(image.shape[0] + COLUMN_GAP for image in images) + COLUMN_GAP), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=pad // 5)
    top = COLUMN_GAP // 2
    for i, image in enumerate(images):
        height = image.shape[0]
        canvas.paste(Image.fromarray(image), (pad, top))
        draw.text((0, top + height // 2), f"<IMAGE {i}>", fill="black", font=font)
        if i + 1 < len(images):
            line = top + height + COLUMN_GAP // 2
            draw.line([(0, line), (width, line)], fill="black", width=2)
        top += height + COLUMN_GAP
    return np.asarray(canvas)


def _bounded(images: Sequence[Picture]) -> Sequence[Picture]:
    """The same pictures, or smaller ones where their column would take more than `COLUMN_PIXELS`."""
    area = max(image.shape[1] for image in images) * sum(image.shape[0] for image in images)
    if area <= COLUMN_PIXELS:
        return images
    scale = math.sqrt(COLUMN_PIXELS / area)
    return [resized(i, (max(int(i.shape[1] * scale), 1), max(int(i.shape[0] * scale), 1))) for i in images]
