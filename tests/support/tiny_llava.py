"""Makes small ShareGPT4Video checkpoints with random weights, in the published layout, in the variants that occur."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from sgv_demo.engines.sharegpt4video.config import read_setup
from sgv_demo.engines.sharegpt4video.network import expected_shapes

MARKERS = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
SIDE = 28
"""Pixels of a view: 2 x 2 patches of 14."""


@dataclass(frozen=True)
class Tiny:
    """What a checkpoint is like; the defaults can be quantized (all widths are multiples of 64)."""

    hidden: int = 64
    layers: int = 2
    own_tower: bool = True
    shards: int = 1
    binary: bool = False
    adds_begin: bool = True
    markers: tuple[str, ...] = MARKERS
    config: dict[str, Any] = field(default_factory=dict)
    """Replaces entries of config.json; None removes one."""
    seed: int = 0


def make_checkpoint(folder: Path, tiny: Tiny | None = None) -> Path:
    """Writes a checkpoint into `folder` and returns it."""
    tiny = tiny or Tiny()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(tiny)
    tokenizer.save(str(folder / "tokenizer.json"))
    end = tokenizer.token_to_id("<|eot_id|>") or 0
    begin = tokenizer.token_to_id("<|begin_of_text|>") or 0
    _write(folder / "tokenizer_config.json", {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"})
    _write(folder / "generation_config.json", {"bos_token_id": begin, "eos_token_id": end})
    config = _config(tiny, begin, end)
    _write(folder / "config.json", config)
    _write_tower(folder / "tower", tiny)
    setup = read_setup(folder)
    weights = _random(expected_shapes(setup), tiny.seed)
    if not tiny.own_tower:
        prefix = "model.vision_tower.vision_tower."
        tower = {name.removeprefix(prefix): weights.pop(name) for name in list(weights) if name.startswith(prefix)}
        save_file(tower, folder / "tower" / "model.safetensors", metadata={"format": "pt"})
    _save(folder, weights, tiny)
    return folder


def _config(tiny: Tiny, begin: int, end: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "model_type": "llava_llama",
        "hidden_size": tiny.hidden,
        "intermediate_size": 2 * tiny.hidden,
        "num_hidden_layers": tiny.layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 320,
        "max_position_embeddings": 4096,
        "tokenizer_model_max_length": 3072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "bos_token_id": begin,
        "eos_token_id": end,
        "image_grid_pinpoints": [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]],
        "mm_vision_tower": "tower",
        "mm_vision_select_layer": -2,
        "unfreeze_mm_vision_tower": tiny.own_tower,
        **tiny.config,
    }
    return {name: value for name, value in config.items() if value is not None}


def _write_tower(folder: Path, tiny: Tiny) -> None:
    folder.mkdir(exist_ok=True)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    _write(folder / "config.json", {"model_type": "clip_vision_model", "image_size": SIDE, "patch_size": 14, **sizes})
    channels = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
    edges = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    _write(folder / "preprocessor_config.json", {**channels, **edges, "rescale_factor": 1 / 255})


def _random(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1 and "embed" not in name:
            # Sharp attention and loud values, so that an answer depends on all that was read.
            weights[name] = noise * (6 if "self_attn" in name else 2) / shape[1] ** 0.5
        elif name.endswith("norm.weight"):
            weights[name] = 1 + 0.1 * noise
        else:
            weights[name] = noise * 0.2
    return weights


def _save(folder: Path, weights: dict[str, torch.Tensor], tiny: Tiny) -> None:
    suffix, stem = ("bin", "pytorch_model") if tiny.binary else ("safetensors", "model")
    names = sorted(weights)
    parts = [names[i :: tiny.shards] for i in range(tiny.shards)]
    table = {}
    for i, part in enumerate(parts):
        file = f"{stem}.{suffix}" if tiny.shards == 1 else f"{stem}-{i + 1:05}-of-{tiny.shards:05}.{suffix}"
        tensors = {name: weights[name] for name in part}
        if tiny.binary:
            torch.save(tensors, folder / file)
        else:
            save_file(tensors, folder / file, metadata={"format": "pt"})
        table.update(dict.fromkeys(part, file))
    if tiny.shards > 1:
        _write(folder / f"{stem}.{suffix}.index.json", {"metadata": {}, "weight_map": table})


def _tokenizer(tiny: Tiny) -> Tokenizer:
    """One token for each byte, after them the markers."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in tiny.markers])
    if tiny.adds_begin and MARKERS[0] in tiny.markers:
        begin = (MARKERS[0], tokenizer.token_to_id(MARKERS[0]))
        template = processors.TemplateProcessing(single=f"{MARKERS[0]} $A", special_tokens=[begin])
        tokenizer.post_processor = template  # pyright: ignore[reportAttributeAccessIssue]
    return tokenizer


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
