"""From a folder to a network: every tensor accounted for before a single weight is read."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import GenerationConfig

from sgv_demo.engines.local.loading import (
    Shapes,
    check_shapes,
    check_widths,
    checkpoint_shapes,
    mapped_tensors,
    memory_guard,
    quantization_config,
    read_json,
    weight_files,
)
from sgv_demo.engines.sharecaptioner.config import XComposer2Config, read_config
from sgv_demo.engines.sharecaptioner.network import IGNORED, KEPT_WHOLE, KEY_MAPPING, InternLMXComposer2ForCausalLM
from sgv_demo.errors import EngineError

COMPANIONS = (
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "clip_vision_config.json",
)
"""What belongs to a checkpoint beside weights and config."""
PROBES = 64
PROBE_BYTES = 1 << 16


def published_name(name: str) -> str:
    """Our name of a tensor → the checkpoint's: a linear's own weight carries no `base` there."""
    return re.sub(r"\.base\.(weight|bias)$", r".\1", name)


def expected_shapes(config: XComposer2Config) -> dict[str, tuple[int, ...]]:
    """Published names and shapes of all tensors that a checkpoint of these sizes must hold. Takes no memory."""
    network = empty_network(config)
    return {published_name(name): tuple(value.shape) for name, value in network.state_dict().items()}


def empty_network(config: XComposer2Config) -> InternLMXComposer2ForCausalLM:
    """The network on the meta device: shapes without numbers."""
    with torch.device("meta"):
        return InternLMXComposer2ForCausalLM(config)


def fingerprint(folder: Path) -> str:
    """Changes when the weights, the config or the tokenizer do; of large files it reads the size and a few places."""
    digest = hashlib.sha256()
    for file in (*weight_files(folder), *(folder / name for name in ("config.json", *COMPANIONS))):
        if not file.is_file():
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}:{size};".encode())
        with file.open("rb") as opened:
            for place in range(0, size, max(size // PROBES, PROBE_BYTES)):
                opened.seek(place)
                digest.update(opened.read(PROBE_BYTES))
    return digest.hexdigest()[:16]


def is_quantized(folder: Path) -> str:
    """ "nf4" or "int8" for a folder with weights that were saved so; "" for others."""
    saved = read_json(folder / "config.json").get("quantization_config")
    if not isinstance(saved, dict):
        return ""
    return "nf4" if saved.get("load_in_4bit") else "int8"


def is_repacked(module: nn.Module) -> bool:
    """Whether bitsandbytes laid a 4-bit linear out anew for this CPU, which it does at the first call, with loss."""
    state = getattr(getattr(module, "weight", None), "quant_state", None)
    return bool(getattr(state, "packing_format_for_cpu", False))


def quantized_parameter(name: str) -> bool:
    """Whether nf4 and int8 quantize the parameter of that (our) name."""
    return name.endswith(".base.weight")


def read_checked_config(folder: Path) -> XComposer2Config:
    """Sizes of a checkpoint, after its tensors' names and shapes were compared with the network's.

    Raises:
        EngineError: not a checkpoint, another architecture, damaged files, tensors that don't fit.
    """
    read_json(folder / "config.json")
    shapes: Shapes = checkpoint_shapes(folder)
    config = read_config(folder, shapes)
    if not is_quantized(folder):
        check_shapes(shapes, expected_shapes(config), optional=IGNORED, label=f"checkpoint {folder.name}")
    return config


def load_network(
    folder: Path, config: XComposer2Config, *, quantization: str, dtype: torch.dtype, device: torch.device
) -> InternLMXComposer2ForCausalLM:
    """Reads the weights, file by file; each linear is quantized as it comes.

    Args:
        folder: published layout, or one that `save_pretrained` wrote in 4 or 8 bit (then `quantization` is the file's).
        config: from `read_checked_config`.
        quantization: nf4, int8 or none.
        dtype: of what isn't quantized. On a CPU, which has no autocast for it, the vision tower is float32.
        device: where the network goes.

    Raises:
        EngineError: tensors are missing, or a layer can't be quantized on this device.
        OutOfMemoryError: it doesn't fit.
    """
    saved = is_quantized(folder)
    how = None if saved else quantization_config(quantization, KEPT_WHOLE, dtype)
    if saved:
        # Only there does transformers look for weights that are quantized already.
        config.quantization_config = read_json(folder / "config.json")["quantization_config"]
    if (how or saved) and device.type == "cpu":
        check_widths((config.hidden_size, config.intermediate_size))
    with memory_guard(device):
        loaded: Any = InternLMXComposer2ForCausalLM.from_pretrained(
            folder if saved else None,
            state_dict=None if saved else mapped_tensors(folder),
            config=config,
            key_mapping=None if saved else KEY_MAPPING,  # saved ones carry our names
            dtype=dtype,
            quantization_config=how,
            device_map={"": device},
            local_files_only=True,
            output_loading_info=True,
        )
    network, info = loaded
    lost = [*info["missing_keys"], *info["mismatched_keys"], *info["error_msgs"]]
    if lost:
        raise EngineError(f"Loading {folder.name} left tensors without weights: {', '.join(map(str, lost[:3]))}.")
    if device.type == "cpu":
        network.vit.float()
    network.generation_config = GenerationConfig(
        bos_token_id=1, eos_token_id=config.ends, pad_token_id=config.ends[0], do_sample=False
    )
    return network.eval()
