"""Engines whose steps run elsewhere: when it is their turn on a small GPU, or in a slot of a shared one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sgv_demo.engines import Answerer, Captioner, Scene
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Evidence, Generation, Keyframe, Turn

Run: TypeAlias = Callable[[str, tuple[Any, ...]], Generation]
"""(name of the engine's method, its arguments) → the generation."""


class RelayCaptioner:
    """A `Captioner` that hands on every step."""

    def __init__(self, captioner: Captioner, run: Run, count_tokens: Callable[[str], int]) -> None:
        """
        Args:
            captioner: its facts are read once; it isn't kept.
            run: runs a step.
            count_tokens: needs no GPU.
        """
        self.info = captioner.info
        self.context_tokens = captioner.context_tokens
        self._count, self._run = count_tokens, run

    def count_tokens(self, text: str) -> int:
        """Tokens that `text` takes in a prompt."""
        return self._count(text)

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        """Describes the first keyframe."""
        return self._run("describe", (keyframe, options))

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        """Says what changed between two neighbouring keyframes."""
        return self._run("difference", (before, after, evidence, previous, options))

    def overview(
        self,
        keyframes: Sequence[Keyframe],
        evidence: Sequence[Evidence],
        options: GenerationOptions,
        sheet: bool = False,
    ) -> Generation:
        """One text for all keyframes."""
        return self._run("overview", (tuple(keyframes), tuple(evidence), options, sheet))

    def summarize(self, captions: Sequence[Caption], options: GenerationOptions) -> Generation:
        """Sums up captions in time order."""
        return self._run("summarize", (tuple(captions), options))

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        """Turns a short generation prompt into a detailed caption."""
        return self._run("recaption", (prompt, options))


class RelayAnswerer:
    """An `Answerer` that hands on every question."""

    def __init__(self, answerer: Answerer, run: Run) -> None:
        """`answerer` is asked for its facts once and isn't kept; `run` runs a step."""
        self.info = answerer.info
        self.default_frames = answerer.default_frames
        self._run = run

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        """Answers `question`, given earlier turns about the same scene."""
        return self._run("answer", (scene, question, tuple(history), options))
