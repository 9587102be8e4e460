"""A ShareCaptioner-Video checkpoint of a few megabytes, in the published layout, with sizes that quantizers accept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig

from sgv_demo.engines.sharecaptioner.checkpoint import published_name
from sgv_demo.engines.sharecaptioner.config import ARCHITECTURE, LINEARS, XComposer2Config
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM

GOLDEN = Path(__file__).parents[1] / "golden" / "sharecaptioner"
VOCABULARY = 1000
"""Pieces of the golden's tokenizer."""

Layout = Literal["bin", "shards", "safetensors"]


def tiny_config(
    *, width: int = 128, rank: int | dict[str, int] = 8, layers: int = 2, vocabulary: int = VOCABULARY
) -> XComposer2Config:
    """Every width a multiple of 64; `vocabulary` may exceed the tokenizer's; `rank`: of all linears or of each."""
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=1,
        image_size=336,
        patch_size=14,
        hidden_act="quick_gelu",
    )
    return XComposer2Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        plora_rank=rank if isinstance(rank, dict) else dict.fromkeys(LINEARS, rank),
        vision_config=vision,
        architectures=[ARCHITECTURE],
    )


def random_network(config: XComposer2Config, seed: int = 0) -> InternLMXComposer2ForCausalLM:
    """Random weights, scaled so that answers vary and no single token wins always."""
    torch.manual_seed(seed)
    network = InternLMXComposer2ForCausalLM(config)
    for name, value in network.named_parameters():
        if value.ndim == 2 and "embedding" not in name:
            nn.init.normal_(value, std=1.2 * value.shape[1] ** -0.5)
        elif "GN" in name or "tok_embeddings" in name:
            nn.init.normal_(value)
    nn.init.normal_(network.output.weight, std=3 * config.hidden_size**-0.5)
    return network.eval()


def write_checkpoint(
    folder: Path,
    config: XComposer2Config | None = None,
    *,
    layout: Layout = "bin",
    vision_file: bool = True,
    seed: int = 0,
) -> Path:
    """Writes config, tokenizer and random weights as upstream does; returns `folder`.

    Args:
        folder: made when missing.
        config: default `tiny_config()`.
        layout: one `.bin`, two `.bin` shards with an index, or one safetensors file.
        vision_file: whether `clip_vision_config.json` describes the tower; the published checkpoint has none.
        seed: of the weights.
    """
    config = config or tiny_config()
    folder.mkdir(parents=True, exist_ok=True)
    state = random_network(config, seed).state_dict()
    write_weights(folder, {published_name(name): value.contiguous() for name, value in state.items()}, layout)
    raw = json.loads((GOLDEN / "checkpoint" / "config.json").read_text())
    raw |= {
        key: getattr(config, key)
        for key in raw
        if hasattr(config, key) and key.startswith(("hidden_s", "num", "inter", "vocab"))
    }
    (folder / "config.json").write_text(json.dumps(raw))
    if vision_file:
        (folder / "clip_vision_config.json").write_text(json.dumps(config.vision.to_dict()))
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(GOLDEN / "checkpoint" / name, folder / name)
    return folder


def write_weights(folder: Path, state: dict[str, Tensor], layout: Layout) -> None:
    """Writes `state` in one of the three layouts."""
    if layout == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    elif layout == "safetensors":
        save_file(state, folder / "model.safetensors")
    else:
        names = list(state)
        parts = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
        for file, part in parts.items():
            torch.save({name: state[name].clone() for name in part}, folder / file)
        table = {name: file for file, part in parts.items() for name in part}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": table}))
