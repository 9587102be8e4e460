"""Captions as HTML and as the player's subtitles: pure functions, tested without a browser.

The `data-*` attributes in the templates are what assets/page.js acts on (`data-seek`: seconds to jump to, `data-copy`:
copy the text).
"""

from __future__ import annotations

import re
from html import escape
from typing import Any, NamedTuple

from markupsafe import Markup

from sgv_demo.engines import MEASURED
from sgv_demo.events import Analysis, Delta
from sgv_demo.evidence import phrases
from sgv_demo.evidence.kind import Phrase
from sgv_demo.formats.exports import cues
from sgv_demo.formats.markup import clean, macros
from sgv_demo.types import Caption, Evidence, KeyframeMark, VideoInfo
from sgv_demo.ui.parts import PictureUrl, hint, seen
from sgv_demo.ui.visit import Phase


class Offered(NamedTuple):
    """A model that isn't here yet."""

    name: str
    """As the engine panel knows it."""
    label: str
    size: str
    """Of the download, such as "1.0 GB"."""


_SENTENCE = re.compile(r"(?<=[.!?…])\s+(?=[^a-z])|(?<=[。！？])")
_CLAUSE = re.compile(r"[,;:，；：、]\s?")
_MOST_FRAMES = 8
"""Of a caption of the whole range."""


_EMPTY: dict[Phase, str] = {
    "empty": "Choose a video and press Run. Each pair of keyframes gets a card here as it is written.",
    "unusable": "This file can't be captioned; the reason stands beside it. Choose another one.",
    "ready": "Press Run. Each pair of keyframes gets a card here as it is written.",
    "waiting": "The first caption appears here as soon as it is being written.",
    "running": "The first caption appears here as soon as it is being written.",
    "stopped": "Stopped before a caption was finished. Continue goes on from there.",
    "failed": "It failed before a caption was finished; the reason stands under the player.",
    "done": "There are no captions: nothing was found to write about.",
}


def empty(phase: Phase) -> Markup:
    """What stands where the captions will be while there is none."""
    return hint(_EMPTY[phase])


def chips(evidence: Evidence | None) -> Markup:
    """Quiet labels, one for each thing measured; the similarity stands apart in `card`."""
    return macros("captions").chips(measured(evidence))


def measured(evidence: Evidence | None) -> list[Phrase]:
    """What was measured, for the macro `chips`."""
    return phrases(evidence) if evidence else []


def key_figure(mark: KeyframeMark, url: PictureUrl, video: VideoInfo | None = None) -> Markup:
    """One keyframe of the gallery."""
    return macros("captions").key_figure(url(mark.picture), mark, video.size if video else None)


def card(caption: Caption | Delta, analysis: Analysis, url: PictureUrl) -> Markup:
    """One caption: time span, what was measured, its frames, the text. A `Delta` is one that is still being written."""
    live = isinstance(caption, Delta)
    evidence = _evidence_at(analysis, caption.start, caption.end) if live else caption.evidence
    how = {} if live else seen(caption.trace, url)
    return macros("captions").card(
        caption,
        live,
        measured(evidence),
        evidence.similarity if evidence else None,
        pictures(caption, analysis, url),
        analysis.video.size if analysis.video else None,
        how.pop("note", ""),
        how,
    )


def pictures(caption: Caption | Delta, analysis: Analysis, url: PictureUrl) -> list[tuple[str, float, str]]:
    """(address, seconds, name) of the frames that a caption is about."""
    if analysis.options.at_once:
        chosen = [k for k in analysis.keyframes if caption.start <= k.time <= caption.end]
        step = max(1, -(-len(chosen) // _MOST_FRAMES))
        return [(url(k.picture), k.time, "Keyframe") for k in chosen[::step]]
    times = [(caption.start, "Before"), (caption.end, "After")]
    if caption.end <= caption.start:
        times = [(caption.start, "First keyframe")]
    pictures = {round(k.time, 3): k.picture for k in analysis.keyframes}
    return [(url(pictures.get(round(time, 3))), time, name) for time, name in times]


def _evidence_at(analysis: Analysis, start: float, end: float) -> Evidence | None:
    return next((e for e in reversed(analysis.evidence) if (e.start, e.end) == (start, end)), None)


def written_by(analysis: Analysis, better: Offered | None = None) -> Markup:
    """Who wrote the captions, and in which mode; `better`: a model that would say more and can be fetched."""
    mode = "one caption for all keyframes" if analysis.options.at_once else "one caption for each pair"
    offer = better if analysis.engine.name == MEASURED.name else None
    return macros("captions").written_by(analysis.engine.label, mode, offer)


def subtitles(analysis: Analysis) -> list[dict[str, Any]]:
    """Cues for the player, short enough not to cover it; harmless for WebVTT (one line, no markup, no arrow).

    A caption is shown sentence by sentence, each for a share of its span as long as its text. Cues end a hundredth of a
    second early: browsers show both of two cues that touch when the player stands there.
    """
    shown: list[dict[str, Any]] = []
    for start, end, text in cues(analysis):
        pieces = broken(" ".join(clean(text).split()))
        whole = sum(map(len, pieces))
        for piece in pieces:
            until = start + (end - start) * len(piece) / whole
            whole, stop = whole - len(piece), max(round(until - 0.01, 3), start + 0.01)
            shown.append({"text": escape(piece, quote=False), "timestamp": [round(start, 3), stop]})
            start = until
    return shown


def broken(text: str, most: int = 90) -> list[str]:
    """The text in pieces of at most so many characters: whole sentences, else up to a comma or a word's end."""
    pieces: list[str] = []
    for sentence in filter(None, _SENTENCE.split(text)):
        rest = sentence.strip()
        while len(rest) > most:
            cut = max((m.end() for m in _CLAUSE.finditer(rest, most // 3, most)), default=0) or rest.rfind(" ", 0, most)
            cut = cut if cut > 0 else most
            pieces.append(rest[:cut].strip())
            rest = rest[cut:].strip()
        pieces += [rest] if rest else []
    return pieces
