"""From a blocking generation to the event loop: read in a thread of its own, and stopped when its client is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import closing

from sgv_demo.types import Generation, Trace


class GoneError(Exception):
    """The client closed its connection."""


async def follow(
    generation: Generation, pool: Executor, gone: Callable[[], Awaitable[object]], ended: Callable[[], object]
) -> AsyncIterator[str | Trace]:
    """The pieces that aren't empty, and the trace. Closing it, or the client's going, stops the text within a token.

    Args:
        generation: to be read.
        pool: whose thread reads it.
        gone: returns when the client has closed its connection.
        ended: called in the event loop once nothing of the text runs any more.

    Raises:
        GoneError: the client went.
        whatever the generation raises.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | Trace | Exception | None] = asyncio.Queue()
    stop = threading.Event()

    def read() -> None:
        last: Exception | None = None
        try:
            with closing(generation):
                for piece in generation:
                    if stop.is_set():
                        break
                    if piece:
                        loop.call_soon_threadsafe(queue.put_nowait, piece)
        except Exception as error:  # noqa: BLE001 - raised again where the text is read
            last = error
        loop.call_soon_threadsafe(queue.put_nowait, last)

    async def watch() -> None:
        await gone()
        stop.set()
        queue.put_nowait(GoneError())

    reading = loop.run_in_executor(pool, read)
    reading.add_done_callback(lambda _: ended())
    watching = asyncio.create_task(watch())
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        stop.set()
        watching.cancel()
