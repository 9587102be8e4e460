"""From a picture to the tiles that the captioner sees: resized to a budget of tiles, padded with white.

The rule is the published one to the pixel, its truncations included. A picture that was fitted once stays as it is.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from sgv_demo.errors import EngineError
from sgv_demo.types import Picture

TILE = 336
"""Pixels: side of the tiles that a picture is cut into; what CLIP-L/336 sees."""
CELLS = 12
"""Merged cells on one side of a tile: 24 patches, two by two."""


def fit(picture: Picture, budget: int) -> Picture:
    """Resizes to at most `budget` tiles and pads the shorter side with white to a multiple of 336.

    Small pictures are scaled up. A picture too thin for the budget keeps at least one pixel on its short side.

    Args:
        picture: (h, w, 3) uint8.
        budget: tiles at most: 9 for pairs, 16 for key frames in one column.

    Returns:
        (336·rows, 336·columns, 3) uint8, rows · columns ≤ budget.

    Raises:
        EngineError: the picture has no pixels, or isn't (h, w, 3) uint8.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise EngineError("The picture is not (height, width, 3) of 8 bits, or has no pixels; decode the frame again.")
    image = Image.fromarray(picture)
    upright = image.width < image.height
    if upright:
        image = image.transpose(Image.Transpose.TRANSPOSE)
    ratio = image.width / image.height
    columns = 1
    while (columns + 1) * math.ceil((columns + 1) / ratio) <= budget:
        columns += 1
    width = TILE * columns
    resized = image.resize((width, max(int(width / ratio), 1)), Image.Resampling.BILINEAR)
    height = math.ceil(resized.height / TILE) * TILE
    padded = Image.new("RGB", (width, height), (255, 255, 255))
    padded.paste(resized, (0, (height - resized.height) // 2))
    if upright:
        padded = padded.transpose(Image.Transpose.TRANSPOSE)
    return np.asarray(padded)


def tiles_of(fitted: Picture) -> tuple[int, int]:
    """(across, down) of a picture from `fit`."""
    return fitted.shape[1] // TILE, fitted.shape[0] // TILE


def visual_tokens(across: int, down: int) -> int:
    """Positions that a picture takes: tiles and global view of 144 cells, a separator per cell row and one between."""
    return (across * down + 1) * CELLS**2 + 1 + (down + 1) * CELLS
