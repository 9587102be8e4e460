"""Keeps what the language model has already read, so that a follow-up question costs only its own tokens.

A prefix is found by what was shown (the same key, the same pictures), and of it only the part whose token ids are
equal to the new prompt's is used: a visitor who asks about the same video shares the picture with others, never their
words.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sgv_demo.engines.local.cache import Cache
from sgv_demo.types import Frame, Picture


@dataclass(slots=True, eq=False)
class GridPicture:
    """A picture as the model gets it."""

    picture: Picture
    tiles: tuple[int, int] | None
    """(across, down); None when only the whole view is read."""
    positions: int
    """How many positions it takes in a prompt."""


@dataclass(slots=True, eq=False)
class Prefix:
    """One kept stretch of a conversation."""

    shown: GridPicture | None
    """Its picture; None for text alone."""
    ids: list[int]
    """Token ids of the positions in `cache`, in order."""
    cache: Cache

    @property
    def nbytes(self) -> int:
        """Memory that its keys, values and picture take."""
        return self.cache.nbytes + (self.shown.picture.nbytes if self.shown else 0)

    def crop(self, length: int) -> None:
        """Forgets everything after the first `length` positions."""
        self.cache.crop(length)
        del self.ids[length:]

    def settle(self, ids: Sequence[int]) -> None:
        """Names the positions in the cache by `ids`, forgets those beyond, and gives back room that isn't used."""
        self.ids = list(ids)
        self.crop(min(self.cache.length, len(self.ids)))
        self.cache.trim()

    def match(self, ids: Sequence[int]) -> int:
        """Crops to the longest common beginning with `ids`, less the last one, and returns its length.

        At least one position is left to compute, for its logits.
        """
        limit = min(len(self.ids), len(ids) - 1)
        length = next((i for i in range(limit) if self.ids[i] != ids[i]), limit)
        self.crop(length)
        return length


class PrefixCache:
    """Prefixes by key, the least recently used going first; not thread-safe: its owner holds a lock."""

    def __init__(self, budget: int) -> None:
        """
        Args:
            budget: bytes that all prefixes together may take; 0 keeps none.
        """
        self._budget = budget
        self._kept: OrderedDict[str, Prefix] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Memory taken now."""
        return sum(prefix.nbytes for prefix in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def shown(self, key: str) -> GridPicture | None:
        """The picture under `key`, if it is still known."""
        return self._kept[key].shown if key in self._kept else None

    def take(self, key: str) -> Prefix | None:
        """Hands the prefix out and forgets it; whoever took it puts it back."""
        return self._kept.pop(key, None)

    def put(self, key: str, prefix: Prefix) -> None:
        """Keeps `prefix` if it fits the budget, dropping the oldest to make room."""
        self._kept.pop(key, None)
        if prefix.nbytes > self._budget:
            return
        self._shrink(self._budget - prefix.nbytes)
        self._kept[key] = prefix

    def release(self, nbytes: int) -> None:
        """Drops the oldest prefixes until `nbytes` are given back or none is left."""
        self._shrink(max(self.nbytes - nbytes, 0))

    def clear(self) -> None:
        """Drops all."""
        self._kept.clear()

    def _shrink(self, limit: int) -> None:
        while self._kept and self.nbytes > limit:
            self._kept.popitem(last=False)


def digest(frames: Sequence[Frame]) -> str:
    """A key made of what the frames show."""
    made = hashlib.blake2b(digest_size=16)
    for frame in frames:
        made.update(repr(frame.image.shape).encode())
        made.update(frame.image.tobytes())
    return made.hexdigest()
