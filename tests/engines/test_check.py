"""The known answer: recorded ids come out, and whatever a package changes is an error, never a wrong caption."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from torch import nn
from transformers import cache_utils
from transformers.models.clip import modeling_clip
from transformers.models.llama import modeling_llama

from sgv_demo.cli import main
from sgv_demo.engines import check
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.steps import whole
from tests.support.tiny_captioner import write_checkpoint
from tests.support.tiny_llava import make_checkpoint


def both() -> None:
    check.check_captioner()
    check.check_answerer()


def test_the_known_answers_come_out_soon() -> None:
    began = time.process_time()
    both()
    assert time.process_time() - began < 4, "under a second each on a quiet machine"


def test_it_is_the_same_on_every_machine_what_the_weights_are() -> None:
    assert check.formula((2, 3), 5).tolist() == [
        [(((40503 * n * n + 2477 * n + 7919 * 5) % 65536) / 32768 - 1) for n in range(3 * row, 3 * row + 3)]
        for row in range(2)
    ]


def test_a_renamed_cache_keyword_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Whatever transformers does with its caches and the forwards that take them, none of it is called."""

    def gone(*_: Any, **__: Any) -> Any:
        raise TypeError("got an unexpected keyword argument")

    engine = sharecaptioner.load(str(write_checkpoint(tmp_path)), quantization="none", dtype="float32", device="cpu")
    before = whole(engine.recaption("a boat", GenerationOptions(beams=3, max_new_tokens=6)))[1].token_ids
    for owner in (modeling_llama.LlamaDecoderLayer, modeling_llama.LlamaAttention, modeling_llama.LlamaModel):
        monkeypatch.setattr(owner, "forward", gone)
    monkeypatch.setattr(cache_utils.DynamicCache, "__init__", gone)
    both()
    assert whole(engine.recaption("a boat", GenerationOptions(beams=3, max_new_tokens=6)))[1].token_ids == before


def halved(made: Any) -> Any:
    return (made[0] * 0.5, *made[1:]) if isinstance(made, tuple) else made * 0.5


def broken(module: Any, name: str) -> Any:
    """A layer that computes a little differently."""
    forward = getattr(module, name).forward
    return lambda self, *args, **kwargs: halved(forward(self, *args, **kwargs))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (modeling_llama, "LlamaRMSNorm"),
        (modeling_llama, "LlamaMLP"),
        (modeling_clip, "CLIPMLP"),
        (modeling_clip, "CLIPAttention"),
    ],
)
def test_a_layer_that_computes_something_else_is_an_error(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getattr(module, name), "forward", broken(module, name))
    with pytest.raises(EngineError, match=r"would write nonsense with torch [\d.]+.*transformers \d.*pip install -r"):
        both()


def test_a_layer_whose_contract_changed_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    def renamed(self: nn.Module, *, states: torch.Tensor) -> torch.Tensor:
        return states

    folder = make_checkpoint(tmp_path)
    monkeypatch.setattr(modeling_llama.LlamaRMSNorm, "forward", renamed)
    with pytest.raises(EngineError, match=r"does not run with torch .*TypeError.*pip install -r requirements.txt"):
        sharegpt4video.load(str(folder), quantization="none", dtype="float32", device="cpu")
    with pytest.raises(EngineError, match="captioner's code does not run"):
        sharecaptioner.load(str(folder), quantization="none", dtype="float32", device="cpu")


def test_the_command_says_what_is_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["check"]) == 0
    said = capsys.readouterr().out
    assert "transformers" in said
    assert "CPU: the captioner gives its known answer" in said
    assert "CPU: the answerer gives its known answer" in said
    monkeypatch.setattr(check, "ANSWERER", ((1,), (2,)))
    assert main(["check"]) == 1
    assert "error: The answerer would write nonsense" in capsys.readouterr().err
