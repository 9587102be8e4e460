"""A captioner step with a pair picture and 3 beams: the published computation against ours, same weights, same ids.

Published, restated: tiles through the tower one by one, the prompt copied for every beam before the prefill, logits at
every position of it, the low-rank path by boolean mask and, during decoding, on a row that it is then multiplied by 0
for. Ours: one batch of tiles, the prompt once with its cache shared by the beams, the last position's logits, the
low-rank path on a slice of the prefill alone. Both float32, sdpa, random weights of a middling size in the real
proportions; none of the gain is from lower precision.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionConfig
from transformers.modeling_outputs import CausalLMOutputWithPast

from sgv_demo.engines.sharecaptioner.config import XComposer2Config
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM, PartialLora

GOAL = 2.0
BEAMS = 3
NEW_TOKENS = 24
TEXT_TOKENS = 66
"""Of a pair prompt with a short previous answer."""


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
    """The same network with the published way through it."""

    image: slice | None = None

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__(config)
        for module in self.modules():
            if type(module) is PartialLora:
                module.__class__ = PublishedLora

    def _patches(self, tiles: Tensor) -> Tensor:
        return torch.cat([super(Published, self)._patches(tile[None]) for tile in tiles])

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits of every position, as published, whatever `logits_to_keep` asks for."""
        x = self.model.tok_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        hidden = self.model(x, past_key_values, self.image if inputs_embeds is not None else None, attention_mask)
        return CausalLMOutputWithPast(logits=self.output(hidden).float(), past_key_values=past_key_values)  # pyright: ignore


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
    lookup(ours)
    if their_ids != our_ids:
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
    embeds, image = network.embed_prompt(ids, network.embed_picture(pixels))
    cache = network.prefill(embeds, image, beams=BEAMS)
    return decode(network, inputs_embeds=embeds, past_key_values=cache)


@torch.inference_mode()
def published_step(network: Any, pixels: Tensor, ids: list[int]) -> list[int]:
    """Everything inside `generate`, which copies the prompt for every beam first."""
    embeds, network.image = network.embed_prompt(ids, network.embed_picture(pixels))
    return decode(network, inputs_embeds=embeds)


def decode(network: Any, **inputs: Any) -> list[int]:
    """`NEW_TOKENS` of the best of 3 beams."""
    options = {
        "num_beams": BEAMS,
        "max_new_tokens": NEW_TOKENS,
        "do_sample": False,
        "pad_token_id": 2,
        "eos_token_id": None,
    }
    return network.generate(**inputs, **options)[0].tolist()


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


@torch.inference_mode()
def lookup(network: Any) -> None:
    """Prompt lookup on a summary-like prompt that says the same line over and over: exactness and time."""
    line = torch.randint(3, network.config.vocab_size, (24,))
    prompt = line.repeat(12)[None]
    options = {"max_new_tokens": NEW_TOKENS, "do_sample": False, "pad_token_id": 2, "eos_token_id": None}
    began = time.process_time()
    ids = network.generate(prompt, **options).tolist()
    middle = time.process_time()
    same = network.generate(prompt, prompt_lookup_num_tokens=8, **options).tolist()
    plain, guessed = middle - began, time.process_time() - middle
    print(
        f"prompt lookup, greedy: {guessed / plain:.2f} times the work, ids {'equal' if ids == same else 'DIFFERENT'}; "
        "random weights copy nothing, so this is its cost, not its gain"
    )


if __name__ == "__main__":
    main()
