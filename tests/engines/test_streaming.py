"""The thread between `generate` and the page: order, errors, stopping, and text that never changes once sent."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from sgv_demo.engines.local import streaming
from sgv_demo.engines.local.streaming import Controls, hold_back, stream_ids, stream_text


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 50}
    made: Any = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=1)).eval()
    made.generation_config = GenerationConfig(do_sample=False, pad_token_id=0)
    return made


PROMPT = torch.tensor([[3, 4, 5]])


def work(model: Any, new: int, beams: int = 1):
    def run(controls: Controls) -> torch.Tensor:
        made = model.generate(PROMPT, max_new_tokens=new, num_beams=beams, eos_token_id=None, **controls.arguments)
        assert isinstance(made, torch.Tensor)
        return made

    return run


def drain(generator):
    pieces = []
    while True:
        try:
            pieces.append(next(generator))
        except StopIteration as stop:
            return pieces, stop.value


def test_greedy_ids_come_one_by_one(model):
    expected = model.generate(PROMPT, max_new_tokens=7, eos_token_id=None)[0, 3:].tolist()
    pieces, result = drain(stream_ids(work(model, 7), prompt_ids=3))
    pieces = [piece for piece in pieces if piece]
    assert [len(piece) for piece in pieces] == [1] * 7
    assert [i for piece in pieces for i in piece] == expected == list(result)


def test_beams_come_whole(model):
    expected = model.generate(PROMPT, max_new_tokens=6, num_beams=3, eos_token_id=None)[0, 3:].tolist()
    pieces, result = drain(stream_ids(work(model, 6, beams=3), beams=3, prompt_ids=3))
    assert not any(pieces)
    assert list(result) == expected
    pieces, _ = drain(stream_text(stream_ids(work(model, 6, beams=3), beams=3, prompt_ids=3), lambda ids, _: str(ids)))
    assert [piece for piece in pieces if piece] == [str(tuple(expected))]


def test_error_in_the_thread_reaches_the_consumer():
    def broken(controls: Controls) -> torch.Tensor:
        assert controls.streamer is not None
        controls.streamer.put(torch.tensor([[1]]))
        controls.streamer.put(torch.tensor([9]))
        raise ZeroDivisionError("inside")

    generator = stream_ids(broken)
    assert next(generator) == [9]
    with pytest.raises(ZeroDivisionError, match="inside"):
        drain(generator)


@pytest.mark.parametrize("beams", [1, 3])
def test_closing_ends_the_work_and_joins_its_thread(model, beams, monkeypatch):
    monkeypatch.setattr(streaming, "TICK", 0.01)
    made: list[int] = []

    def run(controls: Controls) -> torch.Tensor:
        sequences = work(model, 100_000, beams)(controls)
        made.append(sequences.shape[1])
        return sequences

    generator = stream_ids(run, beams=beams, prompt_ids=3)
    next(generator)
    generator.close()
    assert made
    assert made[0] < 5_000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("generate")]


def test_waiting_consumer_gets_empty_pieces(monkeypatch):
    monkeypatch.setattr(streaming, "TICK", 0.005)
    release = threading.Event()

    def slow(controls: Controls) -> torch.Tensor:
        release.wait(10)
        return torch.tensor([[1, 2]])

    generator = stream_ids(slow, beams=3)
    assert [next(generator) for _ in range(3)] == [[], [], []]
    release.set()
    pieces, result = drain(generator)
    assert not any(pieces)
    assert result == (1, 2)


def source(*pieces: list[int]):
    yield from pieces
    return tuple(i for piece in pieces for i in piece)


def test_text_pieces_join_to_the_final_text():
    words = {1: "ab", 2: " ", 3: "<|im_", 4: "end|>", 5: "c"}

    def decode(ids, final):
        text = "".join(words[i] for i in ids).split("<|im_end|>")[0]
        return text.strip() if final else hold_back(text, ["<|im_end|>"])

    pieces, result = drain(stream_text(source([1], [], [2], [3], [5], [3], [4], [1]), decode))
    assert pieces == ["ab", "", "", "", " <|im_c", "", "", ""]
    assert result == (1, 2, 3, 5, 3, 4, 1)


def test_text_that_is_taken_back_is_an_error():
    with pytest.raises(RuntimeError, match="changed"):
        drain(stream_text(source([1], [2]), lambda ids, final: "x" if len(ids) == 1 else "y"))


def test_closing_text_closes_the_ids():
    closed = []

    def ids():
        try:
            while True:
                yield [1]
                time.sleep(0)
        finally:
            closed.append(True)

    held = ids()  # one that nobody holds is closed by the interpreter anyway
    generator = stream_text(held, lambda seen, final: "x" * len(seen))
    next(generator)
    generator.close()
    assert closed


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a b", "a b"),
        ("a \n", "a"),
        ("a\ufffd\ufffd", "a"),
        ("\ufffda", "\ufffda"),
        ("a <|im", "a"),
        ("a <|imx", "a <|imx"),
        ("a <|im_end|", "a"),
        ("a<|im_end|>", "a<|im_end|>"),
    ],
)
def test_hold_back(text, kept):
    assert hold_back(text, ["<|im_end|>"]) == kept
