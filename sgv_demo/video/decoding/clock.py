"""The one rule for clocks that jump, whatever the container: where a recording begins anew, and how the parts join.

Decoding times of one recording never go back. A step back therefore means another recording behind the first (files
that were appended, an encoder that was started again), if what follows would also be shown before what was there
already; a small step back alone is a demuxer's estimate, as in open groups of pictures. Where an MP4's edit list goes
back, FFmpeg repeats what leads up to the new place as packets that aren't shown, so these count here, too. Broadcast
clocks (MPEG-TS, MPEG-PS) may leap forward: nobody holds a picture for ten seconds there, while in MP4 or Matroska a
long picture is a real one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]

_LEAP_SECONDS = 10.0
"""A broadcast clock that goes forward by more has jumped."""
_REORDERING_SECONDS = 1.0
"""A decoding time that goes back by more has jumped, at a keyframe or not."""


class Jumps:
    """Follows the clock from one packet to the next, in decoding order."""

    def __init__(self, time_base: float, *, broadcast: bool = False, decoding_times: bool = True) -> None:
        """What the container is like.

        Args:
            time_base: seconds a tick.
            broadcast: its clock may leap forward.
            decoding_times: it stores them; otherwise they are FFmpeg's guess, good enough for keyframes.
        """
        self._leap = _LEAP_SECONDS / time_base if broadcast else float("inf")
        self._decoding_times = decoding_times
        self._reordering = _REORDERING_SECONDS / time_base
        self._last: int | None = None
        self._latest: int | None = None
        self._part = 0

    def part(self, pts: int, dts: int | None, keyframe: bool) -> int:
        """Which part of the file the packet belongs to, counted from 0."""
        latest = pts if self._latest is None else self._latest
        # MPEG-PS demuxers guess a decoding time from the one before, so the first packet behind a jump may still carry
        # one of the old clock: it is not held against the next.
        by_dts = (
            self._last is not None and dts is not None and self._dts_jumped(pts - latest, dts - self._last, keyframe)
        )
        unknown = keyframe or (self._last is None and self._decoding_times)
        by_pts = pts - latest > self._leap or (unknown and latest - pts > self._reordering)
        if by_dts or by_pts:
            self._part, latest = self._part + 1, pts
        self._latest = max(latest, pts)
        self._last = (None if by_pts and not by_dts else dts) if dts is not None else self._last
        return self._part

    def _dts_jumped(self, ahead: int, step: int, keyframe: bool) -> bool:
        if step >= 0:
            return step > self._leap
        return ahead <= 0 and (keyframe or (self._decoding_times and -step > self._reordering))


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """The parts of a file laid end to end."""

    order: Ticks
    """Indices of the packets in display order."""
    ticks: Ticks
    """Time of each picture in display order, never decreasing."""
    end: int
    """Where the last picture ends."""


def lay_out(ticks: Ticks, parts: Ticks, lengths: Ticks, *, believe_lengths: bool) -> Timeline:
    """Joins the parts: each begins where the one before it ends.

    Args:
        ticks: presentation time of each shown packet, in decoding order; not empty.
        parts: the part of each, never decreasing.
        lengths: how long each picture stays according to the container; 0 for unknown.
        believe_lengths: whether the last picture of a part stays as long as stated, not as long as the one before it.
    """
    order = np.lexsort((ticks, parts))
    shown, part = ticks[order], parts[order]
    first = np.flatnonzero(np.diff(part, prepend=part[0] - 1))
    last = np.append(first[1:], len(part)) - 1
    gaps = np.where(last > first, shown[last] - shown[last - 1], 0)
    stated = lengths[order][last]
    inside = np.diff(shown)[np.diff(part) == 0]
    usual, least = (int(np.median(inside)), int(inside.min())) if len(inside) else (1, 1)
    # A length below all distances is that of a field, or of a clock that ticks twice a picture.
    stated_first = believe_lengths & (stated >= max(least, 1))
    stay = np.where(stated_first | (gaps == 0), stated, gaps)
    spans = shown[last] - shown[first] + np.where(stay > 0, stay, max(usual, 1))
    begins = shown[0] + np.concatenate(([0], np.cumsum(spans)))
    joined = shown + np.repeat(begins[:-1] - shown[first], last - first + 1)
    return Timeline(order, joined, int(begins[-1]))


def spread(seconds: NDArray[np.float64], end: float) -> NDArray[np.float64]:
    """Pictures that share a time get times of their own, evenly up to the next one (`end` after the last)."""
    distinct, at, count = np.unique(seconds, return_index=True, return_counts=True)
    if len(distinct) == len(seconds):
        return seconds
    room = np.diff(distinct, append=max(end, distinct[-1] + 1e-6))
    rank = np.arange(len(seconds)) - np.repeat(at, count)
    return np.repeat(distinct, count) + rank * np.repeat(room / count, count)
