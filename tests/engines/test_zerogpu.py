"""Slots of a shared GPU, with a stand-in that forks, pickles, counts and ends as `spaces` does."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path

import numpy as np
import pytest
import spaces
from gradio.context import LocalContext

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.engines.turns import zerogpu
from sgv_demo.engines.turns.zerogpu import StepSeconds, answerer_in_slots, captioner_in_slots, quota_left, slot_seconds
from sgv_demo.errors import EngineError, OutOfMemoryError
from sgv_demo.events import Captioned, Failed, Finished, Summarized
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.pipeline import analyze
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, Generation, Keyframe, Trace
from tests.engines.test_remote import run, scene
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner
from tests.support.video_files import write_clip
from tests.support.zerogpu_standin import Quota, gpu

OPTIONS = GenerationOptions()
ZERO = Settings(zero_gpu=True, slot_seconds=60)


def keyframe(index: int) -> Keyframe:
    return Keyframe(index, Frame(2.0 * index, np.zeros((8, 8, 3), np.uint8)), None, 2.0 * index)


@pytest.fixture
def quota(monkeypatch) -> Iterator[Quota]:
    """A visitor's quota."""
    found = Quota()
    monkeypatch.setattr(spaces, "GPU", gpu(found))
    monkeypatch.setattr(zerogpu, "STEP_SECONDS", StepSeconds())
    yield found
    zerogpu._ENGINES.clear()
    zerogpu._task = zerogpu._serve


@pytest.fixture
def captioner(quota) -> ScriptedCaptioner:
    engine = ScriptedCaptioner(Script())
    zerogpu.install({"captioner": engine})
    return engine


def test_slots_are_computed_from_steps_and_their_seconds() -> None:
    assert slot_seconds(3, 10, 60) == 40
    assert slot_seconds(99, 10, 60) == 60
    assert slot_seconds(99, 12, 60) == 58
    assert slot_seconds(0, 10, 60) == 20
    assert slot_seconds(5, 100, 60) == 110
    assert slot_seconds(5, 500, 60) == zerogpu.LONGEST
    assert zerogpu.slot_duration("", "", 40.2) == 41


def test_pace_is_measured_by_role() -> None:
    pace = StepSeconds()
    assert pace.of("a", "describe") == pytest.approx(zerogpu.FIRST_GUESS)
    pace.note("a", "describe", 4)
    assert pace.of("a", "describe") == pytest.approx(4 * zerogpu.CAUTION)
    pace.note("a", "describe", 8)
    assert pace.of("a", "describe") == pytest.approx(5.6 * zerogpu.CAUTION)
    assert pace.of("a", "summarize") == pytest.approx(zerogpu.FIRST_GUESS)


def test_the_refusal_of_the_package_is_understood() -> None:
    assert quota_left("You have exceeded your free ZeroGPU quota (90s requested vs. 42s left). Try again in") == 42
    assert quota_left("Space app has reached its GPU limit.") == 0


def test_elsewhere_engines_are_untouched(captioner) -> None:
    with captioner_in_slots(captioner, Settings(), 5) as same:
        assert same is captioner
    other = ScriptedCaptioner(Script())
    with captioner_in_slots(other, ZERO, 5) as same:
        assert same is other


def test_steps_run_in_one_slot_and_stream(captioner, quota) -> None:
    with captioner_in_slots(captioner, ZERO, 3) as engine:
        assert isinstance(engine, Captioner)
        assert engine.info == captioner.info
        assert engine.count_tokens("two words") == 2
        pieces = [piece for piece in engine.describe(keyframe(0), OPTIONS) if piece]
        assert len(pieces) > 3
        text, trace = run(engine.difference(keyframe(0), keyframe(1), None, "before", OPTIONS))
        assert text.startswith("Pair 1 changes")
        assert isinstance(trace, Trace)
        assert trace.prompt_tokens == 120
    assert quota.asked == [46]
    assert quota.ended == ["end"]


def test_answers_run_in_a_slot(quota) -> None:
    engine = ScriptedAnswerer(Script())
    zerogpu.install({"answerer": engine})
    with answerer_in_slots(engine, ZERO) as slotted:
        assert isinstance(slotted, Answerer)
        assert run(slotted.answer(scene(2), "What?", [], OPTIONS))[0].startswith("Answer 1 about What?")
    assert quota.asked == [22]


def test_a_new_slot_is_opened_before_the_old_one_would_cut_a_step(captioner, quota) -> None:
    quota.left = 10_000
    lease_times = []
    with captioner_in_slots(captioner, ZERO, 20) as engine:
        for index in range(3):
            run(engine.describe(keyframe(index), OPTIONS))
            slots = engine._run.__self__  # pyright: ignore[reportAttributeAccessIssue]
            lease_times.append(slots._lease)
            slots._lease._ends = time.monotonic()  # as if the slot's time were nearly over
    assert len(set(map(id, lease_times))) == 3
    assert quota.ended == ["end", "end", "end"]
    assert len(quota.asked) == 3


def test_a_slot_that_was_cut_before_a_word_is_tried_again_with_more_time(captioner, quota) -> None:
    quota.left = 10_000
    zerogpu.STEP_SECONDS.note("captioner", "describe", 5)
    attempts = []
    ended = zerogpu._Lease.run

    def lost_first(self, role: str, arguments: object) -> Generation:
        attempts.append(role)
        if len(attempts) == 1:
            raise zerogpu._Lost
        return (yield from ended(self, role, arguments))  # pyright: ignore[reportArgumentType]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zerogpu._Lease, "run", lost_first)
        with captioner_in_slots(captioner, ZERO, 1) as engine:
            assert run(engine.describe(keyframe(0), OPTIONS))[0]
    assert quota.asked == [17, 23]


def test_words_that_were_sent_are_never_written_again(captioner, quota) -> None:
    attempts = []

    def lost_late(self, role: str, arguments: object) -> Generation:
        attempts.append(role)
        yield "a word "
        yield ""
        raise zerogpu._Lost

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zerogpu._Lease, "run", lost_late)
        with (
            captioner_in_slots(captioner, ZERO, 1) as engine,
            pytest.raises(EngineError, match="in the middle of this step"),
        ):
            run(engine.describe(keyframe(0), OPTIONS))
    assert len(attempts) == 1


def test_a_slot_leaves_nothing_behind(captioner, quota, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with captioner_in_slots(captioner, ZERO, 1) as engine:
        run(engine.describe(keyframe(0), OPTIONS))
        held = engine._run.__self__._lease  # pyright: ignore[reportAttributeAccessIssue] - or the interpreter would tidy up
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    assert held


def test_engines_installed_before_are_forgotten(captioner, quota) -> None:
    zerogpu.install({"other": ScriptedCaptioner(Script())})
    with captioner_in_slots(captioner, ZERO, 1) as same:
        assert same is captioner


def test_a_worker_ended_in_the_middle_is_told(captioner, quota) -> None:
    quota.scale = 0.02
    captioner.script.gate.clear()
    with (
        captioner_in_slots(captioner, ZERO, 4) as engine,
        pytest.raises(EngineError, match="slot ended in the middle of this step; 0 steps are done and kept"),
    ):
        run(engine.describe(keyframe(0), OPTIONS))
    assert quota.ended == ["killed"]


def test_errors_reach_the_visitor_in_words(captioner) -> None:
    captioner.script.fail["describe"] = "The picture is too large; use a smaller one."
    with captioner_in_slots(captioner, ZERO, 4) as engine:
        with pytest.raises(EngineError, match="The picture is too large; use a smaller one"):
            run(engine.describe(keyframe(0), OPTIONS))
        assert run(engine.difference(keyframe(0), keyframe(1), None, "", OPTIONS))[0]


class Odd(ScriptedCaptioner):
    """Fails in ways of its own."""

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        yield "a"
        raise ZeroDivisionError("secret detail")

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        yield ""
        raise OutOfMemoryError("No room; use fewer frames.")


def test_unforeseen_errors_and_full_memory(quota) -> None:
    engine = Odd(Script())
    zerogpu.install({"odd": engine})
    with captioner_in_slots(engine, ZERO, 4) as slotted:
        with pytest.raises(EngineError, match="unforeseen reason") as caught:
            run(slotted.describe(keyframe(0), OPTIONS))
        assert "secret" not in str(caught.value)
        with pytest.raises(OutOfMemoryError, match="fewer frames"):
            run(slotted.recaption("a dog", OPTIONS))
    assert quota.ended == ["end"]


def test_a_small_rest_of_the_quota_gets_a_smaller_slot(captioner, quota) -> None:
    quota.left = 40
    with captioner_in_slots(captioner, ZERO, 20) as engine:
        assert run(engine.describe(keyframe(0), OPTIONS))[0]
    assert quota.asked == [58, 22]


def test_a_used_up_quota_says_so_and_what_remains(captioner, quota) -> None:
    quota.left = 12
    with (
        captioner_in_slots(captioner, ZERO, 20) as engine,
        pytest.raises(EngineError, match=r"^You have exceeded your free.*0 steps are done.*at most 20 remain"),
    ):
        run(engine.describe(keyframe(0), OPTIONS))
    assert len(quota.asked) == 1


def test_stopping_frees_the_gpu(captioner, quota) -> None:
    captioner.script.pause = 0.02
    with captioner_in_slots(captioner, ZERO, 3) as engine:
        step = engine.describe(keyframe(0), OPTIONS)
        while not next(step):
            pass
        step.close()
        assert quota.ended == ["end"]
    assert quota.ended == ["end"]


def test_an_idle_slot_ends_by_itself(captioner, quota, monkeypatch) -> None:
    # Slots of four seconds, whatever a step was measured at: a step of a scripted engine takes none of them, on the
    # slowest machine either.
    monkeypatch.setattr(zerogpu, "STARTUP", 0.0)
    monkeypatch.setattr(zerogpu, "FIRST_GUESS", 4.0)
    monkeypatch.setattr(zerogpu.STEP_SECONDS, "note", lambda *step: None)
    with captioner_in_slots(captioner, Settings(zero_gpu=True, slot_seconds=1), 1) as engine:
        run(engine.describe(keyframe(0), OPTIONS))
        time.sleep(4.5)
        assert run(engine.describe(keyframe(1), OPTIONS))[0]
    assert len(quota.asked) == 2


def test_a_call_is_made_for_the_visitor_whose_context_it_has(captioner, quota) -> None:
    def work() -> None:
        with captioner_in_slots(captioner, ZERO, 1) as engine:
            run(engine.describe(keyframe(0), OPTIONS))

    token = LocalContext.request.set("visitor")  # pyright: ignore[reportArgumentType]
    try:
        thread = threading.Thread(target=copy_context().run, args=(work,))
    finally:
        LocalContext.request.reset(token)
    thread.start()
    thread.join(20)
    assert quota.requests == ["visitor"]


def test_a_whole_analysis_goes_on_after_the_quota_ran_out(captioner, quota, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "clip.mp4", count=200)
    options = AnalysisOptions(SamplingOptions(every=2, keep_all=True, measure=False))
    settings = Settings(zero_gpu=True, store_dir=tmp_path / "store")
    store = Store(settings.store_path, 100)

    def analysis(stop_after: int | None = None) -> list[object]:
        events: list[object] = []
        with captioner_in_slots(captioner, settings, 6) as engine:
            for event in analyze(video, engine, options, settings, store=store):
                events.append(event)
                done = sum(isinstance(e, Captioned) for e in events)
                if stop_after == done:
                    quota.left = 0
                    with contextlib.suppress(AttributeError):
                        engine._run.__self__.close()  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
        return events

    first = analysis(stop_after=2)
    failed = first[-1]
    assert isinstance(failed, Failed)
    assert failed.failure.index == 2
    assert "2 steps are done and kept, at most 4 remain" in failed.failure.message
    quota.left = 300
    second = analysis()
    assert isinstance(second[-1], Finished)
    captions = [event for event in second if isinstance(event, Captioned)]
    assert [event.from_store for event in captions] == [True, True, *[False] * (len(captions) - 2)]
    assert len(captions) > 2
    assert any(isinstance(event, Summarized) for event in second)
