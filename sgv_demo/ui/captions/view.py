"""State to HTML: pure functions, tested without a browser.

Whatever comes from a file, a model or a user passes through `esc`. Colours and layout are in assets/style.css; the
`data-*` attributes are what assets/page.js acts on (`data-seek`: seconds to jump to, `data-copy`: copy the text).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import escape
from typing import Any
from urllib.parse import unquote

from sgv_demo.events import Analysis, Delta
from sgv_demo.evidence import phrases
from sgv_demo.formats.exports import clock, cues
from sgv_demo.settings import Settings
from sgv_demo.types import Caption, Evidence, KeyframeMark, TraceMark, VideoInfo

PictureUrl = Callable[[str | None], str]
"""From a file name inside the result's folder to an address, or "" when there is no such picture."""

_TIME = re.compile(
    r"(?<![\w:.,])(\d{1,2}:[0-5]\d(?::[0-5]\d)?(?!\d|:\d)|(\d+(?:\.\d+)?) ?(?:seconds?|secs?|s)\b)",
    re.ASCII,  # a Chinese character may stand right before a time
)

_ENLARGE = '<button class="quiet" data-enlarge title="Show the frames in large (key o)">⤢ Enlarge</button>'

CARET = '<span class="caret" aria-hidden="true"></span>'


def esc(text: object) -> str:
    """Text for use in HTML, in content and in quoted attributes."""
    return escape(str(text), quote=True)


def file_name(address: str) -> str:
    """The name under which what is at an address is saved."""
    return unquote(address.rpartition("/")[2])


def amount(megabytes: float) -> str:
    """ "800 MB", "2 GB"."""
    return f"{megabytes / 1024:.3g} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"


def length(seconds: float) -> str:
    """ "12 s", "5 min", "2 h": rounded, for people."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.2g} h"


def limits(settings: Settings) -> str:
    """What a file may be."""
    return f"up to {length(settings.max_seconds)} and {amount(settings.max_megabytes)}"


def hint(text: str, *, kind: str = "hint") -> str:
    """A quiet paragraph: what to do, or why there is nothing yet."""
    return f'<p class="{kind}">{esc(text)}</p>'


def trouble(message: str, *, kept: str = "") -> str:
    """An error a user sees: the sentence, and what is kept."""
    more = f" <span>{esc(kept)}</span>" if kept else ""
    return f'<div class="trouble" role="alert"><p>{esc(message)}{more}</p></div>'


def facts(info: VideoInfo) -> str:
    """What the probe found, as a definition list, and its notes."""
    width, height = info.size
    rows = (
        ("Length", f"{clock(info.duration)} <small>({info.duration:.1f} s)</small>"),
        ("Picture", f"{width}×{height}"),
        ("Rate", f"{info.fps:.4g} fps"),
        ("Codec", esc(info.codec)),
        ("Sound", "yes" if info.has_audio else "no"),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)
    notes = "".join(f"<li>{esc(note)}</li>" for note in info.notes)
    name = esc(info.path.name)
    return (
        f'<section class="facts"><h3><bdi title="{name}">{name}</bdi></h3><dl>{cells}</dl>'
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + "</section>"
    )


def span(start: float, end: float) -> str:
    """ "0:04 → 0:06", or one time when both are the same."""
    return f"{clock(start)} → {clock(end)}" if end > start else clock(start)


def linked(text: str) -> str:
    """Escaped text whose times ("0:12", "12 seconds") are buttons that seek the player."""
    out, last = [], 0
    for match in _TIME.finditer(text):
        seconds = 0.0
        for part in (match.group(2) or match.group(1)).split(":"):
            seconds = seconds * 60 + float(part)
        out.append(esc(text[last : match.start()]))
        out.append(f'<button class="time" data-seek="{seconds:g}">{esc(match.group(0))}</button>')
        last = match.end()
    return "".join(out) + esc(text[last:])


def chips(evidence: Evidence | None) -> str:
    """Quiet labels, one for each thing measured; the similarity stands apart in `card`."""
    if evidence is None:
        return ""
    items = "".join(f'<li><i aria-hidden="true">{esc(p.icon)}</i>{esc(p.text)}</li>' for p in phrases(evidence))
    return f'<ul class="chips" aria-label="Measured">{items}</ul>' if items else ""


def picture(url: str, time: float, label: str, video: VideoInfo | None = None) -> str:
    """A frame that seeks the player when clicked; `video` tells its shape before it is there, so that nothing jumps."""
    name = f"{label} at {clock(time)}"
    shape = f' width="{video.size[0]}" height="{video.size[1]}"' if video else ""
    image = f'<img src="{esc(url)}" alt="{esc(name)}"{shape} loading="lazy" decoding="async">'
    inside = image if url else "<span></span>"
    return (
        f'<button class="frame" data-seek="{time:.3f}" aria-label="{esc(name)}; go there in the player">{inside}'
        f"<small>{clock(time)}</small></button>"
    )


def key_figure(mark: KeyframeMark, url: PictureUrl, video: VideoInfo | None = None) -> str:
    """One keyframe of the gallery."""
    similar = "first" if mark.similarity is None else f"sim {mark.similarity:.2f}"
    shown = picture(url(mark.picture), mark.time, f"Keyframe {mark.index + 1}", video)
    return f'{shown}<span class="sim">{similar}</span>'


def card(caption: Caption | Delta, analysis: Analysis, url: PictureUrl) -> str:
    """One caption: time span, what was measured, its frames, the text. A `Delta` is one that is still being written."""
    live = isinstance(caption, Delta)
    evidence = _evidence_at(analysis, caption.start, caption.end) if live else caption.evidence
    similar = (
        f'<span class="sim">sim {evidence.similarity:.2f}</span>'
        if evidence and evidence.similarity is not None
        else ""
    )
    head = (
        f'<header data-part="head"><button class="span" data-seek="{caption.start:.3f}" '
        f'data-start="{caption.start:.3f}" data-end="{caption.end:.3f}" title="Go there in the player">'
        f"{span(caption.start, caption.end)}</button>{chips(evidence)}{similar}</header>"
    )
    caret = CARET if live else ""
    body = linked(caption.text) if caption.text else ""
    text = f'<p class="text" data-part="text" dir="auto">{body}{caret}</p>'
    pair = _pair(caption, analysis, url)
    tools = "" if live else (_ENLARGE if "<img" in pair else "") + _tools(caption.trace, url)
    return (
        f'{head}<div class="pair" data-part="pair">{pair}</div>'
        f'<div class="words">{text}<div class="tools" data-part="tools">{tools}</div></div>'
    )


def _pair(caption: Caption | Delta, analysis: Analysis, url: PictureUrl) -> str:
    marks = {round(k.time, 3): k for k in analysis.keyframes}
    if analysis.options.mode == "fast":
        chosen = [k for k in analysis.keyframes if caption.start <= k.time <= caption.end]
        step = max(1, -(-len(chosen) // 8))
        return "".join(picture(url(k.picture), k.time, "Keyframe", analysis.video) for k in chosen[::step])
    times = [(caption.start, "Before"), (caption.end, "After")]
    if caption.end <= caption.start:
        times = [(caption.start, "First keyframe")]
    return "".join(
        picture(url(mark.picture if (mark := marks.get(round(time, 3))) else None), time, name, analysis.video)
        for time, name in times
    )


def _evidence_at(analysis: Analysis, start: float, end: float) -> Evidence | None:
    return next((e for e in reversed(analysis.evidence) if (e.start, e.end) == (start, end)), None)


def _tools(trace: TraceMark | None, url: PictureUrl) -> str:
    copy = '<button class="quiet" data-copy title="Copy the text">⧉ Copy</button>'
    return copy + (saw(trace, url) if trace else "")


def saw(trace: TraceMark, url: PictureUrl) -> str:
    """What went into the model and what it cost; folded until asked for. Empty for an engine that has no prompt."""
    if not (trace.prompt or trace.picture or trace.new_tokens or trace.note):
        return ""
    numbers = []
    if trace.new_tokens:
        numbers.append(f"{trace.prompt_tokens} tokens in, {trace.new_tokens} out")
    if trace.seconds:
        numbers.append(f"{trace.seconds:.1f} s")
    if trace.finish == "length":
        numbers.append("cut off at the longest length allowed")
    note = f'<p class="note">{esc(trace.note)}</p>' if trace.note else ""
    line = f"<p>{esc(' · '.join(numbers))}</p>" if numbers else ""
    prompt = f'<pre dir="auto">{esc(trace.prompt)}</pre>' if trace.prompt else ""
    folded = f"{line}{_tiled(trace, url)}{prompt}"
    if not folded:
        return note
    return f'{note}<details class="saw"><summary>What the model saw</summary>{folded}</details>'


def _tiled(trace: TraceMark, url: PictureUrl) -> str:
    address = url(trace.picture)
    if not address:
        return ""
    across, down = trace.tiles or (1, 1)
    lines = "".join(f'<i style="left:{100 * i / across:.3f}%" class="v"></i>' for i in range(1, across))
    lines += "".join(f'<i style="top:{100 * i / down:.3f}%" class="h"></i>' for i in range(1, down))
    label = f"The picture that the model saw, cut into {across}×{down} tiles"
    return (
        f'<figure class="tiles"><div><img src="{esc(address)}" alt="{label}" loading="lazy">{lines}</div>'
        f"<figcaption>{across}×{down} tiles</figcaption></figure>"
    )


def summary(analysis: Analysis | None, url: PictureUrl) -> str:
    """The summary, finished or streaming, with who wrote it."""
    if analysis is None:
        return hint("Run a video first. Its summary is written here after the last caption.")
    live = analysis.live.text if analysis.live and analysis.live.step == "summary" else ""
    text = live or analysis.summary
    if not text:
        waiting = "The summary follows after the last caption." if not analysis.finished else "There is no summary."
        return hint(waiting)
    caret = CARET if live else ""
    levels = "" if analysis.summary_levels < 2 else f" · in {analysis.summary_levels} levels"
    return (
        f'<article class="summary" aria-busy="{"true" if live else "false"}">'
        f'<p class="text" dir="auto">{linked(text)}{caret}</p>'
        f'<footer><span class="by">{esc(analysis.engine.label)}{levels}</span>'
        f"{'' if live else _tools(analysis.summary_trace, url)}</footer></article>"
    )


def downloads(files: Iterable[tuple[str, str]]) -> str:
    """Links to the written exports, given as (format, address)."""
    links = "".join(
        f'<a class="download" href="{esc(address)}" download="{esc(file_name(address))}">{esc(label)}</a>'
        for label, address in files
    )
    if not links:
        return hint("JSON, WebVTT, SRT and Markdown can be downloaded here when a run has ended or was stopped.")
    return f'<nav class="downloads" aria-label="Downloads">{links}</nav>'


def text_result(text: str, *, live: bool, by: str, note: str = "") -> str:
    """A streamed text that isn't part of the analysis: a clip summary or a re-caption."""
    caret = CARET if live else ""
    copy = "" if live or not text else '<button class="quiet" data-copy title="Copy the text">⧉ Copy</button>'
    extra = f'<p class="note">{esc(note)}</p>' if note else ""
    return (
        f'<article class="summary" aria-live="polite" aria-busy="{"true" if live else "false"}">'
        f'<p class="text" dir="auto">{linked(text)}{caret}</p>{extra}'
        f'<footer><span class="by">{esc(by)}</span>{copy}</footer></article>'
    )


def estimate(samples: int, seconds: float | None) -> str:
    """How much a run would be, before it is started."""
    about = f", about {length(seconds)}" if seconds else ""
    return f'<p class="estimate">{samples} sample{"" if samples == 1 else "s"} to look at{about}</p>'


def finished(shown: str) -> str:
    """A rendered text that streams no more."""
    return shown.replace(CARET, "").replace('aria-busy="true"', 'aria-busy="false"')


def written_by(analysis: Analysis) -> str:
    """Who wrote the captions, and in which mode."""
    mode = "one caption for all keyframes" if analysis.options.mode == "fast" else "one caption for each pair"
    return (
        f'<p class="by">Written by: <b>{esc(analysis.engine.label)}</b> · {mode} · '
        '<button class="quiet toggle" data-cc aria-pressed="true" title="Show or hide captions on the player">'
        "CC on the player</button></p>"
    )


def subtitles(analysis: Analysis) -> list[dict[str, Any]]:
    """Cues for the player, short enough not to cover it; harmless for WebVTT (one line, no markup, no arrow).

    They end a hundredth of a second early: browsers show both of two cues that touch when the player stands there.
    """
    return [
        {
            "text": escape(shortened(" ".join(text.split())), quote=False),
            "timestamp": [start, max(round(end - 0.01, 3), start + 0.01)],
        }
        for start, end, text in cues(analysis)
    ]


def shortened(text: str, most: int = 90) -> str:
    """At most so many characters, cut at a word's end where there is one."""
    if len(text) <= most:
        return text
    kept = text[:most]
    space = kept.rfind(" ")
    return (kept[:space] if space > most // 2 else kept[:-1]).rstrip(" ,;:.–") + "…"
