"""How a text comes out of a network: a prompt is read in chunks, then tokens are chosen one after the other.

A `Text` is one text on its way. `step` takes any number of them one chunk or one token further in a single pass through
the network, whatever their lengths; `generate` is the loop over `step` for one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from sgv_demo.engines.local.cache import Batch, Cache, Span

CHUNK = 512
"""Positions of a prompt computed at once: between two chunks a stop is noticed, and others get their next token."""


class Network(Protocol):
    """What decoding needs of a network. D: width, V: vocabulary."""

    def embed(self, ids: Tensor) -> Tensor:
        """(n,) token ids → (1, n, D)."""
        ...

    def hidden(self, x: Tensor, batch: Batch) -> Tensor:
        """(1, N, D) embeddings of the batch's positions → (1, N, D) after the last norm; its caches are extended."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """(m, D) → (m, V) float32."""
        ...


class Chooser(Protocol):
    """Turns logits into tokens."""

    rows: int
    """Sequences that go on side by side: 1, or the number of beams."""
    done: bool
    """Whether there is nothing more to choose."""
    tokens: list[int]
    """What was chosen last, one for each row."""
    parents: list[int] | None
    """Rows that those go on from; None when each goes on from itself."""

    def take(self, logits: Tensor) -> list[int]:
        """(rows, V), after a prompt (1, V) → the ids that are certain now."""
        ...


class Sampler:
    """The likeliest token, or, with a temperature, one drawn from the likeliest."""

    def __init__(self, limit: int, stops: Collection[int], temperature: float = 0.0, top_p: float = 1.0) -> None:
        """
        Args:
            limit: tokens at most.
            stops: ids that end the text; the one that did is its last.
            temperature: 0 takes the likeliest.
            top_p: draws from the smallest set of likeliest tokens that have this probability together.
        """
        self._left, self._stops = limit, frozenset(stops)
        self._temperature, self._top_p = temperature, top_p
        self.rows = 1
        self.done = limit < 1
        self.tokens: list[int] = []
        self.parents: list[int] | None = None

    def take(self, logits: Tensor) -> list[int]:
        token = int(self._draw(logits[0]) if self._temperature > 0 else logits[0].argmax())
        self._left -= 1
        self.done = token in self._stops or self._left < 1
        self.tokens = [token]
        return [token]

    def _draw(self, logits: Tensor) -> Tensor:
        ranked, order = (logits / self._temperature).softmax(-1).sort(descending=True)
        more_likely = ranked.cumsum(-1) - ranked
        ranked[1:][more_likely[1:] >= self._top_p] = 0
        return order[ranked.multinomial(1)]


class Beams:
    """Beam search with a length penalty of 1, as transformers 4.41 ran it for the published demo (`early_stopping`
    off): a finished text counts by its mean log-probability, its end token included.
    """

    def __init__(self, count: int, limit: int, stops: Collection[int]) -> None:
        """
        Args:
            count: beams.
            limit: tokens at most.
            stops: ids that end a text; the one that did is its last.
        """
        self.rows = count
        self._limit, self._stops = limit, frozenset(stops)
        self._live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
        self._ended: list[tuple[float, tuple[int, ...]]] = []
        self.done = limit < 1
        self.tokens: list[int] = []
        self.parents: list[int] | None = None

    @property
    def best(self) -> list[tuple[float, tuple[int, ...]]]:
        """The texts that won, the best first, with their scores, once it is done."""
        return self._ended

    def take(self, logits: Tensor) -> list[int]:
        """Takes the logits (rows, vocabulary) of one pass; returns the likeliest text once the search is done."""
        candidates = self._candidates(logits)
        length = len(self._live[0][1]) + 1
        going_on: list[tuple[int, int, float]] = []
        for rank, (parent, token, score) in enumerate(candidates):
            if token in self._stops:
                if rank < self.rows:  # one that is less likely than that would not have stayed a beam
                    self._end((*self._live[parent][1], token), score)
            elif len(going_on) < self.rows:
                going_on.append((parent, token, score))
        self.done = len(self._ended) == self.rows and self._ended[-1][0] >= candidates[0][2] / length
        self._live = [(score, (*self._live[parent][1], token)) for parent, token, score in going_on]
        self.parents, self.tokens = [p for p, _, _ in going_on], [t for _, t, _ in going_on]
        if length == self._limit and not self.done:
            for score, ids in self._live:
                self._end(ids, score)
            self.done = True
        return list(self._ended[0][1]) if self.done else []

    def _candidates(self, logits: Tensor) -> list[tuple[int, int, float]]:
        """(beam, token, sum of log-probabilities), the likeliest first: enough that `rows` go on if others end."""
        before = torch.tensor([score for score, _ in self._live], device=logits.device)
        scores = (logits.log_softmax(-1) + before[:, None]).flatten()
        wanted = min(max(2, 1 + len(self._stops)) * self.rows, scores.numel())
        best, places = scores.topk(wanted)
        vocabulary = logits.shape[1]
        pairs = zip(places.tolist(), best.tolist(), strict=True)
        return [(place // vocabulary, place % vocabulary, score) for place, score in pairs]

    def _end(self, ids: tuple[int, ...], score: float) -> None:
        """Keeps the best `rows` of all that ended."""
        self._ended.append((score / len(ids), ids))
        self._ended.sort(key=lambda one: -one[0])
        del self._ended[self.rows :]


@dataclass(slots=True, eq=False)
class Text:
    """One text on its way."""

    prompt: Tensor
    """(1, L, D) embeddings of the positions that `cache` does not hold yet."""
    cache: Cache
    chooser: Chooser
    image: slice | None = None
    """Which positions of the prompt show a picture."""
    read: int = field(default=0, init=False)
    """Positions of the prompt that were read."""

    @property
    def reading(self) -> bool:
        """Whether some of the prompt is left to read."""
        return self.read < self.prompt.shape[1]

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.chooser.done

    def next(self, network: Network) -> tuple[Tensor, Span]:
        """What the next pass computes of it: a chunk of its prompt, or the tokens chosen last."""
        if not self.reading:
            return network.embed(_ids(self.chooser.tokens, self.prompt.device)), Span(self.cache, 1)
        chunk = self.prompt[:, self.read : self.read + CHUNK]
        return chunk, Span(self.cache, chunk.shape[1], within(self.image, self.read, chunk.shape[1]))

    def take(self, logits: Tensor) -> list[int]:
        """Chooses from (rows, V) and lets the cache follow; returns the ids that are certain now."""
        first = self.cache.rows < self.chooser.rows
        new = self.chooser.take(logits)
        if first:
            self.cache.fork(self.chooser.rows)
        elif self.chooser.parents is not None and not self.done:
            self.cache.reorder(_ids(self.chooser.parents, logits.device))
        return new


def advance(network: Network, texts: Sequence[Text]) -> list[Tensor]:
    """Takes every text one chunk or one token further, in one pass.

    Returns:
        Each one's logits, (rows, V), or (0, V) while its prompt is being read.

    Raises:
        ValueError: more than one of them would read a picture.
    """
    inputs = [text.next(network) for text in texts]
    x = torch.cat([part for part, _ in inputs], dim=1)
    hidden = network.hidden(x, Batch([span for _, span in inputs], x.device))[0]
    last: list[Tensor] = []
    for text, own in zip(texts, hidden.split([part.shape[1] for part, _ in inputs]), strict=True):
        if text.reading:
            text.read += len(own)
            own = own[len(own) if text.reading else -1 :]
        last.append(own)
    return list(network.logits(torch.cat(last)).split([len(own) for own in last]))


def step(network: Network, texts: Sequence[Text]) -> list[list[int]]:
    """`advance`, and every text chooses its next tokens; returns each one's new ids."""
    logits = advance(network, texts)
    return [text.take(own) if len(own) else [] for text, own in zip(texts, logits, strict=True)]


def prefill(network: Network, text: Text) -> Tensor:
    """Reads the whole prompt; returns the logits after it, (1, V)."""
    logits = advance(network, [text])
    while text.reading:
        logits = advance(network, [text])
    return logits[0]


def generate(network: Network, text: Text, stopped: Callable[[], bool] = lambda: False) -> Iterator[list[int]]:
    """The ids of one text as they become certain; with beams all at its end. `stopped` is asked before every pass."""
    while not text.done and not stopped():
        yield step(network, [text])[0]


def within(part: slice | None, start: int, length: int) -> slice | None:
    """What of `part` lies among `length` positions from `start`, counted from there; None when nothing does."""
    if part is None:
        return None
    first, last = max(part.start - start, 0), min(part.stop - start, length)
    return slice(first, last) if first < last else None


def _ids(values: Sequence[int], device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)
