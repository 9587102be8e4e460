"""How fast a device is at a model's shapes: what is measured is the network that a real load would make."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig

from sgv_demo.engines import speed
from sgv_demo.errors import OutOfMemoryError
from tests.support.tiny_captioner import tiny_config

CPU = torch.device("cpu")


def tiny_answerer() -> LlavaNextConfig:
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=1,
        image_size=336,
        patch_size=14,
    )
    text = LlamaConfig(
        vocab_size=1000,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=8192,
    )
    return LlavaNextConfig(vision_config=vision, text_config=text)


@pytest.mark.parametrize("quantization", ["nf4", "none"])
def test_a_step_of_each_model_is_timed(quantization: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    noisy = speed._noisy
    monkeypatch.setattr(speed, "_noisy", lambda *given: made.append(noisy(*given)) or made[-1])
    pair = speed.pair_step(CPU, quantization, tiny_config())
    asked = speed.question(CPU, quantization, tiny_answerer())
    assert pair.prompt_tokens == speed.PAIR_TEXT - 3 + 13 * 144 + 1 + 5 * 12
    assert 5 * 576 < asked.prompt_tokens < 5 * 576 + speed.PROMPT_TEXT + 60
    for found in (pair, asked):
        assert found.first_seconds > 0
        assert found.tokens_per_second > 0
        assert f"{found.prompt_tokens:,} tokens read" in str(found)
    for network in made:
        names = {name for name, module in network.named_modules() if type(module).__name__ == "Linear4bit"}
        assert bool(names) == (quantization == "nf4")
        assert all("layers" in name for name in names)


def test_one_that_does_not_fit_leaves_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise OutOfMemoryError("The GPU is full; use a larger one.")

    monkeypatch.setattr(speed, "pair_step", full)
    monkeypatch.setattr(speed, "question", lambda *_: speed.Speed("a question", 10, 1.0, 5.0))
    assert [str(found) for found in speed.speeds(CPU)] == [
        "The GPU is full; use a larger one.",
        "a question: 10 tokens read and the first written in 1.00 s, then 5 tokens/s",
    ]
