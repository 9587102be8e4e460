"""The conversation as HTML: pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sgv_demo.formats.exports import clock
from sgv_demo.types import TraceMark, VideoInfo
from sgv_demo.ui.captions.view import CARET, PictureUrl, esc, linked, saw, span
from sgv_demo.ui.visit import Said, Shown, Talk

_MISSING = {
    "video": "There is no video yet. Choose one on the left, then ask.",
    "question": "There is no question. Write one, or choose a suggestion.",
}


def subject_line(video: VideoInfo | None, talk: Talk, path: Path | None, missing: str = "") -> str:
    """What questions are about: the video and the range; or what is missing before one can be asked."""
    if missing:
        return f'<p class="subject missing" role="alert">{_MISSING[missing]}</p>'
    if video is None:
        return '<p class="hint">Choose a video first. Questions are about it and about the range on the timeline.</p>'
    name, about = esc(video.path.name), ""
    subject = talk.subject
    if subject and subject.path == path and (subject.start > video.start or subject.end is not None):
        end = video.start + video.duration if subject.end is None else subject.end
        about = f", {span(subject.start, end)}"
    editing = "" if talk.editing is None else f" · changing question {talk.editing + 1}; later ones go"
    return f'<p class="subject">About <bdi title="{name}">{name}</bdi>{about}{editing}</p>'


def suggestions(questions: Sequence[str]) -> str:
    """Questions to start with, as buttons."""
    items = "".join(f'<button class="suggestion" data-ask="{esc(q)}">{esc(q)}</button>' for q in questions)
    return f'<div class="suggestions" role="group" aria-label="Suggested questions">{items}</div>'


def turn(said: Said, number: int, *, live: bool, working: str = "") -> str:
    """One question with its answer; `working` stands for the answer until its first word."""
    caret = CARET if live else ""
    divider = f'<p class="divider">{esc(said.begins)}</p>' if said.begins else ""
    note = f'<p class="note">{esc(said.note)}</p>' if said.note else ""
    by = f'<span class="by">{esc(said.engine)}</span>' if said.engine else ""
    before = live and working and not said.turn.answer
    waiting = f'<span class="working" translate="yes">{esc(working)}</span>' if before else ""
    return (
        f'<div data-part="q">{divider}<div class="question" dir="auto">{esc(said.turn.question)}</div></div>'
        f'<div class="answer" data-part="a" dir="auto">{waiting}{linked(said.turn.answer)}{caret}</div>'
        f'<footer data-part="f">{note}{by}{"" if live else _acts(number)}</footer>'
    )


def _acts(number: int) -> str:
    acts = (
        ("edit", "Edit", "Change the question; later ones go"),
        ("retry", "Retry", "Answer again; later ones go"),
        ("undo", "Undo", "Take back this question and later ones"),
    )
    buttons = "".join(
        f'<button class="quiet" data-act="{act}" data-turn="{number}" title="{title}">{word}</button>'
        for act, word, title in acts
    )
    return f'<span class="acts"><button class="quiet" data-copy title="Copy the answer">⧉ Copy</button>{buttons}</span>'


def frames(shown: Sequence[Shown], trace: TraceMark | None, url: PictureUrl) -> str:
    """The frames that the last answer was given from, with their times, and what the model really got."""
    if not shown:
        return ""
    cells = "".join(
        f'<button class="frame" data-seek="{s.time:.3f}" aria-label="Frame at {clock(s.time)}; go there in the player">'
        + (f'<img src="{esc(s.url)}" alt="" loading="lazy">' if s.url else "<span></span>")
        + f"<small>{clock(s.time)}</small></button>"
        for s in shown
        if s.url
    )
    times = ", ".join(clock(s.time) for s in shown[:40])
    body = f'<div class="cells">{cells}</div>' if cells else f"<p>{linked(f'Measured at {times}')}</p>"
    made = saw(trace, url) if trace else ""
    return f'<section class="looked"><h3 class="head">Answered from {len(shown)} pictures</h3>{body}{made}</section>'
