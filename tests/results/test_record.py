"""Records: everything survives the way to JSON and back, except the path of the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sgv_demo.errors import StoreError
from sgv_demo.events import (
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
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.results.record import event_from_line, event_to_line, from_record, parse, to_record
from sgv_demo.types import Failure, VideoInfo
from tests.support.samples import EVIDENCE, analysis


def test_an_analysis_survives_the_round_trip_but_for_its_path() -> None:
    before = analysis()
    after = from_record(json.loads(json.dumps(to_record(before))))
    assert before.video is not None
    assert after == replace(before, video=replace(before.video, path=Path("my *clip*.mp4")))


def test_the_threshold_in_force_is_written_though_none_was_chosen() -> None:
    def written(**sampling: Any) -> dict[str, Any]:
        return to_record(analysis(options=AnalysisOptions(SamplingOptions(**sampling))))["settings"]["sampling"]

    assert written() == written(threshold=0.87)
    assert [written(**how)["threshold"] for how in ({}, {"similarity": "clip"}, {"threshold": 0.5})] == [
        0.87,
        0.93,
        0.5,
    ]
    # Captions that somebody else sampled: nothing is claimed.
    assert to_record(analysis(samples=()))["settings"]["sampling"]["threshold"] is None


def test_a_record_without_its_threshold_reads_like_one_with_it() -> None:
    record = to_record(analysis())
    older = json.loads(json.dumps(record))
    older["settings"]["sampling"]["threshold"] = None
    assert from_record(older) == from_record(record)


def test_what_a_plain_run_has_not_survives_too() -> None:
    video = replace(VideoInfo(Path("a.mp4"), 4.0, 25.0, (640, 360), "h264"), start=1.5)
    trace = analysis().captions[1].trace
    before = analysis(
        video=video, summary_levels=2, summary_trace=trace, failure=Failure("caption 3", "It broke.", 2), finished=False
    )
    assert from_record(json.loads(json.dumps(to_record(before)))) == before


def test_a_path_in_a_record_is_cut_to_its_name() -> None:
    video = parse('{"captions": [], "video": {"file": "/etc/secret/a.mp4"}}').video
    assert video
    assert video.path == Path("a.mp4")


def test_no_local_path_is_in_a_record() -> None:
    assert "secret" not in json.dumps(to_record(analysis()))


def test_the_documented_fields_are_there() -> None:
    record = to_record(analysis())
    assert {"file", "duration", "fps", "width", "height", "codec"} <= record["video"].keys()
    assert {"index", "time", "similarity"} <= record["keyframes"][1].keys()
    assert {"index", "start", "end", "text", "evidence"} <= record["captions"][1].keys()
    assert record["captions"][1]["evidence"]["camera"] == ["pan right"]
    assert record["captions"][1]["evidence"]["cuts"] == [1.25]
    assert record["captions"][0]["evidence"] is None


def test_captions_alone_are_enough() -> None:
    found = parse('{"captions": [{"index": 0, "start": 0, "end": 2, "text": "A dog."}]}')
    assert found.captions[0].text == "A dog."
    assert (found.finished, found.summary_levels, found.failure) == (True, 1, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "{}",
        '{"captions": 3}',
        '{"captions": [{"index": "x"}]}',
        '{"captions": [], "fps": ',
        '{"captions": [], "notes": 3}',
        '{"captions": [], "summary_levels": 1e999}',
        '{"captions": [{"index": 0, "start": NaN, "end": 1, "text": "a"}]}',
        '{"captions": [{"index": 0, "start": 0, "end": Infinity, "text": "a"}]}',
        pytest.param('{"a":' * 100_000, id="deep"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(StoreError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


EVENTS: list[Event] = [
    Sampled(analysis().samples[1]),
    Kept(analysis().keyframes[1]),
    Measured(EVIDENCE),
    Captioned(analysis().captions[1], from_store=True),
    Summarized("All in all.", 2, analysis().captions[1].trace),
    Noted("Something."),
    Failed(Failure("caption 2", "It broke; retry.", 1)),
    Finished(2.0),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_events_survive_the_log(event: Event) -> None:
    line = event_to_line(event)
    assert line is not None
    assert "\n" not in line
    assert event_from_line(line) == event


def test_an_opened_event_keeps_the_file_name_alone() -> None:
    video = analysis().video
    assert video is not None
    line = event_to_line(Opened(video))
    assert line is not None
    assert "secret" not in line
    assert event_from_line(line) == Opened(replace(video, path=Path("my *clip*.mp4")))


@pytest.mark.parametrize("event", [Delta(1, "a"), Working("busy")])
def test_passing_events_are_not_kept(event: Event) -> None:
    assert event_to_line(event) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        '{"kept": {"ind',
        "[]",
        '{"unknown": 1}',
        '{"a": 1, "b": 2}',
        '{"kept": 3}',
        '{"opened": {"notes": 3}}',
        '{"opened": {"width": 1e999}}',
        pytest.param('{"finished":' * 100_000, id="deep"),
    ],
)
def test_torn_and_foreign_lines_are_left_out(line: str) -> None:
    assert event_from_line(line) is None
