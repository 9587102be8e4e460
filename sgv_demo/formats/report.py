"""An `Analysis` with its review as one HTML file that needs nothing else: for people who install nothing.

Pictures are inside as data URIs; there is no script, and a content policy in the file forbids whatever is remote.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path

from PIL import Image

from sgv_demo.events import Analysis
from sgv_demo.formats.exports import clock, evidence_phrases
from sgv_demo.formats.thumbnails import Pictures
from sgv_demo.results.compare import differences
from sgv_demo.results.provenance import LEGEND, prompts, step_line, told
from sgv_demo.results.review import NONE, RATINGS, Review, Verdict, questions_about, tally
from sgv_demo.types import Caption, KeyframeMark

_STYLE = Path(__file__).resolve().parents[2] / "assets" / "report.css"
_STRIP = 12
"""Most pictures shown for a caption of the whole range."""


def to_html(analysis: Analysis, review: Review = NONE, pictures: Pictures | None = None) -> str:
    """The report. `pictures`: JPEG files of keyframes by index; those that are missing leave no gap."""
    name = analysis.video.path.name if analysis.video else "Video"
    body = "".join(
        (
            f"<header><h1>{_esc(name)}</h1><p class='by'>{_facts(analysis)}</p></header>",
            _summary(analysis),
            _ratings(analysis, review),
            _captions(analysis, review, pictures or {}),
            _listed("Notes", analysis.notes),
            _made(analysis),
            _prompts(analysis),
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_esc(name)}: captions</title><style>{_STYLE.read_text(encoding='utf-8')}</style></head>\n"
        f"<body><main>{body}</main></body></html>\n"
    )


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
    return _esc(" · ".join(parts))


def _summary(analysis: Analysis) -> str:
    if not analysis.summary:
        return ""
    return f'<section><h2>Summary</h2><p class="text summary" dir="auto">{_esc(analysis.summary)}</p></section>'


def _ratings(analysis: Analysis, review: Review) -> str:
    if not review.verdicts:
        return ""
    (row,) = tally([(analysis, review)])
    cells = "".join(
        f'<tr><th scope="row">{rating}</th><td><span class="bar" style="width:{8 * count / max(1, row.rated):.2f}rem">'
        f"</span>{count}</td></tr>"
        for rating, count in ((rating, row.counts[rating]) for rating in RATINGS)
    )
    rest = f"{row.rated} of {row.captions} captions rated, {row.edited} edited, {row.flagged} flagged"
    return f"<section><h2>Ratings</h2><p>{rest}.</p><table>{cells}</table></section>"


def _captions(analysis: Analysis, review: Review, pictures: Pictures) -> str:
    figures = _Figures(pictures)
    cards = "".join(_card(analysis, caption, review, figures) for caption in analysis.captions)
    if not cards:
        return ""
    missing = len(analysis.keyframes) - len(pictures)
    note = f"<p>{missing} of {len(analysis.keyframes)} keyframes come without a picture.</p>" if missing > 0 else ""
    return f"<section><h2>Captions</h2>{note if pictures else ''}{cards}</section>"


class _Figures:
    """Keyframes as figures; each picture is in the file once, shown elsewhere by reference."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._placed: dict[int, str] = {}

    def of(self, mark: KeyframeMark) -> str:
        """The figure; empty without a picture."""
        if mark.index not in self._pictures:
            return ""
        view = self._placed.get(mark.index)
        shown = f'<use href="#k{mark.index}"/>'
        if view is None:
            data = self._pictures[mark.index]
            with Image.open(io.BytesIO(data)) as image:
                view = self._placed[mark.index] = f"0 0 {image.width} {image.height}"
            inside = base64.b64encode(data).decode("ascii")
            shown = f'<image id="k{mark.index}" width="100%" height="100%" href="data:image/jpeg;base64,{inside}"/>'
        said = f"Keyframe {mark.index + 1} at {clock(mark.time)}"
        return (
            f'<figure><svg role="img" aria-label="{said}" viewBox="{view}">{shown}</svg>'
            f"<figcaption><small>{clock(mark.time)}</small></figcaption></figure>"
        )


def _shown(analysis: Analysis, caption: Caption) -> list[KeyframeMark]:
    """The pair that a caption is about, or a strip of what lies in its range."""
    if analysis.options.mode == "fast":
        inside = [k for k in analysis.keyframes if caption.start <= k.time <= caption.end]
        return inside[:: max(1, -(-len(inside) // _STRIP))]
    times = (caption.start, caption.end)
    return [k for k in analysis.keyframes if any(abs(k.time - time) < 0.001 for time in times)]


def _card(analysis: Analysis, caption: Caption, review: Review, figures: _Figures) -> str:
    verdict = review.of(caption.index)
    fast = analysis.options.mode == "fast"
    row = "".join(figures.of(mark) for mark in _shown(analysis, caption))
    span = clock(caption.start) if caption.end <= caption.start else f"{clock(caption.start)} → {clock(caption.end)}"
    tags = f'<span class="tag">{verdict.rating}</span>' if verdict.rating else ""
    tags += '<span class="tag">⚑ flagged</span>' if verdict.flagged else ""
    frame = f'<div class="{"strip" if fast else "pair"}">{row}</div>' if row else ""
    wide = ' class="wide"' if fast or not row else ""
    remarks = _remarks(questions_about(analysis, caption, review), verdict)
    how = step_line(caption.trace)
    written = f'<p class="how">{_esc(how)}</p>' if how else ""
    return (
        f'<article{wide}>{frame}<div><p class="span">{span}{tags}</p>{_text(caption, verdict)}'
        f"{_evidence(caption)}{remarks}{written}</div></article>"
    )


def _text(caption: Caption, verdict: Verdict) -> str:
    if verdict.text is None:
        return f'<p class="text" dir="auto">{_esc(caption.text)}</p>'
    before, after = differences(caption.text, verdict.text)
    new = "".join(f"<ins>{_esc(t)}</ins>" if kind == "only" else _esc(t) for kind, t in after)
    old = "".join(f"<del>{_esc(t)}</del>" if kind == "only" else _esc(t) for kind, t in before)
    return (
        f'<p class="text" dir="auto">{new}</p><details><summary>Edited; before the edit</summary>'
        f'<p class="text" dir="auto">{old}</p></details>'
    )


def _evidence(caption: Caption) -> str:
    if caption.evidence is None:
        return ""
    chips = "".join(f"<li>{_esc(phrase)}</li>" for phrase in evidence_phrases(caption.evidence))
    return f'<ul class="chips" aria-label="Measured">{chips}</ul>' if chips else ""


def _remarks(questions: Iterable[str], verdict: Verdict) -> str:
    asked = "".join(f'<p class="ask">{_esc(question)}</p>' for question in questions)
    return asked + (f'<p class="note">{_esc(verdict.note)}</p>' if verdict.note else "")


def _listed(title: str, items: Iterable[str]) -> str:
    rows = "".join(f"<li>{_esc(item)}</li>" for item in items)
    return f"<section><h2>{title}</h2><ul>{rows}</ul></section>" if rows else ""


def _made(analysis: Analysis) -> str:
    rows = told(analysis)
    if summary := step_line(analysis.summary_trace):
        rows.append(("Summary", summary))
    items = "".join(f"<dt>{_esc(name)}</dt><dd>{_esc(value)}</dd>" for name, value in rows)
    return f"<section><h2>How it was made</h2><dl>{items}</dl></section>"


def _prompts(analysis: Analysis) -> str:
    found = prompts(analysis)
    items = "".join(f'<h3>Prompt of {_esc(steps)}</h3><pre dir="auto">{_esc(text)}</pre>' for steps, text in found)
    return f"<section><h2>Prompts</h2><p>{_esc(LEGEND)}</p>{items}</section>" if found else ""


def _esc(text: str) -> str:
    """Untrusted text for HTML content: escaped, without characters that HTML forbids."""
    return escape("".join(c if c in "\n\t" or c.isprintable() else "�" for c in text))
