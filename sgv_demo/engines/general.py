"""The five tasks put to a general vision-language model, one that wasn't trained on this project's prompts."""

from __future__ import annotations

from collections.abc import Sequence

from sgv_demo.engines import Scene, compose, prompts
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Evidence, Generation, Keyframe, Picture, Turn


class GeneralModel:
    """The roles of `Captioner` and `Answerer`, all through one method that a subclass brings: `_say`."""

    def _say(
        self,
        text: str,
        pictures: Sequence[tuple[float, Picture]],
        options: GenerationOptions,
        history: Sequence[Turn] = (),
        duration: float = 0.0,
    ) -> Generation:
        """Puts `text` and `pictures` (each with its time in seconds) to the model.

        `duration` is that of the video in seconds, where the pictures stand for a whole one; 0 otherwise.
        """
        raise NotImplementedError

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        """Describes the first keyframe."""
        return self._say(prompts.PLAIN_DESCRIBE, [(keyframe.stated_time, keyframe.frame.image)], options)

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        """Says what changed between two keyframes; `evidence` is not used, the model looks for itself."""
        pictures = [(frame.stated_time, frame.frame.image) for frame in (before, after)]
        numbers, times = (before.index + 1, after.index + 1), (before.stated_time, after.stated_time)
        return self._say(prompts.plain_difference(previous, numbers, times), pictures, options)

    def overview(
        self,
        keyframes: Sequence[Keyframe],
        evidence: Sequence[Evidence],
        options: GenerationOptions,
        sheet: bool = False,
    ) -> Generation:
        """Fast captioning: one text for all keyframes, thinned out to what the model takes at once.

        `sheet`: all of them in one picture, laid out in a grid, instead of a picture each.

        Raises:
            EngineError: there are no keyframes.
        """
        if not keyframes:
            raise EngineError("There are no keyframes to describe; choose another range.")
        if sheet:
            picture = compose.shown_grid([keyframe.frame.image for keyframe in keyframes])
            times = [keyframe.stated_time for keyframe in keyframes]
            return self._say(prompts.plain_sheet(times), [(times[0], picture)], options)
        return self._say(prompts.PLAIN_OVERVIEW, [(k.stated_time, k.frame.image) for k in keyframes], options)

    def summarize(self, captions: Sequence[Caption], options: GenerationOptions) -> Generation:
        """Sums up captions in time order."""
        return self._say(prompts.plain_summary([(c.start, c.end, c.text) for c in captions]), [], options)

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        """Turns a short generation prompt into a detailed caption.

        Raises:
            EngineError: the prompt is empty.
        """
        if not prompt.strip():
            raise EngineError("The prompt is empty; write what the video should show.")
        return self._say(prompts.plain_recaption(prompt), [], options)

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        """Answers `question` about the scene's frames.

        Raises:
            EngineError: no question, one too long for the model, an unloaded engine, or a server that failed.
        """
        if not question.strip():
            raise EngineError("The question is empty; type one.")
        pictures = [(frame.time, frame.image) for frame in scene.frames]
        return self._say(question, pictures, options, history, scene.video.duration)
