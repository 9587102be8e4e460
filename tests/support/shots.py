"""A clip of a few shots that stand still, each a soft random picture in a colour of its own."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from sgv_demo.types import Picture


def texture(seed: int, tint: tuple[int, int, int], size: tuple[int, int] = (320, 192)) -> Picture:
    """A picture of `size` (width, height) in shades of `tint`."""
    width, height = size
    noise = np.random.default_rng(seed).random((height // 8, width // 8, 3), np.float32)
    soft = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(soft * 1.6 * np.array(tint, np.float32), 0, 255).astype(np.uint8)


def write_shots(path: Path, shots: Sequence[Picture], *, each: int, rate: int) -> Path:
    """Writes H.264: each shot for `each` frames, `rate` frames a second; returns the path."""
    height, width = shots[0].shape[:2]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(each * len(shots)):
            frame = av.VideoFrame.from_ndarray(shots[number // each], "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
