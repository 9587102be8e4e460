"""What an engine is, which there are, and how one is made.

An engine is text in, an iterator of text out. Engines belong to the process and hold nothing of any user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sgv_demo.engines.entry import Engine
from sgv_demo.engines.measured import ENGINE as MEASURED
from sgv_demo.engines.prompts import Wording
from sgv_demo.engines.remote import ENGINE as REMOTE
from sgv_demo.engines.sharecaptioner import ENGINE as SHARECAPTIONER
from sgv_demo.engines.sharegpt4video import ENGINE as SHAREGPT4VIDEO
from sgv_demo.engines.smolvlm import ENGINE as SMOLVLM
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, EngineInfo, Evidence, Frame, Generation, Keyframe, KeyframeMark, Turn, VideoInfo

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (MEASURED, SHARECAPTIONER, SHAREGPT4VIDEO, SMOLVLM, REMOTE)
}
"""Every engine there is, by name: a new one is a folder with an `ENGINE`, and stands here."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What an answerer may look at."""

    video: VideoInfo
    frames: tuple[Frame, ...] = ()
    """Frames over the chosen range, in time order."""
    indices: tuple[int, ...] = ()
    """Their frame numbers."""
    keyframes: tuple[KeyframeMark, ...] = ()
    """Measured keyframes, for an engine with `needs_evidence`."""
    evidence: tuple[Evidence, ...] = ()
    """One for each gap between neighbouring keyframes."""
    key: str = ""
    """Names the exact frames (video content, range, count): the same key, the same pictures."""
    wording: Wording | None = None
    """How a first question is put, for an engine that is trained on a fixed form; None is the page's way. Others put it
    in their own form."""


@runtime_checkable
class Captioner(Protocol):
    """Writes captions in the four roles of ShareCaptioner-Video."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def context_tokens(self) -> int:
        """Tokens of text that one summary may read; more is summarized in levels."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens that `text` takes in a prompt."""
        ...

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        """Describes the first keyframe."""
        ...

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        """Says what changed between two neighbouring keyframes, given the caption just before."""
        ...

    def overview(
        self,
        keyframes: Sequence[Keyframe],
        evidence: Sequence[Evidence],
        options: GenerationOptions,
        sheet: bool = False,
    ) -> Generation:
        """Fast captioning: one text for all keyframes at once."""
        ...

    def summarize(self, captions: Sequence[Caption], options: GenerationOptions) -> Generation:
        """Sums up captions in time order."""
        ...

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        """Turns a short generation prompt into a detailed caption."""
        ...


@runtime_checkable
class Answerer(Protocol):
    """Answers questions about a video."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def default_frames(self) -> int:
        """How many frames the engine wants to see (0: none, it answers from measurements)."""
        ...

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        """Answers `question`, given earlier turns about the same scene."""
        ...
