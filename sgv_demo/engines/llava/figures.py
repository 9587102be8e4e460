"""What a checkpoint takes in memory, computed from the real shapes of its network, without its weights."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig, LlavaNextForConditionalGeneration

from sgv_demo.engines.llava.network import PREFILL, UNQUANTIZED, meta_network
from sgv_demo.engines.llava.tiles import Size

FRAMES = 16
NEW_TOKENS = 1024
PROMPT_TEXT = 300
"""Tokens of system text, preface and a question."""
HALF = 2
"""Bytes of a value that isn't quantized."""

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
    vision = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
    )
    return LlavaNextConfig(vision_config=vision, text_config=text)


def figures(config: LlavaNextConfig, pinpoints: tuple[Size, ...]) -> dict[str, Any]:
    """Sizes for `engines --json`.

    Returns:
        parameters, the longest prompt of a 16-frame grid in tokens, and for each quantization the gigabytes (1e9
        bytes) of weights, of keys and values for that prompt with 1,024 new tokens, of passing values, and of all.
    """
    network = meta_network(config)
    text: Any = config.text_config
    vision: Any = config.vision_config
    patches = vision.image_size // vision.patch_size
    tiles = [(width // vision.image_size, height // vision.image_size) for width, height in pinpoints]
    picture = patches**2 + max(down * patches * (across * patches + 1) for across, down in tiles)
    positions = picture + PROMPT_TEXT + NEW_TOKENS
    kept = bytes_per_position(text, HALF) * positions
    views = 1 + max(across * down for across, down in tiles)
    passing = _passing_bytes(text, vision, views * (patches**2 + 1))
    memory = {}
    for kind in ("nf4", "int8", "none"):
        weights = weight_bytes(network, kind)
        parts = {"weights": weights, "keys_and_values": kept, "passing": passing}
        memory[kind] = {name: round(count / 1e9, 2) for name, count in {**parts, "total": sum(parts.values())}.items()}
    return {
        "parameters": sum(value.numel() for value in network.parameters()),
        "frames": FRAMES,
        "picture_tokens": picture,
        "new_tokens": NEW_TOKENS,
        "gigabytes": memory,
    }


def bytes_per_position(text: LlamaConfig, itemsize: int) -> int:
    """Bytes of keys and values that one position of a conversation takes."""
    heads = text.num_key_value_heads or text.num_attention_heads
    width = text.head_dim or text.hidden_size // text.num_attention_heads
    return 2 * text.num_hidden_layers * heads * width * itemsize


def weight_bytes(network: LlavaNextForConditionalGeneration, kind: str, itemsize: int = HALF) -> int:
    """Bytes of all weights.

    Args:
        network: may be on the meta device.
        kind: nf4, int8 or none.
        itemsize: bytes of a value that isn't quantized.
    """
    total = sum(value.numel() for value in network.parameters()) * itemsize
    for name, module in network.named_modules():
        if kind != "none" and type(module) is nn.Linear and not name.startswith(UNQUANTIZED):
            total += _quantized_bytes(module, kind) - module.weight.numel() * itemsize
    return total


def _quantized_bytes(linear: nn.Linear, kind: str) -> int:
    """nf4: 4 bits, an 8-bit scale for 64 values, a 32-bit scale for 256 of those; int8: 8 bits and a scale a row."""
    count = linear.weight.numel()
    if kind == "int8":
        return count + 4 * linear.out_features
    return count // 2 + count // 64 + 4 * (count // (64 * 256))


def _passing_bytes(text: Any, vision: Any, seen: int) -> int:
    """Values that live at one time: one prefill chunk in a layer, a dequantized weight, the tower's layers' outputs."""
    reading = PREFILL * (4 * text.hidden_size + 3 * text.intermediate_size) * HALF
    weight = text.hidden_size * text.intermediate_size * HALF
    seeing = seen * (vision.hidden_size * (vision.num_hidden_layers + 1) + 2 * vision.intermediate_size) * HALF
    logits = 3 * 4 * text.vocab_size
    return max(reading + weight + logits, seeing)
