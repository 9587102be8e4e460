"""From transformers' blocking `generate` to an iterator that a page can follow and stop.

The work runs in one thread. The consumer gets every new token id; where nothing comes for a while (a long prefill, a
beam search) it gets an empty list, so that it is never blocked for long and can be closed at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

import torch
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

TICK = 0.25
"""Seconds after which a waiting consumer gets an empty piece."""

Work: TypeAlias = "Callable[[Controls], torch.Tensor]"
"""Calls `generate(**controls.arguments)` and returns the sequences, (batch, tokens) int64; runs in its own thread."""

Decode: TypeAlias = Callable[[Sequence[int], bool], str]
"""(all new ids so far, whether that was all) → text; when more may come, only the part that can't change any more."""


class StopFlag(StoppingCriteria):
    """Ends `generate` after the token at which `set` was called."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Asks for the end; safe from any thread."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether the end was asked for (a long prefill may look at it, too)."""
        return self._event.is_set()

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """(batch, tokens) → (batch,) bool, all equal."""
        return torch.full((input_ids.shape[0],), self.is_set, device=input_ids.device, dtype=torch.bool)


class TokenQueue(BaseStreamer):
    """A streamer that hands over ids, and leaves out the prompt, which `generate` always puts first."""

    def __init__(self, queue: SimpleQueue[list[int] | None]) -> None:
        self._queue = queue
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_seen:
            self._queue.put(value.flatten().tolist())
        self._prompt_seen = True

    def end(self) -> None:
        """Nothing: the end of the thread is the end of the stream."""


@dataclass(slots=True)
class Controls:
    """What a piece of work needs to be followed and stopped."""

    streamer: TokenQueue | None
    """None for beams: transformers refuses a streamer there."""
    stop: StopFlag = field(default_factory=StopFlag)

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `generate`."""
        criteria = StoppingCriteriaList([self.stop])
        extra = {} if self.streamer is None else {"streamer": self.streamer}
        return {"stopping_criteria": criteria, **extra}


def stream_ids(work: Work, *, beams: int = 1, prompt_ids: int = 0) -> Generator[list[int], None, tuple[int, ...]]:
    """Runs `work` in a thread and yields new token ids as they come; returns those of the best sequence.

    With beams nothing is known before the end: all pieces are empty, which says "still at it". Closing the generator
    stops the work within a token and waits for its thread; so does an error in the consumer.

    Args:
        work: what calls `generate`.
        beams: 1 streams.
        prompt_ids: how many leading ids of the returned sequences are the prompt (0 when embeddings were given).

    Raises:
        whatever `work` raised in its thread.
    """
    queue: SimpleQueue[list[int] | None] = SimpleQueue()
    controls = Controls(TokenQueue(queue) if beams == 1 else None)
    with ThreadPoolExecutor(1, thread_name_prefix="generate") as pool:
        future: Future[torch.Tensor] = pool.submit(work, controls)
        future.add_done_callback(lambda _: queue.put(None))
        try:
            yield from _pieces(queue)
        finally:
            controls.stop.set()
    return tuple(future.result()[0, prompt_ids:].tolist())


def _pieces(queue: SimpleQueue[list[int] | None]) -> Generator[list[int], None, None]:
    while True:
        try:
            piece = queue.get(timeout=TICK)
        except Empty:
            yield []
            continue
        if piece is None:
            return
        yield piece


def stream_text(
    ids: Generator[list[int], None, tuple[int, ...]], decode: Decode
) -> Generator[str, None, tuple[int, ...]]:
    """Turns pieces of ids into pieces of text whose concatenation is `decode(all ids, True)`; returns the ids.

    Beams give one piece with text, the last.

    Raises:
        RuntimeError: `decode` took back text that it had called stable.
    """
    seen: list[int] = []
    sent = ""
    try:
        while True:
            try:
                new = next(ids)
            except StopIteration as stop:
                result: tuple[int, ...] = stop.value
                break
            seen += new
            text = decode(seen, False) if new else sent
            yield _rest(text, sent)
            sent = text
        text = decode(result, True)
        if text != sent:
            yield _rest(text, sent)
        return result
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
