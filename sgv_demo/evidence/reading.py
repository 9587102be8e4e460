"""Reads lines of text in pictures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sgv_demo.types import Picture

if TYPE_CHECKING:
    from rapidocr import RapidOCR

_SCORE = 0.8
"""Lines with a lower score are not believed: clean text scores 0.97 and more, garbage 0.58."""
_SHORT, _SHORT_SCORE = 3, 0.9
"""Lines of so few letters and digits must score more: lit windows were read as "20" with 0.82."""
_LONG_SIDE = 960
"""Pixels: larger pictures are made smaller before reading."""
_LONGEST = 2.5
"""Longer pictures are padded to this: the reader enlarges the short side, and with it the work for a ribbon."""


class TextReader:
    """Reads lines of text; the models are loaded at the first call. One reader serves all threads, one at a time."""

    def __init__(self) -> None:
        self._engine: RapidOCR | None = None
        self._lock = threading.Lock()

    def __call__(self, picture: Picture) -> tuple[str, ...]:
        """Returns the lines of an (h, w, 3) RGB picture that can be believed, from top to bottom."""
        prepared = fitted(picture)
        with self._lock:
            if self._engine is None:
                self._engine = _load()
            result = self._engine(np.ascontiguousarray(prepared[..., ::-1]))
        texts: Sequence[str] = getattr(result, "txts", None) or ()
        scores: Sequence[float] = getattr(result, "scores", None) or ()
        return tuple(text.strip() for text, score in zip(texts, scores, strict=True) if believed(text, score))


def fitted(picture: Picture) -> Picture:
    """At most 960 pixels long; a picture longer than 5:2 gets black below or on the right."""
    height, width = picture.shape[:2]
    scale = min(1.0, _LONG_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = picture.shape[:2]
    least = round(max(height, width) / _LONGEST)
    below, right = max(0, least - height), max(0, least - width)
    return np.pad(picture, ((0, below), (0, right), (0, 0))) if below or right else picture


def believed(line: str, score: float) -> bool:
    """Whether a line that was read with this score (0 to 1) is text; a single letter or digit never is."""
    letters = sum(c.isalnum() for c in line)
    return letters >= 2 and score >= (_SHORT_SCORE if letters <= _SHORT else _SCORE)


@lru_cache(maxsize=1)
def text_reader() -> TextReader:
    """The reader of this process: its models take a second to load and need loading once."""
    return TextReader()


def _load() -> RapidOCR:
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 2})
