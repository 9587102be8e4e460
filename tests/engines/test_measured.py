"""The offline engine: says what was measured, with times, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sgv_demo.engines import Answerer, Captioner, Scene
from sgv_demo.engines.measured.engine import MeasuredAnswerer, MeasuredCaptioner
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import CameraMove, Caption, Evidence, Frame, Keyframe, KeyframeMark, Look, Moving, VideoInfo
from tests.support.samples import EVIDENCE, LOOK
from tests.support.scripted import words

PLAIN = GenerationOptions()
CAPTIONER, ANSWERER = MeasuredCaptioner(), MeasuredAnswerer()


def keyframe(index: int, look: Look | None = LOOK) -> Keyframe:
    return Keyframe(index, Frame(2.0 * index, np.zeros((2, 2, 3), np.uint8)), None, 2.0 * index, look)


def gap(start: float, word: str, **more) -> Evidence:
    return Evidence(start, start + 2, (word,), (CameraMove(word, start, start + 2, 0.5, "frame widths"),), **more)


SCENE = Scene(
    VideoInfo(Path("a.mp4"), 8.0, 25.0, (640, 360), "h264"),
    keyframes=tuple(KeyframeMark(i, 2.0 * i, None, 2.0 * i, replace(LOOK, light=0.2 + 0.1 * i)) for i in range(5)),
    evidence=(gap(0, "pan right"), gap(2, "pan right"), gap(4, "static", cuts=(5.5,), light=0.2), gap(6, "zoom in")),
)


def ask(question: str, scene: Scene = SCENE) -> str:
    return words(ANSWERER.answer(scene, question, [], PLAIN))


def difference(evidence: Evidence) -> str:
    return words(CAPTIONER.difference(keyframe(0), keyframe(1), evidence, "", PLAIN))


def test_it_fits_both_protocols_and_says_what_it_is() -> None:
    assert isinstance(CAPTIONER, Captioner)
    assert isinstance(ANSWERER, Answerer)
    assert CAPTIONER.info.label == "Measured, no language model"


def test_the_first_picture_is_described_by_its_measurements() -> None:
    text = words(CAPTIONER.describe(keyframe(0), PLAIN))
    assert text == (
        "The first picture is evenly lit and mostly sky blue, with tan. “EXIT” can be read in it. "
        "Most of its detail lies in the centre."
    )


def test_a_pair_is_told_from_its_evidence() -> None:
    assert difference(EVIDENCE) == (
        "At 0:01 a cut brings a new shot, evenly lit and mostly sky blue, with tan. "
        "Until then the camera pans to the right. "
        "Something moves to the left in the upper right. The text “EXIT” appears. “START” is gone."
    )


def test_what_happens_comes_before_how_it_looks_and_no_percentage_is_said() -> None:
    text = difference(replace(EVIDENCE, cuts=()))
    order = ("pans", "moves", "brighter", "EXIT", "gives way")
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)
    assert "%" not in text + words(CAPTIONER.describe(keyframe(0), PLAIN))


def test_movement_is_told_before_and_after_a_cut() -> None:
    moves = (CameraMove("pan left", 0, 4, 0.1, "frame widths"), CameraMove("static", 4.25, 6, 0, "frame widths"))
    found = Evidence(0, 6, ("cut",), moves, cuts=(4.0,), moving=(Moving("left", "up", 0.1, 0.02, 1.0, 3.0),))
    text = difference(found)
    assert "Before the cut the camera slowly pans to the left; after the cut it holds still." in text
    assert "Something small moves up on the left from 0:01 to 0:03." in text
    still = replace(found, moves=(replace(moves[1], start=0, end=4), moves[1]), camera=("static",))
    assert "The camera holds still before and after the cut." in difference(still)


def test_nothing_is_said_twice() -> None:
    spans = ((0, 4, "static"), (4, 4.5, "unknown"), (4.5, 8, "static"))
    moves = tuple(CameraMove(word, start, end, 0.0, "frame widths") for start, end, word in spans)
    text = difference(Evidence(0, 8, ("cut",), moves, cuts=(4.0, 4.5)))
    assert text.endswith("Wherever it can be told, the camera holds still.")
    black = replace(LOOK, light=0.01, colours=(("black", 0.99),), text=(), detail="nowhere", contrast=0.2)
    assert words(CAPTIONER.describe(keyframe(0, black), PLAIN)) == (
        "The first picture is almost all black. It shows hardly any detail."
    )


def test_times_of_change_inside_a_gap_are_told() -> None:
    moves = (CameraMove("static", 0, 4, 0, "frame widths"), CameraMove("zoom in", 4, 8, 1.2, "times"))
    things = (Moving("left", "up", 0.1, 0.02, 5.0, 8.0), Moving("top", "right", 0.1, 0.2, 0.0, 2.0))
    text = difference(Evidence(0, 8, ("static", "zoom in"), moves, moving=things))
    assert "The camera holds still until 0:04, then zooms in." in text
    assert (
        "Something large moves to the right at the top until 0:02, and something small moves up on the left "
        "from 0:05 on."
    ) in text


def test_neighbours_are_worded_differently() -> None:
    still = Evidence(0, 2, ("static",))
    first = difference(still)
    second = words(CAPTIONER.difference(keyframe(1), keyframe(2), still, first, PLAIN))
    assert second == "The camera still doesn't move. Otherwise nothing changes."
    pan = gap(0, "pan left")
    again = words(CAPTIONER.difference(keyframe(1), keyframe(2), pan, difference(pan), PLAIN))
    assert again == "The camera goes on panning to the left."


def test_nothing_measured_is_said_as_such() -> None:
    text = difference(Evidence(0, 2, ("static",), similarity=0.98))
    assert text == "The camera holds still. Nothing else changes that can be measured."
    assert difference(Evidence(0, 2, ("unknown",))) == "How the camera moves can't be told."


def test_several_moves_come_in_order() -> None:
    moves = (CameraMove("pan left", 0, 1, -0.3, "frame widths"), CameraMove("zoom out", 1, 2, 0.8, "times"))
    text = difference(Evidence(0, 2, ("pan left", "zoom out"), moves))
    assert text.startswith("The camera quickly pans to the left until 0:01, then zooms out.")


def test_two_texts_take_a_plural() -> None:
    assert "The texts “A” and “B” appear." in difference(Evidence(0, 2, ("static",), text_appeared=("A", "B")))


def test_without_evidence_it_refuses_to_guess() -> None:
    with pytest.raises(EngineError):
        words(CAPTIONER.difference(keyframe(0), keyframe(1), None, "", PLAIN))
    with pytest.raises(EngineError):
        words(CAPTIONER.describe(keyframe(0, None), PLAIN))


def test_a_summary_tells_shots_camera_light_and_text_with_times() -> None:
    captions = [Caption(0, 0, 0, "x", look=LOOK)] + [
        Caption(i + 1, e.start, e.end, "x", e, look=LOOK) for i, e in enumerate(SCENE.evidence)
    ]
    text = words(CAPTIONER.summarize(captions, PLAIN))
    assert "There are 2 shots; the shot changes at 0:06." in text
    assert "The camera pans to the right from 0:00 to 0:04" in text
    assert "zooms in from 0:06 to 0:08" in text
    assert "“EXIT” (0:00)" in text


def test_captions_without_measurements_are_only_shortened_and_it_says_so() -> None:
    text = words(
        CAPTIONER.summarize([Caption(0, 0, 2, "A dog runs. It barks."), Caption(1, 2, 4, "It sleeps.")], PLAIN)
    )
    assert "can only be shortened" in text
    assert "0:02: A dog runs." in text
    assert "barks" not in text


def test_recaptioning_invents_nothing() -> None:
    text = words(CAPTIONER.recaption("a red boat on the sea at dawn", PLAIN))
    assert "names light, colour and place" in text
    assert "camera" in text


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "When does the camera move?",
            "From 0:00 to 0:04 it pans to the right and from 0:06 to 0:08 it zooms in. Measured from",
        ),
        ("Does the camera zoom in?", "Yes: from 0:06 to 0:08 it zooms in."),
        ("Does the camera tilt up?", "No, no tilt up was measured."),
        ("Is there a pan to the left?", "No, no pan left was measured."),
        ("How many shots are there?", "2 shots: the shot changes at 0:06."),
        ("How long is the video?", "The video lasts 0:08 (8.00 s)"),
        ("What text can be read?", "“EXIT” from 0:00 to 0:08."),
        ("When is it brightest?", "It is brightest at 0:08"),
        ("Is anything red?", "Red is none of the colours that cover much."),
        ("Where do you see sky blue?", "From 0:00 to 0:08 there is sky blue"),
        ("What moves?", "Nothing was seen to move on its own"),
    ],
)
def test_answers_come_from_facts(question: str, answer: str) -> None:
    assert ask(question).startswith(answer)


def test_a_moment_is_answered_from_the_span_that_holds_it() -> None:
    assert ask("What happens at 0:01?").startswith(
        "At 0:01: the camera pans to the right. That rests on what was measured from 0:00 to 0:02."
    )
    assert ask("What happens at 0:06?").startswith("At 0:06: the camera zooms in.")
    assert ask("Which colours are there at 0:04?").startswith("At 0:04: the picture is rather dark")
    assert "The video ends at 0:08" in ask("What happens at 1:30?")


def test_only_what_holds_at_a_moment_is_told_of_it() -> None:
    moves = (CameraMove("pan left", 0, 4, 0.5, "frame widths"), CameraMove("static", 4, 8, 0, "frame widths"))
    things = (Moving("left", "up", 0.1, 0.05, 0.0, 2.0), Moving("right", "down", 0.1, 0.05, 5.0, 8.0))
    long = Evidence(0, 8, ("cut",), moves, cuts=(4.0,), light=0.3, moving=things)
    text = ask("What happens at 0:06?", replace(SCENE, evidence=(long,)))
    assert text.startswith("At 0:06: the camera holds still. Something moves down on the right from 0:05 on.")
    assert "0:04" not in text.split("That rests")[0]
    assert "cut" in ask("What happens at 0:04?", replace(SCENE, evidence=(long,)))


def test_a_change_that_is_asked_for_comes_first_and_nothing_else_is_told() -> None:
    scene = replace(SCENE, evidence=(gap(0, "static", light=0.2), *SCENE.evidence[1:]))
    assert ask("When does the light change?", scene) == (
        "From 0:00 to 0:02 it gets brighter (by 20 %). It is brightest at 0:08 (evenly lit) and darkest at 0:00 "
        "(dark). Measured from the mean brightness of the keyframes."
    )


def test_what_happens_is_told_in_order_and_what_can_not_be_told_last() -> None:
    gaps = (gap(0, "pan right"), gap(2, "static"), gap(4, "zoom in", light=0.4), gap(6, "static", cuts=(7.0,)))
    scene = replace(SCENE, evidence=gaps)
    text = ask("What happens in this video?", scene)
    assert text.startswith("From 0:00 to 0:02: the camera pans to the right.")
    places = [text.index(f"rom 0:0{start}") for start in (0, 4, 6)]
    assert places == sorted(places)
    assert "0:02 to 0:04" not in text
    assert text.endswith("it recognises nothing else.")


@pytest.mark.parametrize("question", ["Who is that?", "Why is she sad?", "¿Qué pasa?", "这个人是谁?", "🎬"])
def test_what_can_not_be_known_is_said(question: str) -> None:
    assert ("除此之外什么都不识别" if "这" in question else "recognises nothing else") in ask(question)


def test_moving_things_are_found() -> None:
    busy = replace(SCENE.evidence[0], moving=(Moving("lower left", "up", 0.1, 0.2),))
    scene = replace(SCENE, evidence=(busy, *SCENE.evidence[1:]))
    assert ask("What is moving?", scene).startswith("From 0:00 to 0:02: something large moves up in the lower left.")


def test_things_that_move_alike_are_told_together() -> None:
    still = [Moving(place, "in place", 0.0, area) for place, area in (("bottom", 0.06), ("left", 0.004))]
    text = difference(Evidence(0, 2, ("static",), moving=tuple(still)))
    assert "Things move about at the bottom and on the left." in text
    apart = (still[0], Moving("centre", "up and left", 0.2, 0.05))
    assert ("Something moves about at the bottom, and something moves up and left in the centre.") in difference(
        Evidence(0, 2, ("static",), moving=apart)
    )


def test_where_things_move_is_told_in_order() -> None:
    areas = (0.1, 0.02, 0.0, 0.3)
    gaps = [
        replace(g, moving=(Moving("top", "up", 0.1, a),)) if a else g
        for g, a in zip(SCENE.evidence, areas, strict=True)
    ]
    text = ask("What is moving?", replace(SCENE, evidence=tuple(gaps)))
    sizes = ("something moves", "something small", "something large")
    assert [text.index(size) for size in sizes] == sorted(text.index(size) for size in sizes)


def test_what_can_not_be_told_is_said_at_once() -> None:
    text = ask("Does the camera follow the dog?")
    assert text.startswith("About “dog” nothing can be told:")
    assert "The camera pans to the right from 0:00 to 0:04" in text


def test_an_empty_scene_is_answered_not_crashed() -> None:
    empty = Scene(SCENE.video)
    for question in (
        "camera?",
        "cuts?",
        "light?",
        "colours?",
        "text?",
        "motion?",
        "what happens?",
        "at 0:01?",
        "blurry?",
    ):
        ask(question, empty)
