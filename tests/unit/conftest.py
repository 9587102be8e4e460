"""Clips and settings that several tests share."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from sgv_demo.settings import Settings
from sgv_demo.types import Picture


def texture(seed: int, tint: tuple[int, int, int]) -> Picture:
    """A soft random picture, 320 x 192, in shades of `tint`."""
    noise = np.random.default_rng(seed).random((24, 40, 3), np.float32)
    soft = cv2.resize(noise, (320, 192), interpolation=cv2.INTER_CUBIC)
    return np.clip(soft * 1.6 * np.array(tint, np.float32), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s at 12 fps, four seconds of one picture, then four of another: a cut at 4.0 s."""
    path = tmp_path_factory.mktemp("clips") / "two shots.mp4"
    shots = [texture(1, (220, 60, 40)), texture(2, (30, 120, 200))]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for number in range(96):
            frame = av.VideoFrame.from_ndarray(shots[number // 48], "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults with a store of the test's own."""
    return Settings(store_dir=tmp_path / "store")
