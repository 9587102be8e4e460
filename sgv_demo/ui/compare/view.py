"""Two results side by side, as HTML: pure."""

from __future__ import annotations

from collections.abc import Sequence

from sgv_demo.events import Analysis
from sgv_demo.results.compare import Piece, Row, align, differences, likeness, parted, what_differs
from sgv_demo.results.review import Review
from sgv_demo.types import Caption, KeyframeMark
from sgv_demo.ui.captions.view import PictureUrl, esc, hint, span

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


def page(left: Side | None, right: Side | None) -> str:
    """The comparison, or what to do for one."""
    if left is None or right is None:
        return hint(EMPTY)
    a, b = left[1].edited(left[0]), right[1].edited(right[0])
    rows = align(a.captions, b.captions)
    shown = "".join(_row(row, left, right) for row in rows[:_MOST_ROWS])
    more = hint(f"Only the first {_MOST_ROWS} rows of {len(rows)} are shown.") if len(rows) > _MOST_ROWS else ""
    return (
        f'{_warning(a, b)}{_settings(a, b)}<figure class="slider" hidden></figure>'
        f'<div class="compare" role="table" aria-label="Captions side by side"><div class="compare-head" role="row">'
        f'<span role="columnheader">Time</span><strong role="columnheader">{esc(title(a))}</strong>'
        f'<strong role="columnheader">{esc(title(b))}</strong></div>{shown}</div>{more}{_summaries(a, b)}'
    )


def _warning(left: Analysis, right: Analysis) -> str:
    one, two = left.video, right.video
    if one and two and one.path.stem != two.path.stem:
        return hint(
            f"These are results of two videos, {one.path.name} and {two.path.name}: times may not belong together."
        )
    return ""


def _settings(left: Analysis, right: Analysis) -> str:
    differ = what_differs(left, right)
    items = "".join(f"<li>{esc(line)}</li>" for line in differ)
    return f'<ul class="chips" aria-label="What differs">{items}</ul>' if items else hint("Same engine, same settings.")


def _row(row: Row, left: Side, right: Side) -> str:
    one, two = differences(_joined(row.left), _joined(row.right))
    same = likeness(_joined(row.left), _joined(row.right)) if row.left and row.right else None
    similar = "" if same is None else f'<span class="sim">{same:.0%} alike</span>'
    return (
        f'<div class="compare-row" role="row" data-start="{row.start:.3f}" data-end="{row.end:.3f}">'
        f'<div role="cell"><button class="span" data-seek="{row.start:.3f}">{span(row.start, row.end)}</button>'
        f"{similar}{_frames_button(row, left, right)}</div>"
        f"{_cell(one, row.left, 'del')}{_cell(two, row.right, 'ins')}</div>"
    )


def _joined(captions: Sequence[Caption]) -> str:
    return _BETWEEN.join(c.text for c in captions)


def _cell(pieces: Sequence[Piece], captions: Sequence[Caption], tag: str) -> str:
    """One side of a row; where it holds several captions, each with its time."""
    if not captions:
        return '<div role="cell" class="none">no caption here</div>'
    times = [
        f'<button class="span" data-seek="{c.start:.3f}">{span(c.start, c.end)}</button>' if len(captions) > 1 else ""
        for c in captions
    ]
    texts = parted(pieces, [c.text for c in captions], _BETWEEN)
    shown = "".join(
        f'{time}<p class="text" dir="auto">{_marked(text, tag)}</p>' for time, text in zip(times, texts, strict=True)
    )
    return f'<div role="cell">{shown}</div>'


def _marked(pieces: Sequence[Piece], tag: str) -> str:
    return "".join(f"<{tag}>{esc(t)}</{tag}>" if kind == "only" else esc(t) for kind, t in pieces)


def _frames_button(row: Row, left: Side, right: Side) -> str:
    for analysis, _, url in (left, right):
        first, last = _nearest(analysis, row.start), _nearest(analysis, row.end)
        if first and last and first.index != last.index and url(first.picture) and url(last.picture):
            return (
                f'<button class="quiet" data-before="{esc(url(first.picture))}" data-after="{esc(url(last.picture))}" '
                f'data-label="{span(row.start, row.end)}">◧ Frames</button>'
            )
    return ""


def _nearest(analysis: Analysis, time: float) -> KeyframeMark | None:
    near = min(analysis.keyframes, key=lambda k: abs(k.time - time), default=None)
    return near if near and near.picture else None


def _summaries(left: Analysis, right: Analysis) -> str:
    if not left.summary and not right.summary:
        return ""
    one, two = differences(left.summary, right.summary)
    cells = (_marked(pieces, tag) for pieces, tag in ((one, "del"), (two, "ins")))
    columns = "".join(
        f'<div><p class="text" dir="auto">{cell}</p></div>' if cell else '<div class="none">no summary</div>'
        for cell in cells
    )
    return f'<h3 class="head">Summaries</h3><div class="compare-row"><div></div>{columns}</div>'
