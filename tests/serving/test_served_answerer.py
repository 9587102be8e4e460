"""A served answerer, asked as the published page asks, answers as the engine on this machine does."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from PIL import Image

from sgv_demo.clean import clean
from sgv_demo.engines import Scene, compose
from sgv_demo.engines.prompts import ANSWERER_PREFACE
from sgv_demo.engines.remote.answerer import OfficialAnswerer, wants_official
from sgv_demo.engines.remote.answers import Listed
from sgv_demo.engines.remote.engine import Remote, load_answerer
from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
from sgv_demo.engines.sharegpt4video.engine import ShareGPT4Video
from sgv_demo.options import GenerationOptions
from sgv_demo.serving.models import AnswererModel
from sgv_demo.settings import Settings
from sgv_demo.steps import whole
from sgv_demo.types import Frame, Turn, VideoInfo
from tests.support.served import serving_models
from tests.support.tiny_llava import make_checkpoint

FEW = GenerationOptions(max_new_tokens=8)
FRAMES = tuple(
    Frame(float(i), np.random.default_rng(i).integers(0, 255, (90, 160, 3), dtype=np.uint8)) for i in range(4)
)
SCENE = Scene(VideoInfo(Path("a.mp4"), 4.0, 25.0, (160, 90), "h264"), FRAMES, key="four")


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> ShareGPT4Video:
    folder = make_checkpoint(tmp_path_factory.mktemp("answerer"))
    return sharegpt4video.load(str(folder), quantization="none", dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def client(native: ShareGPT4Video) -> Iterator[openai.OpenAI]:
    with serving_models([AnswererModel(native)]) as url:
        yield openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120)


def asked(question: str) -> dict[str, Any]:
    """The first turn: the grid that the page makes, then the published preface and the question."""
    buffer = io.BytesIO()
    Image.fromarray(compose.shown_grid([frame.image for frame in FRAMES])).save(buffer, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    text = {"type": "text", "text": ANSWERER_PREFACE + question}
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, text]}


def said(client: openai.OpenAI, model: str, messages: list[Any]) -> str:
    return client.chat.completions.create(model=model, messages=messages, max_tokens=8).choices[0].message.content or ""


def test_a_conversation_is_the_native_one(client: openai.OpenAI, native: ShareGPT4Video) -> None:
    raw, trace = whole(native.answer(SCENE, "What is it?", [], FEW))
    first = clean(raw)  # a random network writes control characters, which no door lets through
    messages: list[Any] = [asked("What is it?")]
    assert clean(said(client, native.info.model, messages)) == first
    second, _ = whole(native.answer(SCENE, "And then?", [Turn("What is it?", first)], FEW))
    messages += [{"role": "assistant", "content": first}, {"role": "user", "content": "And then?"}]
    assert clean(said(client, native.info.model, messages)) == clean(second)
    assert trace.token_ids


def test_pictures_stand_first(client: openai.OpenAI, native: ShareGPT4Video) -> None:
    messages: list[Any] = [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Yes."}, asked("And?")]
    with pytest.raises(openai.BadRequestError, match="Pictures stand in the first message"):
        said(client, native.info.model, messages)


@pytest.fixture(scope="module")
def address(client: openai.OpenAI) -> str:
    return str(client.base_url).rstrip("/")


def test_the_engine_asks_as_published_and_gets_the_native_answers(address: str, native: ShareGPT4Video) -> None:
    asked = load_answerer(Settings(base_url=address))
    assert isinstance(asked, OfficialAnswerer)
    assert asked.info.label.endswith(", published prompts")
    history: list[Turn] = []
    for question in ("What is it?", "And then?"):
        text, trace = whole(native.answer(SCENE, question, history, FEW))
        got, far = whole(asked.answer(SCENE, question, history, FEW))
        assert got == clean(text).strip()
        assert far.token_ids == trace.token_ids
        assert far.prompt == trace.prompt
        assert far.prompt_tokens == trace.prompt_tokens
        history.append(Turn(question, clean(text)))


def test_plain_prompts_where_they_are_wanted(address: str) -> None:
    assert isinstance(load_answerer(Settings(base_url=address, prompts="plain")), Remote)
    assert isinstance(load_answerer(Settings(base_url=address, prompts="official")), OfficialAnswerer)


@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("sharegpt4video-8b-sgv-official", True),
        ("/models/ShareGPT4Video-8B-SGV-official/", True),
        ("sharegpt4video-8b", False),
        ("llava-next", False),
    ],
)
def test_a_model_tells_by_its_name(name: str, official: bool) -> None:
    assert wants_official(name, [Listed(name)]) == official
    assert wants_official(name, [Listed(name, {"role": "answerer"})])
