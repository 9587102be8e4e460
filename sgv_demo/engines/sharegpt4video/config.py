"""Reads a LLaVA checkpoint's own settings: every size comes from its files, none is assumed.

`model_type: llava_llama` is unknown to transformers, and asking it anyway silently yields default sizes, so the
configuration is put together here, field by field.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig

from sgv_demo.engines.local.clip import MEAN, SIDE, STD, clip_l_336, is_clip_l_336
from sgv_demo.engines.local.loading import MODEL_FILES, Progress, checkpoint_shapes, read_json, resolve_model
from sgv_demo.engines.sharegpt4video.tiles import Preprocessing, Size
from sgv_demo.engines.sharegpt4video.tokens import PICTURE
from sgv_demo.errors import EngineError

TEXT_REQUIRED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
)
TEXT_OPTIONAL = (
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "attention_bias",
    "mlp_bias",
    "tie_word_embeddings",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)
VISION_REQUIRED = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "image_size",
    "patch_size",
)
VISION_OPTIONAL = ("hidden_act", "layer_norm_eps", "num_channels")

TOWER_PREFIX = "model.vision_tower.vision_tower.vision_model."
"""How the names of the tower's tensors begin within a checkpoint."""

ASSUMED = {
    "mm_projector_type": "mlp2x_gelu",
    "mm_vision_select_feature": "patch",
    "mm_patch_merge_type": "spatial_unpad",
    "image_aspect_ratio": "anyres",
    "mm_use_im_start_end": False,
}
"""What this implementation does; a checkpoint that names something else is refused."""


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a checkpoint's files say, before any weight is read."""

    folder: Path
    text: LlamaConfig
    """The language model."""
    vision: CLIPVisionConfig
    """The tower."""
    network: LlavaNextConfig
    """Both together."""
    pinpoints: tuple[Size, ...]
    """Canvas sizes to choose from, (width, height) in pixels."""
    preprocessing: Preprocessing
    tower: Path | None
    """The folder with the tower's weights; None where they are in the checkpoint."""
    prompt_limit: int
    """Positions that a prompt was trained with; the published code cuts longer ones."""
    raw: Mapping[str, Any]
    """config.json as it is."""

    @property
    def saved_quantization(self) -> str | None:
        """nf4 or int8 when the weights were saved that way, otherwise None."""
        how = self.raw.get("quantization_config")
        if not isinstance(how, Mapping):
            return None
        return "int8" if how.get("load_in_8bit") else "nf4"

    @property
    def own_tower(self) -> bool:
        """Whether the tower's weights are in the checkpoint."""
        return self.tower is None

    @property
    def patches(self) -> int:
        """Patches along one side of a view."""
        return self.preprocessing.side // self.vision.patch_size  # pyright: ignore[reportOperatorIssue]


def read_setup(folder: Path, progress: Progress | None = None, timeout: float = 3.0) -> Setup:
    """Reads `config.json` and what describes the tower: the folder or repository that it names.

    A tower of its own with CLIP-L/14-336's shapes is that one and needs no description.

    Raises:
        EngineError: a file is missing, a size is missing or wrong, or the checkpoint is of another kind.
    """
    raw = read_json(folder / "config.json")
    if raw.get("model_type") != "llava_llama":
        raise EngineError(
            f"{folder.name} is a {raw.get('model_type', 'nameless')!r} model, not ShareGPT4Video-8B (llava_llama);"
            " give that checkpoint's folder or hub id."
        )
    for name, known in ASSUMED.items():
        if raw.get(name, known) != known:
            raise EngineError(f"config.json asks for {name} {raw[name]!r}; only {known!r} is implemented.")
    own_tower = bool(raw.get("unfreeze_mm_vision_tower", False))
    tower = _tower_folder(folder, raw, own_tower, progress, timeout)
    vision_sizes = _vision_sizes(tower)
    text_sizes = _known(raw, TEXT_REQUIRED, TEXT_OPTIONAL, "config.json")
    try:
        text, vision = LlamaConfig(**text_sizes), CLIPVisionConfig(**vision_sizes)
        network = LlavaNextConfig(
            vision_config=vision,
            text_config=text,
            vision_feature_layer=raw.get("mm_vision_select_layer", -2),
            tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
            image_token_index=PICTURE,
        )
    except (StrictDataclassError, KeyError, TypeError, ValueError) as error:
        raise EngineError(f"The settings of {folder.name} contradict each other: {_last_line(error)}.") from error
    preprocessing = read_preprocessing(tower, vision_sizes["image_size"]) if tower else Preprocessing(SIDE, MEAN, STD)
    limit = min(text.max_position_embeddings, raw.get("tokenizer_model_max_length") or 1 << 30)
    pinpoints = _pinpoints(raw.get("image_grid_pinpoints"), preprocessing.side)
    weights = None if own_tower else tower
    return Setup(folder, text, vision, network, pinpoints, preprocessing, weights, limit, raw)


def read_preprocessing(tower: Path, side: int) -> Preprocessing:
    """Reads the tower's `preprocessor_config.json`.

    Raises:
        EngineError: it is missing, incomplete, or made for another view size than `side`.
    """
    raw = read_json(tower / "preprocessor_config.json")
    try:
        sizes = {_side(raw["crop_size"]), _side(raw["size"])}
        mean, std = (tuple(float(value) for value in raw[name]) for name in ("image_mean", "image_std"))
        rescale = float(raw.get("rescale_factor", 1 / 255))
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"preprocessor_config.json of {tower.name} is incomplete: {_last_line(error)}.") from error
    if sizes != {side} or len(mean) != 3 or len(std) != 3:
        raise EngineError(
            f"preprocessor_config.json of {tower.name} makes views of {sorted(sizes)} px, its tower reads {side} px."
        )
    return Preprocessing(side, mean, std, rescale)


def write_preprocessing(how: Preprocessing, tower: Path) -> None:
    """Writes what `read_preprocessing` reads."""
    sizes = {"size": {"shortest_edge": how.side}, "crop_size": {"height": how.side, "width": how.side}}
    channels = {"image_mean": how.mean, "image_std": how.std, "rescale_factor": how.rescale}
    (tower / "preprocessor_config.json").write_text(json.dumps({**sizes, **channels}), encoding="utf-8")


def _tower_folder(
    folder: Path, raw: Mapping[str, Any], own_tower: bool, progress: Progress | None, timeout: float
) -> Path | None:
    """The folder that describes the tower; None for CLIP-L/14-336 inside the checkpoint.

    Raises:
        EngineError: there is another tower, or none, and it isn't described.
    """
    named = raw.get("mm_vision_tower", raw.get("vision_tower"))
    if isinstance(named, str) and named and (folder / named).is_dir():
        return folder / named
    if own_tower and is_clip_l_336(checkpoint_shapes(folder), TOWER_PREFIX):
        return None
    if not isinstance(named, str) or not named:
        raise EngineError(f"config.json of {folder.name} names no mm_vision_tower; use the complete checkpoint.")
    files = ("config.json", "preprocessor_config.json") if own_tower else MODEL_FILES
    return resolve_model(named, files=files, timeout=timeout, progress=progress)


def _vision_sizes(tower: Path | None) -> dict[str, Any]:
    raw = read_json(tower / "config.json") if tower else clip_l_336().to_dict()
    return _known(raw.get("vision_config", raw), VISION_REQUIRED, VISION_OPTIONAL, "the tower's config")


def _known(raw: Mapping[str, Any], required: Sequence[str], optional: Sequence[str], where: str) -> dict[str, Any]:
    missing = [name for name in required if not isinstance(raw.get(name), int)]
    if missing:
        raise EngineError(f"{where} lacks {', '.join(missing)}; sizes are never guessed.")
    return {name: raw[name] for name in (*required, *optional) if raw.get(name) is not None}


def _pinpoints(given: object, side: int) -> tuple[Size, ...]:
    """The list itself, or one written as a string."""
    try:
        listed = ast.literal_eval(given) if isinstance(given, str) else given
        sizes = tuple((int(width), int(height)) for width, height in listed)  # pyright: ignore[reportGeneralTypeIssues, reportOptionalIterable]
    except (SyntaxError, TypeError, ValueError) as error:
        raise EngineError(f"image_grid_pinpoints in config.json is not a list of sizes: {given!r}.") from error
    if not sizes or any(edge <= 0 or edge % side for size in sizes for edge in size):
        raise EngineError(f"image_grid_pinpoints in config.json are not multiples of the tower's {side} px: {given!r}.")
    return sizes


def _side(value: object) -> int:
    if isinstance(value, Mapping):
        value = value.get("shortest_edge", value.get("height"))
    return int(value)  # pyright: ignore[reportArgumentType]


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip().rstrip(".")
