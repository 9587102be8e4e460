"""What a run makes of its steps: scripted keyframes, so that no video is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sgv_demo import pipeline
from sgv_demo.errors import VideoError
from sgv_demo.events import Analysis, Begun, Captioned, Event, Failed, Finished, Noted, Opened, Summarized
from sgv_demo.keyframes.watch import Step
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.results.log import Log
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.types import Evidence, Frame, Generation, Keyframe, Trace, TraceMark, VideoInfo
from tests.support.samples import ENGINE
from tests.support.scripted import Script, ScriptedCaptioner

PUBLISHED = AnalysisOptions(SamplingOptions(published=True))
IMAGE = np.zeros((4, 4, 3), np.uint8)


def fold(events: Iterable[Event]) -> Analysis:
    return reduce(Analysis.apply, events, Analysis())


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `watch` gives and what it was asked: {"count", "every", "breaks", "sampling", "settings"}."""
    script: dict[str, Any] = {"count": 4, "every": 2.0, "breaks": False}

    def watch(path: Path, sampling: SamplingOptions, settings: Settings, **_: object) -> Iterator[Event | Step]:
        script.update(sampling=sampling, settings=settings)
        yield Opened(VideoInfo(path, 8.0, 25.0, (4, 4), "h264"))
        for i in range(script["count"]):
            time, every = script["every"] * i, script["every"]
            evidence = Evidence(time - every, time, ("static",)) if i else None
            yield Step(Keyframe(i, Frame(time, IMAGE), None, time + 0.25), evidence)
        if script["breaks"]:
            raise VideoError("The file ends too early; upload it again.")

    monkeypatch.setattr(pipeline, "watch", watch)
    return script


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"movie")
    return path


class Noting(ScriptedCaptioner):
    """Notes what it is given, and shows what it saw."""

    def __init__(self) -> None:
        super().__init__(Script())
        self.given: list[tuple[int, int, str]] = []

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        self.given.append((before.index, after.index, previous))
        return super().difference(before, after, evidence, previous, options)

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        yield "A."
        yield Trace("p", (1,), 1, picture=IMAGE)


def test_each_pair_follows_the_one_before(watching: dict[str, Any], video: Path, settings: Settings) -> None:
    engine = Noting()
    state = fold(pipeline.analyze(video, engine, AnalysisOptions(), settings))
    texts = [c.text for c in state.captions]
    assert engine.given == [(0, 1, texts[0]), (1, 2, texts[1]), (2, 3, texts[2])]
    assert [c.stated_time for c in state.captions] == [0.25, 2.25, 4.25, 6.25]
    assert [c.evidence.end if c.evidence else None for c in state.captions] == [None, 2.0, 4.0, 6.0]


def test_a_video_that_breaks_off_keeps_its_captions(watching: dict[str, Any], video: Path, settings: Settings) -> None:
    watching["breaks"] = True
    events = list(pipeline.analyze(video, Noting(), AnalysisOptions(), settings))
    assert sum(isinstance(e, Captioned) for e in events) == 4
    assert isinstance(events[-1], Failed)
    assert events[-1].failure.index == 4
    assert not any(isinstance(e, (Summarized, Finished)) for e in events)
    watching["count"] = 0
    with pytest.raises(VideoError):
        list(pipeline.analyze(video, Noting(), AnalysisOptions(), settings))


@pytest.mark.parametrize("mode", ["sliding", "fast"])
def test_no_summary_where_none_is_wanted(watching: dict[str, Any], video: Path, settings: Settings, mode: Any) -> None:
    state = fold(pipeline.analyze(video, Noting(), AnalysisOptions(mode=mode, summarize=False), settings))
    assert state.finished
    assert state.summary == ""


def test_fast_captions_take_few_small_keyframes_unless_published(
    watching: dict[str, Any], video: Path, settings: Settings
) -> None:
    fast = AnalysisOptions(mode="fast")
    few = replace(fast, sampling=SamplingOptions(maximum=3))
    wanted: list[int | None] = []
    for options in (fast, few, replace(PUBLISHED, mode="fast")):
        state = fold(pipeline.analyze(video, Noting(), options, settings))
        assert (state.captions[0].start, state.captions[0].end) == (0.0, 6.0)
        wanted.append(watching["sampling"].maximum)
        assert watching["settings"].frame_long_side == 640
    assert wanted == [pipeline.FAST_KEYFRAMES, 3, None]
    list(pipeline.analyze(video, Noting(), fast, replace(settings, frame_long_side=64)))
    assert watching["settings"].frame_long_side == 64


def test_who_writes_from_measurements_gets_them(watching: dict[str, Any], video: Path, settings: Settings) -> None:
    engine = Noting()
    unmeasured = AnalysisOptions(SamplingOptions(measure=False))
    list(pipeline.analyze(video, engine, unmeasured, settings))
    assert not watching["sampling"].measure
    engine.info = replace(engine.info, needs_evidence=True)
    list(pipeline.analyze(video, engine, unmeasured, settings))
    assert watching["sampling"].measure


def test_a_sheet_is_for_engines_that_take_several_pictures(
    watching: dict[str, Any], video: Path, settings: Settings
) -> None:
    engine = Noting()
    options = AnalysisOptions(mode="sheet")
    told = "the sheet is its fast caption"
    assert any(told in note for note in fold(pipeline.analyze(video, engine, options, settings)).notes)
    engine.info = replace(engine.info, sees_several=True)
    seen = fold(pipeline.analyze(video, engine, options, settings))
    assert not any(told in note for note in seen.notes)
    assert [caption.text for caption in seen.captions] == [seen.summary]
    assert "on a sheet" in seen.summary


def test_a_blank_published_summary_is_noted(watching: dict[str, Any], video: Path, settings: Settings) -> None:
    engine = Noting()
    engine.script.blank.add("summarize")
    state = fold(pipeline.analyze(video, engine, PUBLISHED, settings))
    assert state.finished
    assert any("summary came back blank" in note for note in state.notes)
    assert not fold(pipeline.analyze(video, engine, AnalysisOptions(), settings)).finished


def test_what_was_stored_of_another_span_is_written_again(
    watching: dict[str, Any], video: Path, settings: Settings
) -> None:
    store, engine = Store(settings.store_path, 100), Noting()
    engine.script.fail["summarize"] = "It broke."
    list(pipeline.analyze(video, engine, AnalysisOptions(), settings, store=store))
    engine.given.clear()
    watching["every"] = 3.0
    again = list(pipeline.analyze(video, engine, AnalysisOptions(), settings, store=store))
    assert [e.from_store for e in again if isinstance(e, Captioned)] == [True, False, False, False]
    assert engine.given[0] == (0, 1, "A.")


def test_a_replayed_result_names_the_file_at_hand(watching: dict[str, Any], video: Path, settings: Settings) -> None:
    store = Store(settings.store_path, 100)
    list(pipeline.analyze(video, Noting(), AnalysisOptions(), settings, store=store))
    moved = video.with_name("b.mp4")
    moved.write_bytes(video.read_bytes())
    state = fold(pipeline.analyze(moved, Noting(), AnalysisOptions(), settings, store=store))
    assert state.from_store
    assert state.video
    assert state.video.path == moved


def test_a_disk_that_fills_up_is_noted_once_and_ends_no_run(
    watching: dict[str, Any], video: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    for number, part in enumerate(("_picture", "_append", "open")):
        with monkeypatch.context() as patch:
            patch.setattr(Log, part, full)
            options = AnalysisOptions(SamplingOptions(every=2.0 + number))
            events = list(pipeline.analyze(video, Noting(), options, settings, store=Store(settings.store_path, 100)))
        assert fold(events).finished
        assert fold(events).captions[0].trace == TraceMark("p", 1, 1)
        said = "Results can't be stored (No space left on device); free some disk space or set SGV_STORE_DIR."
        assert [e.text for e in events if isinstance(e, Noted)] == [said]


def test_a_run_begins_with_who_writes_what_was_chosen_and_its_key(
    watching: dict[str, Any], video: Path, settings: Settings
) -> None:
    engine, options = Noting(), AnalysisOptions(SamplingOptions(every=3.0))
    key = pipeline.result_key(video, engine.info, options, settings)
    for store, named in ((None, ""), (Store(settings.store_path, 100), key), (Store(settings.store_path, 100), key)):
        events = list(pipeline.analyze(video, engine, options, settings, store=store))
        assert events[0] == Begun(engine.info, pipeline.settle(options, engine.info, settings), named)
        assert sum(isinstance(event, Begun) for event in events) == 1


def test_another_take_is_another_result_of_the_same(watching: dict[str, Any], video: Path, settings: Settings) -> None:
    store, keys = Store(settings.store_path, 100), []
    for take, known in (("", False), ("again", False), ("again", True), ("", True)):
        state = fold(pipeline.analyze(video, Noting(), AnalysisOptions(), settings, store=store, take=take))
        assert state.from_store is known
        keys.append(state.key)
    assert (keys[0], keys[1]) == (keys[3], keys[2])
    assert keys[0] != keys[1]


def test_a_result_is_of_what_frames_were_read_like(video: Path, settings: Settings) -> None:
    changed = [
        replace(settings, frame_long_side=64), replace(settings, measure_rate=9), replace(settings, clip_model="other"),
    ]  # fmt: skip
    keys = {pipeline.result_key(video, ENGINE, AnalysisOptions(), each) for each in (settings, *changed)}
    assert len(keys) == 4
