"""The similarity timeline as SVG inside HTML: pure. assets/page.js moves the playhead; a drag is a range."""

from __future__ import annotations

from sgv_demo.events import Analysis
from sgv_demo.formats.exports import clock
from sgv_demo.types import Sample, VideoInfo
from sgv_demo.ui.captions.view import esc
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
) -> str:
    """The plot for a video; `start` and `end` (seconds) are the chosen range. Empty without a video."""
    if info is None:
        return ""
    first, last = info.start, max(info.start + info.duration, info.start + 0.001)
    samples = analysis.samples if analysis else ()
    floor = _floor(samples, threshold)
    across = lambda t: 1000 * min(1.0, max(0.0, (t - first) / (last - first)))  # noqa: E731
    high = lambda s: _HEIGHT * (1 - (s - floor) / (1 - floor))  # noqa: E731
    parts = [f'<line class="threshold" x1="0" x2="1000" y1="{high(threshold):.1f}" y2="{high(threshold):.1f}"/>']
    curve = [(across(s.time), high(s.similarity)) for s in thin(samples) if s.similarity is not None]
    if len(curve) > 1:
        parts.insert(0, '<polyline class="curve" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in curve) + '"/>')
    keys = analysis.keyframes if analysis else ()
    dense = len(keys) > _DENSE
    top = 90 if dense else 0
    places = (across(k.time) for k in keys)
    parts += [f'<line class="key" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="100"/>' for x in places]
    left, right = across(start) / 10, across(last if end is None else end) / 10
    chosen = f'<div class="range" style="left:{left:.2f}%;width:{max(0.0, right - left):.2f}%"></div>'
    whole = " whole" if start <= first and (end is None or end >= last) else ""
    kind = f"timeline{whole}{' dense' if dense else ''}"
    return (
        f'<div class="{kind}" data-first="{first:.3f}" data-last="{last:.3f}" role="group" '
        f'aria-label="{esc(_said(samples, len(keys), threshold))}">'
        f'<div class="plot" tabindex="0" role="slider" aria-label="Position in the video" aria-valuemin="{first:.0f}" '
        f'aria-valuemax="{last:.0f}" aria-valuenow="{first:.0f}">'
        '<svg viewBox="0 -4 1000 108" preserveAspectRatio="none" aria-hidden="true">'
        f'{"".join(parts)}</svg>{_levels(floor) if len(curve) > 1 else ""}{chosen}<div class="playhead"></div></div>'
        f"{lanes(analysis, first, last)}{_axis(first, last)}"
        f"{_legend(len(samples), len(keys), threshold)}</div>"
    )


def thin(samples: tuple[Sample, ...]) -> list[Sample]:
    """At most about `_POINTS` samples; of each run of neighbours the least similar one stays, so no dip is lost."""
    step = max(1, -(-len(samples) // _POINTS))
    groups = (samples[i : i + step] for i in range(0, len(samples), step))
    return [min(group, key=lambda s: 2.0 if s.similarity is None else s.similarity) for group in groups]


def _floor(samples: tuple[Sample, ...], threshold: float) -> float:
    lowest = min([s.similarity for s in samples if s.similarity is not None] + [threshold])
    return min(max(lowest - 0.08, 0.0), 0.9)


def _axis(first: float, last: float) -> str:
    times = [first + (last - first) * i / 4 for i in range(5)]
    digits = 1 if last - first >= 4 else 2
    marks = "".join(
        f"<span>{f'{t:.{digits}f} s' if last - first < 8 else _tick(t, last - first)}</span>" for t in times
    )
    return f'<div class="axis" aria-hidden="true">{marks}</div>'


def _tick(time: float, span: float) -> str:
    """With tenths where a rounded time would stand in a wrong place."""
    if span >= _LONG or abs(time - round(time)) < 0.05:
        return clock(time)
    minutes, seconds = divmod(round(time, 1), 60)
    return f"{minutes:.0f}:{seconds:04.1f}"


def _levels(floor: float) -> str:
    return f'<span class="level high">1.0</span><span class="level low">{floor:.2f}</span>'


def _legend(samples: int, keys: int, threshold: float) -> str:
    if not samples:
        return '<p class="legend">Drag over the line to choose a part; click to go there.</p>'
    count = f"{keys} keyframe{'' if keys == 1 else 's'} of {samples} sample{'' if samples == 1 else 's'}"
    return (
        '<p class="legend"><span class="swatch curve"></span>similarity <span class="swatch threshold"></span>'
        f"threshold {threshold:.2f} <span>{count}</span></p>"
    )


def _said(samples: tuple[Sample, ...], keys: int, threshold: float) -> str:
    if not samples:
        return "Timeline of the video. Drag to choose a part, or use the From and To fields."
    return f"Similarity of {len(samples)} samples over time, threshold {threshold:.2f}, {keys} keyframes kept."
