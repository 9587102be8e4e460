"""The remote engine against a real server: `transformers serve` with tiny random checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sgv_demo.clean import clean
from sgv_demo.engines import Scene
from sgv_demo.engines.remote import engine as remote
from sgv_demo.engines.remote.answerer import OFFICIAL_NAME, OfficialAnswerer
from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
from sgv_demo.engines.sharegpt4video.config import read_setup
from sgv_demo.engines.sharegpt4video.export import export
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.steps import whole
from sgv_demo.types import Frame, Generation, Keyframe, Trace, Turn, VideoInfo
from tests.support import tiny_served
from tests.support.scripted import said
from tests.support.served import transformers_serve

CHECKPOINT = Path(__file__).parents[1] / "golden" / "sharegpt4video" / "tiny-sharegpt4video"


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[remote.Remote]:
    root = tmp_path_factory.mktemp("served")
    folder = tiny_served.make(root / "tiny")
    with transformers_serve(folder, root) as url:
        yield remote.load(Settings(base_url=url, remote_model=str(folder), hub_timeout=20))


def run(generation: Generation) -> tuple[list[str], Trace]:
    pieces, trace = said(generation)
    return list(filter(None, pieces)), trace


def frame(seconds: float) -> Frame:
    return Frame(seconds, np.full((90, 160, 3), int(40 * seconds) % 256, np.uint8))


def test_captions_and_answers_stream(engine) -> None:
    options = GenerationOptions(max_new_tokens=10)
    pieces, trace = run(engine.describe(Keyframe(0, frame(0), None, 0), options))
    assert len(pieces) > 3
    assert "".join(pieces).isalpha()
    assert trace.finish == "length"
    assert trace.prompt_tokens > 20
    assert engine.info.model == "tiny"
    both = engine.difference(Keyframe(0, frame(0), None, 0), Keyframe(1, frame(2), None, 2), None, "A dog.", options)
    assert run(both)[0]
    scene = Scene(VideoInfo(Path("clip.mp4"), 9, 25, (160, 90), "h264"), (frame(0), frame(4)))
    pieces, trace = run(engine.answer(scene, "Where?", [Turn("What?", "A dog.")], options))
    assert pieces
    assert trace.prompt.endswith("assistant: A dog.\nuser: Where?")


def test_a_stopped_step_frees_the_server(engine) -> None:
    generation = engine.recaption("a dog", GenerationOptions(max_new_tokens=3500))
    while not next(generation):
        pass
    began = time.monotonic()
    generation.close()
    assert time.monotonic() - began < 5
    assert run(engine.recaption("a cat", GenerationOptions(max_new_tokens=4)))[0]


def test_the_exported_answerer_answers_as_the_native_engine_does(tmp_path: Path) -> None:
    folder = tmp_path / OFFICIAL_NAME
    export(read_setup(CHECKPOINT), folder, dtype="float32", view="anyres")
    native = sharegpt4video.load(str(CHECKPOINT), quantization="none", dtype="float32", device="cpu")
    scene = Scene(VideoInfo(Path("clip.mp4"), 9, 25, (160, 90), "h264"), tuple(frame(n) for n in range(4)), key="four")
    options = GenerationOptions(max_new_tokens=16)
    with transformers_serve(folder, tmp_path) as url:
        served = remote.load_answerer(Settings(base_url=url, remote_model=str(folder), hub_timeout=20))
        assert isinstance(served, OfficialAnswerer)
        history: list[Turn] = []
        for question in ("What happens?", "And then?"):
            text, trace = whole(native.answer(scene, question, history, options))
            got, far = whole(served.answer(scene, question, history, options))
            assert got == clean(text).strip()
            assert far.prompt_tokens == trace.prompt_tokens
            assert far.prompt == trace.prompt
            history.append(Turn(question, clean(text).strip()))
