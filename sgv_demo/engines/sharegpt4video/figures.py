"""What a checkpoint takes in memory, computed from the real shapes of its network, without its weights."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlavaNextConfig

from sgv_demo.engines.local.clip import clip_l_336
from sgv_demo.engines.local.decoding import Sampler, Text, prefill
from sgv_demo.engines.local.figures import peak_bytes, weight_bytes
from sgv_demo.engines.sharegpt4video.network import meta_network, picture_embeddings
from sgv_demo.engines.sharegpt4video.tiles import Size, plan_tiles

FRAMES = 16
NEW_TOKENS = 1024
PROMPT_TEXT = 300
"""Tokens of system text, preface and a question."""

PUBLISHED_PINPOINTS: tuple[Size, ...] = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))


def published_network() -> LlavaNextConfig:
    """The published model's shapes: Llama 3 8B behind CLIP ViT-L/14 at 336 px, for figures where no folder is given."""
    text = LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
    )
    return LlavaNextConfig(vision_config=clip_l_336(), text_config=text)


def figures(config: LlavaNextConfig, pinpoints: tuple[Size, ...]) -> dict[str, Any]:
    """Sizes for `engines --json`, everything that isn't quantized in float16.

    Returns:
        Parameters; `weights_bytes` for each quantization; `cache_bytes_per_1000_tokens` of keys and values;
        `largest_prompt_tokens`, with the picture that takes most positions (any number of frames makes one picture);
        `prefill_bytes`, the most that reading such a prompt needs beside weights and cache; and `nf4_bytes`, all of
        it in nf4 with that prompt and 1,024 new tokens.
    """
    text: Any = config.text_config
    vision: Any = config.vision_config
    side, patches = vision.image_size, vision.image_size // vision.patch_size
    network = meta_network(config)
    tilings = [plan_tiles(canvas, (canvas,), side) for canvas in pinpoints]
    largest = max(tilings, key=lambda tiling: tiling.tokens(patches))
    prompt = patches**2 + largest.tokens(patches) + PROMPT_TEXT
    across, down = largest.tiles
    views = torch.empty(1 + across * down, 3, side, side, dtype=network.dtype, device="meta")
    embedded = torch.empty(1, prompt, text.hidden_size, dtype=network.dtype, device="meta")
    kept = bytes_per_position(text, network.dtype.itemsize)
    seeing = peak_bytes(lambda: picture_embeddings(network, views, largest))
    reading = peak_bytes(lambda: prefill(network, Text(embedded, network.new_cache(), Sampler(1, ())))) - kept * prompt
    # A quantized linear is widened to float16 as a whole while it works on a long prompt.
    widened = text.hidden_size * text.intermediate_size * network.dtype.itemsize
    weights = {kind: weight_bytes(network, is_quantized, kind) for kind in ("none", "int8", "nf4")}
    passing = max(seeing, reading + widened)
    return {
        "parameters": sum(value.numel() for value in network.parameters()),
        "weights_bytes": weights,
        "cache_bytes_per_1000_tokens": 1000 * kept,
        "frames": FRAMES,
        "largest_prompt_tokens": prompt,
        "new_tokens": NEW_TOKENS,
        "prefill_bytes": passing,
        "nf4_bytes": weights["nf4"] + kept * (prompt + NEW_TOKENS) + passing,
    }


def is_quantized(name: str) -> bool:
    """Whether the parameter of that name is one of the language model's linears."""
    return name.startswith("model.language_model.layers.") and name.endswith("proj.weight")


def bytes_per_position(text: LlamaConfig, itemsize: int) -> int:
    """Bytes of keys and values that one position of a conversation takes."""
    heads = text.num_key_value_heads or text.num_attention_heads
    width = text.head_dim or text.hidden_size // text.num_attention_heads
    return 2 * text.num_hidden_layers * heads * width * itemsize
