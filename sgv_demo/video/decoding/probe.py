"""Probing: what a file is, found by walking over its packets and decoding one picture."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from av import VideoFrame
from av.format import Flags

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import VideoInfo
from sgv_demo.video.decoding.container import NOTHING_DECODABLE, check_pixels
from sgv_demo.video.decoding.index import FASTEST, Index, build_index
from sgv_demo.video.decoding.passes import Pass
from sgv_demo.video.decoding.picture import Renderer, Size, displayed_size, turn_of

TRANSPARENT = "Transparent parts are shown over grey."

_FIRST_PICTURE_SECONDS = 3.0
_ENOUGH_TO_SEE_ORDER = 24
"""Pictures among which reordering shows."""
_STILL_BRANDS = ("avif", "heic", "heix", "mif1")


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Everything that the readings of one file share."""

    info: VideoInfo
    index: Index
    average_rate: float
    """Pictures a second as the container states it (published sampling)."""
    aspect: Fraction | None
    """Width over height of a stored pixel."""


def find_facts(path: Path, settings: Settings) -> Facts:
    """Probes the file.

    Raises:
        VideoError: it can't be used.
    """
    opened = Pass(path, settings)
    try:
        index = build_index(opened.container, opened.stream)
        _refuse_stills(opened, index)
        rate = _rate(opened, index)
        opened.reopen()
        first = _first_pictures(opened, index)
        check_pixels(*first.size, settings)
        index = index if first.order_is_known else index.counted(float(opened.stream.average_rate or 0))
        # A stream that was cut anywhere begins with pictures that lack what they refer to.
        start, end = float(index.times[first.number or 0]), index.end
        if len(index.times) == 1 and index.clocked:
            # A single picture often has no length of its own.
            end = max(end, start + min(1 / rate, 1.0))
        claimed = _claimed(opened, index)
        cut_short = claimed is not None and claimed - end > max(1.0, 2 / rate) and not _has_all_packets(opened, index)
        duration = claimed if cut_short and claimed is not None else end
        info = VideoInfo(
            path=path,
            duration=max(duration - start, 0.0),
            fps=rate,
            size=first.size,
            codec=opened.stream.codec_context.codec.canonical_name,
            has_audio=bool(opened.container.streams.audio),
            start=start,
            notes=_notes(index, duration, end if cut_short else None, first.transparent),
        )
        average_rate, aspect = float(opened.stream.average_rate or 0) or rate, opened.stream.sample_aspect_ratio
    finally:
        opened.close()
    if duration > settings.max_seconds:
        raise VideoError(
            f"The video lasts {duration / 60:.0f} minutes, over the limit of {settings.max_seconds / 60:.0f}; "
            "cut it first."
        )
    return Facts(info, index, average_rate, aspect)


def _refuse_stills(opened: Pass, index: Index) -> None:
    brand = opened.container.metadata.get("major_brand", "")
    if len(index.times) <= 1 and (brand in _STILL_BRANDS or opened.container.format.name in ("gif", "apng", "mjpeg")):
        raise VideoError("This is a still picture, not a video; choose a video file.")


def _rate(opened: Pass, index: Index) -> float:
    """Pictures a second: the container's average where the walk agrees, otherwise measured."""
    stated = float(opened.stream.average_rate or 0)
    count, length = len(index.times), index.end - float(index.times[0])
    if not index.clocked or count < 2 or length <= 0:
        guesses = (float(opened.stream.guessed_rate or 0), stated)
        return next((rate for rate in guesses if 0 < rate <= FASTEST), 25.0)
    measured = count / length
    return stated if stated and abs(stated - measured) <= 0.02 * measured else measured


def _claimed(opened: Pass, index: Index) -> float | None:
    """Seconds that the header promises for the pictures, or for the whole file where it doesn't say."""
    container, stream = opened.container, opened.stream
    if index.jumped or container.format.flags & Flags.ts_discont.value:
        # Broadcast streams have no header: FFmpeg takes the length from the clock at the file's two ends.
        return None
    if stream.duration:
        return stream.duration * float(stream.time_base or 0)
    if not container.duration:
        return None
    # Matroska's length counts from zero, however late the pictures begin.
    late = max(container.start_time or 0, 0) / 1e6 if container.format.name.startswith("matroska") else 0.0
    return container.duration / 1e6 - late


def _has_all_packets(opened: Pass, index: Index) -> bool:
    """Whether the pictures end early because there are no more, not because the file is cut off."""
    if opened.container.format.name.startswith("mov"):
        return len(opened.stream.index_entries) <= len(index.marks)
    # Where sound goes on to the promised end, nothing is missing.
    return bool(opened.container.streams.audio)


@dataclass(frozen=True, slots=True)
class _First:
    """What decoding the first pictures shows."""

    size: Size
    """(width, height) as displayed."""
    transparent: bool
    number: int | None
    """The first picture's, if the packets tell it."""
    order_is_known: bool
    """Whether pictures come out in the order that the container's times give them."""


def _first_pictures(opened: Pass, index: Index) -> _First:
    """Decodes the first picture, or several where times may be those of decoding; VideoError when there is none."""
    limit = time.monotonic() + _FIRST_PICTURE_SECONDS
    name = opened.container.format.name
    # Pictures that are reordered, but numbered as they are coded: AVI knows no other times, some writers neither.
    doubtful = index.in_coded_order() and (name == "avi" or opened.decoder.has_b_frames)
    first: VideoFrame | None = None
    numbers: list[int | None] = []
    for position, packet in enumerate(chain(opened.packets(), [None])):
        if packet is not None:
            packet.pts = index.stamp(position)
        for frame in opened.decode(packet, position):
            first = first or frame
            numbers.append(frame.pts)
        enough = first is not None and (not doubtful or len(numbers) >= _ENOUGH_TO_SEE_ORDER)
        if enough or time.monotonic() > limit:
            break
    if first is None:
        raise VideoError(NOTHING_DECODABLE)
    known = [number for number in numbers if number is not None]
    order_is_known = len(known) == len(numbers) and all(a < b for a, b in pairwise(known))
    aspect = opened.stream.sample_aspect_ratio
    size = displayed_size(first.width, first.height, aspect, turn_of(first))
    renderer = Renderer(size, aspect)
    renderer.render(first)
    return _First(size, renderer.transparent, first.pts, order_is_known)


def _notes(index: Index, duration: float, cut_at: float | None, transparent: bool) -> tuple[str, ...]:
    found = []
    if cut_at is not None:
        found.append(f"The file is cut short: its pictures end at {cut_at:.1f} s of {duration:.1f} s.")
    if len(index.times) > 2:
        short, long = np.percentile(np.diff(index.times), (5, 95))
        if long > 1.5 * short:
            found.append("The frame rate varies; every picture is taken at its own time.")
    if transparent:
        found.append(TRANSPARENT)
    return tuple(found)
