"""What was measured and written, as lanes under the similarity curve, and the same as a table: pure.

The lanes are for the eye and the mouse; the table says the same to a screen reader and is reached by keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from markupsafe import Markup

from sgv_demo.events import Analysis
from sgv_demo.evidence import KINDS
from sgv_demo.evidence.kind import LaneSpan
from sgv_demo.formats.markup import macros

_MOST_SPANS = 600
"""Most spans drawn in one lane: there are no more pixels."""
_DENSE = 100
"""More spans than this are drawn without gaps."""
_MOST_ROWS = 300
_SHORT = 90
"""Characters of a caption that are shown on hovering."""


def lanes(analysis: Analysis | None, first: float, last: float) -> Markup:
    """Lanes and table for a video from `first` to `last` (seconds). Empty ones keep their place: nothing moves."""
    found = _all(analysis) if analysis else [(name, []) for name in _names()]
    table = sorted(((s, name) for name, spans in found for s in spans), key=lambda row: row[0].start)
    more = f"The first {_MOST_ROWS} of {len(table)}; the captions tab has all." if len(table) > _MOST_ROWS else ""
    drawn = [_lane(name, spans, first, max(last - first, 0.001)) for name, spans in found]
    return macros("video").lanes(drawn, table[:_MOST_ROWS], more)


def _names() -> list[str]:
    return [*(kind.lane.name for kind in KINDS if kind.lane), "Captions"]


def _all(analysis: Analysis) -> list[tuple[str, list[LaneSpan]]]:
    measured = [(kind.lane.name, _merged(kind.lane.spans(analysis))) for kind in KINDS if kind.lane]
    return [*measured, ("Captions", list(_captions(analysis)))]


def _captions(analysis: Analysis) -> Iterator[LaneSpan]:
    for caption in analysis.captions:
        if caption.end > caption.start:
            yield LaneSpan(caption.start, caption.end, "", " ".join(caption.text.split())[:_SHORT])


def _merged(spans: Iterable[LaneSpan]) -> list[LaneSpan]:
    """Neighbours with the same word and look as one."""
    made: list[LaneSpan] = []
    for item in spans:
        before = made[-1] if made else None
        if before and (before.word, before.kind) == (item.word, item.kind) and item.start - before.end < 0.05:
            made[-1] = LaneSpan(before.start, item.end, item.word, item.title, item.kind)
        else:
            made.append(item)
    return made


def _lane(name: str, spans: list[LaneSpan], first: float, whole: float) -> dict[str, Any]:
    """What the template's `lane` takes: each span with its left edge and width in percent."""
    step = max(1, -(-len(spans) // _MOST_SPANS))
    drawn = [(s, 100 * (s.start - first) / whole, 100 * max(s.end - s.start, 0) / whole) for s in spans[::step]]
    return {"name": name, "dense": len(spans) > _DENSE, "spans": drawn}
