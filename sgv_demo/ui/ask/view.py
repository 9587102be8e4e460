"""The conversation as HTML: pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from sgv_demo.formats.markup import macros, span
from sgv_demo.times import clock
from sgv_demo.types import TraceMark, VideoInfo
from sgv_demo.ui.parts import PictureUrl, hint, seen
from sgv_demo.ui.visit import Said, Shown, Talk

_MISSING = {
    "video": "There is no video yet. Choose one on the left, then ask.",
    "question": "There is no question. Write one, or choose a suggestion.",
}
_MOST_TIMES = 40


def subject_line(video: VideoInfo | None, talk: Talk, path: Path | None, missing: str = "") -> Markup:
    """What questions are about: the video and the range; or what is missing before one can be asked."""
    if missing:
        return macros("ask").missing(_MISSING[missing])
    if video is None:
        return hint("Choose a video first. Questions are about it and about the range on the timeline.")
    about, subject = "", talk.subject
    if subject and subject.path == path and (subject.start > video.start or subject.end is not None):
        end = video.start + video.duration if subject.end is None else subject.end
        about = f", {span(subject.start, end)}"
    if talk.editing is not None:
        about += f" · changing question {talk.editing + 1}; later ones go"
    return macros("ask").subject(video.name, about)


def suggestions(questions: Sequence[str]) -> Markup:
    """Questions to start with, as buttons."""
    return macros("ask").suggestions(questions)


def turn(said: Said, number: int, *, live: bool, working: str = "") -> Markup:
    """One question with its answer; `working` stands for the answer until its first word."""
    before = live and not said.turn.answer
    return macros("ask").turn(said, number, live, working if before else "")


def frames(shown: Sequence[Shown], trace: TraceMark | None, url: PictureUrl, *, measured: bool = False) -> Markup:
    """The frames that the last answer was given from, with their times, and what the model really got.

    `measured`: nobody looked at them, their measurements were read.
    """
    if not shown:
        return Markup()
    times = ", ".join(clock(s.time) for s in shown[:_MOST_TIMES])
    how = seen(trace, url)
    made = macros("parts").saw(**how) if how else ""
    return macros("ask").frames(
        len(shown),
        [s for s in shown if s.url],
        f"Measured at {times}" if measured else f"Looked at {times}",
        made,
        measured,
    )
