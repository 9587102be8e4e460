"""One visitor's state: the video, its analysis, the conversation. Immutable; kept in `gr.State`, shared with nobody."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from sgv_demo.events import Analysis
from sgv_demo.types import TraceMark, Turn, VideoInfo

Phase: TypeAlias = Literal["empty", "unusable", "ready", "waiting", "running", "stopped", "failed", "done"]


class Token:
    """A run under way, as its Stop button sees it: the only thing here that changes, and it dies with the run."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        """Set to end the run at its next look."""
        self.started = threading.Event()
        """Set when the run has left the queue."""
        self.ended = threading.Event()
        """Set when nothing of the run is left."""
        self.latest: object | None = None
        """The newest `Visit` or `Talk`; the page may not have seen it yet."""

    def __deepcopy__(self, memo: object) -> Token:
        """A copied state is another visitor's first one: it has a token of its own."""
        return Token()


@dataclass(frozen=True, slots=True)
class Visit:
    """Everything the page knows about one visitor."""

    path: Path | None = None
    """The uploaded file."""
    video: VideoInfo | None = None
    """Its probe."""
    problem: str = ""
    """Why the file can't be used, or what went wrong at large; a sentence for the user."""
    phase: Phase = "empty"
    analysis: Analysis | None = None
    """The run that is shown."""
    expected: int = 0
    """Samples that the run will take."""
    started: float = 0.0
    """Clock of this process when the run began, seconds."""
    run: int = 0
    """Counts runs, so that the page knows when to clear its lists."""
    take: str = ""
    """Set by Start over where others have the same result: the new one is kept beside it."""
    ways: tuple[str, ...] = ()
    """Modes in which the video is to be captioned after this run."""
    interrupted: bool = False
    """Whether the run was cut off with its page, and not stopped."""
    token: Token = field(default_factory=Token, compare=False)
    """The run under way, or the last one."""

    def fresh(self) -> Visit:
        """A state for another video: only the count of runs goes on."""
        return Visit(run=self.run + 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a conversation is about. Another subject is another context: earlier turns aren't remembered."""

    path: Path
    start: float
    """Seconds."""
    end: float | None
    """Seconds; None is the end of the video."""
    frames: int
    answerer: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame that an answer was given from."""

    time: float
    """Seconds."""
    url: str
    """Address of its picture; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Said:
    """One question on the page with what is known of its answer."""

    turn: Turn
    context: int
    """Turns with the same number belong to one conversation about the same subject."""
    begins: str = ""
    """Said above the turn when it starts a new context."""
    note: str = ""
    """What went wrong or should be known; shown under the answer."""
    engine: str = ""
    """Label of the engine that answers."""
    failed: bool = False
    """True when there is no answer to remember."""


@dataclass(frozen=True, slots=True)
class Talk:
    """One visitor's conversation."""

    said: tuple[Said, ...] = ()
    """Oldest first, of all contexts."""
    subject: Subject | None = None
    """Of the newest context."""
    context: int = 0
    busy: bool = False
    """Whether the last answer is still being given."""
    working: str = ""
    """What is going on before the first word."""
    editing: int | None = None
    """The question that is being changed: sending replaces it and all later ones."""
    shown: tuple[Shown, ...] = ()
    """The frames of the last answer."""
    measured: bool = False
    """Whether that answer was read from the measurements of these frames, at which nobody looked."""
    trace: TraceMark | None = None
    """How the last answer was made."""
    key: str = ""
    """Key of the folder with the pictures of the last answer."""
    token: Token = field(default_factory=Token, compare=False)

    def history(self) -> tuple[Turn, ...]:
        """The turns that the next answer may remember."""
        return tuple(s.turn for s in self.said if s.context == self.context and not s.failed and s.turn.answer.strip())
