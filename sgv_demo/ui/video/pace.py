"""How long a run will take: learnt apart for what is done once, for looking at a sample, for writing of a keyframe."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

from sgv_demo.engines import MEASURED
from sgv_demo.events import Begun, Captioned, Delta, Event, Kept, Measured, Sampled

Kind: TypeAlias = tuple[str, str, bool]
"""Runs that take alike: engine, mode, whether text in the picture is read."""


_TIMED, _GUESSED = 2.0, 3.0
"""How many times longer or shorter than the model says a run may take, with and without one of its kind timed before:
other visitors share the machine."""


@dataclass(slots=True)
class Spent:
    """Where the time of runs went: seconds, and how often."""

    once: float = 0.0
    """Opening, loading the text reader, the summary."""
    runs: float = 0.0
    looking: float = 0.0
    samples: float = 0.0
    writing: float = 0.0
    """Keeping keyframes, measuring, captioning."""
    keyframes: float = 0.0

    def add(self, event: Event, seconds: float) -> None:
        """Counts the `seconds` that an event took to come."""
        match event:
            case Sampled():
                self.looking, self.samples = self.looking + seconds, self.samples + 1
            case Kept() if not self.keyframes:
                # It waits for the text reader to be loaded, so its time says nothing of the next ones.
                self.once, self.keyframes = self.once + seconds, 1
            case Kept():
                self.writing, self.keyframes = self.writing + seconds, self.keyframes + 1
            case Measured() | Captioned():
                self.writing += seconds
            case Delta(step) if step != "summary":
                self.writing += seconds
            case Begun():
                pass  # loading the engine, which has a line of its own
            case _:
                self.once += seconds

    def plus(self, other: Spent, share: float = 1.0) -> Spent:
        """Both together; `share` is how much of `other` counts."""
        return Spent(*(getattr(self, f.name) + share * getattr(other, f.name) for f in fields(self)))


class Pace:
    """What runs took lately, by their kind."""

    def __init__(self) -> None:
        self._known: dict[Kind, Spent] = {}

    def learn(self, kind: Kind, spent: Spent) -> None:
        """A run ended; those before it count half as much as until now."""
        spent.runs = 1
        self._known[kind] = spent.plus(self._known.get(kind, Spent()), 0.5)

    def seconds(self, kind: Kind, samples: int, keyframes: float) -> float:
        """For a run of so many samples and keyframes."""
        spent = self._known.get(kind, Spent()).plus(first_guess(*kind))
        looking, writing = spent.looking / spent.samples, spent.writing / spent.keyframes
        return spent.once / spent.runs + samples * looking + keyframes * writing

    def promised(self, kind: Kind, samples: int, keyframes: float, *, counted: bool) -> tuple[float, float]:
        """From how many to how many seconds a run should take.

        Args:
            counted: whether the keyframes are known from an earlier run of the same video, and not guessed.
        """
        spread = _TIMED if kind in self._known else _GUESSED
        few, many = (keyframes, keyframes) if counted else (keyframes * 0.2, min(float(samples), keyframes * 1.3))
        return self.seconds(kind, samples, few) / spread, self.seconds(kind, samples, many) * spread

    def left(self, kind: Kind, spent: Spent, samples: int, keyframes: float) -> float:
        """Seconds for what is left of a run that has `spent` so far: so many samples and keyframes.

        The same model as before the run, corrected by the run itself as it goes.
        """
        known = self._known.get(kind, Spent()).plus(first_guess(*kind))
        now = known.plus(replace(spent, once=0.0))
        once = max(0.0, known.once / known.runs - spent.once)
        return once + samples * now.looking / now.samples + keyframes * now.writing / now.keyframes


def guessed_keyframes(samples: int) -> float:
    """Before anything was seen: of a longer video a smaller share is usually kept."""
    return float(samples) ** 0.75


def first_guess(engine: str, mode: str, reads: bool) -> Spent:
    """What a run takes before one has been timed, as a light weight beside what was."""
    if engine == MEASURED.name:
        return _of(once=3.0, sample=0.3, keyframe=1.2 if reads else 0.3)
    return _of(once=10, sample=0.2, keyframe=0.3) if mode != "sliding" else _of(once=6, sample=0.2, keyframe=6)


def _of(*, once: float, sample: float, keyframe: float) -> Spent:
    """A third of a run with three samples and three keyframes."""
    return Spent(once / 3, 1 / 3, sample, 1, keyframe, 1)


def timed(events: Generator[Event, None, None], spent: Spent) -> Generator[Event, None, None]:
    """Passes events on and counts how long each took to come, without what is done with it before the next."""
    with closing(events):
        asked = time.monotonic()
        for event in events:
            spent.add(event, time.monotonic() - asked)
            yield event
            asked = time.monotonic()
