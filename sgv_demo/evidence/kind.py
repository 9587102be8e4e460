"""What an evidence kind is: how it is measured, and how it is said in chips, sentences, lanes, answers and doubts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from sgv_demo.evidence.flow import Motion
from sgv_demo.types import Caption, Evidence, Keyframe, KeyframeMark, Look


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """What a kind measures from: two neighbouring keyframes and the steps between them."""

    before: Keyframe
    after: Keyframe
    was: Look
    """How the earlier keyframe looks."""
    now: Look
    """How the later one looks."""
    shots: tuple[tuple[Motion, ...], ...]
    """The steps in order, parted at the cuts; steps across a cut belong to no shot."""
    cuts: tuple[float, ...]
    """Seconds: the first picture of each new shot."""


class Record(Protocol):
    """What was measured in a video so far: a `Scene` and an `Analysis` are both one."""

    @property
    def keyframes(self) -> tuple[KeyframeMark, ...]: ...

    @property
    def evidence(self) -> tuple[Evidence, ...]: ...


class Phrase(NamedTuple):
    """A few words for a chip or a report."""

    icon: str
    """Name of the drawing that stands before it on the page (assets/icons.json)."""
    text: str


@dataclass(frozen=True, slots=True)
class LaneSpan:
    """A stretch of time with a word for it."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    word: str
    """Written into the lane where it has room."""
    title: str
    """Shown on hovering, and in the table."""
    kind: str = ""
    """Class of its look."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane of the timeline."""

    name: str
    spans: Callable[[Record], Iterable[LaneSpan]]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that a question may be about."""

    asked: str
    """Regular expression of the words (lower case, after a word's edge) that ask for it."""
    answer: Callable[[Record, str], Iterable[str]]
    """(record, question in lower case) → sentences, the answer first; none when nothing was measured."""
    basis: str
    """What such an answer rests on, in one sentence."""


Wordings: TypeAlias = Sequence[str]
"""One sentence in several wordings, so that neighbouring captions needn't say the same in the same words."""

Doubts: TypeAlias = Callable[[str, Caption, Sequence[str]], Iterable[str]]
"""(a caption's words, the caption, lines of text read in its span) → questions where the two disagree."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of evidence. A new one is a file with its `KIND` and an entry in `KINDS`, and nothing else."""

    name: str
    measure: Callable[[Gap], Mapping[str, Any]]
    """Fields of `Evidence`; values under any other name go to `Evidence.more`."""
    phrases: Callable[[Evidence], Iterable[Phrase]]
    """For chips and reports, with figures."""
    sentences: Callable[[Evidence, Look | None], Iterable[Wordings]]
    """Prose about a gap (and how its later keyframe looks), without percentages."""
    story: Callable[[Record], Iterable[str]] = lambda record: ()
    """Prose about the whole video, with times."""
    lane: Lane | None = None
    topic: Topic | None = None
    doubts: Doubts = lambda words, caption, read: ()
