"""Whose turn it is: so many at once, first come first served, and how long those in line will wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sgv_demo.times import length

TICK = 0.25
"""Seconds after which someone who waits for a turn may say so."""
_NEWER = 0.3
"""Weight of the last turn in what a turn usually takes."""


class Place:
    """One claim to a turn: in line, then inside, then gone."""

    def __init__(self, lane: Lane, whole: bool) -> None:
        self.lane = lane
        self.whole = whole
        """Whether it wants the lane to itself."""
        self.since: float | None = None
        """When its turn began; None in line."""

    def wait(self, seconds: float | None = None) -> bool:
        """Waits for the turn, at most so long; whether it has come."""
        with self.lane.changed:
            return self.lane.changed.wait_for(lambda: self.since is not None or self.gone, seconds) and not self.gone

    @property
    def gone(self) -> bool:
        """Whether it was left."""
        return self not in self.lane.line and self not in self.lane.inside

    @property
    def before(self) -> int:
        """How many are in line before it."""
        with self.lane.changed:
            return self.lane.line.index(self) if self in self.lane.line else 0

    @property
    def seconds(self) -> float | None:
        """How long it will probably wait; None where no turn has ended yet."""
        with self.lane.changed:
            if self not in self.lane.line or self.lane.usual is None:
                return None
            ahead = self.lane.line.index(self) + 1
            started = [place.since for place in self.lane.inside if place.since is not None]
            passed = min(time.monotonic() - min(started, default=time.monotonic()), self.lane.usual)
            return max(self.lane.usual * ahead / self.lane.most - passed, 0.0)

    def leave(self) -> None:
        """Gives the turn, or the place in line, to who comes next. Twice is once."""
        self.lane.remove(self)


class Lane:
    """Turns of one kind. No turn belongs to a thread: it may end in another one than it began in."""

    def __init__(self, most: int) -> None:
        """`most`: turns at once."""
        self.most = most
        self.changed = threading.Condition(threading.RLock())
        self.line: deque[Place] = deque()
        self.inside: set[Place] = set()
        self.usual: float | None = None
        """Seconds that a turn takes, newer ones counting more."""

    def join(self, *, whole: bool = False) -> Place:
        """A place at the end of the line; its turn may have come when this returns. `whole`: alone, once all left."""
        place = Place(self, whole)
        with self.changed:
            self.line.append(place)
            self._admit()
        return place

    @contextmanager
    def turn(self, *, whole: bool = False) -> Iterator[None]:
        """Waits for a turn and holds it for a block."""
        place = self.join(whole=whole)
        try:
            place.wait()
            yield
        finally:
            place.leave()

    def remove(self, place: Place) -> None:
        """See `Place.leave`."""
        with self.changed:
            if place in self.inside:
                self.inside.remove(place)
                took = time.monotonic() - (place.since or 0.0)
                self.usual = took if self.usual is None else (1 - _NEWER) * self.usual + _NEWER * took
            elif place in self.line:
                self.line.remove(place)
            self._admit()

    def _admit(self) -> None:
        """Who waits at the front keeps those behind it waiting, so that nobody is overtaken."""
        while self.line:
            first = self.line[0]
            room = not self.inside if first.whole else len(self.inside) < self.most
            if not room or any(place.whole for place in self.inside):
                break
            self.inside.add(self.line.popleft())
            first.since = time.monotonic()
        self.changed.notify_all()


def in_line(what: str, place: Place) -> str:
    """A place in line for something, in words."""
    seconds, before = place.seconds, place.before
    about = f", about {length(seconds)}" if seconds is not None else ""
    if before == 0:
        return f"Waiting for {what}: next in line{about}"
    return f"Waiting for {what}: {before} in line before you{about}"
