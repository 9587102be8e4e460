"""CLIP ViT-L/14 at 336 px: the tower of both published models, which the published code fetches by name."""

from __future__ import annotations

from collections.abc import Mapping

from transformers import CLIPVisionConfig

SIDE = 336
"""Pixels along one side of what it sees."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Of the red, green and blue that it was trained on, 0 to 1."""
STD = (0.26862954, 0.26130258, 0.27577711)


def clip_l_336() -> CLIPVisionConfig:
    """Its sizes."""
    return CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=SIDE,
        patch_size=14,
        hidden_act="quick_gelu",
        layer_norm_eps=1e-5,
    )


def is_clip_l_336(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> bool:
    """Whether the tensors whose names begin with `prefix` have its shapes; in none of them do the heads show."""
    layers = sum(name.startswith(f"{prefix}encoder.layers.") and name.endswith("mlp.fc1.weight") for name in shapes)
    told = {
        "embeddings.patch_embedding.weight": (1024, 3, 14, 14),
        "embeddings.position_embedding.weight": (1 + (SIDE // 14) ** 2, 1024),
        "encoder.layers.0.mlp.fc1.weight": (4096, 1024),
    }
    return layers == 24 and all(shapes.get(prefix + name) == shape for name, shape in told.items())
