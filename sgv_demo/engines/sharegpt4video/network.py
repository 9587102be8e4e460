"""ShareGPT4Video-8B's network: LLaVA-NeXT's modules with the checkpoint's own names, unpadding and views.

Pictures enter as embeddings, not as placeholder ids: no id of the vocabulary has to be given up for them, and what a
model generates can never be taken for a picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModel,
    BitsAndBytesConfig,
    CLIPVisionModel,
    GenerationConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
)
from transformers.utils import logging as transformers_logging

from sgv_demo.engines.local.cache import Batch, Cache, CacheShape, rotate
from sgv_demo.engines.local.loading import check_shapes, check_widths, checkpoint_shapes, mapped_tensors
from sgv_demo.engines.sharegpt4video.config import Setup
from sgv_demo.engines.sharegpt4video.tiles import Tiling
from sgv_demo.engines.sharegpt4video.tokens import PICTURE
from sgv_demo.errors import EngineError

KEY_MAPPING = {
    r"^model\.(embed_tokens|layers|norm)\.": r"model.language_model.\1.",
    r"^model\.mm_projector\.0\.": "model.multi_modal_projector.linear_1.",
    r"^model\.mm_projector\.2\.": "model.multi_modal_projector.linear_2.",
    r"^model\.vision_tower\.vision_tower\.vision_model\.": "model.vision_tower.",
}
"""The checkpoint's names to transformers' names."""

ORIGINAL_NAMES = {
    r"^model\.language_model\.": "model.",
    r"^model\.multi_modal_projector\.linear_1\.": "model.mm_projector.0.",
    r"^model\.multi_modal_projector\.linear_2\.": "model.mm_projector.2.",
    r"^model\.vision_tower\.": "model.vision_tower.vision_tower.vision_model.",
}
"""The way back."""

HARMLESS = (r"rotary_emb\.inv_freq$", r"embeddings\.position_ids$")
"""Tables that old checkpoints store and that are computed here."""

TOWER_NAMES = r"^model\.vision_tower\."

UNQUANTIZED = ("model.vision_tower", "model.multi_modal_projector", "lm_head")
"""Without `model.` in front, tower and projector would be quantized silently."""


class Network(LlavaNextForConditionalGeneration):
    """LLaVA-NeXT's modules, read by a pass of our own: a `decoding.Network`. N: positions of a pass, D: width.

    Silent about tables that it computes itself.
    """

    _keys_to_ignore_on_load_unexpected = list(HARMLESS)  # noqa: RUF012 - transformers reads it from the class

    def new_cache(self) -> Cache:
        """An empty cache for one text."""
        text: Any = self.config.text_config
        heads = text.num_key_value_heads
        return Cache(CacheShape(text.num_hidden_layers, heads, text.head_dim, self.lm_head.weight.dtype, self.device))

    def embed(self, ids: Tensor) -> Tensor:
        """(n,) token ids → (1, n, D)."""
        return self.model.language_model.embed_tokens(ids)[None]

    def hidden(self, x: Tensor, batch: Batch) -> Tensor:
        """(1, N, D) embeddings of the batch's positions → (1, N, D) after the last norm; its caches are extended."""
        language: Any = self.model.language_model
        rotary = tuple(table[0].unsqueeze(1) for table in language.rotary_emb(x, batch.positions[None]))
        for i, layer in enumerate(language.layers):
            attention = layer.self_attn
            inputs = layer.input_layernorm(x)
            linears = (attention.q_proj, attention.k_proj, attention.v_proj)
            q, k, v = (linear(inputs)[0].unflatten(-1, (-1, attention.head_dim)) for linear in linears)
            seen = batch.attend(i, rotate(q, *rotary), rotate(k, *rotary), v)
            x = x + attention.o_proj(seen[None])
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        batch.finish()
        return language.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """(m, D) → (m, V) float32."""
        return self.lm_head(hidden).float()


class NetworkWithoutTower(Network):
    """For a checkpoint whose tower lives in a folder of its own, whatever the checkpoint holds of it."""

    _keys_to_ignore_on_load_missing = [TOWER_NAMES]  # noqa: RUF012
    _keys_to_ignore_on_load_unexpected = [*HARMLESS, TOWER_NAMES]  # noqa: RUF012


def original_name(name: str) -> str:
    """The checkpoint's name of a parameter of ours."""
    for pattern, replacement in ORIGINAL_NAMES.items():
        name, changed = re.subn(pattern, replacement, name)
        if changed:
            break
    return name


def meta_network(config: LlavaNextConfig, dtype: torch.dtype = torch.float16) -> Network:
    """The network on the meta device: shapes without memory."""
    with torch.device("meta"):
        network: Any = Network(config)
    return network.to(dtype)


def expected_shapes(setup: Setup) -> dict[str, tuple[int, ...]]:
    """Names and shapes that the checkpoint must hold, in its own naming."""
    shapes = {original_name(name): tuple(value.shape) for name, value in meta_network(setup.network).named_parameters()}
    if setup.text.tie_word_embeddings:
        shapes.pop("lm_head.weight", None)
    return shapes


def check_checkpoint(setup: Setup) -> None:
    """
    Raises:
        EngineError: a tensor is missing, unexpected or misshapen; a saved quantized checkpoint is left to its loader.
    """
    if "quantization_config" in setup.raw:
        return
    optional = (*HARMLESS, *(() if setup.own_tower else (TOWER_NAMES,)))
    if setup.text.tie_word_embeddings:
        optional = (*optional, r"^lm_head\.weight$")
    check_shapes(checkpoint_shapes(setup.folder), expected_shapes(setup), optional=optional, label=setup.folder.name)


def load_network(
    setup: Setup, device: torch.device, dtype: torch.dtype, quantization: BitsAndBytesConfig | None
) -> Network:
    """Loads the weights onto `device`.

    Raises:
        EngineError: the checkpoint or its tower doesn't fit the network.
    """
    check_checkpoint(setup)
    options: dict[str, Any] = {"key_mapping": KEY_MAPPING, "dtype": dtype, "device_map": {"": device}}
    if "quantization_config" in setup.raw:  # on the configuration it means "saved like this", as an option "do this"
        setup.network.quantization_config = setup.raw["quantization_config"]
    elif quantization is not None:
        options["quantization_config"] = quantization
    saved = "quantization_config" in setup.raw
    if (saved or quantization is not None) and device.type == "cpu":
        check_widths((setup.text.hidden_size, setup.text.intermediate_size))
    transformers_logging.disable_progress_bar()
    loaded: Any = (Network if setup.own_tower else NetworkWithoutTower).from_pretrained(
        setup.folder if saved else None,
        state_dict=None if saved else mapped_tensors(setup.folder),
        config=setup.network,
        local_files_only=True,
        output_loading_info=True,
        **options,
    )
    model, report = loaded
    lost = [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]
    if lost:
        raise EngineError(f"{setup.folder.name} does not fit its network: {', '.join(map(str, lost[:3]))}.")
    if (setup.folder / "generation_config.json").is_file():  # from_pretrained reads it only when it reads the weights
        model.generation_config = GenerationConfig.from_pretrained(setup.folder)
    if not setup.own_tower:
        model.model.vision_tower = load_tower(setup, device, dtype)
    for value in model.parameters():  # a saved quantized checkpoint brings some in the dtype that it was saved in
        if value.is_floating_point() and value.dtype != dtype:
            value.data = value.data.to(dtype)
    return model.eval()


def load_tower(setup: Setup, device: torch.device, dtype: torch.dtype) -> CLIPVisionModel:
    """The tower with the weights of its own folder, for a checkpoint that was trained with a frozen one.

    Raises:
        EngineError: a tensor is missing or misshapen; a CLIP's text half is passed over.
    """
    assert setup.tower is not None
    with torch.device("meta"):
        shapes = AutoModel.from_config(setup.vision).named_parameters()
        expected = {f"vision_model.{name}": tuple(value.shape) for name, value in shapes}
    passed_over = (*HARMLESS, r"^text_", r"^visual_projection\.", r"^logit_scale$")
    check_shapes(checkpoint_shapes(setup.tower), expected, optional=passed_over, label=setup.tower.name)
    return CLIPVisionModel.from_pretrained(
        setup.tower, config=setup.vision, dtype=dtype, device_map={"": device}, local_files_only=True
    )


def picture_embeddings(model: Network, views: Tensor, tiling: Tiling | None) -> Tensor:
    """What the language model reads in a picture's place.

    Args:
        model: the network.
        views: (1 + tiles, 3, side, side) pixels, the whole picture first; (1, 3, side, side) without a tiling.
        tiling: where the tiles lie, or None for the whole view alone (what the published demo really feeds).

    Returns:
        (positions, hidden): the whole view's patches, then the tiles' patches joined, freed of padding, and one
        newline embedding after each row.
    """
    config: Any = model.config
    hidden = model.model.vision_tower(views, output_hidden_states=True).hidden_states[config.vision_feature_layer]
    features = model.model.multi_modal_projector(hidden[:, 1:])
    if tiling is None:
        return features[0]
    across, down = tiling.tiles
    side = config.vision_config.image_size // config.vision_config.patch_size
    joined = features[1:].view(down, across, side, side, -1).transpose(1, 2).reshape(down * side, across * side, -1)
    kept = joined[tiling.kept(side)]
    newline = model.model.image_newline.to(kept.dtype).expand(kept.shape[0], 1, -1)
    return torch.cat((features[0], torch.cat((kept, newline), dim=1).flatten(0, 1)))


def prompt_embeddings(model: Network, ids: Sequence[int], picture: Tensor | None) -> Tensor:
    """Embeddings of the end of a prompt: (1, positions, hidden).

    Args:
        model: the network.
        ids: token ids; where they are `PICTURE`, the last rows of `picture` are taken in order.
        picture: (positions, hidden); None where `ids` holds no `PICTURE`.
    """
    places = torch.tensor(ids, device=model.device)
    embedded = model.embed(places.clamp(min=0))[0]
    if picture is not None:
        here = places == PICTURE
        embedded[here] = picture[picture.shape[0] - int(here.sum()) :].to(embedded.dtype)
    return embedded[None]


def stop_ids(network: Network, setup: Setup) -> tuple[int, ...]:
    """Ids that end an answer: generation_config.json's where it names some, otherwise config.json's.

    Raises:
        EngineError: neither names one.
    """
    config: Any = network.generation_config
    found = config.eos_token_id if config is not None and config.eos_token_id is not None else setup.text.eos_token_id
    ids = found if isinstance(found, (list, tuple)) else [found]
    known = tuple(value for value in ids if isinstance(value, int))
    if not known or len(known) < len(ids):
        raise EngineError(f"{setup.folder.name} names no eos_token_id, so an answer would never end; use its config.")
    return known
