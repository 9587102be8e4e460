"""From blocking work in a thread to an iterator that a page can follow and stop.

The consumer gets every new token id; where nothing comes for a while (a long prefill, a beam search) it gets an empty
list, so that it is never blocked for long and can be closed at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeAlias

TICK = 0.25
"""Seconds after which a waiting consumer gets an empty piece."""

Put: TypeAlias = Callable[[list[int]], None]
"""Hands out new token ids."""

Work: TypeAlias = Callable[[Put, threading.Event], None]
"""Runs in its own thread: puts ids as they become certain, and ends soon after the event is set."""

Decode: TypeAlias = Callable[[Sequence[int], bool], str]
"""(all new ids so far, whether that was all) → text; when more may come, only the part that can't change any more."""


def stream_ids(work: Work) -> Generator[list[int], None, None]:
    """Runs `work` in a thread and yields new token ids as they come.

    Closing the generator stops the work within a token and waits for its thread; so does an error in the consumer.

    Raises:
        whatever `work` raised in its thread.
    """
    queue: SimpleQueue[list[int] | None] = SimpleQueue()
    stop = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="generate") as pool:
        future: Future[None] = pool.submit(work, queue.put, stop)
        future.add_done_callback(lambda _: queue.put(None))
        try:
            yield from _pieces(queue)
        finally:
            stop.set()
    future.result()


def _pieces(queue: SimpleQueue[list[int] | None]) -> Iterator[list[int]]:
    while True:
        try:
            piece = queue.get(timeout=TICK)
        except Empty:
            yield []
            continue
        if piece is None:
            return
        yield piece


def stream_text(ids: Generator[list[int], None, None], decode: Decode) -> Generator[str, None, tuple[int, ...]]:
    """Turns pieces of ids into pieces of text whose concatenation is `decode(all ids, True)`; returns the ids.

    Raises:
        RuntimeError: `decode` took back text that it had called stable.
    """
    seen: list[int] = []
    sent = ""
    try:
        for new in ids:
            seen += new
            text = decode(seen, False) if new else sent
            yield _rest(text, sent)
            sent = text
        text = decode(seen, True)
        if text != sent:
            yield _rest(text, sent)
        return tuple(seen)
    finally:
        ids.close()


def _rest(text: str, sent: str) -> str:
    if not text.startswith(sent):
        raise RuntimeError(
            f"The decoded text changed after it was sent: {sent[-40:]!r} is no longer in {text[-80:]!r}."
        )
    return text[len(sent) :]


def hold_back(text: str, patterns: Iterable[str] = ()) -> str:
    """`text` without an end that may still change: white space, half a character, the beginning of a pattern.

    Args:
        text: decoded so far.
        patterns: strings that are cut or rewritten once they are complete.
    """
    before = None
    while text != before:
        before = text
        text = text.rstrip().rstrip("\ufffd")
        longest = max((_overlap(text, pattern) for pattern in patterns), default=0)
        text = text[: len(text) - longest]
    return text


def _overlap(text: str, pattern: str) -> int:
    """Length of the longest proper beginning of `pattern` at the end of `text`."""
    sizes = range(min(len(pattern) - 1, len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(pattern[:size])), 0)
