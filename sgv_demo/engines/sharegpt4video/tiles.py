"""Cuts a picture into tiles as LLaVA-NeXT's "anyres" does, with the geometry of ShareGPT4Video's training code.

Rules and rounding: the published code at commit 7e02ee6, held by the golden tables. Sizes are pixels as
(width, height); grids of patches are (rows, columns).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sgv_demo.types import Picture

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What the tower wants its pixels to be, from its `preprocessor_config.json`."""

    side: int
    """Pixels: every view is a square of this side."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rescale: float = 1 / 255


@dataclass(frozen=True, slots=True)
class Tiling:
    """How one picture lies in its padded canvas and in the tiles cut from that."""

    picture: Size
    """The picture's own size."""
    canvas: Size
    """The chosen pinpoint."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of the scaled picture inside the canvas; black around it."""
    tiles: Size
    """Tiles (across, down)."""

    def kept(self, patches: int) -> tuple[slice, slice]:
        """Rows and columns of the joined patch map that stay when the padding is cut away.

        Args:
            patches: patches along one side of a tile.

        The kept side is truncated and the cut halved from both ends, so an odd difference keeps one line more.
        """
        (width, height), (columns, rows) = self.picture, (self.tiles[0] * patches, self.tiles[1] * patches)
        if width / height > columns / rows:
            cut = (rows - int(height * (columns / width))) // 2
            return slice(cut, rows - cut), slice(0, columns)
        cut = (columns - int(width * (rows / height))) // 2
        return slice(0, rows), slice(cut, columns - cut)

    def tokens(self, patches: int) -> int:
        """Positions that the tiles take: the kept patches and one newline for each kept row."""
        rows, columns = self.kept(patches)
        return (rows.stop - rows.start) * (columns.stop - columns.start + 1)


def choose_canvas(picture: Size, pinpoints: Sequence[Size]) -> Size:
    """The pinpoint that shows most of the picture, then wastes least; the first of equals."""
    width, height = picture

    def merit(canvas: Size) -> tuple[int, int]:
        scale = min(canvas[0] / width, canvas[1] / height)
        shown = min(int(width * scale) * int(height * scale), width * height)
        return shown, shown - canvas[0] * canvas[1]

    return max(pinpoints, key=merit)


def plan_tiles(picture: Size, pinpoints: Sequence[Size], side: int) -> Tiling:
    """Lays a picture of size `picture` into the best pinpoint, in tiles of `side` pixels."""
    width, height = picture
    across, down = canvas = choose_canvas(picture, pinpoints)
    scale_x, scale_y = across / width, down / height
    if scale_x < scale_y:
        fitted = (across, min(math.ceil(height * scale_x), down))
    else:
        fitted = (min(math.ceil(width * scale_y), across), down)
    left, top = (across - fitted[0]) // 2, (down - fitted[1]) // 2
    box = (left, top, left + fitted[0], top + fitted[1])
    return Tiling(picture, canvas, box, (across // side, down // side))


def whole_view(image: Picture, side: int) -> Picture:
    """The whole picture squashed to one square view: (1, side, side, 3)."""
    view = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(view)[None]


def tile_views(image: Picture, tiling: Tiling, side: int) -> Picture:
    """The tiles of the padded picture, row by row: (tiles, side, side, 3)."""
    left, top, right, bottom = tiling.box
    fitted = Image.fromarray(image).resize((right - left, bottom - top), Image.Resampling.BICUBIC)
    across, down = tiling.tiles
    canvas = np.zeros((tiling.canvas[1], tiling.canvas[0], 3), np.uint8)
    canvas[top:bottom, left:right] = np.asarray(fitted)
    canvas = canvas[: down * side, : across * side]
    rows = canvas.reshape(down, side, across, side, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(down * across, side, side, 3)


def normalized(views: Picture, how: Preprocessing) -> NDArray[np.float32]:
    """Pixels as the tower reads them: (n, 3, side, side) float32."""
    scaled = (views.astype(np.float64) * how.rescale).astype(np.float32)
    mean, std = np.asarray(how.mean, np.float32), np.asarray(how.std, np.float32)
    return np.ascontiguousarray(((scaled - mean) / std).transpose(0, 3, 1, 2))
