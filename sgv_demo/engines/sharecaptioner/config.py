"""The captioner's sizes, read from its files: `config.json` for the language model, tensor shapes for the rest."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, PreTrainedConfig

from sgv_demo.engines.local.loading import Shapes, read_json
from sgv_demo.errors import EngineError

ARCHITECTURE = "InternLMXComposer2ForCausalLM"
VISION = "vit.vision_tower.vision_model."
TILE = 336
"""Pixels: side of the tiles that a picture is cut into."""
CLIP_HEAD_DIM = 64
"""Channels of one attention head in every published CLIP; CLIP-L/336 has 16 of them."""

SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
)


class XComposer2Config(PreTrainedConfig):
    """Sizes of the network; defaults are those of the published 7B model."""

    model_type = "internlmxcomposer2"
    sub_configs_defaults = {"vision_config": CLIPVisionConfig}  # noqa: RUF012  # pyright: ignore[reportAssignmentType]

    vocab_size: int = 92544
    hidden_size: int = 4096
    intermediate_size: int = 14336
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 8
    max_position_embeddings: int = 32768
    rms_norm_eps: float = 1e-5
    rotary_base: float = 1e6
    """`rope_theta` in the published file; under a name that transformers leaves alone."""
    bias: bool = False
    """Whether `wqkv` and `wo` have one."""
    hidden_act: str = "silu"
    eos: int = 2
    """Ends an answer."""
    plora_rank: int = 256
    vision_config: dict | CLIPVisionConfig | None = None
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        if self.vision_config is None:
            self.vision_config = clip_l_336()
        elif isinstance(self.vision_config, dict):
            self.vision_config = CLIPVisionConfig(**self.vision_config)
        super().__post_init__(**kwargs)

    @property
    def vision(self) -> CLIPVisionConfig:
        """The vision tower's sizes."""
        assert isinstance(self.vision_config, CLIPVisionConfig)
        return self.vision_config

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.hidden_size // self.num_attention_heads


def clip_l_336() -> CLIPVisionConfig:
    """CLIP ViT-L/14 for 336 px, which the published code fetches by name and no file of the checkpoint describes."""
    return CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=TILE,
        patch_size=14,
        hidden_act="quick_gelu",
        layer_norm_eps=1e-5,
    )


def read_config(folder: Path, shapes: Shapes) -> XComposer2Config:
    """
    Args:
        folder: the checkpoint.
        shapes: of its tensors, under their published names; the rank and the tower's sizes are read from them.

    Raises:
        EngineError: `config.json` is missing, of another architecture, incomplete or contradicts itself.
    """
    raw = read_json(folder / "config.json")
    known = raw.get("architectures") or []
    if ARCHITECTURE not in known:
        named = ", ".join(map(str, known)) or "unnamed"
        raise EngineError(f"{folder.name} is a checkpoint of another model ({named}), not ShareCaptioner-Video.")
    sizes: dict[str, Any] = {name: raw.get(name) for name in SIZES}
    wrong = [name for name, size in sizes.items() if not isinstance(size, int) or size < 1]
    if wrong:
        raise EngineError(f"config.json in {folder.name} lacks a valid {', '.join(wrong)}; fetch it again.")
    _check_heads(folder, sizes)
    _check_rotary(folder, raw.get("rope_scaling"))
    rank = shapes.get("model.layers.0.attention.wqkv.Plora_A.weight", (raw.get("plora_rank", 0),))[0]
    if not rank:
        raise EngineError(f"{folder.name} has no Partial LoRA weights (Plora_A); it is another model.")
    return XComposer2Config(
        **sizes,
        rms_norm_eps=float(raw.get("rms_norm_eps", 1e-5)),
        rotary_base=float(raw.get("rope_theta", raw.get("rotary_base", 1e6))),
        bias=bool(raw.get("bias", False)),
        hidden_act=str(raw.get("hidden_act", "silu")),
        eos=_first_int(raw.get("eos_token_id"), raw.get("eos"), 2),
        plora_rank=rank,
        vision_config=_vision(folder, raw, shapes),
        architectures=[ARCHITECTURE],
    )


def _first_int(*values: Any) -> int:
    return next(value for value in values if isinstance(value, int))


def _check_heads(folder: Path, sizes: dict[str, Any]) -> None:
    width, heads, groups = sizes["hidden_size"], sizes["num_attention_heads"], sizes["num_key_value_heads"]
    if width % heads or heads % groups or (width // heads) % 2:
        raise EngineError(
            f"config.json in {folder.name} contradicts itself: width {width}, {heads} heads, {groups} key-value heads."
        )


def _check_rotary(folder: Path, scaling: Any) -> None:
    """Dynamic scaling changes nothing up to `max_position_embeddings`, where prompts end here; others would."""
    kind = scaling.get("type") or scaling.get("rope_type") if isinstance(scaling, dict) else None
    if kind not in (None, "default", "dynamic"):
        raise EngineError(f"config.json in {folder.name} asks for rotary scaling {kind!r}, which isn't supported.")


def _vision(folder: Path, raw: dict[str, Any], shapes: Shapes) -> CLIPVisionConfig:
    """The tower's sizes: from tensor shapes; heads and activation from a file where there is one."""
    file = folder / "clip_vision_config.json"
    told = read_json(file) if file.is_file() else raw.get("vision_config")
    config = CLIPVisionConfig(**told) if isinstance(told, dict) else clip_l_336()
    patches = shapes.get(f"{VISION}embeddings.patch_embedding.weight")
    positions = shapes.get(f"{VISION}embeddings.position_embedding.weight")
    first = shapes.get(f"{VISION}encoder.layers.0.mlp.fc1.weight")
    if patches is None or positions is None or first is None or len(patches) != 4:
        return config
    config.hidden_size, config.patch_size = patches[0], patches[-1]
    config.image_size = patches[-1] * math.isqrt(positions[0] - 1)
    config.intermediate_size = first[0]
    config.num_hidden_layers = sum(name.startswith(VISION) and name.endswith("mlp.fc1.weight") for name in shapes)
    if not isinstance(told, dict):
        config.num_attention_heads = max(config.hidden_size // CLIP_HEAD_DIM, 1)
    if config.image_size != TILE or config.hidden_size % config.num_attention_heads:
        raise EngineError(
            f"The vision tower in {folder.name} is for {config.image_size} px and {config.num_attention_heads} heads of"
            f" {config.hidden_size} channels; the captioner's sees {TILE} px tiles."
        )
    return config
