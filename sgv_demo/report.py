"""An `Analysis` with its review as one HTML file that needs nothing else: for people who install nothing.

Pictures are inside as data URIs; there is no script, and a content policy in the file forbids whatever is remote.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path

from sgv_demo.compare import differences
from sgv_demo.events import Analysis
from sgv_demo.exports import clock, evidence_phrases
from sgv_demo.review import NONE, RATINGS, Review, Verdict, questions_about, tally
from sgv_demo.thumbnails import Pictures
from sgv_demo.types import Caption, KeyframeMark, TraceMark

_STYLE = Path(__file__).resolve().parents[1] / "assets" / "report.css"
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


def settings_rows(analysis: Analysis) -> list[tuple[str, str]]:
    """(name, value) of everything that the user chose, for people."""
    sampling, generation = analysis.options.sampling, analysis.options.generation
    end = "the end" if sampling.end is None else clock(sampling.end)
    rows = [
        (
            "Captions",
            f"{analysis.options.mode} ({'one for each pair' if analysis.options.mode == 'sliding' else 'one'})",
        ),
        ("Sampling", "published frame numbers" if sampling.published else f"every {sampling.every:g} s"),
        ("Range", f"{clock(sampling.start)} to {end}"),
        ("Keyframes", "every sample" if sampling.keep_all else _chosen(sampling.similarity, sampling.threshold)),
        (
            "Decoding",
            f"{generation.beams} beam{'s' if generation.beams > 1 else ''}, {generation.max_new_tokens} tokens at most",
        ),
    ]
    if sampling.maximum:
        rows.append(("Keyframes at most", str(sampling.maximum)))
    if generation.temperature:
        rows.append(("Chance", f"temperature {generation.temperature:g}, top-p {generation.top_p:g}"))
    return rows


def _chosen(similarity: str, threshold: float | None) -> str:
    return f"less similar than {'the default' if threshold is None else format(threshold, 'g')} ({similarity})"


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
    cards = "".join(_card(analysis, caption, review, pictures) for caption in analysis.captions)
    return f"<section><h2>Captions</h2>{cards}</section>" if cards else ""


def _card(analysis: Analysis, caption: Caption, review: Review, pictures: Pictures) -> str:
    verdict = review.of(caption.index)
    marks = [k for k in analysis.keyframes if k.index in pictures]
    fast = analysis.options.mode == "fast"
    if fast:
        inside = [k for k in marks if caption.start <= k.time <= caption.end]
        shown = inside[:: max(1, -(-len(inside) // _STRIP))]
    else:
        shown = [k for k in marks if abs(k.time - caption.end) < 0.001][:1]
    figures = "".join(_figure(mark, pictures) for mark in shown)
    span = clock(caption.start) if caption.end <= caption.start else f"{clock(caption.start)} → {clock(caption.end)}"
    tags = f'<span class="tag">{verdict.rating}</span>' if verdict.rating else ""
    tags += '<span class="tag">⚑ flagged</span>' if verdict.flagged else ""
    frame = f'<div class="{"strip" if fast else "one"}">{figures}</div>' if figures else ""
    wide = ' class="wide"' if fast or not figures else ""
    remarks = _remarks(questions_about(analysis, caption, review), verdict)
    return (
        f'<article{wide}>{frame}<div><p class="span">{span}{tags}</p>{_text(caption, verdict)}'
        f"{_evidence(caption)}{remarks}{_trace(caption.trace)}</div></article>"
    )


def _figure(mark: KeyframeMark, pictures: Pictures) -> str:
    data = base64.b64encode(pictures[mark.index]).decode("ascii")
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="Keyframe {mark.index + 1} at {clock(mark.time)}">'
        f"<figcaption><small>{clock(mark.time)}</small></figcaption></figure>"
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


def _trace(trace: TraceMark | None) -> str:
    if trace is None or not (trace.prompt or trace.new_tokens or trace.seconds or trace.note):
        return ""
    said = [f"{trace.seconds:.1f} s"] if trace.seconds else []
    said += [f"{trace.prompt_tokens} tokens in, {trace.new_tokens} out"] if trace.new_tokens else []
    said += ["cut off at the longest length allowed"] if trace.finish == "length" else []
    prompt = f'<pre dir="auto">{_esc(trace.prompt)}</pre>' if trace.prompt else ""
    line = _esc(" · ".join(filter(None, [*said, trace.note])))
    return f"<details><summary>How it was written</summary><p>{line}</p>{prompt}</details>"


def _listed(title: str, items: Iterable[str]) -> str:
    rows = "".join(f"<li>{_esc(item)}</li>" for item in items)
    return f"<section><h2>{title}</h2><ul>{rows}</ul></section>" if rows else ""


def _made(analysis: Analysis) -> str:
    engine = analysis.engine
    rows = [("Engine", engine.label), ("Model", engine.model), ("Device", engine.device)]
    if engine.model:
        rows += [("Quantization", engine.quantization), ("Number format", engine.dtype), ("Licence", engine.licence)]
    rows += settings_rows(analysis)
    rows += [("Took", f"{analysis.seconds:.1f} s")] if analysis.seconds else []
    items = "".join(f"<dt>{_esc(name)}</dt><dd>{_esc(value)}</dd>" for name, value in rows if value)
    trace = _trace(analysis.summary_trace) if analysis.summary else ""
    trace = trace.replace("How it was written", "How the summary was written")
    return f"<section><h2>How it was made</h2><dl>{items}</dl>{trace}</section>"


def _esc(text: str) -> str:
    """Untrusted text for HTML content: escaped, without characters that HTML forbids."""
    return escape("".join(c if c in "\n\t" or c.isprintable() else "�" for c in text))
