"""Two results side by side, as HTML: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from sgv_demo.events import Analysis
from sgv_demo.formats.markup import macros, span
from sgv_demo.results.compare import Piece, Row, align, contrasts, likeness, parted, what_differs
from sgv_demo.results.review import Review
from sgv_demo.times import counted
from sgv_demo.types import Caption, KeyframeMark
from sgv_demo.ui.parts import PictureUrl, hint

_MOST_ROWS = 2000
_BETWEEN = "\n\n"

Side = tuple[Analysis, Review, PictureUrl]
"""A result, what was said about it, addresses of its pictures."""

EMPTY = (
    "Two results of one video can be read side by side here. Run it once, change the mode, the engine or a setting, "
    "run again: both are kept and offered above."
)


def title(analysis: Analysis) -> str:
    """A result in a few words, for lists: "sliding · Measured · every 2 s"."""
    options = analysis.options
    if analysis.engine.name == "dataset":
        name = analysis.video.path.stem if analysis.video else "record"
        return f"Dataset: {name}"
    parts = [options.mode, analysis.engine.label.split(",")[0]]
    if analysis.engine.model and analysis.engine.quantization != "none":
        parts.append(analysis.engine.quantization)
    parts.append("published frames" if options.sampling.published else f"every {options.sampling.every:g} s")
    if options.sampling.threshold is not None:
        parts.append(f"threshold {options.sampling.threshold:g}")
    if options.sampling.keep_all:
        parts.append("every sample")
    if options.sampling.start or options.sampling.end is not None:
        parts.append(span(options.sampling.start, options.sampling.end or 0.0))
    if options.generation.beams > 1:
        parts.append(f"{options.generation.beams} beams")
    return " · ".join(parts)


def cost(analysis: Analysis) -> str:
    """What a result took: "2,140 tokens in, 380 out · 12.4 s"; empty for one that wasn't made here."""
    traces = [caption.trace for caption in analysis.captions] + [analysis.summary_trace]
    made = [trace for trace in traces if trace is not None]
    read, written = sum(trace.prompt_tokens for trace in made), sum(trace.new_tokens for trace in made)
    tokens = [f"{read:,} tokens in, {written:,} out"] if written else []
    seconds = [f"{analysis.seconds:.1f} s"] if analysis.seconds else []
    return " · ".join(tokens + seconds)


def costs(shelf: Sequence[Analysis]) -> list[tuple[str, str, str]]:
    """(result, how many captions, what it took) of all results of the newest one's video that were made here."""
    video = shelf[-1].video if shelf else None
    alike = [analysis for analysis in shelf if video and analysis.video and analysis.video.path == video.path]
    return [(title(a), counted(len(a.captions), "caption"), cost(a)) for a in alike if cost(a)]


def page(left: Side | None, right: Side | None, rows_of_costs: Sequence[tuple[str, str, str]] = ()) -> Markup:
    """The comparison, or what to do for one."""
    if left is None or right is None:
        return hint(EMPTY)
    a, b = left[1].edited(left[0]), right[1].edited(right[0])
    rows = align(a.captions, b.captions)
    more = f"Only the first {_MOST_ROWS} rows of {len(rows)} are shown." if len(rows) > _MOST_ROWS else ""
    return macros("compare").page(
        _warning(a, b),
        rows_of_costs if len(rows_of_costs) > 2 else (),
        what_differs(a, b),
        ((title(a), cost(a)), (title(b), cost(b))),
        [_row(row, left, right) for row in rows[:_MOST_ROWS]],
        more,
        _summaries(a, b),
    )


def _warning(left: Analysis, right: Analysis) -> str:
    one, two = left.video, right.video
    if one and two and one.path.stem != two.path.stem:
        return f"These are results of two videos, {one.name} and {two.name}: times may not belong together."
    return ""


def _row(row: Row, left: Side, right: Side) -> dict[str, Any]:
    """What the template's `one` takes."""
    a, b = _joined(row.left), _joined(row.right)
    one, two = contrasts(a, b)
    return {
        "start": row.start,
        "end": row.end,
        "alike": likeness(a, b) if row.left and row.right else None,
        "frames": _frames(row, left, right),
        "cells": (_cell(one, row.left, "del"), _cell(two, row.right, "ins")),
    }


def _joined(captions: Sequence[Caption]) -> str:
    return _BETWEEN.join(c.text for c in captions)


def _cell(pieces: Sequence[Piece], captions: Sequence[Caption], tag: str) -> dict[str, Any]:
    """One side of a row: each caption with its pieces of text."""
    texts = parted(pieces, [c.text for c in captions], _BETWEEN)
    return {"captions": list(zip(captions, texts, strict=True)), "tag": tag}


def _frames(row: Row, left: Side, right: Side) -> tuple[str, str] | None:
    """Addresses of the frames at both ends of a row."""
    for analysis, _, url in (left, right):
        first, last = _nearest(analysis, row.start), _nearest(analysis, row.end)
        if first and last and first.index != last.index and url(first.picture) and url(last.picture):
            return url(first.picture), url(last.picture)
    return None


def _nearest(analysis: Analysis, time: float) -> KeyframeMark | None:
    near = min(analysis.keyframes, key=lambda k: abs(k.time - time), default=None)
    return near if near and near.picture else None


def _summaries(left: Analysis, right: Analysis) -> list[tuple[Sequence[Piece], str]]:
    if not left.summary and not right.summary:
        return []
    one, two = contrasts(left.summary, right.summary)
    return [(one, "del"), (two, "ins")]
