"""Keys and values of what a network has read, and attention over them.

Letters in shapes: N positions computed in one pass, H query heads, K key-value heads, W channels of a head.

Each sequence has a cache of its own, of its own length. The linears of a network see the positions of all sequences as
one (1, N, width) matrix; attention alone takes them apart again. So sequences of any lengths run together without
padding, and each gets the very attention that it would get alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

GROWTH = 256
"""Positions by which a cache grows when it is full."""


@dataclass(frozen=True, slots=True)
class CacheShape:
    """What one position of a network takes."""

    layers: int
    heads: int
    """Key-value heads of a layer."""
    width: int
    """Channels of a head."""
    dtype: torch.dtype
    device: torch.device

    @property
    def position_bytes(self) -> int:
        """Bytes of one position's keys and values in all layers."""
        return 2 * self.layers * self.heads * self.width * self.dtype.itemsize


class Stretch:
    """Keys and values of a stretch of positions, for one or more rows, in all layers."""

    def __init__(self, shape: CacheShape, rows: int) -> None:
        self.length = 0
        empty = torch.empty(2, rows, shape.heads, 0, shape.width, dtype=shape.dtype, device=shape.device)
        self.layers: list[Tensor] = [empty] * shape.layers

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Puts (rows, K, n, W) after the positions so far; returns all of that layer's keys and values."""
        end = self.length + keys.shape[2]
        if self.layers[layer].shape[3] < end:
            self.layers[layer] = self._resized(self.layers[layer], end + GROWTH)
        held = self.layers[layer]
        held[0, :, :, self.length : end] = keys
        held[1, :, :, self.length : end] = values
        return held[0, :, :, :end], held[1, :, :, :end]

    def read(self, layer: int) -> tuple[Tensor, Tensor]:
        """That layer's keys and values, (rows, K, length, W) each."""
        held = self.layers[layer]
        return held[0, :, :, : self.length], held[1, :, :, : self.length]

    def reorder(self, parents: Tensor) -> None:
        """Row i becomes what row `parents[i]` was."""
        for i, held in enumerate(self.layers):
            self.layers[i] = held.index_select(1, parents)

    def trim(self) -> None:
        """Gives back the room that nothing was written to."""
        self.layers = [self._resized(held, self.length) for held in self.layers]

    def _resized(self, held: Tensor, capacity: int) -> Tensor:
        made = held.new_empty((*held.shape[:3], capacity, held.shape[4]))
        made[:, :, :, : self.length] = held[:, :, :, : self.length]
        return made

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return sum(held.nbytes for held in self.layers)


class Cache:
    """Keys and values of one sequence; after `fork`, of several beams that all go on from what was read before."""

    def __init__(self, shape: CacheShape) -> None:
        self._shape = shape
        self._shared = Stretch(shape, 1)
        self._own: Stretch | None = None

    @property
    def rows(self) -> int:
        """How many beams there are; 1 before a fork."""
        return 1 if self._own is None else self._own.layers[0].shape[1]

    @property
    def length(self) -> int:
        """Positions so far."""
        return self._shared.length + (self._own.length if self._own else 0)

    @property
    def nbytes(self) -> int:
        """Memory taken, room to grow included."""
        return self._shared.nbytes + (self._own.nbytes if self._own else 0)

    def fork(self, rows: int) -> None:
        """From here on `rows` beams go on, each with positions of its own; the common beginning is held once."""
        self._own = Stretch(self._shape, rows)

    def reorder(self, parents: Tensor) -> None:
        """Beam i goes on from what beam `parents[i]` was; the common beginning is the same for all."""
        if self._own is not None:
            self._own.reorder(parents)

    def crop(self, length: int) -> None:
        """Forgets everything after the first `length` positions of a sequence that was not forked."""
        self._shared.length = min(self._shared.length, length)

    def trim(self) -> None:
        """Gives back the room that nothing was written to."""
        self._shared.trim()

    def rewind(self, length: int) -> None:
        """Forgets what a pass that failed has counted: back to `length` positions."""
        (self._own or self._shared).length -= self.length - length

    def advance(self, positions: int) -> None:
        """Counts the positions that all layers have written."""
        (self._own or self._shared).length += positions

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Causal attention of new positions over themselves and all before; keeps their keys and values.

        Args:
            layer: which.
            q: (rows · n, H, W), row after row; beams come with n = 1.
            k: (rows · n, K, W).
            v: like `k`.

        Returns:
            (rows · n, H · W).
        """
        q, k, v = (x.view(self.rows, -1, *x.shape[1:]).transpose(1, 2) for x in (q, k, v))
        if self._own is None:
            seen = _attention(q, *self._shared.write(layer, k, v))
        else:
            seen = _beam_attention(q, *self._shared.read(layer), *self._own.write(layer, k, v))
        return seen.transpose(1, 2).flatten(2).flatten(0, 1)


def _attention(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """(1, H, n, W) over (1, K, total, W), of which the last n are its own: (1, H, n, W)."""
    _, heads, n, width = q.shape
    groups, total = heads // keys.shape[1], keys.shape[2]
    if n == total and n > 1:
        return F.scaled_dot_product_attention(q, keys, values, is_causal=True, enable_gqa=groups > 1)
    # Query heads that share a key head stand beside each other as positions, so that no key is repeated for them.
    together = q.reshape(1, heads // groups, groups * n, width)
    mask = None
    if n > 1:
        mask = torch.ones(n, total, dtype=torch.bool, device=q.device).tril(total - n).repeat(groups, 1)
    return F.scaled_dot_product_attention(together, keys, values, mask).reshape(1, heads, n, width)


def _beam_attention(q: Tensor, keys: Tensor, values: Tensor, own_keys: Tensor, own_values: Tensor) -> Tensor:
    """One position of each of R beams over a common beginning and the beam's own positions.

    Two products under one softmax: the common keys and values are read once for all beams, and nothing is copied.

    Args:
        q: (R, H, 1, W).
        keys: (1, K, P, W), of the beginning.
        values: like `keys`.
        own_keys: (R, K, T, W).
        own_values: like `own_keys`.

    Returns:
        (R, H, 1, W).
    """
    rows, heads, _, width = q.shape
    shared, past = keys.shape[1:3]
    groups = heads // shared
    q = q.reshape(rows, shared, groups, width) * width**-0.5
    far = q.transpose(0, 1).reshape(shared, rows * groups, width) @ keys[0].transpose(1, 2)
    near = q @ own_keys.transpose(2, 3)
    scores = torch.cat((far.view(shared, rows, groups, past).transpose(0, 1), near), dim=-1)
    weights = scores.softmax(-1, dtype=torch.float32).to(q.dtype)
    far, near = weights.split((past, own_keys.shape[2]), dim=-1)
    seen = far.transpose(0, 1).reshape(shared, rows * groups, past) @ values[0]
    seen = seen.view(shared, rows, groups, width).transpose(0, 1) + near @ own_values
    return seen.reshape(rows, heads, 1, width)


@dataclass(frozen=True, slots=True)
class Span:
    """Positions of one pass that belong to one sequence."""

    cache: Cache
    length: int
    """New positions of each of the cache's rows."""
    image: slice | None = None
    """Which of them show a picture."""

    @property
    def count(self) -> int:
        """New positions of all rows together."""
        return self.cache.rows * self.length


class Batch:
    """What one pass through a network computes: the new positions of some sequences, one after the other."""

    def __init__(self, spans: Sequence[Span], device: torch.device) -> None:
        """
        Raises:
            ValueError: more than one sequence shows a picture in this pass.
        """
        self.spans = tuple(spans)
        runs = [
            torch.arange(span.cache.length, span.cache.length + span.length).repeat(span.cache.rows) for span in spans
        ]
        self.positions = torch.cat(runs).to(device)
        """(N,) int64: how many positions stand before each in its own sequence."""
        self.image = self._image()
        """Which of the N show a picture."""

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(N, H, W), (N, K, W), (N, K, W) → (N, H · W): each sequence over what it has read itself."""
        counts = [span.count for span in self.spans]
        parts = zip(self.spans, q.split(counts), k.split(counts), v.split(counts), strict=True)
        seen = [span.cache.attend(layer, *own) for span, *own in parts]
        return seen[0] if len(seen) == 1 else torch.cat(seen)

    def finish(self) -> None:
        """Counts the new positions, after all layers have seen them."""
        for span in self.spans:
            span.cache.advance(span.length)

    def _image(self) -> slice | None:
        found = None
        start = 0
        for span in self.spans:
            if span.image is not None:
                if found is not None:
                    raise ValueError("One pass reads one picture; let the other wait for the next.")
                found = slice(start + span.image.start, start + span.image.stop)
            start += span.count
        return found


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary position embedding of (N, heads, W) by (N, 1, W) each: pairs of channels lie half a head apart."""
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat((-second, first), dim=-1) * sines
