"""Servers as they are: odd shapes of answers, thoughts, refusals, errors inside streams, floods, parameters refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sgv_demo.engines.remote import engine as remote
from sgv_demo.engines.remote import servers
from sgv_demo.engines.remote.answers import Thoughts, models_of, read_message
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from tests.engines.test_remote import run
from tests.support.fault_server import Faults, serving

SHORT = GenerationOptions(max_new_tokens=12)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(servers, "ATTEMPTS", 2)


def engine(faults: Faults, **settings: Any) -> remote.Remote:
    return remote.load(Settings(base_url=faults.url, remote_timeout=5, **settings))


def said(content: Any = None, finish: Any = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}]}


def text_of(*events: Any, **settings: Any) -> str:
    """What an engine makes of a stream of these events."""
    with serving(json.dumps(list(events))) as faults:
        text, trace = run(engine(faults, **settings).recaption("a dog", SHORT))
        return trace.text or text


STOP = said(None, "stop")


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([said("A dog."), STOP, "[DONE]"], id="as it should be"),
        pytest.param([said("A dog."), "[DONE]"], id="no finish reason"),
        pytest.param([said("A dog.", "")], id="an empty finish reason"),
        pytest.param([said("A dog."), STOP], id="no end mark"),
        pytest.param([said([{"type": "text", "text": "A "}, {"type": "text", "text": "dog."}]), STOP], id="parts"),
        pytest.param([said("A dog."), {**STOP, "usage": None}], id="usage is null"),
        pytest.param([said("A dog."), {**STOP, "usage": {"prompt_tokens": None}}], id="usage in part"),
        pytest.param([said("A dog."), {**STOP, "usage": {"completion_tokens": "many"}}], id="usage in words"),
        pytest.param([{"choices": None}, said("A dog."), STOP], id="choices are null"),
        pytest.param([{"choices": [{"text": "A dog.", "finish_reason": "stop"}]}], id="plain completions"),
        pytest.param([{"message": {"content": "A dog."}, "done": True}], id="Ollama's own"),
        pytest.param([said("<think>hm"), said("m</th"), said("ink>\n\nA dog."), STOP], id="thoughts"),
        pytest.param([said("<thi"), said("nk>\n</think>"), said("A dog."), STOP], id="empty thoughts"),
        pytest.param([said("Let me see.\n"), said("</think>\nA dog."), STOP], id="a lone closing tag"),
        pytest.param([said(None, reasoning_content="hm"), said("A dog."), STOP], id="thoughts apart"),
    ],
)
def test_one_answer_in_the_shapes_that_servers_give_it(events: list[Any]) -> None:
    assert text_of(*events) == "A dog."


def test_a_comparison_is_no_tag() -> None:
    assert text_of(said("1 <"), said(" 2 and a </b> stays <"), STOP) == "1 < 2 and a </b> stays <"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["\ud83d", "\udc36 runs"], "🐶 runs"),
        (["A \ud83d dog"], "A � dog"),
        (["A dog\udc00"], "A dog�"),
        (["A\x00 d\x1bog"], "A dog"),
    ],
)
def test_halves_of_characters_are_joined_or_replaced(pieces: list[str], text: str) -> None:
    found = text_of(*map(said, pieces), STOP)
    assert found == text
    assert found.encode()


def test_an_answer_that_was_not_streamed_is_taken() -> None:
    body = {"choices": [{"message": {"content": "A dog."}, "finish_reason": "length"}], "usage": {"prompt_tokens": 7}}
    with serving(json.dumps({"code": 200, "body": body})) as faults:
        text, trace = run(engine(faults).recaption("a dog", SHORT))
    assert (text, trace.finish, trace.prompt_tokens) == ("A dog.", "length", 7)


def test_a_compressed_answer_is_read() -> None:
    with serving("zipped") as faults:
        assert run(engine(faults).recaption("a dog", SHORT))[0] == "A dog."


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([said("A "), said(None, "content_filter")], "refuses to answer this .filtered."),
        ([said(None, refusal="I can't look at that."), STOP], "refuses to answer this .I can't look at that"),
        ([said(None, reasoning_content="hm"), said(None, "length")], "12 tokens on thoughts"),
        ([said("<think>hm hm hm"), said(None, "length")], "12 tokens on thoughts"),
        ([said("Sure.</think>"), STOP], "answered without a word"),
        ([said(""), STOP, "[DONE]"], "answered without a word"),
        ([said("A "), {"error": {"message": "KV cache is full", "code": 500}}], "KV cache is full"),
        ([{"error": {"message": "the image is too large", "code": 400}}], "the image is too large"),
        ([{"error": "out of slots"}], "out of slots"),
        ([{"object": "error", "message": "model crashed"}], "model crashed"),
        ([{"detail": "no such thing"}], "no such thing"),
        (['"broken pipe"'], "broken pipe"),
    ],
)
def test_what_is_no_answer_says_why_and_is_never_a_caption(events: list[Any], says: str) -> None:
    with pytest.raises(EngineError, match=says) as caught:
        text_of(*events)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("drip", "said nothing for 0.5 s"),
        ("crawl", r"had not finished after 1.5 s .SGV_REMOTE_STEP_SECONDS"),
        ("long_line", "far more than an answer"),
        ("bomb", "far more than an answer"),
    ],
)
def test_floods_and_drips_are_given_up(fault: str, says: str) -> None:
    patience = (0.5, 1.5) if fault in ("drip", "crawl") else (30, 60)
    with serving(fault) as faults:
        made = remote.load(Settings(base_url=faults.url, remote_timeout=patience[0], remote_step_seconds=patience[1]))
        with pytest.raises(EngineError, match=says):
            run(made.recaption("a dog", GenerationOptions(max_new_tokens=500)))


@pytest.mark.parametrize(
    ("listing", "names"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}]}, ["a", "b"]),
        ({"data": None}, []),
        ({"models": [{"name": "a:7b", "model": "a:7b"}]}, ["a:7b"]),
        ({"models": None, "data": [{"id": "a"}]}, ["a"]),
        ([{"id": "a"}], ["a"]),
        ({"data": ["a", 3, None, {"id": 5}, {"key": "b"}]}, ["a", "b"]),
        ({"models": {"a": 1}}, []),
        ("none", []),
        (None, []),
    ],
)
def test_lists_of_models_in_every_shape(listing: object, names: list[str]) -> None:
    assert [model.name for model in models_of(listing)] == names


@pytest.mark.parametrize("listing", [{"data": None}, {"models": None}, [], "none", {"data": [{"id": None}]}])
def test_a_named_model_needs_no_list(listing: object) -> None:
    with serving() as faults:
        faults.listing = listing
        assert run(engine(faults, remote_model="mine").recaption("a dog", SHORT))[0] == "A small dog."
        with pytest.raises(EngineError, match="--model"):
            engine(faults)


@pytest.mark.parametrize("key", ["“sk-1”", "sk 1", "sk-é"])
def test_a_key_that_no_header_takes_is_refused_unsaid(key: str) -> None:
    with serving() as faults, pytest.raises(SettingsError, match="SGV_API_KEY") as caught:
        engine(faults, api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/v1/chat/completions/", "/v1/models"])
@pytest.mark.parametrize("model", ["", "tiny"])
def test_an_address_is_mended(ending: str, model: str) -> None:
    with serving() as faults:
        faults.path = "/v1/"
        faults.url = faults.url.removesuffix("/v1") + ending
        text, _ = run(engine(faults, remote_model=model).recaption("a dog", SHORT))
        assert text == "A small dog."


@pytest.mark.parametrize(
    ("message", "refused", "sent", "note"),
    [
        (
            "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
            "max_completion_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0", "temperature", "max_tokens", "temperature"),
        ("`top_p` is deprecated for this model", "top_p", "max_tokens", "top_p"),
    ],
)
def test_a_parameter_that_a_server_refuses_is_left_out(message: str, refused: str, sent: str, note: str) -> None:
    refusal = json.dumps({"code": 400, "body": {"error": {"message": message}}})
    with serving(refusal, "ok") as faults:
        made = engine(faults)
        text, trace = run(made.recaption("a dog", SHORT))
        assert text == "A small dog."
        assert note in trace.note
        run(made.recaption("a dog", SHORT))
        assert [refused in request for request in faults.requests] == [True, False, False]
        assert faults.requests[1][sent] == 12


def test_another_refusal_keeps_the_servers_reason() -> None:
    refusal = json.dumps({"code": 400, "body": {"error": {"message": "This model reads at most 2 images."}}})
    with serving(refusal) as faults, pytest.raises(EngineError, match="at most 2 images"):
        run(engine(faults).recaption("a dog", SHORT))


@pytest.mark.parametrize(
    "body",
    [{"error": {"message": "You exceeded it", "code": "insufficient_quota"}}, {"error": "no credit"}],
)
def test_quota_used_up_is_not_busy(body: object) -> None:
    with serving(json.dumps({"code": 429, "body": body})) as faults:
        with pytest.raises(EngineError, match="quota of the key"):
            run(engine(faults).recaption("a dog", SHORT))
        assert len(faults.requests) == 1


def test_thoughts_are_told_apart_at_every_cut() -> None:
    """However the text is cut into pieces, the answer is the same, and nothing of the thoughts is shown."""
    whole = " <Think>One </thin. Two.</THINK>\n The answer, <b>bold</b>."
    for cut in range(len(whole) + 1):
        thoughts = Thoughts()
        shown = thoughts.feed(whole[:cut]) + thoughts.feed(whole[cut:]) + thoughts.end()
        assert shown == thoughts.text == "The answer, <b>bold</b>."
        assert not thoughts.withdrawn


@pytest.mark.parametrize("message", [3, None, {"choices": [3]}, {"choices": ["x"]}])
def test_what_is_no_message_is_no_json_answer(message: object) -> None:
    with pytest.raises(ValueError, match="no chat completion"):
        read_message(message)
