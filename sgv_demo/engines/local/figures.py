"""How much memory a network takes, computed from its shapes on the meta device: nothing is loaded, nothing typed in."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes of one nf4 weight: 4 bits, an 8-bit scale for each 64, a float32 scale of scales for each 256 of those."""


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of tensors that are alive at once while it is active; works on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and id(leaf.untyped_storage()) not in given:
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


def peak_bytes(run: Callable[[], object]) -> int:
    """Most bytes that `run` holds in tensors of its own at any moment."""
    with torch.inference_mode(), PeakMemory() as memory:
        run()
    return memory.peak


def weight_bytes(network: nn.Module, quantized: Callable[[str], bool], kind: str) -> int:
    """Bytes of all weights.

    Args:
        network: on any device, in the dtypes that it will have.
        quantized: whether the parameter of that name is quantized.
        kind: nf4, int8 or none.
    """
    total = 0.0
    for name, value in network.named_parameters():
        count = value.numel()
        if kind == "none" or not quantized(name):
            total += count * value.element_size()
        elif kind == "nf4":
            total += count * NF4_BYTES
        else:
            total += count + 4 * value.shape[0]
    return round(total)
