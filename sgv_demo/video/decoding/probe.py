"""Probing: what a file is, found by walking over its packets and decoding one picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import VideoInfo
from sgv_demo.video.decoding.container import NOTHING_DECODABLE, check_pixels, packets
from sgv_demo.video.decoding.packets import Scan, scan
from sgv_demo.video.decoding.passes import Clock, Pass
from sgv_demo.video.decoding.picture import displayed_size

_FIRST_PICTURE_SECONDS = 3.0
_FASTEST = 1000
"""Pictures a second; a header that claims more means its clock."""
_STILL_BRANDS = ("avif", "heic", "heix", "mif1")


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Everything that the readings of one file share."""

    info: VideoInfo
    scan: Scan
    time_base: float
    """Seconds a tick."""
    origin: int
    """The tick that people call zero."""
    average_rate: float
    """Pictures a second as the container states it (published sampling)."""
    aspect: Fraction | None
    """Width over height of a stored pixel."""

    def clock(self) -> Clock:
        """A clock for one reading."""
        return Clock(self.time_base, self.origin, 1 / self.info.fps)

    def seconds(self, tick: int) -> float:
        """Time for people."""
        return (tick - self.origin) * self.time_base

    def tick(self, seconds: float) -> float:
        """The inverse of `seconds`."""
        return seconds / self.time_base + self.origin


def find_facts(path: Path, settings: Settings) -> Facts:
    """Probes the file.

    Raises:
        VideoError: it can't be used.
    """
    opened = Pass(path, settings)
    try:
        base = float(opened.stream.time_base or 0) or 1e-6
        known = scan(opened.container, opened.stream)
        _refuse_stills(opened, known)
        rate = _rate(opened, known, base)
        origin = _origin(opened, known, base)
        end = known.count / rate if known.end is None else (known.end - origin) * base
        if known.count == 1 and known.first is not None:
            # A single picture often has no length of its own.
            end = max(end, (known.first - origin) * base + min(1 / rate, 1.0))
        claimed = _claimed(opened, base, origin)
        opened.reopen()
        start, size = _first_picture(opened, Clock(base, origin, 1 / rate))
        check_pixels(*size, settings)
        cut_short = claimed is not None and claimed - end > max(1.0, 2 / rate) and not _has_all_packets(opened, known)
        duration = claimed if cut_short and claimed is not None else end
        info = VideoInfo(
            path=path,
            duration=max(duration - start, 0.0),
            fps=rate,
            size=size,
            codec=opened.stream.codec_context.codec.canonical_name,
            has_audio=bool(opened.container.streams.audio),
            start=start,
            notes=_notes(known, duration, end if cut_short else None),
        )
        average_rate, aspect = float(opened.stream.average_rate or 0) or rate, opened.stream.sample_aspect_ratio
    finally:
        opened.close()
    if duration > settings.max_seconds:
        raise VideoError(
            f"The video lasts {duration / 60:.0f} minutes, over the limit of {settings.max_seconds / 60:.0f}; "
            "cut it first."
        )
    return Facts(info, known, base, origin, average_rate, aspect)


def _refuse_stills(opened: Pass, known: Scan) -> None:
    brand = opened.container.metadata.get("major_brand", "")
    if known.count <= 1 and (brand in _STILL_BRANDS or opened.container.format.name in ("gif", "apng", "mjpeg")):
        raise VideoError("This is a still picture, not a video; choose a video file.")


def _rate(opened: Pass, known: Scan, base: float) -> float:
    """Pictures a second: the container's average where the walk agrees, otherwise measured."""
    stated = float(opened.stream.average_rate or 0)
    if known.end is None or known.first is None or known.count < 2:
        guesses = (float(opened.stream.guessed_rate or 0), stated)
        return next((rate for rate in guesses if 0 < rate <= _FASTEST), 25.0)
    measured = known.count / ((known.end - known.first) * base)
    return stated if stated and abs(stated - measured) <= 0.02 * measured else measured


def _origin(opened: Pass, known: Scan, base: float) -> int:
    """The container's start; a negative one is sound running up to the pictures. AVI and raw streams have none."""
    first = known.first or 0
    if opened.container.format.name == "avi" or opened.container.start_time is None:
        return first
    start = round(opened.container.start_time / 1e6 / base)
    return start if start > 0 else min(0, first)


def _claimed(opened: Pass, base: float, origin: int) -> float | None:
    """Seconds that the header promises for the pictures, or for the whole file where it doesn't say."""
    if opened.stream.duration:
        return opened.stream.duration * base
    if not opened.container.duration:
        return None
    # Matroska's length counts from zero, however late the pictures begin.
    late = max(origin, 0) * base if opened.container.format.name.startswith("matroska") else 0.0
    return opened.container.duration / 1e6 - late


def _has_all_packets(opened: Pass, known: Scan) -> bool:
    """Whether the pictures end early because there are no more, not because the file is cut off."""
    if opened.container.format.name.startswith("mov"):
        return len(opened.stream.index_entries) <= known.count
    # Where sound goes on to the promised end, nothing is missing.
    return bool(opened.container.streams.audio)


def _first_picture(opened: Pass, clock: Clock) -> tuple[float, tuple[int, int]]:
    """Time and displayed size of the first picture that can be decoded; raises VideoError when there is none."""
    limit = time.monotonic() + _FIRST_PICTURE_SECONDS
    for packet in packets(opened.container, opened.stream):
        for frame in opened.decode(packet):
            aspect = opened.stream.sample_aspect_ratio
            return clock.of(frame), displayed_size(frame.width, frame.height, aspect, frame.rotation)
        if time.monotonic() > limit:
            break
    raise VideoError(NOTHING_DECODABLE)


def _notes(known: Scan, duration: float, cut_at: float | None) -> tuple[str, ...]:
    found = []
    if cut_at is not None:
        found.append(f"The file is cut short: its pictures end at {cut_at:.1f} s of {duration:.1f} s.")
    if len(known.shown) > 2:
        short, long = np.percentile(np.diff(known.shown), (5, 95))
        if long > 1.5 * short:
            found.append("The frame rate varies; every picture is taken at its own time.")
    return tuple(found)
