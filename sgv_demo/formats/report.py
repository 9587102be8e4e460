"""An `Analysis` with its review as one HTML file that needs nothing else: for people who install nothing.

Pictures are inside as data URIs, and a content policy in the file forbids whatever is remote. There is no script, but
for one where the video is inside, too: it takes a click on a time there, and the policy names it by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from PIL import Image

from sgv_demo.events import Analysis
from sgv_demo.evidence import KINDS
from sgv_demo.formats.exports import evidence_phrases
from sgv_demo.formats.markup import ASSETS, macros
from sgv_demo.formats.thumbnails import Pictures
from sgv_demo.results.compare import differences
from sgv_demo.results.provenance import LEGEND, prompts, step_line, told
from sgv_demo.results.review import NONE, RATINGS, Review, questions_about, tally
from sgv_demo.times import clock
from sgv_demo.types import Caption, KeyframeMark

_STRIP = 12
"""Most pictures shown for a caption of the whole range."""


def to_html(
    analysis: Analysis, review: Review = NONE, pictures: Pictures | None = None, film: Path | None = None
) -> str:
    """The report.

    Args:
        analysis: the result.
        review: what was said about it.
        pictures: JPEG files of keyframes by index; those that are missing leave no gap.
        film: the video, to be inside; one that browsers don't play stays outside.

    Raises:
        OSError: `film` can't be read.
    """
    name = analysis.video.name if analysis.video else "Video"
    figures = _Figures(pictures or {})
    inside = _inside(film)
    body = macros("report").body(
        name,
        _facts(analysis),
        figures.again(_cover(analysis, figures)),
        analysis.summary,
        _chapters(review.edited(analysis)),
        _timeline(analysis),
        _ratings(analysis, review),
        _captions(analysis, review, figures, "#film" if inside else _beside(analysis)),
        analysis.notes,
        _made(analysis),
        {"legend": LEGEND, "found": [(prompt.steps, prompt.text) for prompt in prompts(analysis)]},
    )
    style = Markup((ASSETS / "report.css").read_text(encoding="utf-8"))  # our own file
    seek = (ASSETS / "report.js").read_text(encoding="utf-8") if inside else ""
    digest = base64.b64encode(hashlib.sha256(seek.encode()).digest()).decode()
    return str(macros("report").page(name, style, body, inside, Markup(seek), digest)).lstrip()


_PLAYED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm"}
"""Endings of what every browser plays."""


def _inside(film: Path | None) -> str:
    """The video as a data URI; empty for none."""
    kind = _PLAYED.get(film.suffix.lower()) if film else None
    return f"data:{kind};base64,{base64.b64encode(film.read_bytes()).decode('ascii')}" if film and kind else ""


def _facts(analysis: Analysis) -> str:
    video = analysis.video
    parts = []
    if video:
        parts.append(f"{clock(video.duration)} ({video.duration:.1f} s)")
        parts += [f"{video.size[0]}×{video.size[1]}"] if all(video.size) else []
        parts += [f"{video.fps:.4g} fps"] if video.fps else []
        parts += [video.codec] if video.codec else []
    parts.append(f"{len(analysis.keyframes)} keyframes")
    parts.append(f"captions by {analysis.engine.label}")
    return " · ".join(parts)


def _ratings(analysis: Analysis, review: Review) -> Markup:
    if not review.verdicts:
        return Markup()
    (row,) = tally([(analysis, review)])
    bars = [(rating, row.counts[rating], row.counts[rating] / max(1, row.rated)) for rating in RATINGS]
    words = f"{row.rated} of {row.captions} captions rated, {row.edited} edited, {row.flagged} flagged."
    return macros("report").ratings(bars, words)


def _captions(analysis: Analysis, review: Review, figures: _Figures, film: str) -> dict[str, Any]:
    """`film`: where times lead, the video beside the file or the one inside."""
    missing = len(analysis.keyframes) - figures.count if figures.count else 0
    note = f"{missing} of {len(analysis.keyframes)} keyframes come without a picture." if missing > 0 else ""
    cards = [_card(analysis, caption, review, figures, film) for caption in analysis.captions]
    return {"cards": cards, "missing": note, "video": film}


def _beside(analysis: Analysis) -> str:
    """Address of the video for a report that lies beside it."""
    return quote(analysis.video.name) if analysis.video else ""


def _cover(analysis: Analysis, figures: _Figures) -> KeyframeMark | None:
    """The keyframe with most to see: the one of the highest contrast, else the first."""
    shown = [mark for caption in analysis.captions for mark in _shown(analysis, caption) if figures.has(mark)]
    return max(shown, key=lambda mark: mark.look.contrast if mark.look else 0.0, default=None)


@dataclass(frozen=True, slots=True)
class _Chapter:
    index: int
    """Of its first caption."""
    start: float
    end: float
    """Seconds."""
    words: str
    """How its first caption begins."""


def _chapters(analysis: Analysis) -> list[_Chapter]:
    """One for each shot in which a caption begins; none where there is but one shot."""
    cuts = sorted({cut for evidence in analysis.evidence for cut in evidence.cuts})
    captions = [caption for caption in analysis.captions if caption.text.strip()]
    if not cuts or not captions:
        return []
    edges = [captions[0].start, *cuts, max(captions[-1].end, cuts[-1])]
    found: list[_Chapter] = []
    for start, end in pairwise(edges):
        inside = [c for c in captions if c.start < end and max(c.end, c.start + 0.001) > start]
        if inside:
            # A caption across the cut tells of both shots: the one that begins after it is this shot's own.
            own = next((c for c in inside if c.start >= start), inside[-1])
            found.append(_Chapter(own.index, start, end, shortened(own.text)))
    return found


def shortened(text: str, most: int = 120) -> str:
    """At most so many characters, cut at a word's end."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0].rstrip(" ,;:.–") + "…"


def _timeline(analysis: Analysis) -> Markup:
    """Similarity, keyframes, shots and camera over time."""
    if analysis.video is None or not analysis.samples:
        return Markup()
    first, whole = analysis.video.start, max(analysis.video.duration, 0.001)
    across = lambda t: 1000 * min(1.0, max(0.0, (t - first) / whole))  # noqa: E731
    known = [sample for sample in analysis.samples if sample.similarity is not None]
    threshold = analysis.options.sampling.threshold_in_force
    floor = min([threshold - 0.1, *(s.similarity for s in known if s.similarity is not None)])
    high = lambda s: 4 + 92 * (1 - (s - floor) / max(1 - floor, 0.001))  # noqa: E731
    rows = [
        {"name": kind.lane.name, "spans": spans}
        for kind in KINDS
        if kind.lane
        if (spans := [(across(s.start), across(s.end) - across(s.start), s.word) for s in kind.lane.spans(analysis)])
    ]
    return macros("report").timeline(
        f"Similarity of {len(analysis.samples)} samples over time, {len(analysis.keyframes)} keyframes",
        " ".join(f"{across(s.time):.1f},{high(s.similarity):.1f}" for s in known if s.similarity is not None),
        high(threshold),
        [across(mark.time) for mark in analysis.keyframes],
        rows,
        [(250 * i, clock(first + whole * i / 4)) for i in range(5)],
    )


class _Figures:
    """Keyframes as figures; each picture is in the file once, shown elsewhere by reference."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._placed: set[int] = set()

    @property
    def count(self) -> int:
        """How many keyframes have a picture."""
        return len(self._pictures)

    def has(self, mark: KeyframeMark) -> bool:
        """Whether a keyframe has a picture."""
        return mark.index in self._pictures

    def again(self, mark: KeyframeMark | None) -> Markup:
        """A figure that shows what stands elsewhere in the file; empty without a picture."""
        return macros("report").figure(mark, self._view(mark), "") if mark and self.has(mark) else Markup()

    def of(self, mark: KeyframeMark) -> Markup:
        """The figure, with its picture the first time; empty without one."""
        if not self.has(mark):
            return Markup()
        if mark.index in self._placed:
            return self.again(mark)
        self._placed.add(mark.index)
        inside = base64.b64encode(self._pictures[mark.index]).decode("ascii")
        return macros("report").figure(mark, self._view(mark), inside)

    def _view(self, mark: KeyframeMark) -> str:
        with Image.open(io.BytesIO(self._pictures[mark.index])) as image:
            return f"0 0 {image.width} {image.height}"


def _shown(analysis: Analysis, caption: Caption) -> list[KeyframeMark]:
    """The pair that a caption is about, or a strip of what lies in its range."""
    if analysis.options.at_once:
        inside = [k for k in analysis.keyframes if caption.start <= k.time <= caption.end]
        return inside[:: max(1, -(-len(inside) // _STRIP))]
    times = (caption.start, caption.end)
    return [k for k in analysis.keyframes if any(abs(k.time - time) < 0.001 for time in times)]


def _card(analysis: Analysis, caption: Caption, review: Review, figures: _Figures, film: str) -> dict[str, Any]:
    """What the template's `one` takes."""
    verdict = review.of(caption.index)
    return {
        "caption": caption,
        "verdict": verdict,
        "figures": list(filter(None, map(figures.of, _shown(analysis, caption)))),
        "fast": analysis.options.at_once,
        "edit": None if verdict.text is None else differences(caption.text, verdict.text),
        "chips": evidence_phrases(caption.evidence) if caption.evidence else (),
        "questions": questions_about(analysis, caption, review),
        "how": step_line(caption.trace),
        "video": film,
    }


def _made(analysis: Analysis) -> list[tuple[str, str]]:
    rows = told(analysis)
    if summary := step_line(analysis.summary_trace):
        rows.append(("Summary", summary))
    return rows
