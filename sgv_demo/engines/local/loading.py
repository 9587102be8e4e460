"""What every model needs before it runs: a folder with its files, a device, a dtype, a quantization, enough memory.

Checkpoints are read with `weights_only` alone; nothing that a file says is executed. All trouble with files is one
`EngineError` that names the file or the tensor and says what to do.
"""

from __future__ import annotations

import gc
import json
import logging
import pickle
import re
import zipfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from transformers import BitsAndBytesConfig

from sgv_demo.engines.local.hub import MODEL_FILES as MODEL_FILES
from sgv_demo.engines.local.hub import Progress as Progress
from sgv_demo.engines.local.hub import first_line
from sgv_demo.engines.local.hub import model_label as model_label
from sgv_demo.engines.local.hub import resolve_model as resolve_model
from sgv_demo.errors import EngineError, OutOfMemoryError
from sgv_demo.times import gigabytes

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Tensor names with their shapes."""

INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
NAMES_SHOWN = 3
OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory")

BNB_WIDTH = 64
"""On a CPU, bitsandbytes 0.50 computes wrongly, without an error, where in_features is not a multiple of this."""


def resolve_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        EngineError: the named device isn't there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in there.items() if present))
    kind = name.split(":")[0]
    if not there.get(kind, False):
        raise EngineError(f"Device {name!r} is not available here; use auto or cpu.")
    return torch.device(name)


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type that weights and activations are kept in.

    `auto`: float16 on a GPU, as both models were published (bfloat16 would drift from them); bfloat16 on a CPU, where
    float16 is slow and float32 takes twice the memory.

    Raises:
        EngineError: unknown name, or float16 on a CPU.
    """
    if name == "auto":
        return torch.bfloat16 if device.type == "cpu" else torch.float16
    known = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
    if name not in known:
        raise EngineError(f"Unknown dtype {name!r}; use one of auto, {', '.join(known)}.")
    return known[name]


def quantization_config(kind: str, skip: Sequence[str], dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """How bitsandbytes quantizes: nf4 with double quantization, int8, or None for "none".

    Args:
        kind: nf4, int8 or none.
        skip: modules that keep their dtype: a name's end, or a regex from the start of the full name.
        dtype: what a 4-bit linear computes in.

    Raises:
        EngineError: unknown kind.
    """
    if kind == "none":
        return None
    if kind == "int8":
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=list(skip))
    if kind == "nf4":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=list(skip),
        )
    raise EngineError(f"Unknown quantization {kind!r}; use nf4, int8 or none.")


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be taken on `device`; None where the system doesn't tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return None
    found = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text())
    return int(found[1]) * 1024 if found else None


def check_memory(label: str, needed: int, device: torch.device) -> None:
    """
    Raises:
        OutOfMemoryError: `needed` bytes aren't free on `device`.
    """
    free = free_memory(device)
    if free is not None and needed > free:
        raise OutOfMemoryError(
            f"{label} needs {gigabytes(needed)} on {device.type} and {gigabytes(free)} are free; "
            "close other programs, use nf4, or take the measured engine."
        )


def empty_cache(device: torch.device) -> None:
    """Gives freed memory back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


@contextmanager
def memory_guard(device: torch.device) -> Generator[None, None, None]:
    """Turns running out of memory, on a GPU or a CPU, into our error with the cache emptied.

    Raises:
        OutOfMemoryError: the guarded code ran out of memory.
    """
    failed = False
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        failed = True
    except RuntimeError as error:
        if not OUT_OF_MEMORY.search(str(error)):
            raise
        failed = True
    # Raised out here, so that no traceback keeps the tensors of the failed step alive.
    if failed:
        empty_cache(device)
        raise OutOfMemoryError(
            f"This step needs more memory than {device.type} has; use nf4, fewer frames, or the measured engine."
        )


def read_json(path: Path) -> dict[str, Any]:
    """
    Raises:
        EngineError: no such file, not JSON, or not an object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"{path.parent.name} is not a checkpoint: {path.name} is missing.") from error
    except ValueError as error:
        raise EngineError(f"{path.name} in {path.parent.name} is not valid JSON; fetch it again.") from error
    if not isinstance(found, dict):
        raise EngineError(f"{path.name} in {path.parent.name} does not hold an object; fetch it again.")
    return found


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files with weights, safetensors first, in order.

    Raises:
        EngineError: none there, or one that the index names is missing or lies elsewhere.
    """
    for name in (*SINGLE_FILES[:1], *INDEX_FILES[:1], *SINGLE_FILES[1:], *INDEX_FILES[1:]):
        path = folder / name
        if not path.is_file():
            continue
        if name in SINGLE_FILES:
            return (path,)
        table = read_json(path).get("weight_map")
        if not isinstance(table, dict) or not table:
            raise EngineError(f"{name} in {folder.name} has no weight_map; fetch it again.")
        shards = sorted({str(shard) for shard in table.values()})
        lost = [shard for shard in shards if Path(shard).name != shard or not (folder / shard).is_file()]
        if lost:
            raise EngineError(f"{folder.name} lacks {_some(lost)}, which {name} names; fetch it again.")
        return tuple(folder / shard for shard in shards)
    raise EngineError(f"{folder.name} is not a checkpoint: it has none of {', '.join((*SINGLE_FILES, *INDEX_FILES))}.")


def tensor_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one weight file; no weights are read.

    Raises:
        EngineError: the file is cut short, isn't a weight file, or holds code.
    """
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as opened:
                return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
        found = torch.load(file, map_location="meta", weights_only=True, mmap=zipfile.is_zipfile(file))
    except pickle.UnpicklingError as error:
        raise EngineError(
            f"{file.name} is damaged or holds code besides weights, and code is never run; get it from its publisher."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise EngineError(f"{file.name} is cut short or damaged ({first_line(error)}); fetch it again.") from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise EngineError(f"{file.name} does not hold a plain table of tensors; get it from its publisher.")
    return {str(name): tuple(value.shape) for name, value in found.items()}


def checkpoint_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all of a checkpoint's tensors.

    Raises:
        EngineError: see `weight_files` and `tensor_shapes`.
    """
    return {name: shape for file in weight_files(folder) for name, shape in tensor_shapes(file).items()}


def check_shapes(found: Shapes, expected: Shapes, *, optional: Iterable[str] = (), label: str = "checkpoint") -> None:
    """
    Args:
        found: what the files hold.
        expected: what the network has.
        optional: regexes of names that may be there or not.

    Raises:
        EngineError: tensors are missing, unexpected or of another shape; it names the first few of each.
    """
    may = re.compile("|".join(optional) or r"(?!)")
    missing = [name for name in expected if name not in found and not may.search(name)]
    extra = [name for name in found if name not in expected and not may.search(name)]
    wrong = [
        f"{name} {list(found[name])} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    parts = [
        f"{word} {_some(names)}"
        for word, names in (("missing", missing), ("unexpected", extra), ("misshapen", wrong))
        if names
    ]
    if parts:
        raise EngineError(f"The {label} does not fit its network: {'; '.join(parts)}.")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def mapped_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a checked checkpoint, mapped from their files, not read into memory.

    transformers would find the files itself, but stumbles over an index without "metadata".
    """
    found: dict[str, torch.Tensor] = {}
    for file in weight_files(folder):
        if file.suffix == ".safetensors":
            found |= load_file(file)
        else:
            found |= torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    return found


def check_widths(widths: Iterable[int]) -> None:
    """Refuses to quantize what bitsandbytes would compute wrongly, without an error, on a CPU.

    Raises:
        EngineError: a width is no multiple of 64.
    """
    odd = [width for width in widths if width % BNB_WIDTH]
    if odd:
        raise EngineError(
            f"This checkpoint's layers of width {odd[0]} can't be quantized on a CPU (not a multiple of {BNB_WIDTH}); "
            "use --quantization none."
        )
