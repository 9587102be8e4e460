"""How fast a device is at both models' real shapes: weights of noise, made where they are needed, loaded as real ones.

The quantization and the networks are those of a real load; only nothing is read, so that a new card tells in two
minutes what it would do with weights of 17 GB.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LlavaNextConfig

from sgv_demo.engines.local.decoding import Sampler, Text, generate
from sgv_demo.engines.local.loading import empty_cache, memory_guard, quantization_config
from sgv_demo.engines.sharecaptioner.checkpoint import KEPT_WHOLE, empty_network
from sgv_demo.engines.sharecaptioner.config import XComposer2Config
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM
from sgv_demo.engines.sharecaptioner.tiling import TILE
from sgv_demo.engines.sharegpt4video import network as llava
from sgv_demo.engines.sharegpt4video.figures import PROMPT_TEXT, published_network
from sgv_demo.engines.sharegpt4video.tiles import Size, plan_tiles
from sgv_demo.engines.sharegpt4video.tokens import PICTURE
from sgv_demo.errors import SgvError

NEW_TOKENS = 64
"""Written after the first, to tell how many a second."""
PAIR_TILES = (3, 4)
"""Across and down: two 16:9 frames, one above the other, in at most 16 tiles."""
PAIR_TEXT = 250
"""Tokens of the differential prompt with the caption before."""
GRID = (672, 672)
"""Pixels of the canvas that a grid of 16 frames is laid on."""


@dataclass(frozen=True, slots=True)
class Speed:
    """One step, warm."""

    what: str
    prompt_tokens: int
    first_seconds: float
    """From the picture's pixels to the first token."""
    tokens_per_second: float
    """Of the tokens after the first."""

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.prompt_tokens:,} tokens read and the first written in {self.first_seconds:.2f} s,"
            f" then {self.tokens_per_second:.0f} tokens/s"
        )


def speeds(device: torch.device, quantization: str = "nf4") -> Iterator[Speed | SgvError]:
    """A pair step, then a question, at the published shapes; an error in the place of one that doesn't fit."""
    for measure in (pair_step, question):
        try:
            yield measure(device, quantization)
        except SgvError as error:
            yield error
        empty_cache(device)


def pair_step(device: torch.device, quantization: str, config: XComposer2Config | None = None) -> Speed:
    """A differential caption of two frames.

    Raises:
        OutOfMemoryError: the network or the step doesn't fit.
    """
    config = config or XComposer2Config()
    network = _noisy(InternLMXComposer2ForCausalLM, config, empty_network(config), KEPT_WHOLE, device, quantization)
    across, down = PAIR_TILES
    pixels = torch.rand(1, 3, TILE * down, TILE * across, device=device)
    ids = [i % config.vocab_size for i in range(3, PAIR_TEXT)]

    def begin() -> Text:
        prompt, image = network.embed_prompt(ids, network.embed_picture(pixels))
        return Text(prompt, network.new_cache(), Sampler(NEW_TOKENS + 1, ()), image)

    return _timed("a pair of keyframes", network, begin, device)


def question(
    device: torch.device, quantization: str, config: LlavaNextConfig | None = None, canvas: Size = GRID
) -> Speed:
    """An answer about a grid of frames.

    Raises:
        OutOfMemoryError: the network or the step doesn't fit.
    """
    config = config or published_network()
    config.image_token_index = PICTURE
    network = _noisy(llava.Network, config, llava.meta_network(config), llava.UNQUANTIZED, device, quantization)
    vision: Any = config.vision_config
    tiling = plan_tiles(canvas, (canvas,), vision.image_size)
    across, down = tiling.tiles
    views = torch.rand(1 + across * down, 3, vision.image_size, vision.image_size, device=device, dtype=network.dtype)

    def begin() -> Text:
        seen = llava.picture_embeddings(network, views, tiling)
        ids = [*range(3, PROMPT_TEXT // 2), *[PICTURE] * len(seen), *range(3, PROMPT_TEXT // 2)]
        return Text(llava.prompt_embeddings(network, ids, seen), network.new_cache(), Sampler(NEW_TOKENS + 1, ()))

    return _timed("a question about 16 frames", network, begin, device)


def _noisy(kind: Any, config: Any, shapes: Any, whole: tuple[str, ...], device: torch.device, quantization: str) -> Any:
    """A network of noise. Every tensor is one short row of it, seen as often as its shape wants, so it takes no memory
    before it is quantized."""
    wide = max(value.shape[-1] for value in shapes.parameters())
    noise = (torch.rand(wide, generator=torch.Generator().manual_seed(0)) - 0.5) * 0.04
    state: dict[str, Tensor] = {
        name: noise[: value.shape[-1]].to(torch.float16).expand(value.shape)
        for name, value in shapes.named_parameters()
    }
    with memory_guard(device):
        network: Any = kind.from_pretrained(
            None,
            state_dict=state,
            config=config,
            dtype=torch.float16,
            quantization_config=quantization_config(quantization, whole, torch.float16),
            device_map={"": device},
            local_files_only=True,
        )
    return network.eval()


def _timed(what: str, network: Any, begin: Callable[[], Text], device: torch.device) -> Speed:
    """The second of two steps, as the first one also prepares kernels."""
    speed = Speed(what, 0, 0.0, 0.0)
    for _ in range(2):
        _wait(device)
        began = time.perf_counter()
        with memory_guard(device), torch.inference_mode():
            text = begin()
            tokens = text.prompt.shape[1]
            written = generate(network, text)
            next(piece for piece in written if piece)
            first = time.perf_counter()
            count = sum(len(piece) for piece in written)
        _wait(device)
        speed = Speed(what, tokens, first - began, count / (time.perf_counter() - first))
    return speed


def _wait(device: torch.device) -> None:
    """Until the device has done what it was given: it works behind our back."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
