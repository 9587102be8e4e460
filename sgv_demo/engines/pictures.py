"""Choosing and scaling pictures for models that take several at once."""

from __future__ import annotations

from collections.abc import Sequence

from sgv_demo.engines.compose import resized
from sgv_demo.types import Picture


def thinned(pictures: Sequence[tuple[float, Picture]], most: int) -> list[tuple[float, Picture]]:
    """At most `most` pictures, evenly spread, the first and the last among them."""
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[round(i * (len(pictures) - 1) / (most - 1))] for i in range(most)]


def scaled(image: Picture, long_side: int) -> Picture:
    """The picture with at most `long_side` pixels on its long side."""
    height, width = image.shape[:2]
    share = long_side / max(height, width)
    if share >= 1:
        return image
    return resized(image, (max(round(width * share), 1), max(round(height * share), 1)))
