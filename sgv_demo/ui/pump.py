"""Events in batches: at most so many a second, and none is held back while the engine thinks.

A handler that reads a generator directly can only speak when an event comes: a throttled token would wait for the next
one. So the generator runs in a thread, and the handler takes whatever has come, ten times a second.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextvars import copy_context
from typing import Generic, TypeVar

T = TypeVar("T")

_CLOSING_SECONDS = 0.2
"""Who presses Stop waits as long for the step under way; a result's next run waits for the rest of it."""


class _Done:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Pump(Generic[T]):
    def __init__(self, items: Iterable[T], capacity: int) -> None:
        self._items = items
        self._queue: queue.Queue[T | _Done] = queue.Queue(capacity)
        self._stop = threading.Event()
        # The context tells `spaces` whose request this is, and so whose quota a GPU counts against.
        self.thread = threading.Thread(target=copy_context().run, args=(self._run,), name="events", daemon=True)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as caught:  # noqa: BLE001 - handed to the reader, which raises it
            error = caught
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
        self._put(_Done(error))

    def _put(self, item: T | _Done) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def take(self, seconds: float) -> tuple[list[T], _Done | None]:
        """Everything that came within `seconds`, and the end if it was reached."""
        until, batch = time.monotonic() + seconds, []
        while (left := until - time.monotonic()) > 0:
            try:
                item = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(item, _Done):
                return batch, item
            batch.append(item)
        return batch, None

    def stop(self) -> None:
        """Closes the source. A source in the middle of a step is waited for briefly, then left to end by itself."""
        self._stop.set()
        if self.thread.ident is not None:
            self.thread.join(_CLOSING_SECONDS)


def batches(items: Iterable[T], *, seconds: float = 0.1, capacity: int = 256) -> Iterator[list[T]]:
    """Yields lists of what came in each `seconds`; an empty list means that nothing did.

    Closing this iterator closes `items`. An error of `items` is raised here after what came before it was yielded.
    """
    pump = _Pump(items, capacity)
    try:
        pump.thread.start()
        while True:
            batch, done = pump.take(seconds)
            if batch or done is None:
                yield batch
            if done is not None:
                if done.error is not None:
                    raise done.error
                return
    finally:
        pump.stop()
