"""Filtering a pool by meaning: a video joins only if its caption says something that the pool doesn't say yet.

The rule is the paper's ("semantic-based data filtering"); no code of it was published, and what it leaves open is open
here too: the encoder makes the vectors, and a threshold belongs to its encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

LONGEST_SECONDS = 120.0
"""The paper's candidates last two minutes at most; exactly that much is accepted."""


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


def choose(
    vectors: ArrayLike, seconds: Sequence[float], *, threshold: float, longest_seconds: float = LONGEST_SECONDS
) -> list[Choice]:
    """Goes through a pool in its order, which decides the result: the first video that isn't too long always stays.

    Args:
        vectors: (n, dimensions), one embedded caption for each video; their lengths don't matter.
        seconds: each video's duration.
        threshold: a video stays when its highest similarity to those kept before is below this; equal is not below.
        longest_seconds: longer videos are left out before they are compared.

    Raises:
        ValueError: not as many durations as vectors.
    """
    given = np.asarray(vectors, dtype=np.float64).reshape(len(seconds), -1)
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    directions = given / np.where(lengths > 0, lengths, 1.0)
    pool = np.empty_like(directions)
    numbers: list[int] = []
    choices: list[Choice] = []
    for number, (direction, duration) in enumerate(zip(directions, seconds, strict=True)):
        if duration > longest_seconds:
            choices.append(Choice(False, "too long"))
            continue
        choice = _compare(direction, pool[: len(numbers)], numbers, threshold)
        if choice.kept:
            pool[len(numbers)] = direction
            numbers.append(number)
        choices.append(choice)
    return choices


def kept(choices: Sequence[Choice]) -> list[int]:
    """Numbers of the videos that stay."""
    return [number for number, choice in enumerate(choices) if choice.kept]


def _compare(direction: np.ndarray, pool: np.ndarray, numbers: Sequence[int], threshold: float) -> Choice:
    if not numbers:
        return Choice(True)
    # Rounding keeps equal captions at exactly 1 and a similarity that equals the threshold from falling below it.
    similarities = np.round(pool @ direction, 12)
    best = int(np.argmax(similarities))
    highest = float(similarities[best])
    if highest < threshold:
        return Choice(True, "", numbers[best], highest)
    return Choice(False, "similar", numbers[best], highest)
