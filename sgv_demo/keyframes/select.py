"""Which frames become keyframes: the published rule, pure and causal.

Sample every 2 s, keep the first frame that isn't blank, keep a sample when its similarity to the last kept one is
under the threshold, and close with the last frame when a whole interval is left after the last kept one
(ShareGPT4Video, arXiv 2406.04325, and its keyframe script).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Embedding = TypeVar("Embedding")


def dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Similarity of two rows of an embedder."""
    return float(np.dot(a, b))


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one sample."""

    kept: bool
    """Whether it is a keyframe."""
    similarity: float | None
    """To the last kept sample before it; None when there is none."""


class KeyframeSelector(Generic[Embedding]):
    """Decides sample by sample; remembers nothing but the last kept one."""

    def __init__(
        self,
        threshold: float,
        *,
        keep_all: bool,
        every: float,
        similarity: Callable[[Embedding, Embedding], float] = dot,
    ) -> None:
        """`every` is the sampling interval in seconds; `similarity` compares two embeddings."""
        self._threshold = threshold
        self._keep_all = keep_all
        self._every = every
        self._similarity = similarity
        self._last: tuple[float, Embedding] | None = None
        self._kept = 0

    def offer(self, time: float, embedding: Embedding, blank: bool) -> Decision:
        """Decides about the next sample; `time` in seconds, later than all before it."""
        if self._last is None:
            return self._keep(time, embedding, None) if self._keep_all or not blank else Decision(False, None)
        similarity = self._similarity(self._last[1], embedding)
        if self._keep_all or similarity < self._threshold:
            return self._keep(time, embedding, similarity)
        return Decision(False, similarity)

    def close(self, time: float, embedding: Embedding, *, end: float, slack: float = 0.02) -> Decision:
        """Decides about the last frame of the range, shown from `time` to `end` seconds.

        It is kept when nothing was kept before, when it would be the second keyframe, or when `end` is at least an
        interval (less `slack` seconds) after the last kept one; a frame that is already kept is not kept again.
        """
        if self._last is None:
            return self._keep(time, embedding, None)
        last_time, last = self._last
        similarity = self._similarity(last, embedding)
        if time > last_time and (self._kept == 1 or end - last_time >= self._every - slack):
            return self._keep(time, embedding, similarity)
        return Decision(False, similarity)

    def _keep(self, time: float, embedding: Embedding, similarity: float | None) -> Decision:
        self._last = (time, embedding)
        self._kept += 1
        return Decision(True, similarity)


@dataclass(frozen=True, slots=True)
class Limited:
    """What is left of a list of keyframes under a maximum."""

    indices: tuple[int, ...]
    """Which stay, in order."""
    similarities: tuple[float | None, ...]
    """Each one's similarity to the one before it that stays; None for the first."""
    dropped: int
    """How many went."""


def limit(
    embeddings: Sequence[Embedding],
    maximum: int,
    *,
    similarity: Callable[[Embedding, Embedding], float] = dot,
) -> Limited:
    """Keeps at most `maximum` keyframes, those that differ most from their neighbours.

    Again and again the most alike pair of neighbours loses its later one, until few enough are left. The first and,
    from two on, the last stay, so that the whole range stays covered.

    Raises:
        ValueError: `maximum` is less than one.
    """
    if maximum < 1:
        raise ValueError(f"At least one keyframe must be allowed, not {maximum}.")
    left = list(range(len(embeddings)))
    if maximum == 1:
        left = left[:1]
    likeness = [similarity(embeddings[a], embeddings[b]) for a, b in pairwise(left)]
    while len(left) > maximum:
        pair = int(np.argmax(likeness))
        gone = min(pair + 1, len(left) - 2)
        del left[gone]
        likeness[gone - 1 : gone + 1] = [similarity(embeddings[left[gone - 1]], embeddings[left[gone]])]
    return Limited(tuple(left), (None, *likeness)[: len(left)], len(embeddings) - len(left))
