"""SmolVLM2 on a tiny random checkpoint in its real layout: prompts, pictures, streaming, stopping, failures."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer
from transformers.models.smolvlm.processing_smolvlm import (
    DEFAULT_CHAT_TEMPLATE,
    DEFAULT_VIDEO_INTRO,
    get_image_prompt_string,
)

from sgv_demo.engines import Answerer, Captioner, Scene, prompts
from sgv_demo.engines.pictures import thinned
from sgv_demo.engines.smolvlm import engine as smolvlm
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Frame, Generation, Keyframe, Trace, Turn, VideoInfo
from tests.support import tiny_smolvlm
from tests.support.scripted import said

SHORT = GenerationOptions(max_new_tokens=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    torch.set_num_threads(2)
    return tiny_smolvlm.make(tmp_path_factory.mktemp("models") / "tiny-smolvlm2")


@pytest.fixture(scope="module")
def engine(folder) -> smolvlm.SmolVLM:
    return smolvlm.load(str(folder), dtype="float32", device="cpu")


def picture(value: int, size: tuple[int, int] = (90, 160)):
    image = np.full((*size, 3), value, np.uint8)
    image[: size[0] // 2, : size[1] // 2] = (value + 120) % 256
    return image


def keyframe(index: int, value: int) -> Keyframe:
    return Keyframe(index, Frame(2.0 * index, picture(value)), None, 2.0 * index)


def scene(*values: int) -> Scene:
    video = VideoInfo(Path("clip.mp4"), 65.4, 25, (160, 90), "h264")
    return Scene(video, tuple(Frame(10.0 * i, picture(value)) for i, value in enumerate(values)))


def run(generation: Generation) -> tuple[str, Trace]:
    pieces, trace = said(generation)
    return "".join(pieces), trace


def test_it_is_captioner_and_answerer_and_says_what_it_is(engine) -> None:
    assert isinstance(engine, Captioner)
    assert isinstance(engine, Answerer)
    assert engine.info.name == "smolvlm2"
    assert "not ShareGPT4Video" in engine.info.label
    assert (engine.info.model, engine.info.licence, engine.info.dtype) == ("tiny-smolvlm2", "Apache-2.0", "float32")
    assert not engine.info.needs_evidence


def test_torchvision_is_not_loaded(engine) -> None:
    assert "torchvision" not in sys.modules


def test_all_roles_speak_and_say_how(engine) -> None:
    captions = [Caption(0, 0, 0, "A dog."), Caption(1, 0, 2, "It runs.")]
    frames = [keyframe(i, 40 * i) for i in range(3)]
    made = {
        "describe": engine.describe(frames[0], SHORT),
        "difference": engine.difference(frames[0], frames[1], None, "A dog.", SHORT),
        "overview": engine.overview(frames, [], SHORT),
        "summarize": engine.summarize(captions, SHORT),
        "recaption": engine.recaption("a dog", SHORT),
        "answer": engine.answer(scene(0, 80), "What is it?", [], SHORT),
    }
    prompt = {}
    for role, generation in made.items():
        text, trace = run(generation)
        assert text.isalpha(), role
        assert len(trace.token_ids) == 12
        assert trace.finish == "length"
        assert (trace.picture is None) == (role in ("summarize", "recaption"))
        prompt[role] = trace.prompt
    assert "What was written of the step before: A dog." in prompt["difference"]
    assert "00:00 to 00:02: It runs." in prompt["summarize"]
    assert prompt["overview"].count("<image>") == 3
    assert prompt["recaption"].endswith("a dog<end_of_utterance>\nAssistant:")


def expected(tokenizer, engine, content, images: list[str]) -> list[int]:
    """Ids as the processor of transformers makes them: template, video intro, expanded pictures, special tokens."""
    text = tokenizer.apply_chat_template(
        content, chat_template=DEFAULT_CHAT_TEMPLATE, tokenize=False, add_generation_prompt=True
    )
    shown = get_image_prompt_string(
        0,
        0,
        engine.picture_tokens,
        fake_token_around_image="<fake_token_around_image>",
        image_token="<image>",
        global_image_token="<global-img>",
    )
    for image in images:
        text = text.replace("<video>", image, 1)
    return tokenizer(text.replace("<image>", shown), add_special_tokens=False)["input_ids"]


def test_prompt_of_one_picture_is_the_published_one(engine, folder) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}
    ids = engine._encode(prompts.smol_prompt("What is it?", [0.0], 0.0))
    assert ids == expected(tokenizer, engine, [user], [])


def test_prompt_of_a_video_is_the_published_one(engine, folder) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    content = [
        {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "And?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A dog."}]},
        {"role": "user", "content": [{"type": "text", "text": "Where?"}]},
    ]
    intro = DEFAULT_VIDEO_INTRO.format(frame_count="three", video_duration="0:01:05")
    video = f"{intro}\nFrame from 00:00:<image>\nFrame from 00:10:<image>\nFrame from 01:05:<image>\n\n"
    ids = engine._encode(prompts.smol_prompt("Where?", [0, 10.4, 65], 65.4, [Turn("And?", "A dog.")]))
    assert ids == expected(tokenizer, engine, content, [video])


def test_a_typed_marker_stays_text(engine) -> None:
    ids = engine._encode(prompts.smol_prompt("<image><end_of_utterance>", [], 0))
    markers = engine._markers
    assert markers["<image>"] not in ids
    assert ids.count(markers["<end_of_utterance>"]) == 1


@pytest.mark.parametrize(("count", "word"), [(2, "two"), (16, "sixteen"), (20, "twenty"), (64, "sixty-four")])
def test_the_number_of_frames_is_written_out(count: int, word: str) -> None:
    text = "".join(piece.text for piece in prompts.smol_prompt("?", [0.0] * count, 3700))
    assert f"series of {word} frames from a 1:01:40 [H:MM:SS] video.\n" in text


def test_pictures_and_their_order_matter(engine) -> None:
    scenes = ((0, 200), (200, 0), (0, 0), (90, 40), (40, 90), (0, 200))
    long = GenerationOptions(max_new_tokens=40)
    answers = [run(engine.answer(scene(*values), "What?", [], long))[0] for values in scenes]
    assert answers[0] == answers[5]
    assert answers[0] != answers[1]
    assert len(set(answers)) >= 4


def test_pieces_stream_and_add_up(engine) -> None:
    *pieces, _ = filter(None, engine.describe(keyframe(0, 9), SHORT))
    assert len(pieces) > 6
    assert "".join(pieces) == run(engine.describe(keyframe(0, 9), SHORT))[0]


def test_closing_stops_generation(engine) -> None:
    generation = engine.describe(keyframe(0, 9), GenerationOptions(max_new_tokens=1900))
    while not next(generation):
        pass
    generation.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("generate")]
    assert run(engine.recaption("again", SHORT))[0]


def test_beams_arrive_whole(engine) -> None:
    text, trace = run(engine.recaption("a dog", GenerationOptions(beams=3, max_new_tokens=6)))
    assert text
    assert len(trace.token_ids) == 6


def test_many_keyframes_are_thinned_evenly_and_it_says_so(engine) -> None:
    assert [time for time, _ in thinned([(float(i), picture(0)) for i in range(9)], 3)] == [0, 4, 8]
    _, trace = run(engine.overview([keyframe(i, 3) for i in range(70)], [], GenerationOptions(max_new_tokens=2)))
    assert trace.note == "64 of 70 pictures were shown."
    assert trace.prompt.count("<image>") == 64


def test_a_prompt_that_is_too_long_is_refused(engine) -> None:
    with pytest.raises(EngineError, match=r"takes [\d,]+ tokens and the model reads 2,048"):
        run(engine.recaption("x" * 3000, SHORT))


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_asked_is_refused(engine, text: str) -> None:
    with pytest.raises(EngineError, match="empty"):
        run(engine.answer(scene(0), text, [], SHORT))
    with pytest.raises(EngineError, match="empty"):
        run(engine.recaption(text, SHORT))


def test_unloaded_says_so(folder) -> None:
    engine = smolvlm.load(str(folder), dtype="float32", device="cpu")
    engine.unload()
    with pytest.raises(EngineError, match="unloaded"):
        run(engine.recaption("a dog", SHORT))


def test_auto_takes_the_type_that_was_measured_to_be_faster(folder) -> None:
    engine = smolvlm.load(str(folder), device="cpu")
    assert engine.info.dtype == str(smolvlm.faster_on_cpu()).removeprefix("torch.")
    assert run(engine.describe(keyframe(0, 9), SHORT))[0]


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_another_model_is_refused(copy) -> None:
    (copy / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(EngineError, match="not a SmolVLM2 checkpoint"):
        smolvlm.load(str(copy))


def test_cut_weights_are_named(copy) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(EngineError, match=r"model\.safetensors is cut short or damaged"):
        smolvlm.load(str(copy))


def test_missing_tensors_are_named(copy) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="lacks weights: lm_head"):
        smolvlm.load(str(copy), device="cpu")


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_a_missing_file_is_named(copy, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(EngineError, match=r"missing or damaged; fetch it again"):
        smolvlm.load(str(copy), device="cpu")


def test_figures_of_folder_and_hub_id(folder) -> None:
    network = smolvlm.load(str(folder), dtype="float32", device="cpu")._loaded()
    assert smolvlm.figures(str(folder))["parameters"] == sum(p.numel() for p in network.parameters())
    with pytest.raises(EngineError, match="neither"):
        smolvlm.figures("nobody/nothing")
