"""A served captioner and a served answerer, asked by other people's clients and by the remote engine."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from PIL import Image

from sgv_demo.clean import clean
from sgv_demo.engines import Captioner
from sgv_demo.engines.remote import engine as remote
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner.engine import ShareCaptioner
from sgv_demo.engines.sharecaptioner.questions import Question
from sgv_demo.errors import SettingsError
from sgv_demo.options import GenerationOptions
from sgv_demo.serving.models import CaptionerModel
from sgv_demo.serving.run import check
from sgv_demo.settings import Settings
from sgv_demo.steps import whole
from sgv_demo.types import Caption, Frame, Keyframe, Picture, Trace
from tests.support.served import serving_models
from tests.support.tiny_captioner import write_checkpoint

KEY = "a-key"
FEW = GenerationOptions(max_new_tokens=12)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> ShareCaptioner:
    folder = write_checkpoint(tmp_path_factory.mktemp("captioner"))
    return sharecaptioner.load(str(folder), quantization="none", dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def url(native: ShareCaptioner) -> Iterator[str]:
    with serving_models([CaptionerModel(native)], Settings(served_key=KEY, served_megabytes=8)) as address:
        yield address


@pytest.fixture
def served(url: str) -> Captioner:
    return remote.load_captioner(Settings(base_url=f"{url}/v1", api_key=KEY, hub_timeout=30))


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=120)


def picture(seed: int, width: int = 160, height: int = 90) -> Picture:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def keyframe(index: int) -> Keyframe:
    return Keyframe(index, Frame(1.37 * index, picture(index)), None, 1.37 * index)


def data_url(image: Picture) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


STEPS: dict[str, tuple[Any, ...]] = {
    "describe": (keyframe(0),),
    "difference": (keyframe(0), keyframe(1), None, "A dog. [UNUSED_TOKEN_145]"),
    "overview": ([keyframe(i) for i in range(5)], []),
    "summarize": ([Caption(i, 0, 1, f"Words {i}.", stated_time=i) for i in range(3)],),
    "recaption": ("a dog [UNUSED_TOKEN_145] runs",),
}


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_each_role_gives_what_the_engine_alone_gives(
    served: Captioner, native: ShareCaptioner, step: str, beams: int
) -> None:
    options = GenerationOptions(max_new_tokens=12, beams=beams)
    text, trace = whole(getattr(served, step)(*STEPS[step], options))
    expected, own = whole(getattr(native, step)(*STEPS[step], options))
    assert (text, trace.token_ids) == (clean(expected), own.token_ids)
    assert (trace.prompt, trace.prompt_tokens, trace.tiles) == (own.prompt, own.prompt_tokens, own.tiles)
    assert (trace.finish, trace.note) == (own.finish, own.note)
    assert (trace.picture is None) == (own.picture is None)
    if trace.picture is not None and own.picture is not None:
        assert np.array_equal(trace.picture, own.picture)


def test_a_served_captioner_says_what_it_is(served: Captioner, native: ShareCaptioner) -> None:
    assert served.info.label == "ShareCaptioner-Video on a server"
    assert (served.info.model, served.info.dtype) == (native.info.model, "float32")
    assert served.context_tokens == native.context_tokens
    assert served.count_tokens("a boat, far out") == native.count_tokens("a boat, far out")


def test_any_client_may_ask(client: openai.OpenAI, native: ShareCaptioner) -> None:
    (model,) = client.models.list().data
    parts: list[Any] = [
        {"type": "image_url", "image_url": {"url": data_url(picture(3))}},
        {"type": "text", "text": "Hm?"},
    ]
    messages: list[Any] = [{"role": "user", "content": parts}]
    whole_one = client.chat.completions.create(model=model.id, messages=messages, max_tokens=9)
    text = whole_one.choices[0].message.content
    assert whole_one.usage is not None
    assert (whole_one.choices[0].finish_reason, whole_one.usage.completion_tokens) == ("length", 9)
    stream = client.chat.completions.create(
        model=model.id, messages=messages, max_completion_tokens=9, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert [chunk.usage for chunk in chunks if chunk.usage] == [whole_one.usage]
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_is_a_client(url: str, native: ShareCaptioner) -> None:
    body = {"model": native.info.model, "messages": [{"role": "user", "content": "A dog."}], "max_tokens": 3}
    headers = ("-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {KEY}")
    command = ("curl", "-sS", f"{url}/v1/chat/completions", *headers, "-d", json.dumps(body))
    said = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    assert (said["object"], said["usage"]["completion_tokens"]) == ("chat.completion", 3)


def test_twenty_clients_at_once_get_what_each_would_get_alone(served: Captioner, native: ShareCaptioner) -> None:
    def ask(engine: Captioner, number: int) -> tuple[str, tuple[int, ...]]:
        text, trace = whole(engine.recaption(f"a dog with {number} balls", FEW))
        assert isinstance(trace, Trace)
        return clean(text), trace.token_ids

    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(lambda number: ask(served, number), range(20)))
    assert together == [ask(native, number) for number in range(20)]


def refusal(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and error of a request that is refused."""
    given = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"} | headers
    answer = httpx2.post(f"{url}/v1/chat/completions", content=body, headers=given, timeout=60)
    return answer.status_code, answer.json()["error"]


def asked(native: ShareCaptioner, **more: Any) -> bytes:
    return json.dumps({"model": native.info.model, "messages": [{"role": "user", "content": "A dog."}]} | more).encode()


@pytest.mark.parametrize("key", ["", "Bearer", "Bearer a-kez", "Basic a-key", "Bearer \u00e4"])
def test_without_the_key_nobody_is_answered(url: str, native: ShareCaptioner, key: str) -> None:
    headers = {"Content-Type": "application/json", "Authorization": key.encode("latin-1")}
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/metrics")):
        answer = httpx2.request(method, url + path, content=asked(native), headers=headers, timeout=60)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
    assert httpx2.get(f"{url}/health").status_code == 200


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        ({"max_tokens": 10**9}, 400, "too many"),
        ({"max_tokens": -1}, 400, "1"),
        ({"temperature": 99}, 400, "2"),
        ({"n": 4}, 400, "n is not supported"),
        ({"model": "gpt-4"}, 404, "There is no model"),
        ({"messages": []}, 400, "can't be read"),
        ({"messages": [{"role": "user", "content": 3}]}, 400, "can't be read"),
        ({"messages": [{"role": "user", "content": "x" * 9_000_000}]}, 413, "8 MB"),
    ],
)
def test_what_can_not_be_answered_is_one_sentence(
    url: str, native: ShareCaptioner, more: dict[str, Any], status: int, says: str
) -> None:
    found, error = refusal(url, asked(native, **more))
    assert found == status
    assert says in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model": NaN}', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_request_is_refused(url: str, body: bytes) -> None:
    status, error = refusal(url, body)
    assert status == 400
    assert "can't be read" in error["message"]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/a.png",
        "file:///etc/passwd",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:image/png;base64,!!!!",
        "data:image/png;base64,AAAA",
    ],
)
def test_pictures_are_data_and_nothing_is_fetched(url: str, native: ShareCaptioner, address: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": "Hm?"}]
    status, error = refusal(url, asked(native, messages=[{"role": "user", "content": content}]))
    assert status == 400
    assert error["message"].endswith(".")


def test_another_web_page_can_not_ask(url: str, native: ShareCaptioner) -> None:
    assert refusal(url, asked(native), **{"Content-Type": "text/plain"})[0] == 415


LONG = 4000
"""New tokens: some seconds' work of the tiny network."""


@pytest.fixture(scope="module")
def endless(native: ShareCaptioner) -> str:
    """A message that the tiny network answers without coming to an end."""
    options = GenerationOptions(max_new_tokens=LONG)
    messages = (f"A dog with {number} balls." for number in range(100))
    for message in messages:
        _, trace = whole(native.ask(Question("recaption", message, typed=True), options))
        if trace.finish == "length":
            return message
    raise AssertionError("all of them end")


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_stops_its_text(url: str, native: ShareCaptioner, endless: str, stream: bool) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    messages = [{"role": "user", "content": endless}]
    body, before = asked(native, messages=messages, stream=stream, max_tokens=LONG), native.scheduler.written
    address = httpx2.URL(f"{url}/v1/chat/completions")
    with closing(http.client.HTTPConnection(address.host, address.port, timeout=60)) as client:
        client.request("POST", address.path, body, headers)
        until = time.monotonic() + 30
        while native.scheduler.written < before + 3 and time.monotonic() < until:
            time.sleep(0.005)
    until = time.monotonic() + 60
    while native.scheduler.load != (0, 0) and time.monotonic() < until:
        time.sleep(0.01)
    assert native.scheduler.load == (0, 0)
    assert 3 <= native.scheduler.written - before < LONG / 2


def test_numbers_for_prometheus(url: str, native: ShareCaptioner, client: openai.OpenAI) -> None:
    client.chat.completions.create(
        model=native.info.model, messages=[{"role": "user", "content": "A dog."}], max_tokens=5
    )
    text = httpx2.get(f"{url}/metrics", headers={"Authorization": f"Bearer {KEY}"}).text
    for line in text.splitlines():
        assert re.fullmatch(r"#.*|[a-z_]+(\{[^}]*\})? [-+\deE.]+", line), line
    for word in ("queue", "tokens", "memory"):
        assert word in text, text


def test_without_a_key_only_this_machine_may_ask(native: ShareCaptioner) -> None:
    with pytest.raises(SettingsError, match="SGV_SERVED_KEY"):
        check(Settings(host="0.0.0.0"))
    with serving_models([CaptionerModel(native)]) as url:
        assert httpx2.get(f"{url}/v1/models").status_code == 200
        assert httpx2.get(f"{url}/v1/models", headers={"Host": "evil.example"}).status_code == 400


def test_one_of_two_servers_is_killed_and_nothing_is_lost(native: ShareCaptioner) -> None:
    settings = Settings(served_key=KEY)
    with serving_models([CaptionerModel(native)], settings) as staying:
        with serving_models([CaptionerModel(native)], settings) as going:
            fleet = remote.load_captioner(
                Settings(base_url=f"{going}/v1,{staying}/v1", api_key=KEY, hub_timeout=30, remote_timeout=20)
            )
            first = [whole(fleet.recaption(f"a dog {i}", FEW))[0] for i in range(2)]
        after = [whole(fleet.recaption(f"a dog {i}", FEW))[0] for i in range(2)]
    assert after == first == [clean(whole(native.recaption(f"a dog {i}", FEW))[0]) for i in range(2)]
