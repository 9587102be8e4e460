"""Filtering a pool by meaning: a video joins only if its caption says something that the pool doesn't say yet.

The rule is the paper's ("semantic-based data filtering"); no code of it was published, and what it leaves open is open
here too: the encoder makes the vectors, and a threshold belongs to its encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LONGEST_SECONDS = 120.0
"""The paper's candidates last two minutes at most; exactly that much is accepted."""

INDEXED = 10_000
"""Kept videos beyond which faiss looks for the nearest, where it is installed."""
_BLOCK = 16_384
"""Kept videos that a batch is compared with at a time."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of one video."""

    kept: bool
    reason: str = ""
    """Empty, "too long" or "similar"."""
    nearest: int | None = None
    """Number of the most similar video kept before it; None where none was compared."""
    similarity: float | None = None
    """Cosine similarity to that one, -1 to 1."""


class Selection:
    """The videos kept so far; takes those that come after them in batches, and decides as if they came one by one."""

    def __init__(self, threshold: float, dimensions: int, dtype: type[np.floating[Any]] = np.float32) -> None:
        """
        Args:
            threshold: a video stays when its highest similarity to those kept before is below this; equal is not below.
            dimensions: of the vectors.
            dtype: what they are kept in: 4 bytes a number for a million of them.
        """
        self.threshold = threshold
        self._digits = 12 if dtype is np.float64 else 6
        self._vectors = np.empty((1024, dimensions), dtype)
        self._numbers: list[int] = []
        self._index: Any = None

    def offer(self, vectors: NDArray[Any], numbers: Sequence[int]) -> list[Choice]:
        """Decides on a batch.

        Args:
            vectors: (n, dimensions); their lengths don't matter.
            numbers: what `Choice.nearest` calls each of them.
        """
        given = np.asarray(vectors, self._vectors.dtype)
        lengths = np.linalg.norm(given, axis=1, keepdims=True)
        given = given / np.where(lengths > 0, lengths, 1.0)
        nearest, highest = self._before(given)
        among = given @ given.T
        choices: list[Choice] = []
        joined: list[int] = []
        for row, number in enumerate(numbers):
            if joined and (here := float(among[row, joined].max())) > highest[row]:
                highest[row], nearest[row] = here, numbers[joined[int(among[row, joined].argmax())]]
            choice = self._choice(nearest[row], highest[row])
            choices.append(choice)
            if choice.kept:
                joined.append(row)
                self._keep(given[row], number)
        if self._index is not None and joined:
            self._index.add(np.ascontiguousarray(given[joined]))
        return choices

    def _choice(self, nearest: int, highest: float) -> Choice:
        if nearest < 0:
            return Choice(True)
        # Rounding keeps equal captions at exactly 1 and a similarity that equals the threshold from falling below it.
        highest = round(float(highest), self._digits)
        if highest < self.threshold:
            return Choice(True, "", nearest, highest)
        return Choice(False, "similar", nearest, highest)

    def _before(self, given: NDArray[Any]) -> tuple[list[int], NDArray[Any]]:
        """(number of the nearest kept one or -1, similarity) of each, among those kept before the batch."""
        count = len(self._numbers)
        if count > INDEXED and self._index is None and self._vectors.dtype == np.float32:
            self._index = _index(self._vectors[:count])
        if self._index is not None:
            similarity, place = self._index.search(np.ascontiguousarray(given), 1)
            return [self._numbers[n] for n in place[:, 0]], similarity[:, 0].copy()
        best, highest = np.full(len(given), -1), np.full(len(given), -np.inf, self._vectors.dtype)
        for start in range(0, count, _BLOCK):
            found = given @ self._vectors[start : min(start + _BLOCK, count)].T
            place = found.argmax(axis=1)
            value = found[np.arange(len(given)), place]
            better = value > highest
            best[better], highest[better] = place[better] + start, value[better]
        return [self._numbers[n] if n >= 0 else -1 for n in best], highest

    def _keep(self, direction: NDArray[Any], number: int) -> None:
        if len(self._numbers) == len(self._vectors):
            room = np.empty((len(self._vectors) * 2, self._vectors.shape[1]), self._vectors.dtype)
            room[: len(self._vectors)] = self._vectors
            self._vectors = room
        self._vectors[len(self._numbers)] = direction
        self._numbers.append(number)


def choose(
    vectors: ArrayLike, seconds: Sequence[float], *, threshold: float, longest_seconds: float = LONGEST_SECONDS
) -> list[Choice]:
    """Goes through a pool in its order, which decides the result: the first video that isn't too long always stays.

    Args:
        vectors: (n, dimensions), one embedded caption for each video; their lengths don't matter.
        seconds: each video's duration.
        threshold: see `Selection`.
        longest_seconds: longer videos are left out before they are compared.

    Raises:
        ValueError: not as many durations as vectors.
    """
    given = np.asarray(vectors, dtype=np.float64).reshape(len(seconds), -1)
    short = [number for number, duration in enumerate(seconds) if duration <= longest_seconds]
    offered = Selection(threshold, given.shape[1], np.float64).offer(given[short], short)
    found = dict(zip(short, offered, strict=True))
    return [found.get(number, Choice(False, "too long")) for number in range(len(seconds))]


def kept(choices: Sequence[Choice]) -> list[int]:
    """Numbers of the videos that stay."""
    return [number for number, choice in enumerate(choices) if choice.kept]


def _index(vectors: NDArray[np.float32]) -> Any:
    """faiss's exact index of inner products; None where it isn't installed, and blocks do the same more slowly."""
    try:
        import faiss
    except ImportError:
        return None
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    return index
