"""The road from a video to captions and a summary, with an engine that follows a script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest

from sgv_demo.errors import SettingsError, VideoError
from sgv_demo.events import Analysis, Captioned, Delta, Event, Failed, Finished, Kept, Measured, Opened, Sampled
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.pipeline import analyze, find_keyframes
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from tests.support.samples import ENGINE
from tests.support.scripted import Script, ScriptedCaptioner

PLAIN = AnalysisOptions(SamplingOptions(keep_all=True, read_text=False))


def fold(events: Iterable[Event], options: AnalysisOptions = PLAIN) -> Analysis:
    return reduce(Analysis.apply, events, Analysis(ENGINE, options))


def test_keyframes_come_in_order_with_their_gaps_measured(clip: Path, settings: Settings) -> None:
    events = list(find_keyframes(clip, SamplingOptions(read_text=False), settings))
    assert isinstance(events[1], Opened)
    assert isinstance(events[-1], Finished)
    state = fold(events)
    assert [round(m.time, 2) for m in state.keyframes] == [0.0, 4.0, 7.92]
    assert [e.cuts for e in state.evidence] == [(4.0,), ()]
    assert [(e.start, e.end) for e in state.evidence] == [(0.0, 4.0), (4.0, state.keyframes[2].time)]
    kinds = [type(e) for e in events if isinstance(e, (Kept, Measured))]
    assert kinds == [Kept, Kept, Measured, Kept, Measured]


def test_samples_are_every_two_seconds_and_the_last_frame_closes(clip: Path, settings: Settings) -> None:
    state = fold(find_keyframes(clip, SamplingOptions(read_text=False), settings))
    assert [round(s.time, 2) for s in state.samples] == [0.0, 2.0, 4.0, 6.0, 7.92]
    assert [s.kept for s in state.samples] == [True, False, True, False, True]


def test_without_measuring_nothing_is_measured_and_the_same_frames_are_kept(clip: Path, settings: Settings) -> None:
    state = fold(find_keyframes(clip, SamplingOptions(measure=False), settings))
    assert [round(m.time, 2) for m in state.keyframes] == [0.0, 4.0, 7.92]
    assert state.evidence == ()
    assert all(mark.look is None for mark in state.keyframes)


def test_a_range_is_kept_to(clip: Path, settings: Settings) -> None:
    state = fold(find_keyframes(clip, SamplingOptions(start=3.0, end=6.0, keep_all=True, read_text=False), settings))
    times = [m.time for m in state.keyframes]
    assert times[0] == pytest.approx(3.0, abs=0.05)
    assert times[-1] <= 6.01


def test_a_maximum_keeps_the_most_different_and_says_how_many_went(clip: Path, settings: Settings) -> None:
    sampling = SamplingOptions(maximum=2, keep_all=True, read_text=False)
    state = fold(find_keyframes(clip, sampling, settings))
    assert len(state.keyframes) == 2
    assert state.keyframes[0].time < 4 <= state.keyframes[1].time
    assert any("dropped" in note for note in state.notes)
    assert len(state.evidence) == 1
    assert state.evidence[0].cuts == (4.0,)


def test_published_sampling_takes_frame_numbers_and_states_even_seconds(clip: Path, settings: Settings) -> None:
    state = fold(find_keyframes(clip, SamplingOptions(published=True, keep_all=True, read_text=False), settings))
    assert [m.stated_time for m in state.keyframes] == [0.0, 2.0, 4.0, 6.0]
    assert [round(m.time, 3) for m in state.keyframes] == [0.0, 2.0, 4.0, 6.0]
    assert len(state.evidence) == 3


@pytest.mark.parametrize(
    "sampling", [SamplingOptions(start=20.0), SamplingOptions(start=4.0, end=4.0), SamplingOptions(every=0)]
)
def test_an_impossible_range_is_refused(clip: Path, settings: Settings, sampling: SamplingOptions) -> None:
    with pytest.raises(SettingsError):
        list(find_keyframes(clip, sampling, settings))


def test_captions_stream_pair_by_pair_and_a_summary_follows(clip: Path, settings: Settings) -> None:
    events = list(analyze(clip, ScriptedCaptioner(Script()), PLAIN, settings))
    state = fold(events)
    assert [(round(c.start, 2), round(c.end, 2)) for c in state.captions] == [
        (0.0, 0.0), (0.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 7.92),
    ]  # fmt: skip
    streamed = "".join(e.text for e in events if isinstance(e, Delta) and e.step == 2)
    assert streamed == state.captions[2].text
    assert state.captions[2].evidence is not None
    assert state.captions[2].evidence.cuts == (4.0,)
    assert state.summary.startswith("A summary of 5 captions")
    assert state.finished


def test_the_first_caption_does_not_wait_for_the_last_frame(clip: Path, settings: Settings) -> None:
    kinds = [type(e) for e in analyze(clip, ScriptedCaptioner(Script()), PLAIN, settings)]
    assert kinds.index(Captioned) < len(kinds) - 1 - kinds[::-1].index(Sampled)


def test_fast_mode_is_one_caption_over_the_whole_range(clip: Path, settings: Settings) -> None:
    options = replace(PLAIN, mode="fast")
    state = fold(analyze(clip, ScriptedCaptioner(Script()), options, settings), options)
    assert len(state.captions) == 1
    assert (state.captions[0].start, round(state.captions[0].end, 2)) == (0.0, 7.92)
    assert "All 5 keyframes" in state.summary


@pytest.mark.parametrize("trouble", ["fails", "is blank"])
def test_a_step_that_goes_wrong_keeps_the_earlier_ones_and_is_retried_from_there(
    clip: Path, settings: Settings, trouble: str
) -> None:
    store = Store(settings.store_path, 100)
    script = Script()
    engine = ScriptedCaptioner(script)
    state = Analysis(ENGINE, PLAIN)
    for event in analyze(clip, engine, PLAIN, settings, store=store):
        state = state.apply(event)
        if len(state.captions) == 2:
            if trouble == "fails":
                script.fail["difference"] = "The model tripped; retry it."
            else:
                script.blank.add("difference")
    assert len(state.captions) == 2
    assert state.failure is not None
    assert state.failure.index == 2
    assert not state.finished
    script.fail.clear()
    script.blank.clear()
    again = list(analyze(clip, engine, PLAIN, settings, store=store))
    assert [e.from_store for e in again if isinstance(e, Captioned)] == [True, True, False, False, False]
    assert fold(again).finished


def test_published_sampling_goes_on_after_a_blank_answer_and_says_so(clip: Path, settings: Settings) -> None:
    options = AnalysisOptions(SamplingOptions(keep_all=True, published=True, measure=False))
    state = fold(analyze(clip, ScriptedCaptioner(Script(blank={"difference"})), options, settings), options)
    assert [bool(c.text) for c in state.captions] == [True, False, False, False]
    assert state.finished
    assert sum("came back blank" in note for note in state.notes) == 3


def test_an_unforeseen_error_of_an_engine_is_a_failed_step(clip: Path, settings: Settings) -> None:
    class Broken(ScriptedCaptioner):
        def difference(self, *args, **kwargs):
            raise ZeroDivisionError("secret detail")

    events = list(analyze(clip, Broken(Script()), PLAIN, settings))
    failed = [e for e in events if isinstance(e, Failed)]
    assert len(failed) == 1
    assert "secret" not in failed[0].failure.message
    assert len(fold(events).captions) == 1


def test_closing_stops_the_engine_and_the_next_run_goes_on(clip: Path, settings: Settings) -> None:
    store = Store(settings.store_path, 100)
    script = Script()
    engine = ScriptedCaptioner(script)
    events = analyze(clip, engine, PLAIN, settings, store=store)
    for event in events:
        if isinstance(event, Delta) and event.step == 1:
            break
    events.close()
    assert script.closed == ["difference"]
    again = list(analyze(clip, engine, PLAIN, settings, store=store))
    assert [e.from_store for e in again if isinstance(e, Captioned)] == [True, False, False, False, False]


def test_a_finished_result_opens_without_reading_the_video_again(clip: Path, settings: Settings) -> None:
    store = Store(settings.store_path, 100)
    script = Script()
    first = fold(analyze(clip, ScriptedCaptioner(script), PLAIN, settings, store=store))
    script.fail = {"describe": "no", "difference": "no", "summarize": "no"}
    second = fold(analyze(clip, ScriptedCaptioner(script), PLAIN, settings, store=store))
    assert second.from_store
    assert second.captions == first.captions
    assert second.summary == first.summary
    assert second.samples == first.samples
    assert second.video == first.video


def test_other_options_or_another_engine_are_another_result(clip: Path, settings: Settings) -> None:
    store = Store(settings.store_path, 100)
    list(analyze(clip, ScriptedCaptioner(Script()), PLAIN, settings, store=store))
    other = replace(PLAIN, sampling=replace(PLAIN.sampling, every=4.0))
    assert not fold(analyze(clip, ScriptedCaptioner(Script()), other, settings, store=store)).from_store
    assert not fold(analyze(clip, ScriptedCaptioner(Script(), "b"), PLAIN, settings, store=store)).from_store


def test_keyframe_pictures_are_on_disk_before_their_event(clip: Path, settings: Settings) -> None:
    store = Store(settings.store_path, 100)
    for event in analyze(clip, ScriptedCaptioner(Script()), PLAIN, settings, store=store):
        if isinstance(event, Kept):
            assert event.mark.picture is not None
            assert list(store.root.glob(f"*/{event.mark.picture}"))


def test_a_store_that_can_not_be_written_is_noted_and_the_run_goes_on(clip: Path, settings: Settings) -> None:
    settings.store_path.mkdir(parents=True)
    (settings.store_path / "results").write_text("in the way")
    state = fold(analyze(clip, ScriptedCaptioner(Script()), PLAIN, settings, store=Store(settings.store_path, 100)))
    assert state.finished
    assert any("can't be stored" in note for note in state.notes)


def test_a_file_that_is_no_video_is_refused(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.mp4").write_text("hello")
    with pytest.raises(VideoError):
        list(analyze(tmp_path / "a.mp4", ScriptedCaptioner(Script()), PLAIN, settings))
