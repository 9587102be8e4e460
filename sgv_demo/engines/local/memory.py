"""What an engine really took when it was loaded."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_TAKEN: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


def measured(load: Callable[[], T]) -> T:
    """Runs `load` and notes how much more memory is in use afterwards, on the GPU and off it together."""
    before = in_use()
    engine = load()
    _TAKEN[engine] = max(in_use() - before, 0)
    return engine


def taken(engine: object) -> int | None:
    """Bytes that an engine took when it was loaded; None when nobody measured."""
    return _TAKEN.get(engine)


def in_use() -> int:
    """Bytes in use by this process: resident memory, and tensors on a GPU."""
    return _resident() + _on_gpu()


def _resident() -> int:
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


def _on_gpu() -> int:
    torch = sys.modules.get("torch")
    if torch is None:
        return 0
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.memory_allocated())
    if torch.backends.mps.is_available():
        return int(torch.mps.current_allocated_memory())
    return 0
