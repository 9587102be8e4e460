"""How long a run will take, and how far along one is."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from sgv_demo.events import Analysis, Captioned, Event, Finished, Kept, Opened, Sampled
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.types import Caption, EngineInfo, KeyframeMark, Sample, VideoInfo
from sgv_demo.ui.video.pace import Pace, Spent, guessed_keyframes, timed
from sgv_demo.ui.video.progress import fraction

KIND = ("measured", "sliding", True)
HOUR = VideoInfo(Path("hour.mp4"), 3600.0, 30.0, (640, 360), "h264", False)


def _spent(*, once: float, sample: float, keyframe: float, samples: int, keyframes: int) -> Spent:
    spent = Spent()
    spent.add(Opened(HOUR), once)
    for number in range(samples):
        spent.add(Sampled(Sample(2.0 * number, 0.9, False)), sample)
    for number in range(keyframes):
        spent.add(Kept(KeyframeMark(number, 2.0 * number, None, 2.0 * number)), keyframe if number else 0.0)
        spent.add(Captioned(Caption(number, 0, 2, "a")), 0.0 if number else keyframe)
    return spent


def test_an_hour_after_a_short_clip_takes_not_its_start_again_for_each_sample() -> None:
    pace = Pace()
    pace.learn(KIND, _spent(once=8.0, sample=0.1, keyframe=1.0, samples=7, keyframes=6))
    assert pace.seconds(KIND, 7, 6) == pytest.approx(14.7, rel=0.35)
    assert pace.seconds(KIND, 1801, 10) == pytest.approx(8 + 180 + 10, rel=0.35)


def test_what_ran_lately_counts_most_and_only_for_its_kind() -> None:
    pace = Pace()
    before = pace.seconds(KIND, 100, 50)
    for _ in range(6):
        pace.learn(KIND, _spent(once=1.0, sample=0.5, keyframe=4.0, samples=100, keyframes=50))
    assert pace.seconds(KIND, 100, 50) == pytest.approx(251, rel=0.05)
    assert pace.seconds(("measured", "fast", True), 100, 50) == before


def test_of_a_longer_video_a_smaller_share_is_expected() -> None:
    assert guessed_keyframes(1) == 1
    assert guessed_keyframes(1800) / 1800 < 0.2 < guessed_keyframes(7) / 7


def test_time_that_others_take_between_two_events_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, now = [], [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def events() -> Generator[Event, None, None]:
        try:
            now[0] += 0.05
            yield Sampled(Sample(0.0, None, True))
            yield Sampled(Sample(2.0, 0.9, False))
            yield Finished(1.0)
        finally:
            closed.append(True)

    spent = Spent()
    passing = timed(events(), spent)
    for _ in range(2):
        next(passing)
        now[0] += 0.2
    assert spent.looking == pytest.approx(0.05)
    assert spent.samples == 2
    passing.close()
    assert closed


@pytest.mark.parametrize(
    ("options", "share"),
    [
        (AnalysisOptions(), 0.475),
        (AnalysisOptions(mode="fast"), 0.475),
        (AnalysisOptions(SamplingOptions(maximum=8)), 0.2375),
    ],
)
def test_one_long_shot_gets_on_while_it_is_looked_at(options: AnalysisOptions, share: float) -> None:
    analysis = replace(Analysis(EngineInfo("scripted", "Scripted"), options), video=HOUR)
    looked = analysis.apply(Captioned(Caption(0, 0, 0, "a"))).apply(Sampled(Sample(1800.0, 0.99, False)))
    assert fraction(looked) == pytest.approx(share)


def test_the_promised_range_holds_in_nine_of_ten_recorded_runs() -> None:
    """Runs of the measured engine, recorded in this order on two cores that others used as well."""
    pace, held = Pace(), []
    runs = json.loads((Path(__file__).parent / "recorded_runs.json").read_text(encoding="utf-8"))
    for run in runs:
        kind = ("measured", "sliding", run["reads"])
        least, most = pace.promised(kind, run["samples"], guessed_keyframes(run["samples"]), counted=False)
        held.append(least <= run["seconds"] <= most)
        pace.learn(kind, Spent(**run["spent"]))
        assert most / least < 60
    print(f"{sum(held)} of {len(held)} runs took as long as was promised")
    assert sum(held) >= 0.9 * len(held)


def test_time_left_follows_the_run_that_is_under_way() -> None:
    pace = Pace()
    slow = _spent(once=1.0, sample=2.0, keyframe=5.0, samples=10, keyframes=6)
    assert pace.left(KIND, slow, 10, 6) == pytest.approx(50, rel=0.3)
    assert pace.left(KIND, slow, 0, 0) <= 2
    quick = _spent(once=1.0, sample=0.02, keyframe=0.1, samples=10, keyframes=6)
    assert pace.left(KIND, quick, 10, 6) < 5
