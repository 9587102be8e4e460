"""Whatever is written can be read: every event and every record, with the values that nobody would think of."""

from __future__ import annotations

import json
import typing
from dataclasses import fields, is_dataclass
from functools import reduce
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NoReturn, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgv_demo.events import (
    Analysis,
    Begun,
    Captioned,
    Event,
    Failed,
    Finished,
    Kept,
    Measured,
    Noted,
    Opened,
    Sampled,
    Summarized,
)
from sgv_demo.results.log import numbered, read
from sgv_demo.results.record import event_from_line, event_to_line, from_record, parse, to_record
from sgv_demo.steps import trace_mark
from sgv_demo.types import Caption, Frame, Picture, Trace

KEY = "ab" * 20
KINDS: tuple[type[Any], ...] = (
    Begun, Opened, Sampled, Kept, Measured, Captioned, Summarized, Noted, Failed, Finished,
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["\ud83d", "\ude00\ud83d", "\ud83d\ude00", "\0", "\r\n\u2028\u2029\x85", '"}\n{"finished": {}}', "</script>"]
)
Base = dict[type, st.SearchStrategy[Any]]
INTEGERS = st.integers() | st.sampled_from([10**400, -(10**400), 10**5000, 2**63, -(2**63) - 1])
FLOATS = st.floats() | st.sampled_from([float("nan"), float("inf"), -float("inf"), 1.7e308, 5e-324, -0.0])
EASY: Base = {str: st.text(max_size=12), int: st.integers(-(2**60), 2**60), float: st.floats(-1e300, 1e300)}
EASY[Path] = st.text("bé猫 ._-", max_size=8).map(lambda text: Path(f"a{text}"))
HOSTILE = {str: TEXT, int: INTEGERS, float: FLOATS}

PIXELS = (Picture | None, Frame | None)
"""Aren't a record's."""


def of(kind: Any, base: Base) -> st.SearchStrategy[Any]:
    """Values of a type, made of `base`'s."""
    if kind in base:
        return base[kind]
    if kind is bool:
        return st.booleans()
    if kind is type(None):
        return st.none()
    if kind is Path:
        return base[str].map(lambda text: Path(text.replace("/", "").replace("\0", "") or "a"))
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        made = {f.name: of(hints[f.name], base) for f in fields(kind) if hints[f.name] not in PIXELS}
        return st.builds(kind, **made)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (typing.Union, UnionType):
        return st.one_of([of(arg, base) for arg in args])
    if origin is dict:
        return st.dictionaries(of(args[0], base), of(args[1], base), max_size=2)
    assert origin is tuple, kind
    if args[1:] == (...,):
        return st.lists(of(args[0], base), max_size=2).map(tuple)
    return st.tuples(*(of(arg, base) for arg in args))


def refuse(text: str) -> NoReturn:
    raise AssertionError(f"{text} is no JSON")


def strict(text: str) -> Any:
    """JSON as others read it: no NaN, no lone surrogates."""
    text.encode("utf-8")
    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_event_of_whatever_values_is_read_back_and_stays_as_it_is(kind: type[Any], data: st.DataObject) -> None:
    event: Event = data.draw(of(kind, HOSTILE))
    line = event_to_line(event)
    assert line is not None
    assert "\n" not in line
    strict(line)
    back = event_from_line(line)
    assert back is not None
    assert type(back) is kind
    assert event_to_line(back) == line
    found = read(KEY, numbered(KEY, 0, line))
    assert (found.events, found.damaged) == ((back,), False)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Captioned], ids=lambda kind: kind.__name__)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_an_event_of_plain_values_comes_back_as_it_was(kind: type[Any], data: st.DataObject) -> None:
    event: Event = data.draw(of(kind, EASY))
    line = event_to_line(event)
    assert line is not None
    assert event_from_line(line) == event


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_record_of_whatever_values_is_read_back_and_stays_as_it_is(data: st.DataObject) -> None:
    events: list[Event] = [
        data.draw(of(Begun, HOSTILE)),
        *data.draw(st.lists(st.one_of([of(kind, HOSTILE) for kind in KINDS[1:]]), max_size=6)),
    ]
    record = to_record(reduce(Analysis.apply, events, Analysis()))
    text = json.dumps(record, ensure_ascii=False)
    assert strict(text) == record
    back = parse(text)
    assert to_record(back) == record
    assert from_record(record) == back


@settings(max_examples=60, deadline=None)
@given(
    tokens=st.none() | INTEGERS,
    seconds=st.none() | FLOATS,
    finish=st.sampled_from(["stop", "length", None, "", "content_filter"]),
    text=st.none() | TEXT,
)
def test_what_a_server_says_of_its_use_can_be_written_whatever_it_says(
    tokens: Any, seconds: Any, finish: Any, text: Any
) -> None:
    mark = trace_mark(Trace(prompt=text, prompt_tokens=tokens, seconds=seconds, finish=finish, note=text))
    line = event_to_line(Captioned(Caption(0, 0.0, 0.0, "a", trace=mark)))
    assert line
    assert event_from_line(line) is not None


@pytest.mark.parametrize("missing", [None, ...])
def test_a_file_of_an_older_version_in_which_a_server_had_told_nothing_is_read(missing: Any) -> None:
    told = {"prompt": "p", "new_tokens": 3, "prompt_tokens": None, "seconds": None, "finish": "stop", "note": None}
    if missing is ...:
        told = {name: value for name, value in told.items() if value is not None}
    caption = {"index": 0, "start": 0, "end": 1, "text": "a", "trace": told}
    mark = from_record({"captions": [caption], "summary_trace": told}).captions[0].trace
    assert mark
    assert (mark.new_tokens, mark.prompt_tokens, mark.seconds, mark.note) == (3, 0, 0.0, "")
    assert event_from_line(json.dumps({"captioned": caption})) is not None


def test_half_a_character_at_the_end_of_a_piece_finds_its_other_half() -> None:
    line = event_to_line(Noted("\ud83d" + "\ude00" + "\ud83d"))
    assert line
    assert event_from_line(line) == Noted("\U0001f600\ufffd")


def test_every_kind_of_event_is_tried() -> None:
    passing = {"Delta", "Working"}
    assert {kind.__name__ for kind in KINDS} | passing == {kind.__name__ for kind in get_args(Event)}
