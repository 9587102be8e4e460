"""Which pictures of a clip are looked at, at the edges: ranges, blank starts, caps, uneven times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sgv_demo.errors import SettingsError
from sgv_demo.events import Event, Noted, Opened, Sampled, Working
from sgv_demo.evidence.measure import GapMeter
from sgv_demo.keyframes.watch import Step, _mark, expected_samples, watch
from sgv_demo.options import SamplingOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Frame
from tests.support.shots import texture
from tests.support.video_files import damage, write_clip

EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "examples" / "ball.mp4"
QUICK = SamplingOptions(measure=False)
ALL = SamplingOptions(measure=False, keep_all=True)


def times(items: Iterator[Event | Step]) -> list[float]:
    return [round(item.keyframe.frame.time, 2) for item in items if isinstance(item, Step)]


def test_a_range_closes_at_its_own_end(clip: Path, settings: Settings) -> None:
    # The cut at 4 s is kept; one second later the range ends, and that is less than an interval.
    assert times(watch(clip, SamplingOptions(end=5.0, read_text=False), settings)) == [0.0, 4.0]
    assert times(watch(clip, replace(ALL, end=6.0), settings)) == [0.0, 2.0, 4.0, 6.0]


def test_published_sampling_keeps_to_a_range_and_closes_nothing(clip: Path, settings: Settings) -> None:
    published = replace(ALL, published=True)
    assert times(watch(clip, replace(published, start=3.0), settings)) == [4.0, 6.0]
    assert times(watch(clip, replace(published, end=4.0), settings)) == [0.0, 2.0, 4.0]
    assert times(watch(clip, replace(QUICK, published=True), settings)) == [0.0, 4.0]


def test_a_start_at_the_very_end_is_refused(clip: Path, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="but the video ends at 8"):
        list(watch(clip, replace(QUICK, start=8.0), settings))


def test_more_samples_than_the_most_are_refused_before_any_is_read(clip: Path, settings: Settings) -> None:
    few = replace(settings, max_samples=16)
    with pytest.raises(SettingsError, match=r"^A sample every 0.5 s makes 17 samples, and 16 are the most"):
        list(watch(clip, replace(QUICK, every=0.5), few))
    assert times(watch(clip, replace(ALL, every=0.5, end=7.5), few))[-1] == 7.5


def test_measuring_goes_on_while_a_caption_is_written(
    clip: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[float] = []
    feed = GapMeter.feed
    monkeypatch.setattr(GapMeter, "feed", lambda meter, frame: (fed.append(frame.time), feed(meter, frame))[1])
    items = watch(clip, SamplingOptions(keep_all=True, read_text=False), settings)
    first = next(item for item in items if isinstance(item, Step))
    for _ in range(500):
        if fed[-1] >= first.keyframe.time + 4:
            break
        time.sleep(0.02)
    assert fed[-1] >= first.keyframe.time + 4, "nobody took an item meanwhile"
    items.close()


def test_who_finds_no_place_to_read_waits_in_line_and_can_be_stopped(clip: Path, settings: Settings) -> None:
    one = replace(settings, max_readers=1)
    first, second, third = watch(clip, ALL, one), watch(clip, ALL, one), watch(clip, ALL, one)
    assert isinstance(next(first), Opened)
    assert next(second) == Working("Waiting for a place to read the video: next in line")
    assert next(third) == Working("Waiting for a place to read the video: 1 in line before you")
    second.close()
    assert next(third) == Working("Waiting for a place to read the video: next in line")
    first.close()
    assert times(third) == times(watch(clip, ALL, settings))


def test_the_most_keyframes_in_a_run(clip: Path, settings: Settings) -> None:
    items = list(watch(clip, ALL, replace(settings, max_keyframes=2)))
    assert times(iter(items)) == [0.0, 2.0]
    assert any(isinstance(item, Noted) and "Stopped at 2 keyframes" in item.text for item in items)


def test_a_maximum_reads_what_it_keeps_at_the_size_of_the_settings(clip: Path, settings: Settings) -> None:
    items = list(watch(clip, replace(ALL, maximum=2), replace(settings, frame_long_side=64)))
    steps = [item.keyframe for item in items if isinstance(item, Step)]
    assert [max(keyframe.frame.image.shape) for keyframe in steps] == [64, 64]
    assert steps[0].similarity is None
    assert steps[1].similarity is not None
    assert steps[1].similarity < 0.87


def test_a_maximum_chooses_among_the_keyframes_alone(clip: Path, settings: Settings) -> None:
    items = list(watch(clip, replace(QUICK, maximum=3), settings))
    assert times(iter(items)) == [0.0, 4.0, 7.92]
    assert not any(isinstance(item, Noted) for item in items)


@pytest.fixture(scope="module")
def dark_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s at 12 fps; the first second is black."""
    path = tmp_path_factory.mktemp("clips") / "dark start.mp4"
    pictures = [np.zeros((192, 320, 3), np.uint8), texture(1, (220, 60, 40))]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for number in range(48):
            frame = av.VideoFrame.from_ndarray(pictures[number >= 12], "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_after_a_blank_start_the_first_picture_that_shows_something_is_kept(
    dark_start: Path, settings: Settings
) -> None:
    items = list(watch(dark_start, SamplingOptions(read_text=False), settings))
    kept = times(iter(items))
    assert 1.0 <= kept[0] < 1.6  # measured more often than sampled, so seen before the sample at 2 s
    sampled = [round(item.sample.time, 2) for item in items if isinstance(item, Sampled)]
    assert [time for time in sampled if time > kept[0]] == [2.0, 3.92]  # from then on only what is a sample


def test_sampling_goes_by_the_clock_where_pictures_come_late() -> None:
    late = [Frame(time, np.zeros((2, 2, 3), np.uint8)) for time in (0.0, 1.0, 2.3, 3.0, 4.0, 5.0, 9.0, 9.5, 10.0)]
    seen = list(_mark(late, SamplingOptions(every=2.0), 0.1))
    assert [each.frame.time for each in seen if each.sample] == [0.0, 2.3, 4.0, 9.0, 10.0]
    assert [each.frame.time for each in seen if each.last] == [10.0]


def test_a_picture_just_before_its_time_is_the_sample() -> None:
    early = [Frame(time, np.zeros((2, 2, 3), np.uint8)) for time in (0.0, 1.0, 1.95, 2.9)]
    assert [each.sample for each in _mark(early, SamplingOptions(every=2.0), 0.25)] == [True, False, True, False]


def test_what_the_reader_had_to_skip_is_noted(tmp_path: Path, settings: Settings) -> None:
    path = damage(write_clip(tmp_path / "a.mp4", count=96), 0.4, 0.5)
    assert any(isinstance(item, Noted) and "damaged" in item.text for item in watch(path, ALL, settings))


def test_what_happens_between_two_samples_is_measured(clip: Path, settings: Settings) -> None:
    items = list(watch(clip, SamplingOptions(start=1.0, keep_all=True, read_text=False), settings))
    found = [item.evidence.cuts for item in items if isinstance(item, Step) and item.evidence]
    assert found[1] == (4.0,)  # between the samples at 3 and 5 s


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingOptions(every=2.0, read_text=False),
        SamplingOptions(every=5.0, read_text=False),
        SamplingOptions(every=2.0, start=1.5, end=6.0, read_text=False),
    ],
    ids=["whole seconds", "with a rest", "a range"],
)
def test_as_many_samples_as_expected(sampling: SamplingOptions, settings: Settings) -> None:
    events = list(watch(EXAMPLE, sampling, settings))
    video = next(event.info for event in events if isinstance(event, Opened))
    assert sum(isinstance(event, Sampled) for event in events) == expected_samples(video, sampling)
