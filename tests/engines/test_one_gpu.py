"""Two models on one small GPU: one holds the seat, a step keeps it, waiting ones are parked or unloaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.engines.turns import one_gpu as swap
from sgv_demo.engines.turns.one_gpu import Seat, TurnAnswerer, TurnCaptioner, Turns
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Frame, Generation, Keyframe
from tests.engines.test_remote import run, scene
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner

OPTIONS = GenerationOptions()
KEYFRAME = Keyframe(0, Frame(0.0, np.zeros((4, 4, 3), np.uint8)), None, 0.0)


class Gpu:
    """Counts who is on it."""

    def __init__(self) -> None:
        self.on: list[str] = []
        self.log: list[str] = []
        self.most = 0

    def enter(self, name: str, how: str) -> None:
        self.on.append(name)
        self.log.append(f"{how} {name}")
        self.most = max(self.most, len(self.on))

    def leave(self, name: str, how: str) -> None:
        self.on.remove(name)
        self.log.append(f"{how} {name}")


def engine(kind: type, gpu: Gpu, script: Script, *, movable: bool = False):
    class Engine(kind):
        def __init__(self) -> None:
            super().__init__(script)
            self.name = "captioner" if kind is ScriptedCaptioner else "answerer"
            self.there = True
            gpu.enter(self.name, "load")

        def unload(self) -> None:
            if self.there:
                gpu.leave(self.name, "unload")

    class Movable(Engine):
        def move(self, device: str) -> None:
            self.there = device == "cuda"
            (gpu.enter if self.there else gpu.leave)(self.name, f"to {device}")

    return Movable if movable else Engine


@pytest.fixture
def gpu() -> Gpu:
    return Gpu()


def pair(gpu: Gpu, *, movable: bool = False, parking: int = 1) -> tuple[TurnCaptioner, TurnAnswerer, Script]:
    turns, script = Turns(), Script()
    captioner = TurnCaptioner(Seat(turns, engine(ScriptedCaptioner, gpu, script, movable=movable), parking))
    answerer = TurnAnswerer(Seat(turns, engine(ScriptedAnswerer, gpu, script, movable=movable), parking))
    return captioner, answerer, script


def test_they_fit_the_protocols_and_only_one_is_there(gpu) -> None:
    captioner, answerer, _ = pair(gpu)
    assert isinstance(captioner, Captioner)
    assert isinstance(answerer, Answerer)
    assert captioner.info.name == answerer.info.name == "scripted"
    assert (captioner.context_tokens, answerer.default_frames > 0) == (4096, True)
    for _ in range(2):
        assert run(captioner.describe(KEYFRAME, OPTIONS))[0]
        assert run(captioner.summarize([Caption(0, 0, 0, "A dog.")], OPTIONS))[0]
        assert run(answerer.answer(scene(1), "What?", [], OPTIONS))[0]
    assert gpu.most == 1
    assert gpu.log.count("load captioner") == 3
    assert gpu.log.count("load answerer") == 3


def test_who_can_move_is_parked_and_comes_back_without_loading(gpu) -> None:
    captioner, answerer, _ = pair(gpu, movable=True)
    run(captioner.describe(KEYFRAME, OPTIONS))
    run(answerer.answer(scene(1), "What?", [], OPTIONS))
    assert gpu.most == 1
    assert gpu.log == [
        "load captioner",
        "to cpu captioner",
        "load answerer",
        "to cpu answerer",
        "to cuda captioner",
        "to cpu captioner",
        "to cuda answerer",
    ]


def test_parking_needs_memory(gpu, monkeypatch) -> None:
    monkeypatch.setattr(swap, "ram_free", lambda: 1000)
    captioner, _, _ = pair(gpu, movable=True, parking=1000)
    assert gpu.log == ["load captioner", "unload captioner", "load answerer"]
    monkeypatch.setattr(swap, "ram_free", lambda: 1001)
    run(captioner.describe(KEYFRAME, OPTIONS))
    assert gpu.log[-2:] == ["to cpu answerer", "load captioner"]


def test_a_step_keeps_the_seat_until_it_ends(gpu) -> None:
    captioner, answerer, script = pair(gpu)
    script.gate.clear()
    step = captioner.describe(KEYFRAME, OPTIONS)
    next(step)
    question = answerer.answer(scene(1), "What?", [], OPTIONS)
    assert next(question) == ""
    assert gpu.on == ["captioner"]
    script.gate.set()
    assert list(step)
    assert run(question)[0]
    assert gpu.on == ["answerer"]


def test_a_step_closed_from_another_thread_frees_the_seat(gpu) -> None:
    captioner, answerer, _ = pair(gpu)
    step = captioner.describe(KEYFRAME, OPTIONS)
    next(step)
    closing = threading.Thread(target=step.close)
    closing.start()
    closing.join(5)
    assert run(answerer.answer(scene(1), "What?", [], OPTIONS))[0]


def test_a_failing_step_frees_the_seat(gpu) -> None:
    captioner, answerer, script = pair(gpu)
    script.fail["describe"] = "Broken."
    with pytest.raises(EngineError, match="Broken"):
        run(captioner.describe(KEYFRAME, OPTIONS))
    assert run(answerer.answer(scene(1), "What?", [], OPTIONS))[0]


def test_a_load_that_fails_leaves_the_seat_free(gpu) -> None:
    turns, script = Turns(), Script()
    captioner = TurnCaptioner(Seat(turns, engine(ScriptedCaptioner, gpu, script), 1))

    def fail() -> ScriptedAnswerer:
        raise EngineError("No room.")

    with pytest.raises(EngineError, match="No room"):
        Seat(turns, fail, 1)
    assert run(captioner.describe(KEYFRAME, OPTIONS))[0]


def test_a_load_that_fails_leaves_nobody_on_the_seat(gpu) -> None:
    turns, script = Turns(), Script()
    captioner = TurnCaptioner(Seat(turns, engine(ScriptedCaptioner, gpu, script, movable=True), 1))

    def fail() -> ScriptedAnswerer:
        raise EngineError("No room.")

    with pytest.raises(EngineError, match="No room"):
        Seat(turns, fail, 1)
    assert run(captioner.describe(KEYFRAME, OPTIONS))[0]
    assert gpu.log[-2:] == ["to cpu captioner", "to cuda captioner"]


def test_tokens_are_counted_by_the_engine_that_is_loaded(gpu) -> None:
    captioner, _, _ = pair(gpu)
    assert gpu.on == ["answerer"]
    assert captioner.count_tokens("two words") == 2
    assert gpu.on == ["captioner"]


def test_unloading_frees_it_and_the_next_step_loads_again(gpu) -> None:
    captioner, answerer, _ = pair(gpu)
    answerer.unload()
    assert gpu.on == []
    assert run(captioner.describe(KEYFRAME, OPTIONS))[0]
    captioner.unload()
    assert gpu.on == []


def test_many_at_once_never_share(gpu) -> None:
    captioner, answerer, script = pair(gpu)
    script.pause = 0.001

    def steps() -> Iterator[Generation]:
        yield captioner.describe(KEYFRAME, OPTIONS)
        yield answerer.answer(scene(1), "What?", [], OPTIONS)

    threads = [threading.Thread(target=run, args=(step,)) for _ in range(4) for step in steps()]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 30
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    assert not any(thread.is_alive() for thread in threads)
    assert gpu.most == 1
