"""The thread between decoding and the page: order, errors, stopping, and text that never changes once sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from sgv_demo.engines.local import streaming
from sgv_demo.engines.local.streaming import Put, hold_back, stream_ids, stream_text


def drain(generator):
    pieces = []
    while True:
        try:
            pieces.append(next(generator))
        except StopIteration as stop:
            return pieces, stop.value


def test_ids_come_one_by_one_and_in_order():
    def work(put: Put, stop: threading.Event) -> None:
        for i in range(7):
            put([i])

    assert [piece for piece in stream_ids(work) if piece] == [[i] for i in range(7)]


def test_error_in_the_thread_reaches_the_consumer():
    def broken(put: Put, stop: threading.Event) -> None:
        put([9])
        raise ZeroDivisionError("inside")

    generator = stream_ids(broken)
    assert next(generator) == [9]
    with pytest.raises(ZeroDivisionError, match="inside"):
        list(generator)


def test_closing_ends_the_work_and_joins_its_thread(monkeypatch):
    monkeypatch.setattr(streaming, "TICK", 0.01)
    ended: list[bool] = []

    def work(put: Put, stop: threading.Event) -> None:
        put([1])
        ended.append(stop.wait(10))

    generator = stream_ids(work)
    next(generator)
    generator.close()
    assert ended == [True]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("generate")]


def test_waiting_consumer_gets_empty_pieces(monkeypatch):
    monkeypatch.setattr(streaming, "TICK", 0.005)
    release = threading.Event()

    def slow(put: Put, stop: threading.Event) -> None:
        release.wait(10)
        put([1, 2])

    generator = stream_ids(slow)
    assert [next(generator) for _ in range(3)] == [[], [], []]
    release.set()
    assert [piece for piece in generator if piece] == [[1, 2]]


def source(*pieces: list[int]) -> Generator[list[int], None, None]:
    yield from pieces


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
