"""The captioner's network: CLIP sees tiles, a projector makes them tokens, an InternLM2 decoder writes.

Written from the description of InternLM-XComposer2-4KHD. Letters in shapes: L positions of a prompt, N positions of a
pass (of several texts, one after the other), D decoder width, C vision channels, T tiles, V vocabulary.

A picture is the first thing in a prompt and one run of positions, so "the image rows" are a slice. Partial LoRA, the
low-rank path that was trained for pictures, runs on that slice alone, and never on a token that was generated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPVisionModel, PreTrainedModel
from transformers.activations import ACT2FN
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from sgv_demo.engines.local.cache import Batch, Cache, CacheShape, rotate
from sgv_demo.engines.local.clip import MEAN, STD
from sgv_demo.engines.sharecaptioner.config import XComposer2Config
from sgv_demo.engines.sharecaptioner.tiling import CELLS, TILE
from sgv_demo.types import Picture

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

    def __init__(self, config: XComposer2Config, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        self.kv_heads = config.num_key_value_heads
        self.groups = config.num_attention_heads // config.num_key_value_heads
        packed = (config.num_attention_heads + 2 * self.kv_heads) * self.head_dim
        self.wqkv = PartialLora(config.hidden_size, packed, config.plora("wqkv"), config.bias)
        self.wo = PartialLora(config.hidden_size, config.hidden_size, config.plora("wo"), config.bias)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], batch: Batch) -> Tensor:
        """(1, N, D) → (1, N, D). Packed: for each kv head its query heads, then its key, then its value."""
        packed = self.wqkv(x, batch.image)[0].view(-1, self.kv_heads, self.groups + 2, self.head_dim)
        q = packed[:, :, :-2].flatten(1, 2)
        k, v = packed[:, :, -2], packed[:, :, -1]
        seen = batch.attend(self.layer, rotate(q, *rotary), rotate(k, *rotary), v)
        return self.wo(seen[None], batch.image)


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

    def __init__(self, config: XComposer2Config, layer: int) -> None:
        super().__init__()
        self.attention = Attention(config, layer)
        self.feed_forward = FeedForward(config)
        self.attention_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.ffn_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], batch: Batch) -> Tensor:
        """(1, N, D) → (1, N, D)."""
        x = x + self.attention(self.attention_norm(x), rotary, batch)
        return x + self.feed_forward(self.ffn_norm(x), batch.image)


class Decoder(nn.Module):
    """Token embeddings, the layers, the last norm."""

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__()
        self.config = config
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        """(1, N, D) embeddings of the batch's positions → (1, N, D) after the last norm; its caches are extended."""
        rotary = self._rotary(batch.positions, x.dtype)
        for layer in self.layers:
            x = layer(x, rotary, batch)
        batch.finish()
        return self.norm(x)

    def _rotary(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """(N,) → cosines and sines, (N, 1, head_dim) each: computed in float32, then cast."""
        dim = self.config.head_dim
        steps = torch.arange(0, dim, 2, device=positions.device, dtype=torch.float32) / dim
        angles = positions[:, None].float() * (1.0 / self.config.rotary_base**steps)
        angles = torch.cat((angles, angles), dim=-1).unsqueeze(1)
        return angles.cos().to(dtype), angles.sin().to(dtype)


class InternLMXComposer2ForCausalLM(PreTrainedModel):
    """Vision tower, projector, decoder and head under the published names: a `decoding.Network`.

    For a prompt with a picture: `embed_picture`, `embed_prompt`, then `decoding.generate`.
    """

    config_class = XComposer2Config
    base_model_prefix = "model"
    main_input_name = "input_ids"
    _no_split_modules = ["Layer", "CLIPEncoderLayer"]  # noqa: RUF012 - a plain attribute of the base class
    _keys_to_ignore_on_load_unexpected = list(IGNORED)  # noqa: RUF012
    _supports_sdpa = True

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

    @property
    def cache_shape(self) -> CacheShape:
        """What one position of a text takes."""
        config, dtype = self.config, self.plora_glb_GN.dtype
        return CacheShape(config.num_hidden_layers, config.num_key_value_heads, config.head_dim, dtype, self.device)

    def new_cache(self) -> Cache:
        """An empty cache for one text."""
        return Cache(self.cache_shape)

    def embed(self, ids: Tensor) -> Tensor:
        """(n,) token ids → (1, n, D)."""
        return self.model.tok_embeddings(ids)[None]

    def hidden(self, x: Tensor, batch: Batch) -> Tensor:
        """(1, N, D) embeddings of the batch's positions → (1, N, D) after the last norm; its caches are extended."""
        return self.model(x, batch)

    def logits(self, hidden: Tensor) -> Tensor:
        """(m, D) → (m, V) float32."""
        return self.output(hidden).float()


def pixels(fitted: Picture) -> Tensor:
    """(h, w, 3) uint8 → (1, 3, h, w) float32, normalised as CLIP was trained."""
    values = torch.from_numpy(fitted.copy()).permute(2, 0, 1).float() / 255
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return ((values - mean) / std).unsqueeze(0)
