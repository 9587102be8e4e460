"""`Analysis.apply`: the only place where state changes."""

from __future__ import annotations

from sgv_demo.events import (
    Analysis,
    Captioned,
    Delta,
    Event,
    Failed,
    Finished,
    Kept,
    Measured,
    Noted,
    Opened,
    Sampled,
    Summarized,
    Working,
)
from sgv_demo.options import AnalysisOptions
from sgv_demo.types import Caption, Failure
from tests.support.samples import ENGINE, analysis


def fold(*events: Event) -> Analysis:
    state = Analysis(ENGINE, AnalysisOptions())
    for event in events:
        state = state.apply(event)
    return state


def test_deltas_of_one_step_add_up_and_a_new_step_starts_afresh() -> None:
    assert fold(Delta(0, "A ", 1.0, 2.0), Delta(0, "dog", 1.0, 2.0)).live == Delta(0, "A dog", 1.0, 2.0)
    state = fold(Delta(0, "A "), Delta(0, "dog"), Delta(1, "It"))
    assert state.live is not None
    assert (state.live.step, state.live.text) == (1, "It")


def test_a_caption_ends_its_live_text_and_a_second_one_replaces_the_first() -> None:
    state = fold(Delta(0, "A"), Captioned(Caption(0, 0, 0, "A dog.")), Captioned(Caption(0, 0, 0, "A cat.")))
    assert state.live is None
    assert [c.text for c in state.captions] == ["A cat."]


def test_captions_stay_in_order_whatever_order_they_come_in() -> None:
    state = fold(Captioned(Caption(1, 0, 2, "b")), Captioned(Caption(0, 0, 0, "a")))
    assert [c.text for c in state.captions] == ["a", "b"]


def test_a_failure_keeps_what_was_there_and_goes_when_its_step_succeeds() -> None:
    failed = fold(Captioned(Caption(0, 0, 0, "a")), Delta(1, "half"), Failed(Failure("caption 2", "It broke.", 1)))
    assert failed.failure is not None
    assert failed.live is None
    assert [c.text for c in failed.captions] == ["a"]
    assert failed.apply(Captioned(Caption(1, 0, 2, "b"))).failure is None
    assert failed.apply(Summarized("s")).failure is not None


def test_a_failed_summary_is_cleared_by_a_summary_alone() -> None:
    failed = fold(Failed(Failure("the summary", "It broke.")))
    assert failed.apply(Captioned(Caption(0, 0, 0, "a"))).failure is not None
    assert failed.apply(Summarized("s")).failure is None


def test_working_is_replaced_by_what_comes_next_but_not_by_a_note() -> None:
    state = fold(Working("reading"))
    assert state.apply(Noted("n")).working == "reading"
    assert state.apply(Sampled(analysis().samples[0])).working == "reading"
    assert state.apply(Delta(0, "a")).working == ""


def test_the_same_note_is_kept_once() -> None:
    assert fold(Noted("n"), Noted("n")).notes == ("n",)


def test_finishing_ends_the_live_text() -> None:
    state = fold(Delta("summary", "x"), Finished(2.5))
    assert (state.finished, state.live, state.seconds) == (True, None, 2.5)


def test_what_was_seen_is_kept_in_the_order_it_came() -> None:
    whole = analysis()
    assert whole.video
    state = fold(
        Opened(whole.video),
        *map(Sampled, whole.samples),
        *map(Kept, whole.keyframes),
        *map(Measured, whole.evidence),
    )
    assert (state.video, state.samples, state.keyframes) == (whole.video, whole.samples, whole.keyframes)
    assert state.evidence == whole.evidence


def test_one_caption_from_the_store_marks_the_result() -> None:
    first, second, _ = analysis().captions
    assert fold(Captioned(first, from_store=True), Captioned(second)).from_store
    assert not fold(Captioned(first), Captioned(second)).from_store


def test_a_summary_keeps_its_levels_and_trace_and_ends_its_live_text() -> None:
    trace = analysis().captions[1].trace
    state = fold(Delta("summary", "All"), Summarized("All.", 2, trace))
    assert (state.summary, state.summary_levels, state.summary_trace, state.live) == ("All.", 2, trace, None)
