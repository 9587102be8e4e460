"""What the captioner is asked in each of its roles: text and picture as it was trained on. Needs no model library, so
that a client of a served captioner asks exactly what the engine on this machine would ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sgv_demo.engines import compose, prompts
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Evidence, Generation, Keyframe, Picture

Step = Literal["describe", "difference", "overview", "summarize", "recaption"]

PAIR_BUDGET = 9
"""Tiles at most for the first frame and for pairs (`hd_num` of the published demo)."""
COLUMN_BUDGET = 16
"""Tiles at most for fast captions."""
BUDGETS: Mapping[Step, int] = {
    "describe": PAIR_BUDGET,
    "difference": PAIR_BUDGET,
    "overview": COLUMN_BUDGET,
    "summarize": 0,
    "recaption": 0,
}
"""Tiles that a step's picture may have; 0: it has none."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one step asks."""

    step: Step
    text: str
    """The user's turn."""
    picture: Picture | None = None
    """Composed, not yet resized; None for text alone."""
    typed: bool = False
    """Whether a person typed the end of it, who can't type control tokens."""

    @property
    def budget(self) -> int:
        """Tiles at most."""
        return BUDGETS[self.step]


class Roles:
    """The roles of a `Captioner`, all through one method that a subclass brings: `ask`."""

    def ask(self, question: Question, options: GenerationOptions) -> Generation:
        """Runs one step."""
        raise NotImplementedError

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        """Describes the first keyframe."""
        return self.ask(Question("describe", prompts.FIRST_FRAME, keyframe.frame.image), options)

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        """Says what happened between two keyframes; `evidence` is not used, the model looks for itself."""
        text = prompts.pair((before.index, before.stated_time), (after.index, after.stated_time), previous)
        picture = compose.pair(before.frame.image, after.frame.image)
        return self.ask(Question("difference", text, picture), options)

    def overview(
        self,
        keyframes: Sequence[Keyframe],
        evidence: Sequence[Evidence],
        options: GenerationOptions,
        sheet: bool = False,
    ) -> Generation:
        """Fast captioning: one text for all keyframes in one column, which is its `sheet`; `evidence` isn't used.

        Raises:
            EngineError: there are no keyframes.
        """
        if not keyframes:
            raise EngineError("There are no keyframes to describe; choose another range.")
        column = compose.column([keyframe.frame.image for keyframe in keyframes])
        return self.ask(Question("overview", prompts.KEY_FRAMES, column), options)

    def summarize(self, captions: Sequence[Caption], options: GenerationOptions) -> Generation:
        """Sums up captions in time order."""
        text = prompts.summary([(caption.index, caption.stated_time, caption.text) for caption in captions])
        return self.ask(Question("summarize", text), options)

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        """Turns a short generation prompt into a detailed caption.

        Raises:
            EngineError: the prompt is empty or longer than the model reads.
        """
        if not prompt.strip():
            raise EngineError("The prompt is empty; write what the video should show.")
        return self.ask(Question("recaption", prompts.recaption(prompt), typed=True), options)
