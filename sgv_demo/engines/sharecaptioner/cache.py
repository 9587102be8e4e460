"""A beam search's memory: the prompt once, and for each beam only what it wrote itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class SharedPrefixLayer(DynamicLayer):
    """One layer's keys and values: those of the prompt are kept for one beam and lent to all.

    Repeating them for each beam, as `Cache.batch_repeat_interleave` does, takes that many times the memory, and every
    change of beams copies them.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        """`keys`, `values`: (1, kv heads, L, head_dim) of the prompt."""
        super().__init__()
        self.prefix = (keys, values)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Takes the new (beams, kv heads, n, head_dim); returns all, prompt first."""
        own = super().update(key_states, value_states)
        beams = key_states.shape[0]
        keys, values = (
            torch.cat((shared.expand(beams, -1, -1, -1), new), dim=-2)
            for shared, new in zip(self.prefix, own, strict=True)
        )
        return keys, values

    def get_seq_length(self) -> int:
        """Positions of the prompt and since."""
        return self.prefix[0].shape[-2] + super().get_seq_length()

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Moves what the beams wrote; the prompt is the same for all."""
        if self.keys is not None:
            self.keys = self.keys.index_select(0, beam_idx.to(self.keys.device))
            self.values = self.values.index_select(0, beam_idx.to(self.keys.device))  # pyright: ignore[reportOptionalMemberAccess]


def share_prefix(cache: Cache) -> Cache:
    """A cache of one sequence as the common beginning of any number of beams; nothing is copied."""
    return Cache(layers=[SharedPrefixLayer(layer.keys, layer.values) for layer in cache.layers])  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
