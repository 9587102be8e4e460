"""What happens to a video: events, and how they fold into one `Analysis`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from sgv_demo.options import AnalysisOptions
from sgv_demo.types import (
    Caption,
    EngineInfo,
    Evidence,
    Failure,
    Frame,
    KeyframeMark,
    Picture,
    Sample,
    TraceMark,
    VideoInfo,
)

NOBODY = EngineInfo("none", "Nothing written")
"""Stands where no engine writes: keyframes alone, or before a run has begun."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run begins: who writes, and what was chosen."""

    engine: EngineInfo
    options: AnalysisOptions
    key: str = ""
    """The stored result's key; empty when nothing is stored."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The file was probed."""

    info: VideoInfo


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sample was compared with the last kept frame."""

    sample: Sample


@dataclass(frozen=True, slots=True)
class Kept:
    """A keyframe was chosen."""

    mark: KeyframeMark
    frame: Frame | None = None
    """Its pixels; None once they are stored."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The gap between two keyframes was measured."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text of a step that is still running."""

    step: int | Literal["summary"]
    """Caption index, or "summary"."""
    text: str
    start: float = 0.0
    end: float = 0.0


@dataclass(frozen=True, slots=True)
class Captioned:
    """A caption is complete."""

    caption: Caption
    from_store: bool = False
    picture: Picture | None = field(default=None, compare=False, repr=False)
    """What the model saw, (h, w, 3) uint8 RGB; None once it is stored, and where the engine shows none."""


@dataclass(frozen=True, slots=True)
class Summarized:
    """The summary is complete."""

    text: str
    levels: int = 1
    """More than 1 when the captions didn't fit the engine's context and were summarized in segments first."""
    trace: TraceMark | None = None
    picture: Picture | None = field(default=None, compare=False, repr=False)
    """What the model saw, as with `Captioned`."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something the user should know, such as keyframes dropped by the maximum."""

    text: str


@dataclass(frozen=True, slots=True)
class Working:
    """What is going on right now, for a status line; replaced by whatever comes next."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A step failed or came back blank."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing more will come."""

    seconds: float = 0.0


Event: TypeAlias = (
    Begun | Opened | Sampled | Kept | Measured | Delta | Captioned | Summarized | Noted | Working | Failed | Finished
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """One user's state: everything known about one run. Changed by `apply` alone; `Analysis()` is before its first."""

    engine: EngineInfo = NOBODY
    options: AnalysisOptions = field(default_factory=AnalysisOptions)
    video: VideoInfo | None = None
    samples: tuple[Sample, ...] = ()
    keyframes: tuple[KeyframeMark, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    captions: tuple[Caption, ...] = ()
    live: Delta | None = None
    """The step that is streaming, with all its text so far."""
    summary: str = ""
    summary_levels: int = 1
    summary_trace: TraceMark | None = None
    notes: tuple[str, ...] = ()
    working: str = ""
    """What is going on right now; empty when nothing is."""
    failure: Failure | None = None
    """The last failure, cleared when its step succeeds."""
    finished: bool = False
    from_store: bool = False
    """True when at least one caption was computed earlier."""
    seconds: float = 0.0
    key: str = ""
    """The stored result's key; empty when nothing is stored."""

    def apply(self, event: Event) -> Analysis:
        """Returns the state after `event`; pure."""
        if self.working and not isinstance(event, (Working, Sampled, Noted)):
            self = replace(self, working="")
        match event:
            case Begun(engine, options, key):
                return Analysis(engine, options, key=key)
            case Opened(info):
                return replace(self, video=info)
            case Sampled(sample):
                return replace(self, samples=(*self.samples, sample))
            case Kept(mark):
                return replace(self, keyframes=(*self.keyframes, mark))
            case Measured(evidence):
                return replace(self, evidence=(*self.evidence, evidence))
            case Delta(step, text, start, end):
                before = self.live.text if self.live and self.live.step == step else ""
                return replace(self, live=Delta(step, before + text, start, end))
            case Captioned(caption, from_store):
                kept = tuple(c for c in self.captions if c.index != caption.index)
                captions = tuple(sorted((*kept, caption), key=lambda c: c.index))
                failure = None if self.failure and self.failure.index == caption.index else self.failure
                stored = self.from_store or from_store
                return replace(self, captions=captions, live=None, failure=failure, from_store=stored)
            case Summarized(text, levels, trace):
                failure = None if self.failure and self.failure.index is None else self.failure
                return replace(
                    self, summary=text, summary_levels=levels, summary_trace=trace, live=None, failure=failure
                )
            case Noted(text):
                return self if text in self.notes else replace(self, notes=(*self.notes, text))
            case Working(text):
                return replace(self, working=text)
            case Failed(failure):
                return replace(self, failure=failure, live=None)
            case Finished(seconds):
                return replace(self, finished=True, live=None, seconds=seconds)
