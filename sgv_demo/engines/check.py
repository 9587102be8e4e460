"""A known answer: tiny networks of both models' own code, with weights from a formula, must write the recorded ids.

Packages move, and a changed default or a renamed argument makes a network write fluent nonsense without any error. So
each model is tried before its weights are read: a picture, a prompt in two chunks, greedy decoding, beams; in float32.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig

from sgv_demo.engines.local.decoding import CHUNK, Beams, Chooser, Network, Sampler, Text, generate
from sgv_demo.engines.local.loading import free_memory
from sgv_demo.engines.sharecaptioner.config import LINEARS, XComposer2Config
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM
from sgv_demo.engines.sharegpt4video import network as llava
from sgv_demo.engines.sharegpt4video.tiles import plan_tiles
from sgv_demo.engines.sharegpt4video.tokens import PICTURE
from sgv_demo.engines.speed import speeds
from sgv_demo.errors import EngineError
from sgv_demo.times import gigabytes

PACKAGES = ("torch", "transformers", "tokenizers", "bitsandbytes", "accelerate", "numpy", "pillow")
"""Whose versions decide what comes out."""
TRYING = "Trying the model's code on a known answer"
"""What a page shows meanwhile."""
VOCABULARY = 64
NEW_TOKENS = 8
BEAMS = 3

CAPTIONER = ((19, 7, 9, 19, 52, 56, 19, 7), (19, 7, 9, 19, 52, 56, 18, 17))
"""What the tiny captioner writes: greedily, and with beams. At every step the likeliest token leads by 0.02 or more."""
ANSWERER = ((8, 32, 11, 52, 6, 24, 55, 6), (8, 32, 11, 52, 6, 24, 40, 56))
"""What the tiny answerer writes."""


def check_captioner(device: torch.device | None = None) -> None:
    """
    Raises:
        EngineError: the captioner's code doesn't give its known answer with the packages that are installed here.
    """
    _compare("captioner", CAPTIONER, lambda: captioner_ids(device or torch.device("cpu")))


def check_answerer(device: torch.device | None = None) -> None:
    """
    Raises:
        EngineError: the answerer's code doesn't give its known answer with the packages that are installed here.
    """
    _compare("answerer", ANSWERER, lambda: answerer_ids(device or torch.device("cpu")))


def report() -> Iterator[str]:
    """Line by line: versions, devices and their memory, whether each gives the known answers, and how fast GPUs are at
    both models' real sizes.

    Raises:
        EngineError: one does not.
    """
    yield f"Python {platform.python_version()} on {platform.system()} {platform.machine()}; {versions()}"
    devices = [torch.device("cpu")]
    if torch.cuda.is_available():
        devices += [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    for device in devices:
        free = free_memory(device)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
        yield f"{name}: {gigabytes(free)} free" if free is not None else name
        for what, check in (("captioner", check_captioner), ("answerer", check_answerer)):
            began = time.perf_counter()
            check(device)
            yield f"{name}: the {what} gives its known answer ({time.perf_counter() - began:.1f} s)"
        if device.type == "cuda":
            yield f"{name}: making both models of noise at their real sizes in nf4, some minutes …"
            for speed in speeds(device):
                yield f"{name}: {speed}"


def versions() -> str:
    """The installed packages that decide what comes out, in one line."""
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def captioner_ids(device: torch.device) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tiny captioner writes about a made picture: greedily, and with beams."""
    vision = _vision(336, layers=2)
    config = XComposer2Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        plora_rank={name: 2 if name == "wqkv" else 4 for name in LINEARS},
        vision_config=vision,
    )
    network = _filled(InternLMXComposer2ForCausalLM(config), device)
    picture = network.embed_picture(formula((1, 3, 336, 672), 1).to(device))
    prompt, image = network.embed_prompt([i % VOCABULARY for i in range(1, CHUNK - 400)], picture)
    return _decoded(network, lambda chooser: Text(prompt, network.new_cache(), chooser, image))


def answerer_ids(device: torch.device) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tiny answerer writes about a made picture of two tiles: greedily, and with beams."""
    text = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
    )
    config = LlavaNextConfig(vision_config=_vision(28, layers=3), text_config=text, image_token_index=PICTURE)
    network = _filled(llava.Network(config), device)
    tiling = plan_tiles((50, 28), ((56, 28),), 28)
    seen = llava.picture_embeddings(network, formula((3, 3, 28, 28), 1).to(device), tiling)
    ids = [1, 2, 3, *[PICTURE] * len(seen), *(i % VOCABULARY for i in range(CHUNK))]
    prompt = llava.prompt_embeddings(network, ids, seen)
    return _decoded(network, lambda chooser: Text(prompt, network.new_cache(), chooser))


def formula(shape: tuple[int, ...], number: int) -> Tensor:
    """Numbers in [-1, 1) that look random and are the same everywhere: whole arithmetic, then one exact division."""
    n = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    return (((40503 * n * n + 2477 * n + 7919 * number) % 65536) / 32768 - 1).float().reshape(shape)


def _filled(network: Any, device: torch.device) -> Any:
    """Weights by the formula, in the sizes that let every part have a say."""
    with torch.no_grad():
        for number, (name, value) in enumerate(sorted(network.named_parameters())):
            made = formula(tuple(value.shape), number)
            if "norm" in name or "layrnorm" in name:
                made = 1 + 0.1 * made if name.endswith("weight") else 0.1 * made
            elif value.ndim > 1 and "embed" not in name and "GN" not in name:
                made = made * 2.5 / (value.numel() / value.shape[0]) ** 0.5
            value.copy_(made)
    return network.float().to(device).eval()


def _vision(side: int, layers: int) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=2,
        image_size=side,
        patch_size=14,
        hidden_act="quick_gelu",
    )


def _decoded(network: Network, begin: Callable[[Chooser], Text]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    choosers = (Sampler(NEW_TOKENS, ()), Beams(BEAMS, NEW_TOKENS, ()))
    greedy, beams = (tuple(i for new in generate(network, begin(chooser)) for i in new) for chooser in choosers)
    return greedy, beams


def _compare(what: str, known: tuple[tuple[int, ...], ...], run: Callable[[], tuple[tuple[int, ...], ...]]) -> None:
    try:
        with torch.inference_mode():
            found = run()
    except (AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError) as error:
        raise EngineError(
            f"The {what}'s code does not run with {versions()} ({type(error).__name__}); install what requirements.txt"
            " names: pip install -r requirements.txt."
        ) from error
    if found != known:
        raise EngineError(
            f"The {what} would write nonsense with {versions()}: a tiny one gave another answer than it was recorded"
            " to; install what requirements.txt names: pip install -r requirements.txt."
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
