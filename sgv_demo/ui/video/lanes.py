"""What was measured and written, as lanes under the similarity curve, and the same as a table: pure.

The lanes are for the eye and the mouse; the table says the same to a screen reader and is reached by keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sgv_demo.events import Analysis
from sgv_demo.evidence import KINDS
from sgv_demo.evidence.kind import Span
from sgv_demo.formats.exports import clock
from sgv_demo.ui.captions.view import esc, span

_MOST_SPANS = 600
"""Most spans drawn in one lane: there are no more pixels."""
_DENSE = 100
"""More spans than this are drawn without gaps."""
_ROOM = 0.02
"""A span that is a smaller share of the video has no room even for the start of its word."""
_MOST_ROWS = 300
_SHORT = 90
"""Characters of a caption that are shown on hovering."""


def lanes(analysis: Analysis | None, first: float, last: float) -> str:
    """Lanes and table for a video from `first` to `last` (seconds); empty while nothing was measured."""
    found = [(name, spans) for name, spans in _all(analysis) if spans] if analysis else []
    if not found:
        return ""
    drawn = "".join(_lane(name, spans, first, last) for name, spans in found)
    return f'<div class="lanes" aria-hidden="true">{drawn}</div>{_table(found)}'


def _all(analysis: Analysis) -> list[tuple[str, list[Span]]]:
    measured = [(kind.lane.name, _merged(kind.lane.spans(analysis))) for kind in KINDS if kind.lane]
    return [*measured, ("Captions", list(_captions(analysis)))]


def _captions(analysis: Analysis) -> Iterator[Span]:
    for caption in analysis.captions:
        if caption.end > caption.start:
            yield Span(caption.start, caption.end, "", " ".join(caption.text.split())[:_SHORT])


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Neighbours with the same word and look as one."""
    made: list[Span] = []
    for item in spans:
        before = made[-1] if made else None
        if before and (before.word, before.kind) == (item.word, item.kind) and item.start - before.end < 0.05:
            made[-1] = Span(before.start, item.end, item.word, item.title, item.kind)
        else:
            made.append(item)
    return made


def _lane(name: str, spans: list[Span], first: float, last: float) -> str:
    step = max(1, -(-len(spans) // _MOST_SPANS))
    whole = max(last - first, 0.001)
    drawn = "".join(
        f'<i class="{s.kind}" data-seek="{s.start:.3f}" title="{esc(f"{span(s.start, s.end)}  {s.title}")}" '
        f'style="left:{100 * (s.start - first) / whole:.2f}%;width:{100 * max(s.end - s.start, 0) / whole:.2f}%">'
        f"{_word(s) if s.end - s.start > _ROOM * whole else ''}</i>"
        for s in spans[::step]
    )
    if name == "Captions":
        drawn = f'<div translate="no">{drawn}</div>'
    dense = " dense" if len(spans) > _DENSE else ""
    return f'<div class="lane {name.lower()}{dense}" title="{name}">{drawn}</div>'


def _word(item: Span) -> str:
    return _theirs(item.word) if item.kind == "read" else esc(item.word)


def _theirs(text: str) -> str:
    """A text of the picture or a model, which no language of the page translates."""
    return f"<bdi>{esc(text)}</bdi>"


def _table(found: list[tuple[str, list[Span]]]) -> str:
    rows = sorted(((s, name) for name, spans in found for s in spans), key=lambda row: row[0].start)
    body = "".join(
        f'<tr><td><button class="time" data-seek="{s.start:.3f}">{clock(s.start)}</button></td>'
        f"<td>{clock(s.end)}</td><td>{name}</td>"
        f"<td>{_theirs(s.title) if name == 'Captions' else esc(s.title)}</td></tr>"
        for s, name in rows[:_MOST_ROWS]
    )
    more = f"<p>The first {_MOST_ROWS} of {len(rows)}; the captions tab has all.</p>" if len(rows) > _MOST_ROWS else ""
    return (
        '<details class="as-table"><summary>Timeline as a table</summary><div><table><thead><tr>'
        '<th scope="col">From</th><th scope="col">To</th><th scope="col">What</th>'
        '<th scope="col">Measured or written</th></tr></thead>'
        f"<tbody>{body}</tbody></table>{more}</div></details>"
    )
