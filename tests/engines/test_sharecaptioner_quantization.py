"""What 4 and 8 bit touch, that the numbers are right, and that saved weights come back as they were."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bitsandbytes import functional as bnb
from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt
from torch import nn

from sgv_demo.engines.local import figures as memory
from sgv_demo.engines.local.decoding import CHUNK, Sampler, Text, prefill
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner.checkpoint import quantized_parameter
from sgv_demo.engines.sharecaptioner.engine import ShareCaptioner
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Frame, Keyframe, Trace
from tests.support.scripted import said
from tests.support.tiny_captioner import tiny_config, write_checkpoint

KINDS = {"nf4": Linear4bit, "int8": Linear8bitLt}
QUANTIZED = {
    f"model.layers.{layer}.{name}.base"
    for layer in range(2)
    for name in ("attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
}
KEYFRAME = Keyframe(0, Frame(0.0, np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)), None, 0.0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("captioner"), layout="shards")


def load(folder: Path, quantization: str, dtype: str = "float32") -> ShareCaptioner:
    return sharecaptioner.load(str(folder), quantization=quantization, dtype=dtype, device="cpu")


def network_of(engine: ShareCaptioner) -> Any:
    return engine._loaded()


def answer(engine: ShareCaptioner) -> tuple[list[str], Trace]:
    generation = engine.describe(KEYFRAME, GenerationOptions(max_new_tokens=6))
    return said(generation)


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_base_weights_are_quantized(checkpoint, kind):
    network = network_of(load(checkpoint, kind))
    found = {name for name, module in network.named_modules() if isinstance(module, KINDS[kind])}
    assert found == QUANTIZED
    plain = {name for name, module in network.named_modules() if type(module) is nn.Linear}
    assert {"output", "vision_proj.0", "model.layers.0.attention.wqkv.Plora_A"} <= plain
    assert any(name.startswith("vit.") for name in plain)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_stream_and_are_finite(checkpoint, kind):
    engine = load(checkpoint, kind)
    pieces, trace = answer(engine)
    assert len(trace.token_ids) == 6
    assert len([piece for piece in pieces if piece]) > 1
    network = network_of(engine)
    with torch.inference_mode():
        embeds, _ = network.embed_prompt(engine._tokenizer.encode_turn("boat"))
        assert torch.isfinite(prefill(network, Text(embeds, network.new_cache(), Sampler(1, ())))).all()
    assert engine.info.quantization == kind


def test_a_4_bit_linear_computes_with_its_own_dequantized_weights(checkpoint):
    linear = network_of(load(checkpoint, "nf4")).get_submodule("model.layers.0.feed_forward.w1.base")
    weight = bnb.dequantize_4bit(linear.weight.data, linear.weight.quant_state).float()
    x = torch.randn(1, 5, weight.shape[1], generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        error = (linear(x) - x @ weight.T).abs().max() / (x @ weight.T).abs().max()
    # bitsandbytes' repacking for AVX512-BF16 rounds scales and activations to bfloat16 (8 bits).
    assert error < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_saved_weights_come_back_bit_for_bit(checkpoint, kind, tmp_path):
    engine = load(checkpoint, kind)
    before = {name: value.clone() for name, value in network_of(engine).state_dict().items()}
    engine.save_quantized(tmp_path / "out")
    again = load(tmp_path / "out", "none")
    after = network_of(again).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert again.info.quantization == kind
    assert answer(engine)[1].token_ids == answer(again)[1].token_ids


def test_saved_weights_keep_ranks_scalings_and_ends(tmp_path):
    ranks = {"wqkv": 8, "wo": 24, "w1": 12, "w2": 16, "w3": 20}
    folder = write_checkpoint(tmp_path / "in", tiny_config(rank=ranks))
    (folder / "generation_config.json").write_text('{"eos_token_id": [2, 998]}')
    load(folder, "nf4").save_quantized(tmp_path / "out")
    told = json.loads((tmp_path / "out" / "config.json").read_text())
    assert told["plora_rank"] == ranks
    assert told["plora_alpha"] == {**ranks, "wqkv": 16}
    network = network_of(load(tmp_path / "out", "none"))
    assert network.model.layers[1].attention.wqkv.scaling == 2.0
    assert network.model.layers[1].feed_forward.w2.scaling == 1.0
    assert network.config.ends == [2, 998]


def test_unquantized_weights_are_not_saved(checkpoint, tmp_path):
    with pytest.raises(EngineError, match="not quantized"):
        load(checkpoint, "none").save_quantized(tmp_path)


def test_saving_into_a_file_is_told(checkpoint, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(EngineError, match="can't be written"):
        load(checkpoint, "nf4").save_quantized(tmp_path / "out")


def test_widths_that_bitsandbytes_gets_wrong_are_refused(tmp_path):
    config = dataclasses.replace(tiny_config(), intermediate_size=96)
    folder = write_checkpoint(tmp_path, config)
    with pytest.raises(EngineError, match="width 96 can't be quantized on a CPU"):
        load(folder, "nf4")


def test_figures_match_what_is_loaded(checkpoint):
    full = network_of(load(checkpoint, "none"))
    loaded = network_of(load(checkpoint, "nf4"))
    counted = 0
    for name, value in loaded.state_dict().items():
        # The two code books (16 and 256 floats) and the description of each linear don't grow with its size.
        if not name.endswith(("quant_map", "bitsandbytes__nf4")):
            counted += value.numel() * value.element_size()
    assert memory.weight_bytes(full, quantized_parameter, "nf4") == pytest.approx(counted, rel=0.002)
    told = sharecaptioner.figures(str(checkpoint))
    assert told["parameters"] == sum(value.numel() for value in full.parameters())
    assert told["cache_bytes_per_1000_tokens"] == 1000 * 2 * 2 * (2 * 32) * 2


def test_real_size_fits_8_gigabytes_in_nf4():
    told = sharecaptioner.figures()
    assert told["parameters"] == pytest.approx(8.60e9, rel=1e-3)
    assert told["weights_bytes"]["nf4"] < 0.42 * told["weights_bytes"]["none"]
    assert told["largest_prompt_tokens"] > 2653
    assert told["fast_nf4_bytes"] <= 8e9
    assert told["fast_nf4_peak_3_beams_bytes"] <= 8e9
    assert told["prefill_bytes"] > 3 * 2 * 14336 * CHUNK


def test_peak_counts_what_is_alive_at_once():
    def run() -> torch.Tensor:
        a = torch.empty(1000, device="meta")
        b = a + 1
        del a
        return b * 2

    assert memory.peak_bytes(run) == 8000
