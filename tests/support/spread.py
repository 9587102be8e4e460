"""The same network with wider attention heads: engines have kernels for heads of 64 and more, tiny checkpoints have 16.

Every head's rows are laid among rows of zeros, which add nothing to any sum. Two things hang on a head's width d: the
products are divided by √d, which the queries' factor undoes (a power of two for widths that are four times as large:
exact), and entry i turns with i + d/2 by the angle base^(-2i/d), which the entry i · new/d of the wider head has.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WIDTH = 64


def spread(folder: Path) -> None:
    """Rewrites config and weights of an exported checkpoint (one shard) in place."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    text = config["text_config"]
    width = text["hidden_size"] // text["num_attention_heads"]
    text["head_dim"] = WIDTH
    path.write_text(json.dumps(config), encoding="utf-8")
    (shard,) = folder.glob("*.safetensors")
    weights = load_file(shard)
    found = {name: _wider(name, tensor, width) for name, tensor in weights.items()}
    save_file(found, shard, metadata={"format": "pt"})


def _wider(name: str, tensor: torch.Tensor, width: int) -> torch.Tensor:
    kind = next((kind for kind in "qkvo" if name.endswith(f".self_attn.{kind}_proj.weight")), None)
    if kind is None or "vision_tower" in name:
        return tensor
    rows = tensor.T if kind == "o" else tensor
    heads = rows.reshape(-1, width, rows.shape[1])
    out = torch.zeros(heads.shape[0], WIDTH, rows.shape[1], dtype=rows.dtype)
    half, step = width // 2, WIDTH // width
    entries = torch.arange(half) * step
    out[:, torch.cat([entries, entries + WIDTH // 2])] = heads * ((WIDTH / width) ** 0.5 if kind == "q" else 1)
    wide = out.reshape(-1, rows.shape[1])
    return (wide.T if kind == "o" else wide).contiguous()
