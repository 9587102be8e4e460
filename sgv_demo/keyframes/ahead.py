"""Runs an iterator in a thread of its own, a few items ahead of whoever reads it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextvars import copy_context
from queue import Full, Queue
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")

_LOOK = 0.1
"""Seconds after which a waiting thread looks whether it was stopped."""


class _Outcome:
    """Keeps the error that ended a thread, for the reader."""

    error: BaseException | None = None

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        self.error = error
        return True


def ahead(
    source: Generator[T, None, None], most: int, interrupt: Callable[[], None] = lambda: None
) -> Generator[T, None, None]:
    """Yields what `source` yields, which runs in a thread of its own and is at most `most` items ahead.

    The thread starts with the first item that is asked for, inherits the caller's context, and has ended, `source`
    closed, when this ends, is closed or fails. `interrupt` is called then, from outside that thread: what it waits for
    may take long.

    Raises:
        Whatever `source` raises, after the items before it.
    """
    ready: Queue[tuple[T] | None] = Queue(most)
    """Items in a tuple each, and None at the end."""
    stop, outcome = threading.Event(), _Outcome()

    def hand_over(item: tuple[T] | None) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=_LOOK)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        with outcome:
            try:
                for item in source:
                    if not hand_over((item,)):
                        break
            finally:
                source.close()
        hand_over(None)

    thread = threading.Thread(target=copy_context().run, args=(work,), name="ahead", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            yield item[0]
    finally:
        stop.set()
        interrupt()
        thread.join()
    if outcome.error is not None:
        raise outcome.error
