"""Keyframes as small JPEG files, for reports that carry their pictures inside."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from sgv_demo.types import KeyframeMark, Picture

Pictures = Mapping[int, bytes]
"""Keyframe index to the bytes of a JPEG file."""

SIDE = 480
"""Pixels of the long side."""
FEW = 200
"""With more keyframes than this a report's pictures are half as large, so that it stays a file one can mail."""


def small(picture: Picture, side: int = SIDE) -> bytes:
    """A picture, scaled down to fit `side` pixels, as JPEG."""
    return _saved(Image.fromarray(np.ascontiguousarray(picture)), side)


def stored(folder: Path, marks: Iterable[KeyframeMark]) -> dict[int, bytes]:
    """The pictures that a stored result's folder has of its keyframes; one that can't be read is left out."""
    wanted = [mark for mark in marks if mark.picture]
    side = SIDE if len(wanted) <= FEW else SIDE // 2
    found: dict[int, bytes] = {}
    for mark in wanted:
        path = (folder / (mark.picture or "")).resolve()
        if not path.is_relative_to(folder.resolve()):
            continue  # a log can come from elsewhere; it names files of its own folder or none
        try:
            with Image.open(path) as image:
                found[mark.index] = _saved(image, side)
        except (OSError, UnidentifiedImageError):
            continue
    return found


def _saved(image: Image.Image, side: int) -> bytes:
    image.thumbnail((side, side))  # before anything else: a JPEG file is then decoded at a smaller scale
    target = io.BytesIO()
    image.convert("RGB").save(target, "JPEG", quality=82, optimize=True)
    return target.getvalue()
