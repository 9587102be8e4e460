"""The page's one boundary."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr
import pytest

from sgv_demo.errors import StoreError
from sgv_demo.settings import Settings
from sgv_demo.ui.api import _expose
from sgv_demo.ui.binder import Binder
from sgv_demo.ui.boundary import UNFORESEEN, boundary
from sgv_demo.ui.guests import Guests


def _say(updates: dict[Any, Any], parts: dict[str, Any]) -> str:
    return updates[parts["channel"]]["say"]


@pytest.fixture
def parts() -> Iterator[dict[str, Any]]:
    with gr.Blocks():
        yield {"feed": gr.HTML(), "channel": gr.HTML(), "button": gr.Button()}


@pytest.mark.parametrize(
    ("error", "sentence"), [(StoreError("The disk is full."), "The disk is full."), (KeyError("secret"), UNFORESEEN)]
)
def test_whatever_a_handler_raises_is_one_sentence_on_the_page(
    error: Exception, sentence: str, parts: dict[str, Any]
) -> None:
    calls: dict[str, Any] = {}

    def event(call: Any, inputs: list[Any], outputs: list[Any], **how: Any) -> None:
        calls["call"] = call

    def raising() -> Any:
        raise error

    def halfway() -> Any:
        yield {"button": "so far"}
        raise error

    on = Binder(parts, 4)
    on.now(event, raising, [])
    assert _say(calls["call"](), parts) == sentence
    on.on_data(event, lambda data: raising(), [])
    assert _say(calls["call"](None), parts) == sentence
    on.stream(event, halfway, [])
    _, first, last = calls["call"]()
    assert first == {parts["button"]: "so far"}
    assert _say(last, parts) == sentence


def test_what_is_unforeseen_is_logged_as_one_line_that_says_where(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), boundary("a run") as told:
        raise ValueError("two\nlines")
    assert told.sentence == UNFORESEEN
    (record,) = caplog.records
    assert record.getMessage().startswith("Unforeseen in a run: ValueError: two lines (test_boundary.py:")
    assert record.exc_info is None
    with caplog.at_level(logging.INFO), boundary("a run"):
        raise StoreError("known")
    assert len(caplog.records) == 1


def test_a_closed_stream_is_no_error() -> None:
    def stream() -> Iterator[int]:
        with boundary("a run") as told:
            yield 1
        assert told.sentence == ""

    items = stream()
    next(items)
    items.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_the_api_ends_at_the_same_boundary(caplog: pytest.LogCaptureFixture) -> None:
    def recaption(given: Mapping[str, Any]) -> Iterator[str]:
        yield given["prompt"]
        raise KeyError("secret")

    with gr.Blocks() as page:
        _expose(gr.Button(), gr.JSON(), Settings(), Guests(Settings()), recaption, ["prompt"])
    (endpoint,) = page.fns.values()
    answers: Any = endpoint.fn
    got = answers("a cat")
    assert next(got) == "a cat"
    with pytest.raises(gr.Error, match="Something unforeseen went wrong"):
        next(got)
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert line.getMessage().startswith("Unforeseen in /recaption: KeyError: 'secret' (test_boundary.py:")
    assert line.exc_info is None
