"""What quantizing each part of the captioner costs in accuracy and saves in memory, and what reloading 4-bit saves.

Weights of one part after the other are rounded to nf4 (double quantization, blocks of 64) or int8 (a scale for each
row) and put back as float32, so that nothing but the rounding differs; the error is the root mean square of the change
of all logits of a pair prompt, as a share of theirs. The network is of a middling size in the real proportions and
random, but calm as a trained one is: branches add little to the residual stream, low-rank paths a tenth of their
linears. So the order of the parts and the rough size of the errors are what this tells. Bytes are the published
model's.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from bitsandbytes import functional
from torch import Tensor

from benchmarks.captioner import TEXT_TOKENS, middling
from benchmarks.real_size import TOKENIZER
from sgv_demo.engines.local.loading import gigabytes
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner.checkpoint import empty_network, expected_shapes, quantized_parameter
from sgv_demo.engines.sharecaptioner.config import ARCHITECTURE, SIZES, XComposer2Config
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM

RUNS = 3

PARTS: dict[str, Callable[[str], bool]] = {
    "decoder": quantized_parameter,
    "low-rank paths": lambda name: "Plora_" in name,
    "output head": lambda name: name == "output.weight",
    "projector": lambda name: name.startswith("vision_proj") and name.endswith("weight"),
    "vision tower": lambda name: name.startswith("vit.") and name.endswith("weight"),
}
"""The first is what `--quantization` quantizes; the others keep their number type."""


def main() -> None:
    """Prints the table of parts, then loading and reloading."""
    torch.manual_seed(0)
    torch.set_num_threads(2)
    config = middling()
    network = calm_network(config)
    pixels = torch.randn(1, 3, 1008, 1008)
    ids = torch.randint(3, config.vocab_size, (TEXT_TOKENS,)).tolist()
    exact = logits(network, pixels, ids)
    whole = {name: value.numel() for name, value in empty_network(XComposer2Config()).named_parameters()}
    print(f"{'part':16}{'nf4: error':>12}{'same word':>11}{'int8: error':>13}{'same word':>11}{'nf4 saves':>12}")
    for part, belongs in PARTS.items():
        cells = ""
        for kind in ("nf4", "int8"):
            other = logits(rounded(network, belongs, kind), pixels, ids)
            error = ((other - exact).square().mean() / exact.square().mean()).sqrt().item()
            same = (other.argmax(-1) == exact.argmax(-1)).float().mean().item()
            cells += f"{error:>12.3f}{same:>11.0%}" + (" " if kind == "nf4" else "")
        # 16 bits become 4 and the scales of the blocks.
        saved = sum(count for name, count in whole.items() if belongs(name)) * (2 - 0.516)
        print(f"{part:16}{cells}{gigabytes(saved):>12}", flush=True)
    reloading(config)


def calm_network(config: XComposer2Config) -> Any:
    """Random float32 weights whose roundings aren't amplified from layer to layer."""
    network: Any = InternLMXComposer2ForCausalLM(config).eval()
    branch = (2 * config.num_hidden_layers) ** -0.5
    for name, value in network.named_parameters():
        if value.ndim != 2 or name.startswith("vit"):
            continue
        closing = any(part in name for part in (".wo.", ".w2."))
        scale = (branch if closing else 1.0) * (0.1 if "Plora_B" in name else 1.0)
        std = scale if "tok_embeddings" in name else scale * value.shape[1] ** -0.5
        torch.nn.init.normal_(value, std=std)
    return network


@torch.inference_mode()
def logits(network: Any, pixels: Tensor, ids: list[int]) -> Tensor:
    """(L, V) of a prompt with a picture."""
    embeds, image = network.embed_prompt(ids, network.embed_picture(pixels))
    return network.output(network.model(embeds, None, image))[0].float()


def rounded(network: Any, belongs: Callable[[str], bool], kind: str) -> Any:
    """A copy whose matrices of one part went through `kind` and back."""
    copy = deepcopy(network)
    with torch.no_grad():
        for name, value in copy.named_parameters():
            if belongs(name) and value.ndim == 2:
                value.copy_(through_nf4(value) if kind == "nf4" else through_int8(value))
    return copy


def through_nf4(weight: Tensor) -> Tensor:
    """(out, in) as bitsandbytes' 4-bit linear sees it."""
    packed, state = functional.quantize_4bit(weight.detach(), quant_type="nf4", compress_statistics=True)
    return functional.dequantize_4bit(packed, state).to(weight.dtype)


def through_int8(weight: Tensor) -> Tensor:
    """(out, in), each row with the scale of its largest value."""
    scale = weight.detach().abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
    return (weight.detach() / scale).round() * scale


def reloading(config: XComposer2Config) -> None:
    """Loads an fp16 checkpoint into nf4, and that again from what was saved; the fastest of a few runs each."""
    with tempfile.TemporaryDirectory() as place:
        published, saved = Path(place) / "published", Path(place) / "nf4"
        published.mkdir()
        write(published, config)
        _load(published).save_quantized(saved)
        first, again = (min(_seconds(folder)) for folder in (published, saved))
        on_disk = [sum(file.stat().st_size for file in folder.iterdir()) for folder in (published, saved)]
    print(f"\nload fp16, quantize {first:6.2f} s  ({gigabytes(on_disk[0])} on disk)")
    print(f"reload nf4          {again:6.2f} s  ({gigabytes(on_disk[1])} on disk)   {first / again:.1f} times as fast")


def _load(folder: Path) -> sharecaptioner.ShareCaptioner:
    return sharecaptioner.load(str(folder), quantization="nf4", dtype="bfloat16", device="cpu")


def _seconds(folder: Path) -> list[float]:
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        _load(folder)
        found.append(time.perf_counter() - began)
    return found


def write(folder: Path, config: XComposer2Config) -> None:
    """A random fp16 checkpoint in the published layout."""
    shapes = expected_shapes(config).items()
    torch.save({name: (torch.randn(shape) * 0.02).half() for name, shape in shapes}, folder / "pytorch_model.bin")
    raw = {name: getattr(config, name) for name in SIZES}
    (folder / "config.json").write_text(json.dumps({"architectures": [ARCHITECTURE], "rope_theta": 1e6, **raw}))
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / name, folder / name)


if __name__ == "__main__":
    main()
