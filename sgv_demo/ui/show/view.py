"""A result to be shown, as HTML: pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, TypeAlias

from markupsafe import Markup

from sgv_demo.events import Analysis
from sgv_demo.formats.exports import cues
from sgv_demo.formats.markup import macros
from sgv_demo.ui.captions.view import measured, pictures
from sgv_demo.ui.parts import PictureUrl

Kind: TypeAlias = Literal["example", "mine", "guest"]

_HEADS: dict[Kind, str] = {
    "example": "A finished example",
    "mine": "Presentation",
    "guest": "Captions that see what changes",
}


def show(analysis: Analysis, url: PictureUrl, video: str, kind: Kind) -> Markup:
    """The presentation; nothing without captions. `video`: its address, or empty: then the frames show."""
    captions = [caption for caption in analysis.captions if caption.text.strip()]
    spans = [(start, end) for start, end, _ in cues(analysis)]
    if not captions:
        return Markup()
    first, last = spans[0][0], max(spans[-1][1], spans[0][0] + 0.001)
    moments: list[dict[str, Any]] = []
    for caption, (start, end) in zip(captions, spans, strict=True):
        shown = pictures(caption, analysis, url)
        moments.append(
            {
                "caption": caption,
                "start": start,
                "end": end,
                "still": next((address for address, _, _ in reversed(shown) if address), ""),
                "pictures": shown,
                "measured": measured(caption.evidence),
                "at": (100 * (start - first) / (last - first), 100 * (end - start) / (last - first)),
            }
        )
    assert all(one["end"] <= other["start"] + 0.001 for one, other in pairwise(moments))
    return macros("show").show(
        kind,
        _HEADS[kind],
        analysis.video.name if analysis.video else "video",
        analysis.engine.label,
        video,
        analysis.video.size if analysis.video else None,
        moments,
        analysis.summary,
    )
