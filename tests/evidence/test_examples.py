"""The example clips: measuring them gives what was written down when they were drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sgv_demo.evidence.look import look
from sgv_demo.evidence.measure import GapMeter
from sgv_demo.evidence.reading import TextReader
from sgv_demo.keyframes.watch import Step, watch
from sgv_demo.options import SamplingOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Evidence, Frame, Keyframe

FOLDER = Path(__file__).parents[2] / "assets" / "examples"
TRUTH: dict[str, dict[str, Any]] = json.loads((FOLDER / "truth.json").read_text())


def frames(name: str, rate: float = 4.0) -> Iterator[Frame]:
    """Frames of an example about `rate` times a second, and its last one."""

    def frame(picture: av.VideoFrame) -> Frame:
        return Frame(picture.time or 0.0, np.asarray(picture.to_ndarray(format="rgb24"), np.uint8))

    with av.open(str(FOLDER / name)) as file:
        wanted, last = 0.0, None
        for picture in file.decode(video=0):
            last = picture
            if picture.time is not None and picture.time >= wanted - 1e-6:
                yield frame(picture)
                wanted, last = wanted + 1 / rate, None
        if last is not None:
            yield frame(last)


def gaps(name: str) -> list[Evidence]:
    """Evidence between samples two seconds apart; one second where the shots are short."""
    every = 1 if len(TRUTH[name]["cuts"]) > 2 else 2
    meter, before, found = GapMeter(), None, []
    shown = list(frames(name))
    for frame in shown:
        meter.feed(frame)
        if frame.time % every < 1e-6 or frame is shown[-1]:
            after = Keyframe(len(found), frame, None, frame.time)
            if before is not None:
                found.append(meter.gap(before, after))
            before = after
    return found


def test_they_are_small() -> None:
    for name, truth in TRUTH.items():
        assert (FOLDER / name).stat().st_size <= (900_000 if truth["duration"] > 60 else 400_000), name


LONG = "ten_minutes.mp4"


@pytest.mark.parametrize("name", [name for name in TRUTH if name != LONG])
def test_measured_as_drawn(name: str) -> None:
    truth, found = TRUTH[name], gaps(name)
    assert [time for gap in found for time in gap.cuts] == pytest.approx(truth["cuts"], abs=0.02)
    checked = 0
    for gap in found:
        words = [m["word"] for m in truth["camera"] if m["start"] <= gap.start + 0.05 and gap.end - 0.05 <= m["end"]]
        if words and not gap.cuts:
            assert gap.camera == (words[0],), f"{gap.start} to {gap.end}"
            checked += 1
    assert checked >= 4


def test_the_long_one_is_long_and_has_its_shots() -> None:
    settings, coarse = Settings(), SamplingOptions(every=20.0, measure=False, read_text=False)
    with av.open(str(FOLDER / LONG)) as file:
        assert file.duration is not None
        assert file.duration / av.time_base == pytest.approx(TRUTH[LONG]["duration"], abs=0.5)
    times = [item.keyframe.frame.time for item in watch(FOLDER / LONG, coarse, settings) if isinstance(item, Step)]
    edges = [0.0, *TRUTH[LONG]["cuts"], TRUTH[LONG]["duration"]]
    for start, end in pairwise(edges):
        assert any(start <= time < min(start + 20.5, end) for time in times), start
    assert 5 <= len(times) <= 31


def test_the_title_is_read() -> None:
    line = TRUTH["city.mp4"]["text"][0]
    reader = TextReader()
    texts = {frame.time: look(frame, reader).text for frame in frames("city.mp4", 0.5) if frame.time < 7}
    for time, text in texts.items():
        shown = line["line"].replace(" ", "") in "".join(text).replace(" ", "")
        assert shown is (line["start"] <= time <= line["end"]), (time, text)


def test_the_cards_are_read() -> None:
    lines, reader = TRUTH["cards.mp4"]["text"], TextReader()
    for frame in frames("cards.mp4", 0.5):
        shown = tuple(line["line"] for line in lines if line["start"] <= frame.time < line["end"])
        assert look(frame, reader).text == shown, frame.time


def test_lit_windows_are_no_text() -> None:
    *_, last = frames("city.mp4")
    assert look(last, TextReader()).text == ()
