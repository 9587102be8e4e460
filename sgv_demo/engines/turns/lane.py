"""An engine that takes so many steps at once: each step waits in the engine's line, whoever's it is.

A run holds no place between its steps, so that one with a hundred captions takes turns with a single question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.engines.turns.relay import RelayAnswerer, RelayCaptioner
from sgv_demo.lanes import TICK, Lane, Place, in_line
from sgv_demo.types import Generation


class Line:
    """The steps of one run or question, in an engine's lane."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._place: Place | None = None

    def captioner(self, captioner: Captioner) -> Captioner:
        """`captioner`, each of whose steps waits for its turn."""
        return RelayCaptioner(captioner, self._stepping(captioner), captioner.count_tokens)

    def answerer(self, answerer: Answerer) -> Answerer:
        """`answerer`, each of whose answers waits for its turn."""
        return RelayAnswerer(answerer, self._stepping(answerer))

    def waiting(self) -> str:
        """Where in line the step at hand is, in words; empty when it has its turn."""
        place = self._place
        return "" if place is None or place.since is not None else in_line("the engine", place)

    def _stepping(self, engine: object) -> Callable[[str, tuple[Any, ...]], Generation]:
        def step(role: str, arguments: tuple[Any, ...]) -> Generation:
            place = self._place = self._lane.join()
            try:
                while not place.wait(TICK):
                    yield ""
                yield from getattr(engine, role)(*arguments)
            finally:
                self._place = None
                place.leave()

        return step
