"""The whole display matrix: quarter turns and mirroring as players show them, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sgv_demo.settings import Settings
from sgv_demo.types import Picture
from sgv_demo.video.decoding.pyav import PyavReader
from tests.support.video_files import numbered, with_matrix, write_clip


def turned(degrees: float, scale: float = 1.0) -> tuple[float, float, float, float]:
    cos, sin = math.cos(math.radians(degrees)) * scale, math.sin(math.radians(degrees)) * scale
    return cos, sin, -sin, cos


def with_corner(number: int, size: tuple[int, int]) -> Picture:
    """A picture whose top left corner is bright, so that it looks different whichever way it is turned."""
    image = numbered(number, size)
    image[:16, :16] = 235
    return image


def stored(image: Picture) -> Picture:
    return image


CASES = [
    ((0.0, 0.0, 0.0, 0.0), stored),
    ((1.0, 0.0, 0.0, 0.0), stored),
    (turned(0.4), stored),
    (turned(10), stored),
    (turned(45), stored),
    (turned(90), lambda image: np.rot90(image, 1)),
    (turned(89.5), lambda image: np.rot90(image, 1)),
    (turned(90, scale=2), lambda image: np.rot90(image, 1)),
    (turned(180), lambda image: np.rot90(image, 2)),
    (turned(180.4), lambda image: np.rot90(image, 2)),
    (turned(270), lambda image: np.rot90(image, 3)),
    ((-1.0, 0.0, 0.0, 1.0), np.fliplr),
    ((1.0, 0.0, 0.0, -1.0), np.flipud),
    ((0.0, 1.0, 1.0, 0.0), lambda image: image.swapaxes(0, 1)),
    ((0.0, -1.0, -1.0, 0.0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
]
"""A matrix, and what brings the shown picture back to the stored one."""


@pytest.mark.parametrize(("matrix", "back"), CASES)
def test_a_picture_stands_as_its_matrix_says(
    tmp_path: Path, matrix: tuple[float, float, float, float], back: Callable[[Picture], Picture]
) -> None:
    path = write_clip(tmp_path / "a.mp4", size=(128, 64), count=2, draw=with_corner)
    plain = next(iter(PyavReader(path, Settings()).frames())).image
    reader = PyavReader(with_matrix(path, *matrix), Settings())
    image = next(iter(reader.frames())).image
    assert reader.info.size == (image.shape[1], image.shape[0])
    assert np.array_equal(back(image), plain)
