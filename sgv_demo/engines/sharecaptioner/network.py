"""The captioner's network: CLIP sees tiles, a projector makes them tokens, an InternLM2 decoder writes.

Written from the description of InternLM-XComposer2-4KHD with transformers' own parts. Letters in shapes: B batch,
L positions, D decoder width, C vision channels, T tiles, V vocabulary.

A picture is the first thing in a prompt and one run of positions, so "the image rows" are a slice. Partial LoRA, the
low-rank path that was trained for pictures, runs on that slice alone, and never on a token that was generated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPVisionModel, GenerationMixin, PreTrainedModel
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache, DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRMSNorm, apply_rotary_pos_emb, eager_attention_forward

from sgv_demo.engines.sharecaptioner.cache import share_prefix
from sgv_demo.engines.sharecaptioner.config import TILE, XComposer2Config
from sgv_demo.engines.sharecaptioner.tiling import CELLS

CHUNK = 4096
"""Positions of a prompt computed at once: more than any picture takes, so that only long texts are cut."""

KEY_MAPPING = {
    rf"(attention\.(?:wqkv|wo)|feed_forward\.w[123])\.{kind}$": rf"\1.base.{kind}" for kind in ("weight", "bias")
}
"""From the published tensor names to ours: what a quantizer replaces must be a plain linear of its own."""

IGNORED = (r"position_ids$", r"post_layernorm\.", r"rotary_emb\.inv_freq$")
"""Tensors that a checkpoint may carry and nobody uses, as regexes."""

KEPT_WHOLE = (r"vit\..*", r"vision_proj\..*", r"output", r".*\.Plora_A", r".*\.Plora_B")
"""Modules that a quantizer leaves alone, as regexes over full names.

4-bit weights err by about 9 % (int8: 1 %) for each linear. In the tower and the projector that error would come before
everything else, in the output head it decides the token directly, and the low-rank parts are 6 % of the weights.
"""


class PartialLora(nn.Module):
    """`base(x)`, plus `Plora_B(Plora_A(x) · scaling)` on image rows."""

    def __init__(self, inputs: int, outputs: int, plora: tuple[int, float], bias: bool = False) -> None:
        """`plora`: rank and scaling of the low-rank path."""
        super().__init__()
        rank, self.scaling = plora
        self.base = nn.Linear(inputs, outputs, bias=bias)
        self.Plora_A = nn.Linear(inputs, rank, bias=False)
        self.Plora_B = nn.Linear(rank, outputs, bias=False)

    def forward(self, x: Tensor, image: slice | None) -> Tensor:
        """(B, L, inputs) → (B, L, outputs); `image`: which of the L positions show a picture."""
        y = self.base(x)
        if image is not None:
            y[:, image] += self.Plora_B(self.Plora_A(x[:, image]) * self.scaling)
        return y


class Attention(nn.Module):
    """Grouped-query attention whose queries, keys and values come out of one linear."""

    def __init__(self, config: XComposer2Config, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.kv_heads = config.num_key_value_heads
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        self.scaling = self.head_dim**-0.5
        self.is_causal = True
        packed = (config.num_attention_heads + 2 * self.kv_heads) * self.head_dim
        self.wqkv = PartialLora(config.hidden_size, packed, config.plora("wqkv"), config.bias)
        self.wo = PartialLora(config.hidden_size, config.hidden_size, config.plora("wo"), config.bias)

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None, cache: Cache | None, image: slice | None
    ) -> Tensor:
        """(B, L, D) → (B, L, D). Packed: for each kv head its query heads, then its key, then its value."""
        batch, length, _ = x.shape
        packed = self.wqkv(x, image).view(batch, length, self.kv_heads, self.num_key_value_groups + 2, self.head_dim)
        q = packed[..., :-2, :].reshape(batch, length, -1, self.head_dim).transpose(1, 2)
        k, v = packed[..., -2, :].transpose(1, 2), packed[..., -1, :].transpose(1, 2)
        q, k = apply_rotary_pos_emb(q, k, *rotary)
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx)
        kind = self.config._attn_implementation or "eager"
        attend: Callable[..., tuple[Tensor, Any]] = ALL_ATTENTION_FUNCTIONS.get_interface(kind, eager_attention_forward)
        seen, _ = attend(self, q, k, v, mask, dropout=0.0, scaling=self.scaling)
        return self.wo(seen.reshape(batch, length, -1), image)


class FeedForward(nn.Module):
    """`w2(act(w1(x)) · w3(x))`."""

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.w1 = PartialLora(width, inner, config.plora("w1"))
        self.w3 = PartialLora(width, inner, config.plora("w3"))
        self.w2 = PartialLora(inner, width, config.plora("w2"))
        self.act = ACT2FN[config.hidden_act]

    def forward(self, x: Tensor, image: slice | None) -> Tensor:
        """(B, L, D) → (B, L, D)."""
        return self.w2(self.act(self.w1(x, image)).mul_(self.w3(x, image)), image)


class Layer(nn.Module):
    """One block: attention and feed-forward, each after its own norm and added to what came in."""

    def __init__(self, config: XComposer2Config, layer_idx: int) -> None:
        super().__init__()
        self.attention = Attention(config, layer_idx)
        self.feed_forward = FeedForward(config)
        self.attention_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.ffn_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None, cache: Cache | None, image: slice | None
    ) -> Tensor:
        """(B, L, D) → (B, L, D)."""
        x = x + self.attention(self.attention_norm(x), rotary, mask, cache, image)
        return x + self.feed_forward(self.ffn_norm(x), image)


class Decoder(nn.Module):
    """Token embeddings, the layers, the last norm."""

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self, x: Tensor, cache: Cache | None = None, image: slice | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """
        Args:
            x: (B, L, D) embeddings of the positions after those in `cache`.
            cache: keys and values so far; extended.
            image: which of the L positions show a picture.
            mask: (B, past + L), 1 where there is a token; None when there are tokens everywhere.

        Returns:
            (B, L, D) after the last norm.
        """
        past = cache.get_seq_length() if cache is not None else 0
        positions = torch.arange(past, past + x.shape[1], device=x.device).unsqueeze(0)
        causal: Any = create_causal_mask(self.config, x, mask, cache, positions)
        rotary = self._rotary(positions, x.dtype)
        for layer in self.layers:
            x = layer(x, rotary, causal, cache, image)
        return self.norm(x)

    def _rotary(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """(1, L) → cosines and sines, (1, L, head_dim) each: computed in float32, then cast."""
        dim = self.config.head_dim
        steps = torch.arange(0, dim, 2, device=positions.device, dtype=torch.float32) / dim
        angles = positions.unsqueeze(-1).float() * (1.0 / self.config.rotary_base**steps)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(dtype), angles.sin().to(dtype)


class InternLMXComposer2ForCausalLM(PreTrainedModel, GenerationMixin):
    """Vision tower, projector, decoder and head under the published names.

    For a prompt with a picture: `embed_picture`, `prefill`, then `generate` with the cache that came out.
    """

    config_class = XComposer2Config
    base_model_prefix = "model"
    main_input_name = "input_ids"
    _no_split_modules = ["Layer", "CLIPEncoderLayer"]  # noqa: RUF012 - a plain attribute of the base class
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _keys_to_ignore_on_load_unexpected = list(IGNORED)  # noqa: RUF012
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__(config)
        self.config: XComposer2Config = config
        self.model = Decoder(config)
        self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        tower = CLIPVisionModel(config.vision)
        # Its output is not used, and a checkpoint may lack it.
        tower.post_layernorm = nn.Identity()  # pyright: ignore[reportAttributeAccessIssue]
        self.vit = nn.ModuleDict({"vision_tower": nn.ModuleDict({"vision_model": tower})})
        cell = 4 * config.vision.hidden_size
        self.vision_proj = nn.Sequential(
            nn.Linear(cell, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)
        )
        self.plora_glb_GN = nn.Parameter(torch.zeros(1, 1, cell))
        self.plora_sub_GN = nn.Parameter(torch.zeros(1, 1, 1, cell))
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Of token ids."""
        return self.model.tok_embeddings

    def get_output_embeddings(self) -> nn.Module:
        """The head."""
        return self.output

    def see(self, pixels: Tensor) -> Tensor:
        """What the tower sees, in reading order, separators included.

        The global view comes first: the whole picture squeezed to one tile. Then the tiles, laid side by side again.
        Every row of cells ends with a separator, and another one stands between the two parts.

        Args:
            pixels: (1, 3, 336·down, 336·across) float32, normalised.

        Returns:
            (1, N, 4C), N = (across · down + 1) · 144 + 1 + (down + 1) · 12.
        """
        _, _, height, width = pixels.shape
        down, across = height // TILE, width // TILE
        whole = F.interpolate(pixels, (TILE, TILE), mode="bicubic", align_corners=False)
        tiles = pixels.view(3, down, TILE, across, TILE).permute(1, 3, 0, 2, 4).reshape(-1, 3, TILE, TILE)
        patches = self._patches(torch.cat((whole, tiles)))
        channels = patches.shape[-1]
        cells = patches.float().view(-1, CELLS, 2, CELLS, 2, channels).transpose(2, 3).flatten(4).flatten(3)
        local = cells[1:].view(down, across, CELLS, CELLS, -1).transpose(1, 2)
        parts = (
            self._with_newlines(cells[0]),
            self.plora_glb_GN[0],
            self._with_newlines(local.reshape(down * CELLS, across * CELLS, -1)),
        )
        return torch.cat(parts).unsqueeze(0)

    def _patches(self, tiles: Tensor) -> Tensor:
        """(T, 3, 336, 336) → (T, 576, C): all tiles in one batch.

        In half precision on a GPU as the published demo does: autocast, so that the residual stream is float32.
        """
        tower = self.get_submodule("vit.vision_tower.vision_model")
        dtype = next(tower.parameters()).dtype
        cuda = tiles.device.type == "cuda" and dtype is not torch.float32
        with torch.autocast("cuda", dtype, enabled=cuda):
            return tower(tiles if cuda else tiles.to(dtype)).last_hidden_state[:, 1:]

    def _with_newlines(self, rows: Tensor) -> Tensor:
        """(rows, cells, 4C) → (rows · (cells + 1), 4C): a separator after every row."""
        newline = self.plora_sub_GN[0].expand(rows.shape[0], 1, -1)
        return torch.cat((rows, newline.to(rows.dtype)), dim=1).flatten(0, 1)

    def embed_picture(self, pixels: Tensor) -> Tensor:
        """(1, 3, 336·down, 336·across) float32 → (1, N, D): the picture as tokens of the decoder."""
        return self.vision_proj(self.see(pixels.to(self.device)).to(self.plora_glb_GN.dtype))

    def embed_prompt(self, ids: list[int], picture: Tensor | None = None) -> tuple[Tensor, slice | None]:
        """The whole prompt as embeddings, and which positions are the picture: it stands after the first token.

        Args:
            ids: the prompt's tokens, the beginning-of-text token first.
            picture: (1, N, D), or None for text alone.
        """
        text = self.model.tok_embeddings(torch.tensor([ids], device=self.device))
        if picture is None:
            return text, None
        return torch.cat((text[:, :1], picture.to(text.dtype), text[:, 1:]), dim=1), slice(1, 1 + picture.shape[1])

    def prefill(
        self, embeds: Tensor, image: slice | None = None, beams: int = 1, stopped: Callable[[], bool] = lambda: False
    ) -> Cache:
        """Runs a prompt once, without its last position, which `generate` takes as its first step.

        Args:
            embeds: (1, L, D).
            image: which positions show a picture.
            beams: how many will go on from here.
            stopped: asked between chunks of a long prompt; True gives up.

        Returns:
            the cache of L - 1 positions, ready for `generate(inputs_embeds=embeds, past_key_values=cache)`.
        """
        cache = DynamicCache()
        end = embeds.shape[1] - 1
        for start in range(0, end, CHUNK):
            if stopped():
                break
            part = embeds[:, start : min(start + CHUNK, end)]
            self.model(part, cache, _within(image, start, part.shape[1]))
        return share_prefix(cache) if beams > 1 else cache

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 1,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits, (B, logits_to_keep, V) float32, of text after what is in the cache; 0 keeps all positions."""
        x = self.model.tok_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        hidden = self.model(x, past_key_values, mask=attention_mask)
        logits = self.output(hidden[:, -logits_to_keep:]).float()
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)  # pyright: ignore


def _within(image: slice | None, start: int, length: int) -> slice | None:
    """What of `image` lies among `length` positions from `start`, counted from there; None when nothing does."""
    if image is None:
        return None
    first, last = max(image.start - start, 0), min(image.stop - start, length)
    return slice(first, last) if first < last else None
