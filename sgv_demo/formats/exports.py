"""An `Analysis` as JSON, WebVTT, SRT or Markdown: pure strings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import zip_longest
from typing import TypeAlias

from sgv_demo.events import Analysis
from sgv_demo.evidence import phrases
from sgv_demo.languages import Language, words_in
from sgv_demo.results.provenance import LEGEND, prompts, step_line, told
from sgv_demo.times import clock, timestamp
from sgv_demo.types import Caption, Evidence

_Say: TypeAlias = Callable[[str], str]
"""Words of ours in the language of the file."""


def cues(analysis: Analysis) -> list[tuple[float, float, str]]:
    """(start, end, text) of every caption, none of zero length.

    The first keyframe's caption has no span of its own: it is shown until the first pair ends its first half, at most
    two seconds, so that it never hides the first difference.
    """
    captions = [c for c in analysis.captions if c.text.strip()]
    spans: list[tuple[float, float, str]] = []
    for caption, following in zip_longest(captions, captions[1:]):
        start = max(caption.start, spans[-1][1]) if spans else caption.start
        if caption.end > start:
            end = caption.end
        elif following is not None:
            end = min(start + 2.0, (following.start + following.end) / 2)
        else:
            video = analysis.video
            end = max(start + 2.0, video.start + video.duration if video else 0.0)
        spans.append((start, end, caption.text))
    return spans


def _vtt_text(text: str) -> str:
    """Cue text: one paragraph, markup characters escaped (WebVTT, section "cue text")."""
    joined = " ".join(text.split())
    return joined.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_vtt(analysis: Analysis, language: Language = "en") -> str:
    """WebVTT with one cue per caption; how it was made stands before them and the prompts after them, as notes."""
    body = "".join(
        f"\n{number}\n{timestamp(start, '.')} --> {timestamp(end, '.')}\n{_vtt_text(text)}\n"
        for number, (start, end, text) in enumerate(cues(analysis), 1)
    )
    say = partial(words_in, language=language)
    told_prompts = prompts(analysis)
    notes = [_note(say(f"Prompt of {prompt.steps}"), prompt.text.splitlines()) for prompt in told_prompts]
    legend = [_note(say("Prompts"), [say(LEGEND)])] if told_prompts else []
    made = _note(say("How it was made"), [f"{say(name)}: {say(value)}" for name, value in told(analysis)])
    return f"WEBVTT\n{made}{body}{''.join([*legend, *notes])}"


def _note(title: str, lines: Iterable[str]) -> str:
    """A comment block: a blank line would end it, and an arrow would make it a cue."""
    return "".join(f"{line}\n" for line in ("", f"NOTE {title}", *filter(None, map(_one_line, lines))))


def to_srt(analysis: Analysis) -> str:
    """SubRip with one cue per caption, and nothing else: the format has no comments."""
    return "\n".join(
        f"{number}\n{timestamp(start, ',')} --> {timestamp(end, ',')}\n{' '.join(text.split())}\n"
        for number, (start, end, text) in enumerate(cues(analysis), 1)
    )


def evidence_phrases(evidence: Evidence) -> list[str]:
    """Short phrases for reports, those of every evidence kind and the similarity last."""
    alike = [] if evidence.similarity is None else [f"similarity {evidence.similarity:.2f}"]
    return [phrase.text for phrase in phrases(evidence)] + alike


def to_markdown(analysis: Analysis, language: Language = "en") -> str:
    """A report for reading: facts of the video, summary, one section per caption with its evidence."""
    say = partial(words_in, language=language)
    lines = [f"# {_escape(analysis.video.name) if analysis.video else say('Video')}", ""]
    if analysis.video:
        width, height = analysis.video.size
        facts = f"{analysis.video.duration:.1f} s · {width}×{height} · {analysis.video.fps:.5g} fps"
        lines += [f"{facts} · {_escape(analysis.video.codec)}", ""]
    lines += [f"*{say('Written by')}: {_escape(_one_line(say(analysis.engine.label)))}*", ""]
    if analysis.summary:
        lines += [f"## {say('Summary')}", "", _escape(analysis.summary), ""]
    if analysis.captions:
        lines += [f"## {say('Captions')}", ""]
    for caption in analysis.captions:
        lines += _markdown_caption(caption, say)
    return "\n".join([*lines, *_markdown_notes(analysis.notes, say), *_markdown_made(analysis, say)])


def _markdown_caption(caption: Caption, say: _Say) -> list[str]:
    span = clock(caption.start) if caption.end <= caption.start else f"{clock(caption.start)} → {clock(caption.end)}"
    lines = [f"### {span}", "", _escape(caption.text), ""]
    if caption.evidence:
        lines += ["> " + " · ".join(_escape(say(p)) for p in evidence_phrases(caption.evidence)), ""]
    if how := step_line(caption.trace):
        lines += [f"*{_escape(_one_line(say(how)))}*", ""]
    return lines


def _markdown_notes(notes: Sequence[str], say: _Say) -> list[str]:
    return [f"## {say('Notes')}", "", *(f"- {_escape(say(note))}" for note in notes), ""] if notes else []


def _markdown_made(analysis: Analysis, say: _Say) -> list[str]:
    lines = [f"## {say('How it was made')}", ""]
    lines += [f"- {say(name)}: {_escape(_one_line(say(value)))}" for name, value in told(analysis)] + [""]
    if summary := step_line(analysis.summary_trace):
        lines[-1:] = [f"- {say('Summary')}: {_escape(_one_line(say(summary)))}", ""]
    if found := prompts(analysis):
        lines += [f"## {say('Prompts')}", "", _escape(say(LEGEND)), ""]
    for steps, text in found:
        lines += [f"### {say(f'Prompt of {steps}')}", "", *(f"> {_escape(line)}  " for line in text.splitlines()), ""]
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("-->", "→")


def _escape(text: str) -> str:
    """Markdown and HTML characters of untrusted text made harmless."""
    out = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*_[]#|!":
        out = out.replace(mark, "\\" + mark)
    return out
