"""Engines that say what a test tells them to: streaming, waiting, failing and blank answers on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sgv_demo.engines import Scene
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, EngineInfo, Evidence, Generation, Keyframe, Trace, Turn


@dataclass
class Script:
    """What the engines say and how; tests change it while they run."""

    pause: float = 0.0
    """Seconds before each word."""
    prefix: str = ""
    """Put before every text, for hostile or foreign words."""
    fail: dict[str, str] = field(default_factory=dict)
    """Step ("difference", "summarize", "answer", …) → message of the error that it raises."""
    blank: set[str] = field(default_factory=set)
    """Steps that say nothing."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Steps wait for it half way; set unless a test clears it."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """(question, number of earlier turns) of each answer."""
    closed: list[str] = field(default_factory=list)
    """Steps that were closed before their end."""

    def __post_init__(self) -> None:
        self.gate.set()

    def say(self, step: str, text: str, prompt: str = "") -> Generation:
        """Streams `text` word by word."""
        words = [] if step in self.blank else f"{self.prefix}{text}".split(" ")
        finished = False
        try:
            for number, word in enumerate(words):
                if number == len(words) // 2:
                    self._wait()
                    if step in self.fail:
                        raise EngineError(self.fail[step])
                if self.pause:
                    time.sleep(self.pause)
                yield word if number == len(words) - 1 else f"{word} "
            finished = True
        finally:
            if not finished:
                self.closed.append(step)
        yield Trace(prompt=prompt or f"<prompt of {step}>", token_ids=tuple(range(len(words))), prompt_tokens=120)

    def _wait(self) -> None:
        # In slices, so that an engine that is being closed is never stuck for long.
        for _ in range(1200):
            if self.gate.wait(0.05):
                return


class ScriptedCaptioner:
    """A captioner that follows a script."""

    def __init__(self, script: Script, name: str = "scripted") -> None:
        self.script = script
        self.info = EngineInfo(name, "Scripted, for tests", needs_evidence=False)
        self.context_tokens = 4096

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        return self.script.say("describe", f"First picture at {keyframe.time:.1f} seconds of a test clip.")

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        text = f"Pair {after.index} changes between {before.time:.1f} and {after.time:.1f} in some visible way."
        return self.script.say("difference", text)

    def overview(
        self,
        keyframes: Sequence[Keyframe],
        evidence: Sequence[Evidence],
        options: GenerationOptions,
        sheet: bool = False,
    ) -> Generation:
        how = "on a sheet" if sheet else "at once"
        return self.script.say("overview", f"All {len(keyframes)} keyframes {how}, in one text.")

    def summarize(self, captions: Sequence[Caption], options: GenerationOptions) -> Generation:
        return self.script.say("summarize", f"A summary of {len(captions)} captions, with a change at 0:02 and more.")

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        return self.script.say("recaption", f"In full detail: {prompt} under a wide sky.")


class ScriptedAnswerer:
    """An answerer that follows a script."""

    def __init__(self, script: Script, name: str = "scripted", frames: int = 4) -> None:
        self.script, self.default_frames = script, frames
        self.info = EngineInfo(name, "Scripted, for tests")

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        self.script.asked.append((question, len(history)))
        text = f"Answer {len(history) + 1} about {question} from {len(scene.frames)} frames, see 0:01 for it."
        return self.script.say("answer", text)


def said(generation: Generation) -> tuple[list[str], Trace]:
    """All pieces of a generation, and its trace, which is its last item and its only one."""
    *pieces, trace = generation
    texts = [piece for piece in pieces if isinstance(piece, str)]
    assert isinstance(trace, Trace)
    assert len(texts) == len(pieces)
    return texts, trace


def words(generation: Generation) -> str:
    """All that a generation says."""
    return "".join(said(generation)[0])
