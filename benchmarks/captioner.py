"""A captioner step with a pair picture and 3 beams: the published computation against ours, same weights, same ids.

Published, restated: tiles through the tower one by one, the prompt copied for every beam before the prefill, logits at
every position of it, the low-rank path by boolean mask and, during decoding, on a row that it is then multiplied by 0
for. Ours: one batch of tiles, the prompt once with its cache shared by the beams, the last position's logits, the
low-rank path on a slice of the prefill alone. Both float32, sdpa, random weights of a middling size in the real
proportions; none of the gain is from lower precision. Then our decoding against transformers' `generate`, on text.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionConfig, LlamaConfig, LlamaForCausalLM

from sgv_demo.engines.local.cache import Batch, Span
from sgv_demo.engines.local.decoding import Beams, Sampler, Text, generate
from sgv_demo.engines.sharecaptioner.config import XComposer2Config
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM, PartialLora

GOAL = 2.0
BEAMS = 3
NEW_TOKENS = 24
TEXT_TOKENS = 66
"""Of a pair prompt with a short previous answer."""
PROMPT_TOKENS = 1024
"""Of the text that transformers' `generate` and our decoding go on from."""


class PublishedLora(PartialLora):
    """The low-rank path as it ran."""

    def forward(self, x: Tensor, image: slice | None) -> Tensor:
        y = self.base(x)
        if image is None:
            y[:, :1] += 0 * self.Plora_B(self.Plora_A(x[:, :1]) * self.scaling)
            return y
        mask = torch.zeros(x.shape[:2], dtype=torch.bool)
        mask[:, image] = True
        y[mask] += self.Plora_B(self.Plora_A(x[mask]) * self.scaling)
        return y


class Published(InternLMXComposer2ForCausalLM):
    """The same network with the published way through it: tile by tile, the low-rank path by mask."""

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__(config)
        for module in self.modules():
            if type(module) is PartialLora:
                module.__class__ = PublishedLora

    def _patches(self, tiles: Tensor) -> Tensor:
        return torch.cat([super(Published, self)._patches(tile[None]) for tile in tiles])


def main() -> None:
    """Prints times and ratios of both, and whether the ids are equal.

    Raises:
        SystemExit: the ids differ.
    """
    torch.manual_seed(0)
    torch.set_num_threads(2)
    config = middling()
    ours, theirs = random_network(InternLMXComposer2ForCausalLM, config), random_network(Published, config)
    theirs.load_state_dict(ours.state_dict())
    pixels = torch.randn(1, 3, 1008, 1008)
    ids = torch.randint(3, config.vocab_size, (TEXT_TOKENS,)).tolist()

    published, their_ids = timed(theirs, lambda: published_step(theirs, pixels, ids))
    own, our_ids = timed(ours, lambda: our_step(ours, pixels, ids))
    began = time.process_time()
    with torch.inference_mode():
        ours.embed_picture(pixels)
    seeing = time.process_time() - began

    print(
        f"network      {sum(p.numel() for p in ours.parameters()) / 1e6:.0f} M random parameters, float32, CPU seconds"
    )
    print(f"step         1,489 picture positions, {TEXT_TOKENS} of text, {BEAMS} beams, {NEW_TOKENS} new tokens")
    for row, (what, more) in enumerate((("prefill", ""), ("decode", ""), ("whole step", f" (goal {GOAL:.0f})"))):
        times = f"published {published[row]:6.2f} s   ours {own[row]:6.2f} s"
        print(f"{what:12} {times}   {published[row] / own[row]:4.1f} times less work{more}")
    print(f"ids          {'equal' if their_ids == our_ids else 'DIFFERENT'}")
    share = seeing / own[2]
    print(f"seeing       {seeing:.2f} s, {share:.0%} of our step: all that encoding the next picture early could hide,")
    print("             on a device that has nothing else to do; a CPU has, so it is not done")
    if not against_transformers(ours) or their_ids != our_ids:
        raise SystemExit(1)


def middling() -> XComposer2Config:
    """Three sixteenths of the real width, 8 layers; vocabulary, ranks and tower shrunk in proportion."""
    vision = CLIPVisionConfig(
        hidden_size=192,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=3,
        image_size=336,
        patch_size=14,
    )
    return XComposer2Config(
        vocab_size=92544 * 3 // 16,
        hidden_size=768,
        intermediate_size=2688,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=2,
        plora_rank={"wqkv": 8, "wo": 48, "w1": 48, "w2": 48, "w3": 48},
        vision_config=vision,
    )


def random_network(kind: type[InternLMXComposer2ForCausalLM], config: XComposer2Config) -> Any:
    """Weights large enough that tokens differ from step to step."""
    network = kind(config).eval()
    for name, value in network.named_parameters():
        if value.ndim == 2 and "vit" not in name:
            torch.nn.init.normal_(value, std=1.5 * value.shape[1] ** -0.5)
    return network


@torch.inference_mode()
def our_step(network: Any, pixels: Tensor, ids: list[int]) -> list[int]:
    """As `ShareCaptioner` does it."""
    prompt, image = network.embed_prompt(ids, network.embed_picture(pixels))
    return ids_of(network, Text(prompt, network.new_cache(), Beams(BEAMS, NEW_TOKENS, ()), image))


@torch.inference_mode()
def published_step(network: Any, pixels: Tensor, ids: list[int]) -> list[int]:
    """The whole prompt for every beam, all its logits, and caches that are copied when beams change."""
    prompt, image = network.embed_prompt(ids, network.embed_picture(pixels))
    beams = Beams(BEAMS, NEW_TOKENS, ())
    caches = [network.new_cache() for _ in range(BEAMS)]
    logits = prompt
    for cache in caches:
        logits = network.logits(network.hidden(prompt, Batch([Span(cache, prompt.shape[1], image)], prompt.device))[0])
    made = beams.take(logits[-1:])
    while not beams.done:
        caches = [copy.deepcopy(caches[parent]) for parent in beams.parents or ()]
        batch = Batch([Span(cache, 1) for cache in caches], prompt.device)
        made = beams.take(network.logits(network.hidden(network.embed(torch.tensor(beams.tokens)), batch)[0]))
    return made


def ids_of(network: Any, text: Text) -> list[int]:
    """All of a text's ids."""
    return [i for piece in generate(network, text) for i in piece]


@torch.inference_mode()
def against_transformers(network: InternLMXComposer2ForCausalLM) -> bool:
    """The same weights in transformers' Llama, which is this decoder without pictures, and its `generate`.

    Returns:
        Whether all ids are equal.
    """
    llama: Any = as_llama(network)
    ids = torch.randint(3, network.config.vocab_size, (PROMPT_TOKENS,))
    same = True
    for beams in (1, BEAMS):
        chooser = Beams(beams, NEW_TOKENS, ()) if beams > 1 else Sampler(NEW_TOKENS, ())
        text = Text(network.embed(ids), network.new_cache(), chooser)
        options = {"num_beams": beams, "max_new_tokens": NEW_TOKENS, "do_sample": False, "pad_token_id": 2}
        began = time.process_time()
        own = ids_of(network, text)
        middle = time.process_time()
        theirs = llama.generate(ids[None], eos_token_id=None, **options)[0, len(ids) :].tolist()
        ours, other = middle - began, time.process_time() - middle
        same = same and own == theirs
        print(
            f"generate     {PROMPT_TOKENS} positions of text, {beams} beam(s), {NEW_TOKENS} new tokens: transformers"
            f" {other:.2f} s   ours {ours:.2f} s   ids {'equal' if own == theirs else 'DIFFERENT'}"
        )
    return same


def as_llama(network: InternLMXComposer2ForCausalLM) -> LlamaForCausalLM:
    """transformers' Llama with this decoder's weights."""
    config = network.config
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    sizes: Any = {name: getattr(config, name) for name in (*names, "vocab_size", "rms_norm_eps")}
    rope: Any = {"rope_type": "default", "rope_theta": config.rotary_base}
    llama = LlamaForCausalLM(LlamaConfig(**sizes, max_position_embeddings=8192, rope_parameters=rope)).eval()
    state = {
        "model.embed_tokens.weight": network.model.tok_embeddings.weight,
        "model.norm.weight": network.model.norm.weight,
        "lm_head.weight": network.output.weight,
    }
    for i, layer in enumerate(network.model.layers):
        at: Any = layer
        packed = at.attention.wqkv.base.weight.view(config.num_key_value_heads, -1, config.head_dim, config.hidden_size)
        parts = {
            "self_attn.q_proj": packed[:, :-2].reshape(-1, config.hidden_size),
            "self_attn.k_proj": packed[:, -2].reshape(-1, config.hidden_size),
            "self_attn.v_proj": packed[:, -1].reshape(-1, config.hidden_size),
            "self_attn.o_proj": at.attention.wo.base.weight,
            "mlp.gate_proj": at.feed_forward.w1.base.weight,
            "mlp.up_proj": at.feed_forward.w3.base.weight,
            "mlp.down_proj": at.feed_forward.w2.base.weight,
            "input_layernorm": at.attention_norm.weight,
            "post_attention_layernorm": at.ffn_norm.weight,
        }
        state |= {f"model.layers.{i}.{name}.weight": value for name, value in parts.items()}
    llama.load_state_dict(state)
    return llama


def timed(network: Any, run: Callable[[], list[int]]) -> tuple[tuple[float, float, float], list[int]]:
    """CPU seconds of everything up to the first logits, of the rest, of both; and the ids.

    CPU time of this process, so that others on the machine don't count.
    """
    marks: list[float] = []
    hook = network.output.register_forward_hook(lambda *_: marks.append(time.process_time()))
    began = time.process_time()
    ids = run()
    end = time.process_time()
    hook.remove()
    return (marks[0] - began, end - marks[0], end - began), ids


if __name__ == "__main__":
    main()
