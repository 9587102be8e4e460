"""Verdicts fold, survive JSON, and questions ask only where words and measurements disagree."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sgv_demo.results.review import NONE, RATINGS, Verdict, from_record, questions, questions_about, tally, to_record
from sgv_demo.types import Caption, Evidence, Look
from tests.support.samples import LOOK, analysis


def _pair(text: str, *camera: str, look: Look | None = None, **more: object) -> Caption:
    return Caption(1, 0.0, 2.0, text, Evidence(0.0, 2.0, camera, **more), look=look)  # pyright: ignore[reportArgumentType]


def test_a_rating_given_twice_is_taken_back() -> None:
    rated = NONE.rate(1, "made up")
    assert rated.of(1).rating == "made up"
    assert rated.rate(1, "accurate").of(1).rating == "accurate"
    assert rated.rate(1, "made up") == NONE


def test_an_edit_keeps_the_original_and_can_be_taken_back() -> None:
    result = analysis()
    review = NONE.edit(result.captions[1], "  The camera pans left.  ")
    assert review.edited(result).captions[1].text == "The camera pans left."
    assert result.captions[1].text == "The camera pans right & a <sign> shows."
    assert review.edited(result).captions[0] == result.captions[0]
    assert review.edit(result.captions[1], " ") == NONE
    assert review.edit(result.captions[1], result.captions[1].text + "\n") == NONE
    padded = Caption(0, 0.0, 0.0, " As the engine wrote it.\n")
    assert NONE.edit(padded, padded.text) == NONE


def test_a_verdict_keeps_all_its_parts() -> None:
    review = NONE.rate(2, "wrong order").flag(2).remark(2, " look again ").edit(analysis().captions[2], "Better.")
    assert review.of(2) == Verdict(2, "wrong order", "Better.", "look again", True)
    assert review.flag(2).of(2).flagged is False
    assert NONE.flag(5).flag(5) == NONE
    assert NONE.remark(5, "n").of(5).note == "n"


def test_verdicts_are_equal_whatever_order_they_were_given_in() -> None:
    assert NONE.flag(2).flag(1) == NONE.flag(1).flag(2)


def test_json_and_back() -> None:
    review = NONE.rate(0, "accurate").flag(1).remark(2, "unclear “sign”")
    assert from_record(json.loads(json.dumps(to_record(review)))) == review


@pytest.mark.parametrize(
    "data",
    [
        None,
        3,
        {},
        [None, 1, "x"],
        [{"index": "1"}],
        [{"index": True, "rating": "accurate"}],
        [{"index": -1, "note": "n"}],
    ],
)
def test_foreign_data_is_no_review(data: object) -> None:
    assert from_record(data) == NONE


def test_parts_of_a_wrong_type_are_left_out() -> None:
    found = from_record(
        [{"index": 1, "rating": "splendid", "text": 7, "note": ["x"], "flagged": "yes"}, {"index": 2, "flagged": True}]
    )
    assert found == NONE.flag(2)
    assert from_record([{"index": 1, "text": " "}]) == NONE


def test_ratings_by_engine() -> None:
    result = analysis()
    rows = tally(
        [
            (result, NONE.rate(0, "accurate").rate(1, "made up")),
            (result, NONE.rate(0, "accurate").flag(2)),
            (analysis(captions=()), NONE),
        ]
    )
    assert [row.engine for row in rows] == ["Scripted, for tests, nf4"]
    assert (rows[0].captions, rows[0].rated, rows[0].flagged) == (6, 3, 1)
    assert rows[0].counts == {"accurate": 2, "missing something": 0, "made up": 1, "wrong order": 0}
    assert tuple(rows[0].counts) == RATINGS


@pytest.mark.parametrize(
    ("text", "camera", "word"),
    [
        ("The camera pans left across the street.", "pan right", "pan right"),
        ("A slow panning shot to the right follows.", "pan left", "pan left"),
        ("The view tilts slowly upwards.", "tilt down", "tilt down"),
        ("It zooms in on the face.", "zoom out", "zoom out"),
        ("The camera zooms out.", "static", "static"),
        ("The camera remains static.", "pan left", "static"),
        ("A fixed shot of the bay.", "zoom in", "static"),
        ("The light is not strong, the camera pans left.", "pan right", "pan left"),
    ],
)
def test_words_against_the_measured_camera_are_asked_about(text: str, camera: str, word: str) -> None:
    (question,) = questions(_pair(text, camera))
    assert word in question
    assert question.endswith("?")


@pytest.mark.parametrize(
    ("text", "camera"),
    [
        ("The camera pans right.", ("pan right",)),
        ("The camera pans left, then right.", ("pan left", "pan right")),
        ("The camera does not pan left.", ("pan right",)),
        ("The camera pans left.", ("unknown",)),
        ("The camera pans left.", ("cut",)),
        ("The camera pans left.", ("shake",)),
        ("The man holds a pan. Left of him stands a stove.", ("pan right",)),
        ("The camera is static.", ("static",)),
        ("A static pole stands there.", ("pan left",)),
        ("The camera stops being static and pans left.", ("pan left",)),
        ("The camera pans left, then is static.", ("pan left",)),
    ],
)
def test_no_question_without_a_contradiction(text: str, camera: tuple[str, ...]) -> None:
    assert questions(_pair(text, *camera)) == []


def test_quoted_text_that_was_not_read() -> None:
    seen = _pair('A sign says "exit" beside “Open  24 hours”.', "static", look=LOOK)
    (question,) = questions(seen)
    assert "“Open  24 hours”" in question
    assert questions(_pair('A sign says "Exit".', "static", look=LOOK)) == []
    assert questions(_pair('"Start" goes away.', "static", text_gone=("START",), text_appeared=("EXIT",))) == []
    assert questions(_pair('"Exit" comes.', "static", text_appeared=("EXIT",))) == []
    assert len(questions(_pair('It says "open", "open" again.', "static", look=LOOK))) == 1


def test_text_read_anywhere_in_the_span_counts() -> None:
    whole = Caption(0, 0.0, 4.0, "A sign says “Exit”, another “Open”.")
    (question,) = questions_about(analysis(captions=(whole,)), whole)
    assert "“Open”" in question
    first, *rest = analysis().keyframes
    marks = (first, *(replace(mark, look=None) for mark in rest))  # only the one at which the span begins was read
    assert len(questions_about(analysis(captions=(whole,), keyframes=marks), whole)) == 1


def test_text_is_not_asked_about_where_none_was_read() -> None:
    assert questions(_pair('A sign says "Open".', "static")) == []


def test_a_cut_that_was_not_measured() -> None:
    assert len(questions(_pair("The scene cuts to a beach.", "static"))) == 1
    assert questions(_pair("The scene cuts to a beach.", "cut", cuts=(1.0,))) == []
    assert questions(_pair("The scene cuts to a beach.", "static", cuts=(1.0,))) == []
    assert questions(_pair("The scene cuts to a beach.", "cut")) == []
    assert questions(_pair("Without any hard cut the light fades.", "static")) == []


def test_the_corrected_text_is_what_is_asked_about() -> None:
    caption = _pair("The camera pans left.", "pan right")
    assert questions(caption)
    assert questions(caption, "The camera pans right.") == []
    result = analysis(captions=(caption,))
    assert questions_about(result, caption)
    assert questions_about(result, caption, NONE.edit(caption, "The camera pans right.")) == []
