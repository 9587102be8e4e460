"""What an answerer gets to see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest

from sgv_demo.asking import looked_at, prepare_scene
from sgv_demo.engines import Scene
from sgv_demo.engines.compose import published_indices
from sgv_demo.engines.measured.engine import MeasuredAnswerer
from sgv_demo.errors import SettingsError
from sgv_demo.events import Analysis, Event
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.pipeline import find_keyframes
from sgv_demo.settings import Settings
from tests.support.samples import ENGINE
from tests.support.scripted import Script, ScriptedAnswerer
from tests.support.video_files import number_in, write_clip


def scene_of(events: Iterator[Event | Scene]) -> Scene:
    *_, scene = events
    assert isinstance(scene, Scene)
    return scene


EYES = ScriptedAnswerer(Script(), frames=16)


def test_frames_follow_the_published_rule(clip: Path, settings: Settings) -> None:
    scene = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions()))
    wanted = published_indices(96, 16)
    assert list(scene.indices) == wanted
    assert [round(f.time * 12) for f in scene.frames] == wanted
    assert looked_at(scene) == [(index, f.time) for index, f in zip(wanted, scene.frames, strict=True)]


def test_published_sampling_gives_the_same_frames_at_native_size(clip: Path, settings: Settings) -> None:
    small = replace(settings, frame_long_side=64)
    shown = scene_of(prepare_scene(clip, EYES, small, SamplingOptions()))
    native = scene_of(prepare_scene(clip, EYES, small, SamplingOptions(published=True)))
    assert shown.indices == native.indices
    assert max(shown.frames[0].image.shape) == 64
    assert native.frames[0].image.shape == (192, 320, 3)
    assert [f.time for f in native.frames] == [i / 12 for i in native.indices]


def test_a_range_is_kept_to(clip: Path, settings: Settings) -> None:
    scene = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions(start=4.0, end=6.0), frames=5))
    assert len(scene.frames) == 5
    assert all(4.0 <= f.time < 6.0 for f in scene.frames)
    assert [round(f.time * 12) for f in scene.frames] == list(scene.indices)


def test_the_key_names_the_frames(clip: Path, settings: Settings) -> None:
    a = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions()))
    b = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions()))
    c = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions(start=1.0)))
    d = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions(), frames=9))
    assert a.key == b.key
    small = scene_of(prepare_scene(clip, EYES, replace(settings, frame_long_side=64), SamplingOptions()))
    other = clip.with_name("other.mp4")
    other.write_bytes(clip.read_bytes() + b"\0")
    e = scene_of(prepare_scene(other, EYES, settings, SamplingOptions()))
    assert e.indices == a.indices
    assert len({a.key, c.key, d.key, small.key, e.key}) == 5


def test_a_range_past_the_end_is_cut_there(clip: Path, settings: Settings) -> None:
    whole = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions()))
    longer = scene_of(prepare_scene(clip, EYES, settings, SamplingOptions(end=100.0)))
    assert longer.indices == whole.indices


def test_pictures_that_start_late_are_counted_from_the_first(tmp_path: Path, settings: Settings) -> None:
    path = write_clip(tmp_path / "late.mkv", times=[5 + i / 12 for i in range(48)], sound=9.0)
    scene = scene_of(prepare_scene(path, EYES, settings, SamplingOptions(), frames=4))
    assert scene.video.start == pytest.approx(5.0, abs=0.05)
    assert list(scene.indices) == published_indices(48, 4)
    assert [number_in(frame.image) for frame in scene.frames] == list(scene.indices)


@pytest.mark.parametrize("count", [0, 65, -1])
def test_a_number_of_frames_out_of_range_is_refused(clip: Path, settings: Settings, count: int) -> None:
    with pytest.raises(SettingsError, match="1 to 64"):
        scene_of(prepare_scene(clip, EYES, settings, SamplingOptions(), frames=count))


def test_an_empty_range_is_refused(clip: Path, settings: Settings) -> None:
    with pytest.raises(SettingsError):
        scene_of(prepare_scene(clip, EYES, settings, SamplingOptions(start=30.0)))
    with pytest.raises(SettingsError):
        scene_of(prepare_scene(clip, EYES, settings, SamplingOptions(start=4.0, end=4.0)))


def test_an_engine_that_measures_gets_measurements(clip: Path, settings: Settings) -> None:
    scene = scene_of(prepare_scene(clip, MeasuredAnswerer(), settings, SamplingOptions(read_text=False)))
    assert scene.frames == ()
    assert [(index, round(time, 2)) for index, time in looked_at(scene)] == [(0, 0.0), (48, 4.0), (95, 7.92)]
    assert [e.cuts for e in scene.evidence] == [(4.0,), ()]
    assert all(mark.look for mark in scene.keyframes)
    published = SamplingOptions(read_text=False, published=True)  # a rule for captions; the end is wanted here, too
    assert scene_of(prepare_scene(clip, MeasuredAnswerer(), settings, published)).keyframes == scene.keyframes


def test_measurements_that_are_there_are_used(clip: Path, settings: Settings) -> None:
    sampling = SamplingOptions(read_text=False)
    known = reduce(
        Analysis.apply, find_keyframes(clip, sampling, settings), Analysis(ENGINE, AnalysisOptions(sampling))
    )
    events = prepare_scene(clip, MeasuredAnswerer(), settings, sampling, analysis=known)
    (scene,) = events
    assert isinstance(scene, Scene)
    assert scene.evidence is known.evidence
    other = prepare_scene(clip, MeasuredAnswerer(), settings, replace(sampling, start=1.0), analysis=known)
    assert next(other)
    shorter = prepare_scene(clip, MeasuredAnswerer(), settings, replace(sampling, end=6.0), analysis=known)
    assert next(shorter)
    unmeasured = replace(known, keyframes=tuple(replace(mark, look=None) for mark in known.keyframes))
    for useless in (replace(known, finished=False), unmeasured):
        assert next(prepare_scene(clip, MeasuredAnswerer(), settings, sampling, analysis=useless))
