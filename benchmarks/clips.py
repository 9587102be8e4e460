"""Clips for the sampling benchmark: drawn, encoded once, and repeated without encoding again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

WIDTH, HEIGHT, FPS, MINUTE = 1280, 720, 30, 60
SHOT = 5 * FPS


def write_clip(path: Path, gop: int) -> Path:
    """A minute of 720p30 with a new shot every 5 s, a slow pan in each, and noise, as H.264 with B-frames."""
    random = np.random.default_rng(0)
    grain = random.integers(-6, 7, (HEIGHT, WIDTH, 1), np.int16)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "sc_threshold": "0"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = gop
        shots = random.integers(0, 256, (MINUTE * FPS // SHOT, 12, 24, 3), np.uint8)
        for number in range(MINUTE * FPS):
            shot = cv2.resize(shots[number // SHOT], (WIDTH + 2 * SHOT, HEIGHT), interpolation=cv2.INTER_CUBIC)
            left = number % SHOT * 2
            image = np.clip(shot[:, left : left + WIDTH] + np.roll(grain, number * 7, 1), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def repeated(clip: Path, times: int) -> Path:
    """The clip's packets `times` over, without encoding anything again."""
    path = clip.with_stem(f"{clip.stem}_{times}")
    with av.open(str(path), "w") as out:
        target = None
        for turn in range(times):
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                target = target or out.add_stream_from_template(stream)
                shift = round(turn * MINUTE / float(stream.time_base or 1))
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, target
                    out.mux(packet)
    return path
