"""Evidence kind: hard cuts, where one shot ends and the next begins, from measured steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sgv_demo.evidence.doubts import said
from sgv_demo.evidence.flow import Motion
from sgv_demo.evidence.kind import Kind, Lane, LaneSpan, Phrase, Record, Topic, Wordings
from sgv_demo.evidence.look import appearance
from sgv_demo.evidence.words import join
from sgv_demo.times import clock
from sgv_demo.types import Caption, Evidence, Look

_SHOWN = 10.0
"""Grey levels of contrast that a picture needs for its sudden coming or going to be a cut."""
_EMPTY = 4.0
"""Grey levels: less contrast is black, white or another flat picture."""
_FADING = 0.15
"""Share by which contrast changes in a step when a fade is under way."""
_STROBE = 3
"""So many cuts, each right after the other, are no shots but noise or a strobe."""
_MOMENT = 0.45
"""Seconds: steps longer than this are far enough apart to be shots of their own."""


def find_cuts(steps: Sequence[Motion]) -> tuple[float, ...]:
    """Times in seconds of hard cuts: the first picture of each new shot.

    A fade or dissolve changes in several steps, each alike enough; a flash returns to what was there before. A flat
    picture that comes or goes at once is a cut; one that comes or goes by and by is a fade.
    """
    marks = [_is_cut(steps, i) for i in range(len(steps))]
    for i in range(len(marks)):
        run = _run(steps, marks, i)
        if run >= _STROBE:
            marks[i : i + run] = [False] * run
    return tuple(step.end for step, mark in zip(steps, marks, strict=True) if mark)


def _is_cut(steps: Sequence[Motion], i: int) -> bool:
    step = steps[i]
    before = steps[i - 1] if i > 0 else None
    after = steps[i + 1] if i + 1 < len(steps) else None
    # A flash shows what was there before it: neither its coming nor its going parts two shots.
    if step.returns or (after is not None and after.returns):
        return False
    # From or to a flat picture the flow has nothing to compare: sudden is a cut, by and by is a fade, and which it
    # was shows in whether the contrast of the neighbouring step was on its way already.
    if step.contrast_before >= _SHOWN and step.contrast_after < _EMPTY:
        return before is None or before.contrast_after >= (1 - _FADING) * before.contrast_before
    if step.contrast_after >= _SHOWN and step.contrast_before < _EMPTY:
        if after is None:
            return step.contrast_after >= 2 * _SHOWN
        return after.contrast_after <= (1 + _FADING) * after.contrast_before
    return step.different


def _run(steps: Sequence[Motion], marks: Sequence[bool], start: int) -> int:
    """How many cuts follow each other from `start` without a quiet step between."""
    end = start
    while end < len(marks) and marks[end] and steps[end].end - steps[end].start < _MOMENT:
        end += 1
    return end - start


def _phrases(evidence: Evidence) -> Iterator[Phrase]:
    for cut in evidence.cuts:
        yield Phrase("cut", f"cut at {clock(cut)}")


def _sentences(evidence: Evidence, after: Look | None) -> Iterator[Wordings]:
    if not evidence.cuts:
        return
    now = f", {appearance(after)}" if after else ""
    if len(evidence.cuts) == 1:
        at = clock(evidence.cuts[0])
        yield [f"At {at} a cut brings a new shot{now}.", f"A new shot begins at {at}{now}."]
        return
    times = join([clock(cut) for cut in evidence.cuts[:6]])
    more = f" and {len(evidence.cuts) - 6} more times" if len(evidence.cuts) > 6 else ""
    last = f"; the last shot is {appearance(after)}" if after else ""
    yield [f"The shot changes at {times}{more}{last}.", f"Cuts at {times}{more} bring new shots{last}."]


def _times(record: Record) -> list[float]:
    return sorted({cut for evidence in record.evidence for cut in evidence.cuts})


def _story(record: Record, most: int = 8) -> Iterator[str]:
    cuts = _times(record)
    if cuts:
        more = f" and {len(cuts) - most} more times" if len(cuts) > most else ""
        yield f"There are {len(cuts) + 1} shots; the shot changes at {join([clock(cut) for cut in cuts[:most]])}{more}."
    elif record.evidence:
        yield "It is one shot, without a cut."


def _answer(record: Record, question: str) -> Iterator[str]:
    cuts = _times(record)
    if not record.evidence:
        return
    if not cuts:
        yield "One shot: no cut was found."
        return
    shown = join([clock(cut) for cut in cuts[:12]]) + (f" and {len(cuts) - 12} more times" if len(cuts) > 12 else "")
    if re.search(r"\bwhen\b|\bwhere\b|what times?", question):
        yield f"At {shown}: that makes {len(cuts) + 1} shots."
    else:
        yield f"{len(cuts) + 1} shots: the shot changes at {shown}."


def _spans(record: Record) -> Iterator[LaneSpan]:
    if not record.evidence:
        return
    edges = [record.evidence[0].start, *_times(record), record.evidence[-1].end]
    for number, (start, end) in enumerate(pairwise(edges), 1):
        yield LaneSpan(start, end, f"shot {number}", f"shot {number}", "odd" if number % 2 else "")


_CLAIM = re.compile(r"\b(?:cuts? to|(?:hard|abrupt|sharp) cut|scene cuts?)\b", re.IGNORECASE)


def _doubts(words: str, caption: Caption, read: Sequence[str]) -> Iterator[str]:
    evidence = caption.evidence
    if evidence and "cut" not in evidence.camera and not evidence.cuts and said(_CLAIM, words):
        yield "The text speaks of a cut, but none was measured here. Is there one?"


KIND = Kind(
    "cuts",
    lambda gap: {"cuts": gap.cuts},
    _phrases,
    _sentences,
    story=_story,
    lane=Lane("Shots", _spans),
    topic=Topic(
        r"cuts?\b|shots?\b|scenes?\b|edit|transition",
        _answer,
        "Measured from where a picture has nothing in common with the one before it.",
    ),
    doubts=_doubts,
)
