"""Several big models, one small GPU: they take turns, one step at a time.

Who waits for its turn is moved to main memory where an engine can `move` and the memory is there, otherwise unloaded
and loaded again. Results that were kept on disk know nothing of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.engines.choosing.machine import ram_free
from sgv_demo.engines.turns.relay import RelayAnswerer, RelayCaptioner
from sgv_demo.types import EngineInfo, Generation

log = logging.getLogger(__name__)

TICK = 0.25
"""Seconds after which someone who waits for a turn says so."""

E = TypeVar("E", bound=Captioner | Answerer)


class Turns:
    """The one seat on the GPU."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Held for a step; a plain lock, as a step may be closed from another thread than it began in."""
        self.holder: Seat[Any] | None = None


class Seat(Generic[E]):
    """One model's claim to a turn."""

    def __init__(self, turns: Turns, load: Callable[[], E], parking_bytes: int) -> None:
        """
        Args:
            turns: shared by all that take turns.
            load: makes the engine on the GPU; called again after it had to be unloaded.
            parking_bytes: main memory that it takes while it waits.
        """
        self._turns, self._load, self._parking_bytes = turns, load, parking_bytes
        self._engine: E | None = None
        with turns.lock:
            self.info: EngineInfo = self._sit().info

    def run(self, role: str, arguments: tuple[Any, ...]) -> Generation:
        """Waits for the turn, makes room, runs one step: the method `role` of the engine.

        Raises:
            EngineError: see the engine; also when it can't be loaded again.
        """
        while not self._turns.lock.acquire(timeout=TICK):
            yield ""
        try:
            yield from getattr(self._sit(), role)(*arguments)
        finally:
            self._turns.lock.release()

    def look(self) -> E:
        """The engine for a question that takes no GPU, loaded if need be."""
        if self._engine is None:
            with self._turns.lock:
                return self._sit()
        return self._engine

    def unload(self) -> None:
        """Lets go of the weights, wherever they are."""
        with self._turns.lock:
            if self._turns.holder is self:
                self._turns.holder = None
            self._drop()

    def _sit(self) -> E:
        other = self._turns.holder
        if other is self and self._engine is not None:
            return self._engine
        if other is not None:
            self._turns.holder = None
            other._stand()
        if self._engine is None:
            self._engine = self._load()
        else:
            self._engine.move("cuda")  # pyright: ignore[reportAttributeAccessIssue] - only what can move was parked
        self._turns.holder = self
        return self._engine

    def _stand(self) -> None:
        move = getattr(self._engine, "move", None)
        if move is not None and self._parking_bytes < ram_free():
            move("cpu")
            return
        log.info("%s is unloaded to make room", self.info.label)
        self._drop()

    def _drop(self) -> None:
        unload = getattr(self._engine, "unload", None)
        self._engine = None
        if unload is not None:
            unload()


class TurnCaptioner(RelayCaptioner):
    """A `Captioner` that runs when it has its turn."""

    def __init__(self, seat: Seat[Captioner]) -> None:
        super().__init__(seat.look(), seat.run, lambda text: seat.look().count_tokens(text))
        self._seat = seat

    def unload(self) -> None:
        """Frees the weights."""
        self._seat.unload()


class TurnAnswerer(RelayAnswerer):
    """An `Answerer` that runs when it has its turn."""

    def __init__(self, seat: Seat[Answerer]) -> None:
        super().__init__(seat.look(), seat.run)
        self._seat = seat

    def unload(self) -> None:
        """Frees the weights."""
        self._seat.unload()
