"""One visitor's state: the video, its analysis, the conversation. Immutable; kept in `gr.State`, shared with nobody."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from sgv_demo.types import Analysis, TraceMark, Turn, VideoInfo

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
        self.latest: Visit | None = None
        """The newest state; the page may not have seen it yet."""

    def __deepcopy__(self, memo: object) -> Token:
        """A copied state is another visitor's first one: it has a token of its own."""
        return Token()


@dataclass(frozen=True, slots=True)
class Said:
    """One question on the page with what is known of its answer."""

    turn: Turn
    note: str = ""
    """What went wrong or should be known; shown under the answer."""
    trace: TraceMark | None = None
    context: int = 0
    """Turns with the same number belong to one conversation about the same video and range."""
    engine: str = ""
    """Label of the engine that answered."""


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
    said: tuple[Said, ...] = ()
    """The conversation, oldest first."""
    subject: tuple[object, ...] = ()
    """What the conversation is about: file, start, end, frames, answerer. A change starts a new context."""
    context: int = 0
    """Number of the current context."""
    grid: str = ""
    """Absolute path of the picture with the frames that the last answer was given from."""
    shots: tuple[float, ...] = ()
    """Times of those frames, seconds."""
    run: int = 0
    """Counts runs, so that the page knows when to clear its lists."""
    token: Token = field(default_factory=Token, compare=False)
    """The run under way, or the last one."""

    def fresh(self, **changes: object) -> Visit:
        """A state for another video: only the counters stay."""
        return replace(Visit(run=self.run + 1, context=self.context + 1), **changes)  # pyright: ignore[reportArgumentType]
