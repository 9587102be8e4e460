"""Reads lines of text in the pictures of a video.

Finding text is the dear part, so it is done as seldom and as small as the result allows: a picture that looks like the
one read before it has the same lines, one without a stroke of text's contrast has none, text is looked for at 640
pixels, and a line that stands where it stood isn't recognised again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.clean import clean
from sgv_demo.types import Picture

if TYPE_CHECKING:
    from rapidocr import RapidOCR

Grey: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = NDArray[np.float32]
"""(4, 2) corners x, y in pixels, from the upper left clockwise."""

_SCORE = 0.8
"""Lines with a lower score are not believed: clean text scores 0.97 and more, garbage 0.58."""
_SHORT, _SHORT_SCORE = 3, 0.9
"""Lines of so few letters and digits must score more: lit windows were read as "20" with 0.82."""
_LONG_SIDE = 960
"""Pixels: larger pictures are made smaller before reading."""
_FINDING_SIDE = 640
"""Pixels of the long side at which text is looked for; what is found is recognised at the full size."""
_LONGEST = 2.5
"""Longer pictures are padded to this: the reader enlarges the short side, and with it the work for a ribbon."""
_CELL = 8
"""Pixels of a picture 320 wide: change is looked for in cells of this size."""
_CHANGED = 3.0
"""Grey levels by which the mean of a cell must differ to be changed: more than a codec's noise, less than a letter."""
_STROKE = 24.0
"""Grey levels between the darkest and brightest of 3 x 3 pixels at the edge of a letter that can be read at all."""
_STROKES = 12
"""Such pixels that the smallest readable word has within 32 x 16 pixels."""
_SAME_PLACE, _SAME_LOOK = 0.7, 0.95
"""Overlap of two boxes, and correlation of what they hold, from which they are one line seen again."""


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A box and what was read in it."""

    box: Box
    thumb: NDArray[np.float32]
    """(24, 96) grey, mean 0 and length 1."""
    text: str
    score: float


class TextReader:
    """The models, loaded at the first call. One reader serves all threads, one at a time."""

    def __init__(self) -> None:
        self._engine: RapidOCR | None = None
        self._lock = threading.Lock()

    def __call__(self, picture: Picture) -> tuple[str, ...]:
        """Returns the lines of a single (h, w, 3) RGB picture that can be believed, from top to bottom."""
        return Reading(self)(picture)

    def load(self) -> RapidOCR:
        """Loads the models, which takes about a second; does nothing where they are loaded."""
        with self._lock:
            return self._loaded()

    def find(self, picture: Picture) -> list[Box]:
        """Boxes of lines of text, in reading order, in pixels of `picture`."""
        with self._lock:
            found = self._loaded()(_bgr(picture), use_det=True, use_cls=False, use_rec=False)
        boxes = getattr(found, "boxes", None)
        return [] if boxes is None else [np.asarray(box, np.float32) for box in boxes]

    def recognise(self, picture: Picture) -> tuple[str, float]:
        """The one line that a cut-out shows, and its score from 0 to 1."""
        with self._lock:
            found = self._loaded()(_bgr(picture), use_det=False, use_cls=True, use_rec=True)
        texts: Sequence[str] = getattr(found, "txts", None) or ("",)
        scores: Sequence[float] = getattr(found, "scores", None) or (0.0,)
        return clean(texts[0]).strip(), float(scores[0])

    def _loaded(self) -> RapidOCR:
        if self._engine is None:
            self._engine = _load()
        return self._engine


class Reading:
    """Reads the pictures of one video in order, and remembers what it read last."""

    def __init__(self, reader: TextReader) -> None:
        self.reader = reader
        self._seen: Grey | None = None
        """The picture that was read last, 320 pixels wide."""
        self._lines: list[_Line] = []

    def __call__(self, picture: Picture) -> tuple[str, ...]:
        """Returns the lines of an (h, w, 3) RGB picture that can be believed, from top to bottom."""
        prepared = prepared_for_text(picture)
        grey = np.asarray(cv2.cvtColor(prepared, cv2.COLOR_RGB2GRAY), np.uint8)
        seen = _scaled(grey, _FINDING_SIDE // 2)
        if self._seen is None or changed(self._seen, seen):
            self._lines = self._read(prepared, grey) if may_hold_text(grey) else []
            self._seen = seen
        return tuple(line.text for line in self._lines if believed(line.text, line.score))

    def _read(self, picture: Picture, grey: Grey) -> list[_Line]:
        small = _scaled(picture, _FINDING_SIDE, enlarge=True)
        scale = np.float32(picture.shape[1] / small.shape[1])
        return [self._line(picture, grey, box * scale) for box in self.reader.find(small)]

    def _line(self, picture: Picture, grey: Grey, box: Box) -> _Line:
        # From a box a pixel aside the same words may be read a little differently: the first reading stays.
        thumb = _thumb(_cut(grey, box))
        for line in self._lines:
            if _overlap(line.box, box) >= _SAME_PLACE and float((line.thumb * thumb).sum()) >= _SAME_LOOK:
                return _Line(box, thumb, line.text, line.score)
        return _Line(box, thumb, *self.reader.recognise(_cut(picture, box)))


def changed(before: Grey, after: Grey) -> bool:
    """Whether two pictures, 320 pixels wide, differ anywhere by as much as a letter would."""
    if before.shape != after.shape:
        return True
    difference = cv2.absdiff(before, after)
    size = (max(1, difference.shape[1] // _CELL), max(1, difference.shape[0] // _CELL))
    # Averaging over a cell takes a codec's noise out and leaves what a stroke does to it.
    return float(cv2.resize(difference, size, interpolation=cv2.INTER_AREA).max()) > _CHANGED


def may_hold_text(grey: Grey) -> bool:
    """Whether anywhere in a picture strokes stand close enough together to be a word; pictures that are soft hold none.

    It must never say no where text could be read, and may well say yes to a hedge.
    """
    # Letters are edges on both sides of thin strokes: many steep pixels close together. Large shapes have few of them
    # in one place, soft pictures and noise none that are steep enough.
    steep = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) >= _STROKE
    near = cv2.boxFilter(steep.astype(np.float32), -1, (32, 16), normalize=False)
    return bool(near.max() >= _STROKES)


def prepared_for_text(picture: Picture) -> Picture:
    """At most 960 pixels long; a picture longer than 5:2 gets black below or on the right."""
    picture = _scaled(picture, _LONG_SIDE)
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

    # Reading runs beside measuring: half of the cores each.
    threads = max(1, (os.cpu_count() or 2) // 2)
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "Det.limit_type": "max",
            "Det.limit_side_len": _FINDING_SIDE,
        }
    )


def _bgr(picture: Picture) -> Picture:
    return np.ascontiguousarray(picture[..., ::-1])


def _scaled(picture: NDArray[np.uint8], long_side: int, *, enlarge: bool = False) -> NDArray[np.uint8]:
    """At most `long_side` pixels long, or just so long."""
    height, width = picture.shape[:2]
    scale = long_side / max(height, width)
    if scale == 1 or (scale > 1 and not enlarge):
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _cut(picture: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The upright contents of a box; one much higher than wide is a line on its side and is turned."""
    width = max(4, round(float(max(np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[2] - box[3])))))
    height = max(4, round(float(max(np.linalg.norm(box[3] - box[0]), np.linalg.norm(box[2] - box[1])))))
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(box, corners)
    cut = cv2.warpPerspective(picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.rot90(cut) if height >= 1.5 * width else cut, np.uint8)


def _thumb(cut: Grey) -> NDArray[np.float32]:
    small = cv2.resize(cut, (96, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    return np.asarray(small / max(1e-6, float(np.linalg.norm(small))), np.float32)


def _overlap(one: Box, other: Box) -> float:
    """Intersection by union of the two upright rectangles round two boxes."""
    low, high = np.maximum(one.min(axis=0), other.min(axis=0)), np.minimum(one.max(axis=0), other.max(axis=0))
    both = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float(np.prod(np.ptp(box, axis=0))) for box in (one, other)]
    return both / max(1e-6, sum(areas) - both)
