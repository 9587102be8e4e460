"""The captioner engine's behaviour around its network: memory, stopping, odd pictures, odd prompts."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sgv_demo.engines import Captioner, prompts
from sgv_demo.engines.local import decoding, scheduler
from sgv_demo.engines.local.decoding import Sampler, Text, prefill
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner import tiling
from sgv_demo.engines.sharecaptioner.engine import ShareCaptioner
from sgv_demo.errors import EngineError, OutOfMemoryError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Frame, Generation, Keyframe, Trace
from tests.support.scripted import said
from tests.support.tiny_captioner import write_checkpoint

FEW = GenerationOptions(max_new_tokens=4)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ShareCaptioner:
    folder = write_checkpoint(tmp_path_factory.mktemp("captioner"))
    told: list[str] = []
    made = sharecaptioner.load(
        str(folder), quantization="none", dtype="float32", device="cpu", progress=lambda text, _: told.append(text)
    )
    assert any("of weights" in text for text in told)
    return made


@pytest.fixture
def network(engine: ShareCaptioner) -> Any:
    return engine._loaded()


def keyframe(index: int = 0, width: int = 160, height: int = 90) -> Keyframe:
    image = np.random.default_rng(index).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Keyframe(index, Frame(1.37 * index, image), None, 1.37 * index)


def drain(generation: Generation) -> tuple[str, Trace]:
    pieces, trace = said(generation)
    return "".join(pieces), trace


def test_it_is_a_captioner(engine):
    captioner: Captioner = engine
    assert isinstance(captioner, Captioner)
    assert engine.info.device == "CPU"
    assert "/" not in engine.info.model
    assert engine.info.fingerprint
    assert engine.context_tokens <= 16_384
    assert engine.count_tokens("boat") == len(engine._tokenizer.encode("boat"))


def test_real_times_go_into_the_published_sentences(engine):
    _, trace = drain(engine.difference(keyframe(3), keyframe(4), None, "A dog.", FEW))
    assert "Video frame 3 at 4.11 Second(s) and Video frame 4 at 5.48 Second(s) of a video" in trace.prompt
    assert trace.prompt == prompts.captioner_prompt(prompts.pair((3, 4.11), (4, 5.48), "A dog."))


def test_overview_puts_all_keyframes_into_one_column(engine):
    _, trace = drain(engine.overview([keyframe(i) for i in range(8)], [], FEW))
    assert prompts.KEY_FRAMES in trace.prompt
    assert trace.tiles is not None
    assert 9 < trace.tiles[0] * trace.tiles[1] <= 16
    assert trace.tiles[1] > trace.tiles[0]
    with pytest.raises(EngineError, match="no keyframes"):
        engine.overview([], [], FEW)


def test_summary_counts_frames_from_1(engine):
    captions = [Caption(i, i, i, f"text {i}", stated_time=2.0 * i) for i in range(2)]
    _, trace = drain(engine.summarize(captions, FEW))
    assert "descriptions:\nVideo frame 1 at 0.00 Second(s) description: text 0\nVideo frame 2 at 2.00" in trace.prompt
    assert trace.picture is None


@pytest.mark.parametrize("size", [(1, 1), (2000, 1), (1, 2000), (9000, 1), (20000, 10), (336, 336)])
def test_odd_pictures_give_an_answer(engine, size):
    _, trace = drain(engine.describe(keyframe(0, *size), FEW))
    assert trace.picture is not None
    assert trace.tiles is not None
    assert trace.tiles == tiling.tiles_of(trace.picture)
    assert trace.tiles[0] * trace.tiles[1] <= 9
    assert len(trace.token_ids) == 4


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 5), (5, 5, 4)])
def test_what_is_no_picture_is_told(shape):
    with pytest.raises(EngineError, match="picture"):
        tiling.fit(np.zeros(shape, np.uint8), 9)


def test_a_picture_of_other_numbers_is_told():
    with pytest.raises(EngineError, match="8 bits"):
        tiling.fit(np.zeros((5, 5, 3), np.float32), 9)  # pyright: ignore[reportArgumentType]


def test_empty_prompt_is_told(engine):
    with pytest.raises(EngineError, match="prompt is empty"):
        engine.recaption("  \n", FEW)


def test_30000_characters_are_read(engine):
    _, trace = drain(engine.recaption("a red boat on a river. " * 1300, FEW))
    assert trace.prompt_tokens > 5000
    assert len(trace.token_ids) == 4


def test_more_than_the_model_reads_is_told(engine, monkeypatch):
    monkeypatch.setattr(engine, "_limit", 100)
    with pytest.raises(EngineError, match="shorten the text"):
        drain(engine.recaption("boat " * 200, FEW))


def test_an_answer_ends_where_the_model_reads_no_further(engine, monkeypatch):
    length = drain(engine.recaption("a boat", FEW))[1].prompt_tokens
    monkeypatch.setattr(engine, "_limit", length + 3)
    _, trace = drain(engine.recaption("a boat", GenerationOptions(max_new_tokens=64)))
    assert len(trace.token_ids) == 3
    assert "Cut off after 3 tokens" in trace.note
    monkeypatch.setattr(engine, "_limit", length)
    with pytest.raises(EngineError, match="shorten the text"):
        drain(engine.recaption("a boat", FEW))


def test_a_summary_reads_at_most_half_of_what_the_model_does(engine, monkeypatch):
    monkeypatch.setattr(engine, "_limit", 1000)
    assert engine.context_tokens == 500
    monkeypatch.setattr(engine, "_limit", 100_000)
    assert engine.context_tokens == 16_000


def test_what_a_person_types_is_no_control_token(engine):
    _, trace = drain(engine.recaption("a boat</s>", FEW))
    text = prompts.recaption("a boat</s>")
    assert trace.prompt_tokens == len(engine._tokenizer.encode_turn(text, typed=True))
    assert trace.prompt_tokens != len(engine._tokenizer.encode_turn(text))


def test_long_prompts_in_chunks_give_the_same_logits(network, monkeypatch):
    embeds = torch.randn(1, 60, 128, generator=torch.Generator().manual_seed(0))

    def logits() -> torch.Tensor:
        return prefill(network, Text(embeds, network.new_cache(), Sampler(1, ()), slice(1, 30)))

    with torch.inference_mode():
        whole = logits()
        monkeypatch.setattr(decoding, "CHUNK", 16)
        torch.testing.assert_close(whole, logits(), atol=1e-4, rtol=1e-4)


def test_partial_lora_runs_on_image_rows_of_the_prompt_alone(engine, network):
    rows: list[int] = []
    hook = network.model.layers[0].attention.wqkv.Plora_A.register_forward_hook(
        lambda _module, inputs, _output: rows.append(inputs[0].shape[1])
    )
    try:
        _, trace = drain(engine.describe(keyframe(), FEW))
    finally:
        hook.remove()
    assert trace.tiles is not None
    assert sum(rows) == tiling.visual_tokens(*trace.tiles)


def test_all_tiles_are_one_batch_and_logits_are_of_one_position(engine, network):
    batches, logits = [], []
    hooks = [
        network.get_submodule("vit.vision_tower.vision_model.encoder").register_forward_pre_hook(
            lambda _module, _args, kwargs: batches.append(kwargs["inputs_embeds"].shape[0]), with_kwargs=True
        ),
        network.output.register_forward_hook(lambda _module, inputs, _output: logits.append(len(inputs[0]))),
    ]
    try:
        _, trace = drain(engine.describe(keyframe(), GenerationOptions(beams=3, max_new_tokens=4)))
    finally:
        for hook in hooks:
            hook.remove()
    assert trace.tiles is not None
    assert batches == [trace.tiles[0] * trace.tiles[1] + 1]
    assert [rows for rows in logits if rows] == [1, 3, 3, 3]


def fail_first(times: int, run: Any) -> Any:
    calls = []

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(*args, **kwargs)

    return wrapped


def test_out_of_memory_is_tried_once_more_with_a_smaller_picture(engine, network, monkeypatch):
    monkeypatch.setattr(network, "embed_picture", fail_first(1, network.embed_picture))
    _, trace = drain(engine.describe(keyframe(0, 336, 336), FEW))
    assert trace.tiles == (2, 2)
    assert "at most 4 tiles instead of 9" in trace.note


def test_out_of_memory_twice_is_told(engine, network, monkeypatch):
    monkeypatch.setattr(network, "embed_picture", fail_first(2, network.embed_picture))
    with pytest.raises(OutOfMemoryError, match="more memory"):
        drain(engine.describe(keyframe(), FEW))


def test_out_of_memory_after_the_first_word_is_not_begun_again(engine, network, monkeypatch):
    run = network.hidden
    count = []

    def later(*args: Any, **kwargs: Any) -> Any:
        count.append(1)
        if len(count) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(*args, **kwargs)

    monkeypatch.setattr(network, "hidden", later)
    with pytest.raises(OutOfMemoryError):
        drain(engine.describe(keyframe(), GenerationOptions(max_new_tokens=64)))


@pytest.mark.parametrize("beams", [1, 3])
def test_closing_stops_within_a_token(engine, network, monkeypatch, beams):
    monkeypatch.setattr(scheduler, "TICK", 0.01)
    steps = []
    hook = network.output.register_forward_hook(lambda *_: steps.append(1))
    generation = engine.recaption("a boat", GenerationOptions(beams=beams, max_new_tokens=20_000))
    try:
        while not steps:
            next(generation)
        generation.close()
    finally:
        hook.remove()
    assert len(steps) < 10_000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("generate")]


def test_closing_while_the_prompt_is_read_never_decodes(engine, network, monkeypatch):
    monkeypatch.setattr(scheduler, "TICK", 0.01)
    monkeypatch.setattr(decoding, "CHUNK", 4)
    passes = []
    run = network.hidden

    def slow(*args: Any) -> Any:
        passes.append(args[0].shape[1])
        time.sleep(0.05)
        return run(*args)

    monkeypatch.setattr(network, "hidden", slow)
    generation = engine.recaption("a boat", FEW)
    assert next(generation) == ""
    generation.close()
    assert set(passes) == {4}
    assert 4 * len(passes) < 40


def test_an_answer_that_ends_with_its_last_token_is_not_cut_off(engine, monkeypatch):
    made = [*engine._tokenizer.encode("boat"), engine._tokenizer.end_turn]
    monkeypatch.setattr(engine._scheduler, "run", lambda _job: (piece for piece in [made]))
    _, trace = drain(engine.recaption("a boat", GenerationOptions(max_new_tokens=len(made))))
    assert trace.finish == "stop"
    assert "Cut off" not in trace.note


def test_blank_and_cut_off_answers_are_said(engine, network, monkeypatch):
    _, trace = drain(engine.recaption("a boat", FEW))
    assert trace.finish == "length"
    assert "Cut off after 4 tokens" in trace.note
    monkeypatch.setattr(engine._scheduler, "run", lambda _job: (piece for piece in [[engine._tokenizer.end_turn]]))
    text, trace = drain(engine.recaption("a boat", FEW))
    assert text == ""
    assert trace.finish == "stop"
    assert "without a word" in trace.note


def test_greedy_answers_stop_at_the_end_of_the_turn_and_beams_do_not(engine):
    assert engine._stops(1) == [2, engine._tokenizer.end_turn]
    assert engine._stops(3) == [2]


def test_unused_options_are_said(engine):
    _, trace = drain(engine.recaption("a boat", GenerationOptions(beams=3, temperature=0.7, max_new_tokens=2)))
    assert "temperature was not used" in trace.note


def test_temperature_samples(engine):
    options = GenerationOptions(temperature=5.0, max_new_tokens=12)
    assert len({drain(engine.recaption("a boat", options))[1].token_ids for _ in range(4)}) > 1


def test_sampling_is_as_asked_for(engine):
    options = GenerationOptions(temperature=0.7, top_p=0.3)
    chooser = engine._chooser(options, 5)
    assert (chooser._temperature, chooser._top_p, chooser._left) == (0.7, 0.3, 5)
    assert engine._chooser(replace(options, beams=3), 5).rows == 3


def test_weights_that_were_rounded_by_an_answer_are_not_saved(engine, monkeypatch, tmp_path):
    monkeypatch.setattr(engine, "_info", replace(engine.info, quantization="nf4"))
    monkeypatch.setattr(sharecaptioner, "is_repacked", lambda _module: True)
    with pytest.raises(EngineError, match="answered already"):
        engine.save_quantized(tmp_path)


def test_an_unloaded_engine_says_so(tmp_path: Path):
    engine = sharecaptioner.load(str(write_checkpoint(tmp_path)), quantization="none", dtype="float32", device="cpu")
    engine.unload()
    with pytest.raises(EngineError, match="was unloaded"):
        drain(engine.recaption("a boat", FEW))
