"""Steps of several visitors in one engine's line."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sgv_demo.engines.turns.lane import Line
from sgv_demo.lanes import Lane
from sgv_demo.options import GenerationOptions
from sgv_demo.steps import whole
from sgv_demo.types import EngineInfo, Generation, Trace

OPTIONS = GenerationOptions()


@dataclass
class Counting:
    """Says how many steps were in it at once; holds each until it is let go."""

    info = EngineInfo("counting", "Counting")
    context_tokens = 100
    go: threading.Event = field(default_factory=threading.Event)
    inside: int = 0
    most: int = 0
    order: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.order.append(prompt)
        try:
            while not self.go.wait(0.01):
                yield ""
            yield f"{prompt}."
            yield Trace()
        finally:
            with self.lock:
                self.inside -= 1


def test_no_more_steps_at_once_than_the_engine_takes_and_each_gets_its_own_text() -> None:
    engine, lane = Counting(), Lane(3)
    engine.go.set()
    found: dict[int, str] = {}

    def visit(number: int) -> None:
        captioner = Line(lane).captioner(engine)  # pyright: ignore[reportArgumentType] - one role is enough here
        for _ in range(3):
            found[number], _trace = whole(captioner.recaption(str(number), OPTIONS))

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: f"{number}." for number in range(12)}
    assert engine.most <= 3
    assert not lane.inside


def test_a_long_run_takes_turns_with_a_single_question() -> None:
    engine, lane = Counting(), Lane(1)
    long, single = Line(lane), Line(lane)
    first = long.captioner(engine).recaption("first of many", OPTIONS)  # pyright: ignore[reportArgumentType]
    assert next(first) == ""
    asked = single.captioner(engine).recaption("one question", OPTIONS)  # pyright: ignore[reportArgumentType]
    assert next(asked) == ""
    assert single.waiting() == "Waiting for the engine: next in line"
    assert long.waiting() == ""
    second = long.captioner(engine).recaption("second of many", OPTIONS)  # pyright: ignore[reportArgumentType]
    assert next(second) == ""
    engine.go.set()
    whole(first)
    whole(asked)
    whole(second)
    assert engine.order == ["first of many", "one question", "second of many"]


def test_a_step_that_is_stopped_in_line_or_inside_leaves_its_place() -> None:
    engine, lane = Counting(), Lane(1)
    inside = Line(lane).captioner(engine).recaption("a", OPTIONS)  # pyright: ignore[reportArgumentType]
    next(inside)
    waiting = Line(lane).captioner(engine).recaption("b", OPTIONS)  # pyright: ignore[reportArgumentType]
    next(waiting)
    waiting.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not lane.line
    inside.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not lane.inside
    assert engine.order == ["a"]
