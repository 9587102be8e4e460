"""The captioner's sizes, read from its files: `config.json` for the language model, tensor shapes for the rest."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, PreTrainedConfig

from sgv_demo.engines.local.clip import clip_l_336
from sgv_demo.engines.local.loading import Shapes, read_json
from sgv_demo.engines.sharecaptioner.tiling import TILE
from sgv_demo.errors import EngineError

ARCHITECTURE = "InternLMXComposer2ForCausalLM"
ARCHITECTURES = (ARCHITECTURE, "InternLM2ForCausalLM")
"""Names under which InternLM-XComposer2-4KHD and what was tuned from it are published; the second is also plain
InternLM2's, so the tensors decide."""
PICTURE_TENSORS = re.compile(r"\.Plora_A\.|^plora_|^vit\.|^vision_proj\.")
"""Names of tensors that no plain language model has."""
LINEARS = {
    "wqkv": "attention.wqkv",
    "wo": "attention.wo",
    "w1": "feed_forward.w1",
    "w2": "feed_forward.w2",
    "w3": "feed_forward.w3",
}
"""The linears with Partial LoRA: name → module within a layer."""
CLASS_ALPHA = 16
"""Alpha of a published Partial LoRA that was built without naming one; its rank is 8 then."""
CLASS_RANK = 8
VISION = "vit.vision_tower.vision_model."
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
    eos: list[int] | None = None
    """Ids that end an answer (`ends`); default 2."""
    plora_rank: dict[str, int] | None = None
    """Linear (`LINEARS`) → rank of its Partial LoRA; default as published."""
    plora_alpha: dict[str, float] | None = None
    """Linear → alpha: its low-rank path counts alpha / rank times. Default as `published_alpha` says."""
    vision_config: dict | CLIPVisionConfig | None = None
    tie_word_embeddings: bool = False

    def __post_init__(self, **given: Any) -> None:
        self.eos = self.eos or [2]
        self.plora_rank = self.plora_rank or {name: CLASS_RANK if name == "wqkv" else 256 for name in LINEARS}
        self.plora_alpha = self.plora_alpha or published_alpha(self.plora_rank)
        if self.vision_config is None:
            self.vision_config = clip_l_336()
        elif isinstance(self.vision_config, dict):
            self.vision_config = CLIPVisionConfig(**self.vision_config)
        super().__post_init__(**given)

    @property
    def vision(self) -> CLIPVisionConfig:
        """The vision tower's sizes."""
        assert isinstance(self.vision_config, CLIPVisionConfig)
        return self.vision_config

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.hidden_size // self.num_attention_heads

    def plora(self, linear: str) -> tuple[int, float]:
        """Rank and scaling of a linear's low-rank path; `linear` is one of `LINEARS`."""
        assert self.plora_rank is not None
        assert self.plora_alpha is not None
        return self.plora_rank[linear], self.plora_alpha[linear] / self.plora_rank[linear]

    @property
    def ends(self) -> list[int]:
        """Ids that end an answer, one at least."""
        assert self.eos
        return self.eos

    @property
    def scaling_note(self) -> str:
        """What a reader of an answer should know of a choice that no shape decides; mostly nothing."""
        if all(self.plora(linear) == (CLASS_RANK, 1.0) for linear in LINEARS):
            return f"All Partial LoRA has rank {CLASS_RANK} and was scaled by 1; plora_alpha in config.json sets it."
        return ""


def published_alpha(ranks: Mapping[str, int]) -> dict[str, float]:
    """Alpha of each linear, which no published file holds: its rank, so that the low-rank path counts once.

    Except a `wqkv` whose rank differs from `wo`'s: 4KHD leaves it at its class's defaults, rank 8 and alpha 16, as
    LMDeploy's and MindIE's readers of InternLM-XComposer2-4KHD have it, too.
    """
    alphas = {name: float(rank) for name, rank in ranks.items()}
    if ranks["wqkv"] != ranks["wo"]:
        alphas["wqkv"] = float(CLASS_ALPHA)
    return alphas


def read_config(folder: Path, shapes: Shapes) -> XComposer2Config:
    """
    Args:
        folder: the checkpoint.
        shapes: of its tensors, under their published names; the rank and the tower's sizes are read from them.

    Raises:
        EngineError: `config.json` is missing, of another architecture, incomplete or contradicts itself.
    """
    raw = read_json(folder / "config.json")
    _check_model(folder, raw.get("architectures"), shapes)
    sizes: dict[str, Any] = {name: raw.get(name) for name in SIZES}
    wrong = [name for name, size in sizes.items() if not isinstance(size, int) or size < 1]
    if wrong:
        raise EngineError(f"config.json in {folder.name} lacks a valid {', '.join(wrong)}; fetch it again.")
    _check_heads(folder, sizes)
    _check_rotary(folder, raw.get("rope_scaling"))
    ranks = _ranks(folder, shapes, sizes)
    return XComposer2Config(
        **sizes,
        rms_norm_eps=float(raw.get("rms_norm_eps", 1e-5)),
        rotary_base=float(raw.get("rope_theta", raw.get("rotary_base", 1e6))),
        bias=bool(raw.get("bias", False)),
        hidden_act=str(raw.get("hidden_act", "silu")),
        eos=_ends(folder, raw),
        plora_rank=ranks,
        plora_alpha=_alphas(folder, raw.get("plora_alpha"), ranks),
        vision_config=_vision(folder, raw, shapes),
        architectures=[ARCHITECTURE],
    )


def _check_model(folder: Path, named: Any, shapes: Shapes) -> None:
    """
    Raises:
        EngineError: the tensors, or all the names under `architectures`, are another model's.
    """
    names = named if isinstance(named, list) else []
    if names and not set(names) & set(ARCHITECTURES):
        known = ", ".join(map(str, names))
        raise EngineError(f"{folder.name} is a checkpoint of another model ({known}), not ShareCaptioner-Video.")
    if any(PICTURE_TENSORS.search(name) for name in shapes):
        return
    if any(name.endswith(f".{LINEARS['wqkv']}.weight") for name in shapes):
        raise EngineError(
            f"{folder.name} is InternLM2 without a vision tower or Partial LoRA; ShareCaptioner-Video is needed."
        )
    raise EngineError(f"{folder.name} is a checkpoint of another model, not ShareCaptioner-Video.")


def _ranks(folder: Path, shapes: Shapes, sizes: Mapping[str, Any]) -> dict[str, int]:
    """Each linear's rank, from its own `Plora_A` (rank, inputs) in every layer.

    Raises:
        EngineError: a linear has none, or layers disagree.
    """
    ranks: dict[str, int] = {}
    for linear, module in LINEARS.items():
        inputs = sizes["intermediate_size" if linear == "w2" else "hidden_size"]
        found = {
            name: shape
            for layer in range(sizes["num_hidden_layers"])
            if (shape := shapes.get(name := f"model.layers.{layer}.{module}.Plora_A.weight")) is not None
        }
        if not found:
            raise EngineError(
                f"{folder.name} has no Partial LoRA for {module} (model.layers.0.{module}.Plora_A.weight, "
                f"[rank, {inputs}]); ShareCaptioner-Video is needed, whole."
            )
        usual = Counter(found.values()).most_common(1)[0][0]
        odd = next((name for name, shape in found.items() if shape != usual), None)
        if odd is not None:
            raise EngineError(
                f"{odd} is {list(found[odd])} where the other layers have {list(usual)}; fetch {folder.name} again."
            )
        if len(usual) != 2 or usual[1] != inputs or not usual[0]:
            raise EngineError(f"{next(iter(found))} is {list(usual)} instead of [rank, {inputs}]; fetch it again.")
        ranks[linear] = usual[0]
    return ranks


def _alphas(folder: Path, told: Any, ranks: Mapping[str, int]) -> dict[str, float]:
    """Alpha per linear: what `plora_alpha` says, one number or one per name, and the published one for the rest.

    Raises:
        EngineError: it says something else.
    """
    given: dict[str, Any] = told if isinstance(told, dict) else dict.fromkeys(LINEARS, told)
    given = {name: alpha for name, alpha in given.items() if alpha is not None}
    if set(given) - set(LINEARS) or not all(map(_is_positive, given.values())):
        raise EngineError(
            f"plora_alpha in config.json of {folder.name} is {told!r}; it takes one number, or one for each of "
            f"{', '.join(LINEARS)}."
        )
    return published_alpha(ranks) | {name: float(alpha) for name, alpha in given.items()}


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def _ends(folder: Path, raw: Mapping[str, Any]) -> list[int]:
    """Ids that end an answer: `generation_config.json`'s where it names any, as the published `generate` reads them.

    Raises:
        EngineError: what stands there are no ids.
    """
    file = folder / "generation_config.json"
    generation = read_json(file) if file.is_file() else {}
    told = (generation.get("eos_token_id"), raw.get("eos_token_id"), raw.get("eos"), 2)
    found = next(value for value in told if value is not None)
    ids = found if isinstance(found, list) else [found]
    if not ids or not all(type(i) is int and i >= 0 for i in ids):
        raise EngineError(f"eos_token_id of {folder.name} is {found!r}, which is no token id or list of them.")
    return ids


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
