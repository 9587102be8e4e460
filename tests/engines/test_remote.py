"""OpenAI-compatible servers: the conversation that is sent, retries, faults, stopping, the key, addresses inside."""

from __future__ import annotations

import base64
import io
import logging
import socket
import threading
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sgv_demo.engines import Answerer, Captioner, Scene
from sgv_demo.engines.remote import addresses, servers
from sgv_demo.engines.remote import engine as remote
from sgv_demo.engines.remote.servers import Access, Fleet
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Caption, Frame, Generation, Keyframe, Trace, Turn, VideoInfo
from tests.support.fault_server import Faults, serving
from tests.support.scripted import said

SHORT = GenerationOptions(max_new_tokens=12)
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    monkeypatch.setattr(servers, "FIRST_WAIT", 0.01)


def engine(faults: Faults, timeout: float = 5.0, key: str = "", model: str = "") -> remote.Remote:
    settings = Settings(base_url=faults.url, api_key=key, remote_timeout=timeout, remote_model=model)
    return remote.load(settings)


def run(generation: Generation) -> tuple[str, Trace]:
    pieces, trace = said(generation)
    return "".join(pieces), trace


def picture(value: int, size: tuple[int, int] = (90, 160)):
    return np.full((*size, 3), value % 256, np.uint8)


def keyframe(index: int, size: tuple[int, int] = (90, 160)) -> Keyframe:
    return Keyframe(index, Frame(2.0 * index, picture(20 * index, size)), None, 2.0 * index)


def scene(count: int) -> Scene:
    video = VideoInfo(Path("clip.mp4"), 60, 25, (160, 90), "h264")
    return Scene(video, tuple(Frame(10.0 * i, picture(10 * i)) for i in range(count)))


def pictures_of(request: dict) -> list[Image.Image]:
    parts = [part for message in request["messages"] for part in message["content"] if isinstance(part, dict)]
    uris = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in uris)
    return [Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in uris]


def test_all_roles_stream_from_a_server() -> None:
    with serving() as faults:
        made = engine(faults)
        assert isinstance(made, Captioner)
        assert isinstance(made, Answerer)
        captions = [Caption(0, 0, 0, "A dog."), Caption(1, 0, 2, "It runs.")]
        frames = [keyframe(i) for i in range(3)]
        generations = [
            (made.describe(frames[0], SHORT), 1),
            (made.difference(frames[0], frames[1], None, "A dog.", SHORT), 2),
            (made.overview(frames, [], SHORT), 3),
            (made.overview(frames, [], SHORT, sheet=True), 1),
            (made.summarize(captions, SHORT), 0),
            (made.recaption("a dog", SHORT), 0),
            (made.answer(scene(4), "What?", [], SHORT), 4),
        ]
        for number, (generation, count) in enumerate(generations):
            *pieces, trace = filter(None, generation)
            assert pieces == ["A ", "small ", "dog."]
            assert isinstance(trace, Trace)
            request = faults.requests[number]
            assert len(pictures_of(request)) == count
            assert request["stream"] is True
            assert (request["model"], request["max_tokens"], request["temperature"]) == ("tiny", 12, 0)
        _, trace = run(made.answer(scene(2), "What?", [Turn("Who?", "A cat.")], SHORT))
        assert (trace.prompt_tokens, trace.finish, trace.note) == (7, "stop", "")
        assert trace.prompt == (
            "user: Frame at 00:00: <image> Frame at 00:10: <image> Who?\nassistant: A cat.\nuser: What?"
        )
        assert "base64" not in trace.prompt


def test_a_sheet_is_one_picture_of_all_and_its_times_are_told() -> None:
    with serving() as faults:
        made = engine(faults)
        _, trace = run(made.overview([keyframe(i, (90, 160)) for i in range(4)], [], SHORT, sheet=True))
        (picture,) = pictures_of(faults.requests[0])
        assert picture.size == (2 * 160 + 50, 2 * 90 + 50)
        assert "holds 4 frames of one video, row by row" in trace.prompt
        assert made.info.sees_several


def test_pictures_are_bounded_in_size_and_number() -> None:
    with serving() as faults:
        made = engine(faults)
        run(made.describe(keyframe(0, (1080, 1920)), SHORT))
        assert [p.size for p in pictures_of(faults.requests[0])] == [(1024, 576)]
        run(made.overview([keyframe(i, (720, 1280)) for i in range(40)], [], SHORT))
        sizes = {p.size for p in pictures_of(faults.requests[1])}
        assert sizes == {(512, 288)}
        assert len(pictures_of(faults.requests[1])) == remote.MOST_PICTURES


def test_noisy_pictures_shrink_until_they_fit(monkeypatch) -> None:
    monkeypatch.setattr(remote, "MOST_BYTES", 60_000)
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    uris = remote.data_uris([noise, noise])
    assert sum(len(base64.b64decode(uri.partition(",")[2])) for uri in uris) <= 60_000


@pytest.mark.parametrize(("fault", "note"), [("500", "failed (500"), ("429", "is busy (429)"), ("503", "(503")])
def test_a_passing_failure_is_retried_and_told(fault: str, note: str) -> None:
    with serving(fault, "ok") as faults:
        text, trace = run(engine(faults).recaption("a dog", SHORT))
        assert text == "A small dog."
        assert trace.note.startswith("Attempt 2: before, a server ")
        assert note in trace.note
        assert len(faults.requests) == 2


def test_retry_after_is_respected_and_bounded() -> None:
    assert servers.pause(0, 3.0) == 3.0
    assert servers.pause(0, 9999.0) == servers.LONGEST_WAIT
    with serving("429", "ok") as faults:
        faults.retry_after = "0.6"
        began = time.monotonic()
        run(engine(faults).recaption("a dog", SHORT))
        assert time.monotonic() - began >= 0.6


def test_waits_double(monkeypatch) -> None:
    monkeypatch.setattr(servers, "FIRST_WAIT", 0.5)
    for attempt, centre in enumerate((0.5, 1.0, 2.0)):
        assert 0.74 * centre < servers.pause(attempt, None) < 1.26 * centre


@pytest.mark.parametrize(
    ("fault", "says", "attempts"),
    [
        ("500", r"127\.0\.0\.1:\d+ failed \(500: .*\), 4 times; wait a while, or add a server", 4),
        ("drop", r"closed the connection, 4 times", 4),
        ("json", r"sent something that is not JSON, 4 times", 4),
        ("html", r"ended without an answer, 4 times", 4),
        ("400", r"refused the request \(400: .*use fewer frames", 1),
        ("401", r"refused the key; set SGV_API_KEY", 1),
        ("404", r"does not know this model .*--model", 1),
        ("cut", r"broke off in the middle; retry this step", 1),
        ("late_json", r"sent something that is not JSON in the middle of its answer; retry this step", 1),
    ],
)
def test_a_lasting_failure_says_cause_and_remedy(fault: str, says: str, attempts: int) -> None:
    with serving(fault) as faults:
        made = engine(faults, key=KEY)
        with pytest.raises(EngineError, match=says) as caught:
            run(made.recaption("a dog", SHORT))
        assert len(faults.requests) == attempts
        assert KEY not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_hanging_server_is_given_up_and_the_wait_can_be_watched(monkeypatch) -> None:
    monkeypatch.setattr(servers, "ATTEMPTS", 1)
    with serving("hang") as faults:
        generation = engine(faults, timeout=0.8).recaption("a dog", SHORT)
        assert next(generation) == ""
        with pytest.raises(EngineError, match=r"said nothing for 0\.8 s"):
            run(generation)


def test_a_server_that_ignores_the_limit_is_cut_off() -> None:
    with serving("endless") as faults:
        text, trace = run(engine(faults).recaption("a dog", SHORT))
        assert len(text) < 3 * servers.LETTERS_PER_TOKEN * 12
        assert trace.finish == "length"
        assert "cut off" in trace.note
        assert faults.gone.wait(10)


@pytest.mark.parametrize("fault", ["hang", "slow"])
def test_closing_closes_the_connection(fault: str) -> None:
    with serving(fault) as faults:
        generation = engine(faults, timeout=60).recaption("a dog", GenerationOptions(max_new_tokens=500))
        if fault == "slow":
            while not next(generation):
                pass
        else:
            next(generation)
        while not faults.requests:
            time.sleep(0.01)
        began = time.monotonic()
        generation.close()
        assert time.monotonic() - began < 4
        assert faults.gone.wait(10)
        assert not [thread for thread in threading.enumerate() if thread.name == "server"]


def test_work_is_spread_over_servers() -> None:
    with serving() as one, serving() as two:
        made = remote.load(Settings(base_url=f"{one.url}, {two.url}"))
        assert made.info.label == "tiny on 2 servers"
        for _ in range(4):
            run(made.recaption("a dog", SHORT))
        assert (len(one.requests), len(two.requests)) == (2, 2)


def test_the_least_busy_server_is_next_and_a_failed_one_last() -> None:
    fleet = Fleet("http://a/v1,http://b/v1")
    first, second = fleet.take(), fleet.take()
    assert {first.name, second.name} == {"a", "b"}
    fleet.give_back(second)
    assert fleet.take() is second
    fleet.give_back(second, failed=True)
    assert fleet.take() is first


def test_another_server_takes_over_when_one_is_gone() -> None:
    with serving() as two:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            dead = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        made = remote.load(Settings(base_url=f"{dead},{two.url}"))
        for _ in range(3):
            assert run(made.recaption("a dog", SHORT))[0] == "A small dog."
        assert len(two.requests) == 3


def test_no_server_at_all_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EngineError, match=r"No server answers: 127\.0\.0\.1:\d+ can't be reached"):
        remote.load(Settings(base_url=url))
    with pytest.raises(SettingsError, match="--base-url"):
        remote.load(Settings())


def test_a_model_must_be_known() -> None:
    with serving() as faults:
        faults.models = []
        with pytest.raises(EngineError, match="--model"):
            engine(faults)
        assert engine(faults, model="/srv/models/big").info.model == "big"


@pytest.mark.parametrize("url", ["ftp://a/v1", "127.0.0.1:8000", "http://", "http://a:b/v1", "http://a:99999/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="no server's address"):
        Fleet(url)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="SGV_API_KEY") as caught:
        Fleet("http://user:hunter2@a/v1")
    assert "hunter2" not in str(caught.value)


def test_the_key_goes_to_the_server_and_nowhere_else(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with serving("500", "ok") as faults:
        settings = Settings(base_url=faults.url, api_key=KEY)
        made = remote.load(settings)
        _, trace = run(made.recaption("a dog", SHORT))
        assert set(faults.keys) == {f"Bearer {KEY}"}
        seen = (settings, made.info, asdict(made.info), trace, made._access, caplog.text)
        assert KEY not in "".join(map(repr, seen))


def test_no_key_of_the_environment_is_sent(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as faults:
        run(engine(faults).recaption("a dog", SHORT))
        assert KEY not in "".join(faults.keys)


def test_a_visitor_cannot_name_a_server_unless_allowed() -> None:
    with serving() as faults:
        with pytest.raises(SettingsError, match="SGV_VISITOR_URLS"):
            remote.load_for_visitor(Settings(), faults.url, "tiny")
        assert not faults.keys


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.8", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"]
)
def test_an_address_inside_is_refused_to_visitors(host: str) -> None:
    with pytest.raises(EngineError, match="lies inside this network"):
        remote.load_for_visitor(Settings(visitor_urls=True, api_key=KEY), f"http://{host}:9/v1", "tiny")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::93.184.216.34", True),
        ("2002:5db8:d822::1", True),
        ("::ffff:10.0.0.1", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::192.168.0.1", False),
        ("2002:7f00:1::1", False),
        ("2002:c0a8:1::1", False),
        ("2001:0:93b8:d822::f5ff:fffe", False),
        ("2606:2800:220:1:0:5efe:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("not an address", False),
    ],
)
def test_an_address_is_public_with_all_that_it_holds(address: str, public: bool) -> None:
    assert addresses.is_public(address) == public


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "0x7f.1", "127.1", "%00", "a\u2024b", "[::1%25lo]", "-"])
def test_odd_spellings_of_a_host_get_one_sentence(host: str) -> None:
    with pytest.raises((EngineError, SettingsError)) as caught:
        remote.load_for_visitor(Settings(visitor_urls=True, hub_timeout=0.5), f"http://{host}:9/v1", "tiny")
    assert "\n" not in str(caught.value)


def test_a_request_to_an_inside_server_never_arrives() -> None:
    with serving() as faults:
        with pytest.raises(EngineError, match="lies inside"):
            remote.load_for_visitor(Settings(visitor_urls=True), faults.url, "tiny")
        made = remote.Remote(Fleet(faults.url), Access(outside_only=True), "tiny")
        with pytest.raises(EngineError, match="lies inside"):
            run(made.recaption("a dog", SHORT))
        assert not faults.requests
        assert not faults.keys


def test_a_name_with_one_inside_address_is_refused(monkeypatch) -> None:
    found = [(0, 0, 0, "", ("93.184.216.34", 80)), (0, 0, 0, "", ("192.168.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(EngineError, match="lies inside"):
        addresses.public_address("two-faced.example", 80)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found[:1])
    assert addresses.public_address("fine.example", 80) == "93.184.216.34"


def test_a_redirect_is_not_followed() -> None:
    with serving() as inside, serving("redirect") as outside:
        outside.location = f"{inside.url}/chat/completions"
        with pytest.raises(EngineError, match="307"):
            run(engine(outside).recaption("a dog", SHORT))
        assert not inside.requests
