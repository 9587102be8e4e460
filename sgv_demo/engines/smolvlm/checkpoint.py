"""SmolVLM2's checkpoints: their shapes, their figures, reading them, and the type in which a CPU runs them."""

from __future__ import annotations

import math
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

from sgv_demo.engines import offers as catalog
from sgv_demo.engines.local.loading import checkpoint_shapes, memory_guard
from sgv_demo.errors import EngineError

_TEXT_256M = (576, 1536, 30, 9, 3)
_TEXT_500M = (960, 2560, 32, 15, 5)
_TEXT_2B = (2048, 8192, 24, 32, 32)
_BASE = (768, 3072, 12, 12, 512, 16, 4)
_LARGE = (1152, 4304, 27, 16, 384, 14, 3)
SHAPES = {
    catalog.SMOL_256M.hub_id: (_TEXT_256M, _BASE),
    catalog.SMOL_500M.hub_id: (_TEXT_500M, _BASE),
    catalog.SMOL_2B.hub_id: (_TEXT_2B, _LARGE),
}
"""Of the published checkpoints: (hidden, intermediate, layers, heads, key-value heads) of the language model, and
(hidden, intermediate, layers, heads, picture side, patch side, shuffle) of the vision tower."""


def load_network(folder: Path, dtype: torch.dtype, device: torch.device) -> SmolVLMForConditionalGeneration:
    """Reads the weights.

    Raises:
        EngineError: they are damaged, or don't fit the network.
        OutOfMemoryError: they don't fit the device.
    """
    with memory_guard(device):
        try:
            loaded: Any = SmolVLMForConditionalGeneration.from_pretrained(
                folder,
                dtype=dtype,
                device_map={"": device},
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineError(
                f"{folder.name} can't be loaded ({str(error).splitlines()[0][:160]}); fetch it again."
            ) from error
    network, info = loaded
    lost = [*info["missing_keys"], *info["mismatched_keys"], *info["error_msgs"]]
    if lost:
        raise EngineError(f"{folder.name} lacks weights: {', '.join(map(str, lost[:3]))}; fetch it again.")
    return network.eval()


@lru_cache(maxsize=1)
def faster_on_cpu() -> torch.dtype:
    """bfloat16 or float32, whichever multiplies faster here: a prompt's and a single token's product are timed."""
    spent: dict[torch.dtype, float] = {}
    for dtype in (torch.bfloat16, torch.float32):
        weight = torch.ones(2048, 960, dtype=dtype)
        prompt, token = torch.ones(256, 960, dtype=dtype), torch.ones(1, 960, dtype=dtype)
        runs = []
        for _ in range(5):
            began = time.perf_counter()
            torch.matmul(prompt, weight.T)
            for _ in range(16):
                torch.matmul(token, weight.T)
            runs.append(time.perf_counter() - began)
        spent[dtype] = min(runs)
    return min(spent, key=spent.__getitem__)


def figures(model: str) -> dict[str, Any]:
    """Parameters and 16-bit weights of a published checkpoint or a folder, from shapes on the meta device.

    Raises:
        EngineError: it is neither.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        count = sum(math.prod(shape) for shape in checkpoint_shapes(folder).values())
    elif model in SHAPES:
        with torch.device("meta"):
            network = SmolVLMForConditionalGeneration(published_config(model))
        count = sum(value.numel() for value in network.parameters())
    else:
        raise EngineError(f"{model!r} is neither a folder nor one of {', '.join(SHAPES)}.")
    return {"parameters": count, "weights_bytes": 2 * count}


def published_config(model: str) -> SmolVLMConfig:
    """Sizes of a published checkpoint."""
    text, vision = SHAPES[model]
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return SmolVLMConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": 49280,
            **dict(zip((*names, "num_key_value_heads"), text, strict=True)),
        },
        vision_config={
            "model_type": "smolvlm_vision",
            **dict(zip((*names, "image_size", "patch_size"), vision[:-1], strict=True)),
        },
        scale_factor=vision[-1],
    )
