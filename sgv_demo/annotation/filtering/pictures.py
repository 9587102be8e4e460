"""Videos as pictures: hashes that survive encoding anew, and the mean of CLIP's features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sgv_demo.annotation.inputs import Video, at_hand
from sgv_demo.errors import SgvError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame
from sgv_demo.video import open_video

LOOKED_AT = 8
"""Pictures of each video, evenly spread."""
ALIKE = 8
"""Bits of 64 that the hashes of two pictures of the same scene may differ in, on the median over a video's pictures."""


def looks(video: Video, settings: Settings) -> list[Frame]:
    """A few pictures, evenly spread; none where the video can't be read."""
    try:
        with at_hand(video, settings.max_megabytes << 20) as path:
            return _spread(path, video, settings)
    except SgvError:
        return []


def _spread(path: Path, video: Video, settings: Settings) -> list[Frame]:
    with open_video(path, settings) as reader:
        start, whole = video.start, reader.info.start + reader.info.duration
        end = whole if video.end is None else min(video.end, whole)
        wanted = [start + (end - start) * (number + 0.5) / LOOKED_AT for number in range(LOOKED_AT)]
        return list(reader.near(wanted, long_side=160, exact=True))


def hashes(frames: Sequence[Frame]) -> NDArray[np.uint64]:
    """(n,): of each picture, which of its 64 lowest frequencies but the mean are above their median (a "pHash")."""
    found = []
    for frame in frames:
        grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        low = cv2.dct(small)[:8, :8].reshape(-1)
        low[0] = np.median(low[1:])
        found.append(np.packbits(low > np.median(low)).view(">u8")[0])
    return np.asarray(found, np.uint64)


class Copies:
    """Videos seen so far, by their pictures."""

    def __init__(self) -> None:
        self._hashes = np.empty((0, LOOKED_AT), np.uint64)
        self._numbers: list[int] = []

    def offer(self, number: int, found: NDArray[np.uint64]) -> tuple[int, float] | None:
        """(number of the earlier video with the same pictures, bits that differ), or None, and it is remembered.

        A video with too few pictures is compared with none.
        """
        if len(found) != LOOKED_AT:
            return None
        if self._numbers:
            bits = np.median(np.bitwise_count(self._hashes[: len(self._numbers)] ^ found), axis=1)
            nearest = int(bits.argmin())
            if bits[nearest] <= ALIKE:
                return self._numbers[nearest], float(bits[nearest])
        if len(self._numbers) == len(self._hashes):
            room = np.empty((max(1024, len(self._hashes) * 2), LOOKED_AT), np.uint64)
            room[: len(self._hashes)] = self._hashes
            self._hashes = room
        self._hashes[len(self._numbers)] = found
        self._numbers.append(number)
        return None
