"""What was measured and written, as lanes under the similarity curve, and the same as a table: pure.

The lanes are for the eye and the mouse; the table says the same to a screen reader and is reached by keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sgv_demo.events import Analysis
from sgv_demo.formats.exports import clock
from sgv_demo.ui.captions.view import esc, span

_MOST_SPANS = 600
"""Most spans drawn in one lane: there are no more pixels."""
_DENSE = 100
"""More spans than this are drawn without gaps."""
_ROOM = 0.02
"""A span that is a smaller share of the video has no room even for the start of its word."""
_MUCH = 0.1
"""A change of light by less than this share of the full range is drawn faintly."""
_MOST_ROWS = 300
_SHORT = 90
"""Characters of a caption that are shown on hovering."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time with a word for it."""

    start: float
    end: float
    """Seconds."""
    word: str
    """Written into the lane where it has room."""
    title: str
    """Shown on hovering, and in the table."""
    kind: str = ""
    """Class of its look."""


def lanes(analysis: Analysis | None, first: float, last: float) -> str:
    """Lanes and table for a video from `first` to `last` (seconds); empty while nothing was measured."""
    found = [(name, spans) for name, spans in _all(analysis) if spans] if analysis else []
    if not found:
        return ""
    drawn = "".join(_lane(name, spans, first, last) for name, spans in found)
    return f'<div class="lanes" aria-hidden="true">{drawn}</div>{_table(found)}'


def _all(analysis: Analysis) -> list[tuple[str, list[Span]]]:
    return [
        ("Shots", list(_shots(analysis))),
        ("Camera", _merged(_camera(analysis))),
        ("Light", _merged(_light(analysis))),
        ("Text", list(_text(analysis))),
        (
            "Captions",
            [Span(c.start, c.end, "", " ".join(c.text.split())[:_SHORT]) for c in analysis.captions if c.end > c.start],
        ),
    ]


def _shots(analysis: Analysis) -> Iterator[Span]:
    if not analysis.evidence:
        return
    cuts = sorted({cut for evidence in analysis.evidence for cut in evidence.cuts})
    edges = [analysis.evidence[0].start, *cuts, analysis.evidence[-1].end]
    for number, (start, end) in enumerate(pairwise(edges), 1):
        yield Span(start, end, f"shot {number}", f"shot {number}", "odd" if number % 2 else "")


def _camera(analysis: Analysis) -> Iterator[Span]:
    for evidence in analysis.evidence:
        if evidence.moves:
            yield from (Span(m.start, m.end, m.word, f"camera: {m.word}", _quiet(m.word)) for m in evidence.moves)
            continue
        word = ", ".join(w for w in evidence.camera if w != "cut")
        if word:
            yield Span(evidence.start, evidence.end, word, f"camera: {word}", _quiet(word))


def _quiet(word: str) -> str:
    return "calm" if word in ("static", "unknown") else ""


def _light(analysis: Analysis) -> Iterator[Span]:
    for evidence in analysis.evidence:
        if abs(evidence.light) >= 0.02:
            word = "brighter" if evidence.light > 0 else "darker"
            kind = ("bright" if evidence.light > 0 else "dim") + (" faint" if abs(evidence.light) < _MUCH else "")
            yield Span(evidence.start, evidence.end, word, word, kind)


def _text(analysis: Analysis) -> Iterator[Span]:
    """Lines of text from the keyframe that shows them first to the one that has them no more."""
    shown: dict[str, float] = {}
    first = next((k for k in analysis.keyframes if k.look), None)
    if first and first.look:
        shown = dict.fromkeys(first.look.text, first.time)
    for evidence in analysis.evidence:
        for line in evidence.text_gone:
            if line in shown:
                yield Span(shown.pop(line), evidence.end, line, f"text: {line}", "read")
        for line in evidence.text_appeared:
            shown.setdefault(line, evidence.end)
    end = analysis.evidence[-1].end if analysis.evidence else 0.0
    for line, start in shown.items():
        yield Span(start, max(end, start), line, f"text: {line}", "read")


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
