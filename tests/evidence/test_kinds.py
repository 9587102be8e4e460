"""One evidence kind more, added in the one place, is found wherever evidence is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from sgv_demo.engines import Scene
from sgv_demo.engines.measured.engine import MeasuredAnswerer, MeasuredCaptioner
from sgv_demo.evidence import KINDS
from sgv_demo.evidence.kind import Kind, Lane, LaneSpan, Phrase, Topic
from sgv_demo.evidence.measure import GapMeter
from sgv_demo.evidence.words import join_clauses
from sgv_demo.formats.exports import to_markdown
from sgv_demo.formats.report import to_html
from sgv_demo.formats.spreadsheet import to_csv
from sgv_demo.options import GenerationOptions
from sgv_demo.results.record import parse, to_record
from sgv_demo.results.review import questions
from sgv_demo.types import CameraMove, Caption, Evidence, Frame, Keyframe
from sgv_demo.ui.captions.view import chips
from sgv_demo.ui.video.lanes import lanes
from tests.support.samples import LOOK, analysis
from tests.support.scripted import words

GRAIN = Kind(
    "grain",
    measure=lambda gap: {"grain": float(gap.after.frame.image.mean())},
    phrases=lambda evidence: [Phrase("G", f"grain {evidence.more['grain']:.0f}")] if evidence.more else [],
    sentences=lambda evidence, after: [["The grain is coarse."]] if evidence.more else [],
    story=lambda record: ["Grain all along."],
    lane=Lane("Grain", lambda record: [LaneSpan(e.start, e.end, "coarse", "coarse grain") for e in record.evidence]),
    topic=Topic("grain", lambda record, question: ["At 0:00: coarse grain."], "Counted."),
    doubts=lambda words, caption, read: ["Is it that smooth?"] if "smooth" in words else [],
)


@pytest.fixture
def grain() -> Iterator[Kind]:
    KINDS.append(GRAIN)
    yield GRAIN
    KINDS.remove(GRAIN)


def test_a_kind_in_the_one_place_is_measured_told_drawn_asked_and_exported(grain: Kind) -> None:
    keys = [Keyframe(i, Frame(2.0 * i, np.full((90, 160, 3), 7, np.uint8)), None, 2.0 * i, LOOK) for i in range(2)]
    found = GapMeter().gap(*keys)
    assert found.more == {"grain": 7.0}
    plain, captioner = GenerationOptions(), MeasuredCaptioner()
    assert "The grain is coarse." in words(captioner.difference(keys[0], keys[1], found, "", plain))
    caption = Caption(1, 0.0, 2.0, "A smooth picture.", found, look=LOOK)
    assert "Grain all along." in words(captioner.summarize([caption], plain))
    result = analysis(evidence=(found,), captions=(caption,))
    assert result.video
    scene = Scene(result.video, keyframes=result.keyframes, evidence=(found,))
    assert words(MeasuredAnswerer().answer(scene, "Is there grain?", [], plain)) == "At 0:00: coarse grain. Counted."
    assert '<i class="icon G" aria-hidden="true"></i>grain 7' in chips(found)
    assert '<div class="lane grain" title="Grain">' in lanes(result, 0.0, 2.0)
    assert questions(caption) == ["Is it that smooth?"]
    for text in (to_markdown(result), to_html(result), to_csv(result)):
        assert "grain 7" in text
    assert parse(json.dumps(to_record(result))).evidence == (found,)


def test_every_kind_has_a_name_of_its_own_and_says_nothing_of_what_was_not_measured() -> None:
    nothing = Evidence(0.0, 2.0, ())
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert list(kind.phrases(nothing)) == []
        assert list(kind.sentences(nothing, None)) == []
        assert list(kind.doubts("A quiet street.", Caption(1, 0.0, 2.0, "A quiet street.", nothing), [])) == []


def test_evidence_of_an_older_version_is_read() -> None:
    record = to_record(analysis())
    for evidence in record["evidence"]:
        evidence.pop("more")
        for thing in evidence["moving"]:
            del thing["start"], thing["end"]
    assert parse(json.dumps(record)).evidence == replace(analysis()).evidence


def test_one_movement_over_a_cut_is_told_once() -> None:
    still = CameraMove("static", 0.0, 4.75, 0.0, "frame widths")
    after = CameraMove("static", 5.0, 9.0, 0.0, "frame widths")
    zoom = CameraMove("zoom in", 9.0, 12.0, 1.2, "times")
    gaps = (
        Evidence(0.0, 9.0, ("static",), moves=(still, after), cuts=(4.9,)),
        Evidence(9.0, 12.0, ("zoom in",), moves=(zoom,)),
    )
    record = replace(analysis(), evidence=gaps)
    assert list(next(kind for kind in KINDS if kind.name == "camera").story(record)) == [
        "The camera holds still from 0:00 to 0:09 and zooms in from 0:09 to 0:12."
    ]


def test_clauses_are_listed_as_people_list_them() -> None:
    assert join_clauses([]) == ""
    assert join_clauses(["a goes"]) == "a goes"
    assert join_clauses(["a goes", "b comes"]) == "a goes, and b comes"
    assert join_clauses(["a goes", "b comes", "c stays"]) == "a goes, b comes, and c stays"
