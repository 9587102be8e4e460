"""The conversation as HTML: pure."""

from __future__ import annotations

from collections.abc import Sequence

from sgv_demo.exports import clock
from sgv_demo.ui.render import esc, linked, span
from sgv_demo.ui.visit import Said, Visit


def subject_line(visit: Visit | None) -> str:
    """What questions are about: the video and the range."""
    if visit is None or visit.video is None:
        return '<p class="hint">Choose a video first. Questions are about it, and about the range chosen on the timeline.</p>'
    name = esc(visit.video.path.name)
    about = ""
    if visit.subject:
        _, start, end, *_ = visit.subject
        first, last = visit.video.start, visit.video.start + visit.video.duration
        start = float(start or first)  # pyright: ignore[reportArgumentType]
        end = last if end is None else float(end)  # pyright: ignore[reportArgumentType]
        about = f", {span(start, end)}" if (start, end) != (first, last) else ""
    return f'<p class="subject">About <bdi title="{name}">{name}</bdi>{about}</p>'


def suggestions(questions: Sequence[str]) -> str:
    """Questions to start with, as buttons."""
    items = "".join(f'<button class="suggestion" data-ask="{esc(q)}">{esc(q)}</button>' for q in questions)
    return f'<div class="suggestions" role="group" aria-label="Suggested questions">{items}</div>'


def turn(said: Said, number: int, *, live: bool, first_of_context: str = "") -> str:
    """One question with its answer; `first_of_context` is said above when an earlier context ended here."""
    caret = '<span class="caret" aria-hidden="true"></span>' if live else ""
    divider = f'<p class="divider">{esc(first_of_context)}</p>' if first_of_context else ""
    note = f'<p class="note" role="alert">{esc(said.note)}</p>' if said.note else ""
    acts = "" if live else _acts(number)
    by = f'<span class="by">{esc(said.engine)}</span>' if said.engine else ""
    return (
        f'<div data-part="q">{divider}<div class="question" dir="auto">{esc(said.turn.question)}</div></div>'
        f'<div class="answer" data-part="a" dir="auto">{linked(said.turn.answer)}{caret}</div>'
        f'<footer data-part="f">{note}{by}{acts}</footer>'
    )


def _acts(number: int) -> str:
    acts = (("edit", "Edit", "Change the question; later ones go"), ("retry", "Retry", "Answer again; later ones go"))
    acts = (*acts, ("undo", "Undo", "Take back this question and later ones"))
    buttons = "".join(
        f'<button class="quiet" data-act="{act}" data-turn="{number}" title="{title}">{word}</button>'
        for act, word, title in acts
    )
    return f'<span class="acts"><button class="quiet" data-copy title="Copy the answer">⧉ Copy</button>{buttons}</span>'


def grid(url: str, times: Sequence[float], tiles: tuple[int, int] | None = None) -> str:
    """The picture that the model saw, and the times of its cells."""
    if not url:
        return ""
    cells = "".join(f'<button class="time" data-seek="{t:.3f}">{clock(t)}</button>' for t in times)
    tiled = f" · {tiles[0]}×{tiles[1]} tiles" if tiles else ""
    return (
        f'<details class="saw" open><summary>What the model saw: {len(times)} frames{tiled}</summary>'
        f'<figure><img src="{esc(url)}" alt="The grid of {len(times)} frames that the answer was given from" loading="lazy">'
        f"<figcaption>{cells}</figcaption></figure></details>"
    )
