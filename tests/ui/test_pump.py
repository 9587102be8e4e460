"""Events in batches: what a visitor waits for when a run is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from sgv_demo.ui.pump import batches


def test_stopping_does_not_wait_for_a_long_step() -> None:
    going, gate, closed = threading.Event(), threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        try:
            yield 1
            going.set()
            gate.wait(10)
            yield 2
        finally:
            closed.set()

    pumped = batches(items(), seconds=0.01)
    next(pumped)
    assert going.wait(5)
    started = time.monotonic()
    pumped.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert time.monotonic() - started < 1
    gate.set()
    assert closed.wait(5), "the step ends by itself, and what it held is let go"
