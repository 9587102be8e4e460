"""An iterator that runs ahead in a thread: in order, bounded, stopped by closing, errors raised where it is read."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextvars import ContextVar

import pytest

from sgv_demo.errors import VideoError
from sgv_demo.keyframes.ahead import ahead

WHO: ContextVar[str] = ContextVar("who", default="nobody")


def _wait(ready) -> None:
    for _ in range(200):
        if ready():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def test_items_come_in_order_and_only_a_few_ahead() -> None:
    made: list[int] = []

    def source() -> Generator[int, None, None]:
        for i in range(20):
            made.append(i)
            yield i

    reading = ahead(source(), 3)
    assert next(reading) == 0
    _wait(lambda: len(made) == 5)
    time.sleep(0.05)
    assert len(made) == 5, "one was read, three wait, one is in the hand"
    assert [0, *reading] == list(range(20)) == made


def test_closing_stops_and_closes_the_source() -> None:
    closed = threading.Event()

    def source() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    reading = ahead(source(), 2)
    next(reading)
    reading.close()
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_an_error_comes_after_the_items_before_it() -> None:
    def source() -> Generator[int, None, None]:
        yield 1
        raise VideoError("The file ends here; choose another.")

    reading = ahead(source(), 2)
    assert next(reading) == 1
    with pytest.raises(VideoError, match="ends here"):
        next(reading)


def test_the_thread_knows_whom_it_works_for() -> None:
    def source() -> Generator[str, None, None]:
        yield WHO.get()

    WHO.set("a visitor")
    assert list(ahead(source(), 1)) == ["a visitor"]
