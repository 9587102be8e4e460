"""The similarity timeline as SVG inside HTML: pure. assets/page.js moves the playhead; a drag is a range."""

from __future__ import annotations

from markupsafe import Markup

from sgv_demo.events import Analysis
from sgv_demo.formats.markup import counted, macros
from sgv_demo.times import clock
from sgv_demo.types import Sample, VideoInfo
from sgv_demo.ui.video.lanes import lanes

_POINTS = 600
"""Most points drawn: more than the plot has pixels would only cost."""
_HEIGHT = 100.0
_LONG = 120
"""Seconds from which tenths on the axis would say nothing."""
_DENSE = 100
"""More keyframes than this are ticks at the foot: as lines they would hide the curve."""


def timeline(
    info: VideoInfo | None, analysis: Analysis | None, threshold: float, start: float, end: float | None
) -> Markup:
    """The plot for a video; `start` and `end` (seconds) are the chosen range. Empty without a video."""
    if info is None:
        return Markup()
    first, last = info.start, max(info.start + info.duration, info.start + 0.001)
    samples = analysis.samples if analysis else ()
    floor = _floor(samples, threshold)
    across = lambda t: 1000 * min(1.0, max(0.0, (t - first) / (last - first)))  # noqa: E731
    high = lambda s: _HEIGHT * (1 - (s - floor) / (1 - floor))  # noqa: E731
    curve = [(across(s.time), high(s.similarity)) for s in thin(samples) if s.similarity is not None]
    keys = analysis.keyframes if analysis else ()
    dense = len(keys) > _DENSE
    left, right = across(start) / 10, across(last if end is None else end) / 10
    whole = " whole" if start <= first and (end is None or end >= last) else ""
    return macros("video").timeline(
        kind=f"{whole}{' dense' if dense else ''}",
        first=first,
        last=last,
        said=_said(samples, len(keys), threshold),
        curve=" ".join(f"{x:.1f},{y:.1f}" for x, y in curve) if len(curve) > 1 else "",
        floor=floor,
        threshold=high(threshold),
        keys=[across(k.time) for k in keys],
        top=90 if dense else 0,
        chosen=(left, max(0.0, right - left)),
        lanes=lanes(analysis, first, last),
        marks=_marks(first, last),
        legend=_legend(len(samples), len(keys), threshold),
    )


def thin(samples: tuple[Sample, ...]) -> list[Sample]:
    """At most about `_POINTS` samples; of each run of neighbours the least similar one stays, so no dip is lost."""
    step = max(1, -(-len(samples) // _POINTS))
    groups = (samples[i : i + step] for i in range(0, len(samples), step))
    return [min(group, key=lambda s: 2.0 if s.similarity is None else s.similarity) for group in groups]


def _floor(samples: tuple[Sample, ...], threshold: float) -> float:
    lowest = min([s.similarity for s in samples if s.similarity is not None] + [threshold])
    return min(max(lowest - 0.08, 0.0), 0.9)


def _marks(first: float, last: float) -> list[str]:
    """What stands under the axis, at its quarters."""
    times = [first + (last - first) * i / 4 for i in range(5)]
    digits = 1 if last - first >= 4 else 2
    return [f"{t:.{digits}f} s" if last - first < 8 else _tick(t, last - first) for t in times]


def _tick(time: float, span: float) -> str:
    """With tenths where a rounded time would stand in a wrong place."""
    if span >= _LONG or abs(time - round(time)) < 0.05:
        return clock(time)
    minutes, seconds = divmod(round(time, 1), 60)
    return f"{minutes:.0f}:{seconds:04.1f}"


def _legend(samples: int, keys: int, threshold: float) -> tuple[str, str] | None:
    """The threshold, and how many samples became keyframes; nothing before there are samples."""
    if not samples:
        return None
    return f"{threshold:.2f}", f"{counted(keys, 'keyframe')} of {counted(samples, 'sample')}"


def _said(samples: tuple[Sample, ...], keys: int, threshold: float) -> str:
    if not samples:
        return "Timeline of the video. Drag to choose a part, or use the From and To fields."
    return f"Similarity of {len(samples)} samples over time, threshold {threshold:.2f}, {keys} keyframes kept."
