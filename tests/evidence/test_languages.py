"""Measured sentences, answers and chips in Chinese: whatever is measured, nothing stays English but what was quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgv_demo.engines import Scene
from sgv_demo.engines.measured.facts import answer_sentences
from sgv_demo.engines.measured.prose import describe_gap, describe_look, story
from sgv_demo.evidence import phrases
from sgv_demo.evidence.camera import _VERBS
from sgv_demo.evidence.look import _PALETTE, PLACES
from sgv_demo.evidence.moving import _DIRECTIONS
from sgv_demo.languages import asked_in_english, in_language, language_of, words_in
from sgv_demo.times import counted
from sgv_demo.types import CameraMove, ColourChange, Evidence, KeyframeMark, Look, Moving, VideoInfo

ENGLISH = re.compile(r"[A-Za-z]{2,}")
QUOTED = re.compile(r"“[^”]*”")
COLOURS = st.sampled_from(list(_PALETTE))
PLACES_ = st.sampled_from([place for row in PLACES for place in row])
LINES = st.lists(st.sampled_from(["EXIT", "Sale. 50 % off", "第3章", "a and b, c"]), max_size=6, unique=True).map(tuple)
LIGHT = st.one_of(st.just(0.0), st.floats(-1, 1))


@dataclass(frozen=True)
class Measured:
    keyframes: tuple[KeyframeMark, ...]
    evidence: tuple[Evidence, ...]


@st.composite
def looks(draw: st.DrawFn) -> Look:
    names = draw(st.lists(COLOURS, max_size=4, unique=True))
    shares = [draw(st.sampled_from([0.1, 0.3, 0.5, 0.9])) for _ in names]
    return Look(
        draw(st.floats(0, 1)),
        draw(st.sampled_from([0.05, 0.2, 0.4])),
        draw(st.sampled_from([10.0, 100.0, 500.0])),
        tuple(zip(names, sorted(shares, reverse=True), strict=True)),
        draw(st.one_of(PLACES_, st.sampled_from(["everywhere", "nowhere"]))),
        draw(LINES),
    )


@st.composite
def gaps(draw: st.DrawFn, start: float, end: float) -> Evidence:
    cuts = draw(st.lists(st.floats(start + 0.1, end), max_size=9, unique=True).map(sorted))
    inside = sorted(draw(st.lists(st.floats(start, end), max_size=3)))
    words = st.sampled_from([*_VERBS, "static", "unknown"])
    moves = tuple(
        CameraMove(draw(words), a, b, draw(st.sampled_from([0.005, 0.02, 0.3, 5.0])), "frame widths")
        for a, b in pairwise([start, *inside, end])
    )
    things = tuple(
        Moving(
            draw(PLACES_),
            draw(st.sampled_from([*_DIRECTIONS, "in place"])),
            draw(st.sampled_from([0.01, 0.1, 0.5])),
            draw(st.sampled_from([0.001, 0.01, 0.1, 0.4])),
            *draw(st.sampled_from([(None, None), (start, end), (start, (start + end) / 2)])),
        )
        for _ in range(draw(st.integers(0, 4)))
    )
    colour = draw(st.one_of(st.none(), st.builds(ColourChange, COLOURS, COLOURS, st.just(0.5))))
    camera = ("cut",) if cuts else tuple(move.word for move in moves)
    seen = (moves, tuple(cuts), draw(LIGHT), colour, things, draw(LINES), draw(LINES))
    return Evidence(start, end, camera, *seen)


@st.composite
def records(draw: st.DrawFn) -> Measured:
    times = [0.0, 4.0, 9.5, 64.0, 3700.0][: draw(st.integers(1, 5))]
    marks = tuple(KeyframeMark(i, time, None, time, draw(looks())) for i, time in enumerate(times))
    return Measured(marks, tuple(draw(gaps(a, b)) for a, b in pairwise(times)))


def left_in_english(text: str) -> list[str]:
    return ENGLISH.findall(QUOTED.sub("", text))


@given(records())
@settings(deadline=None, max_examples=150)
def test_whatever_is_measured_is_said_in_chinese(record: Measured) -> None:
    told = [*story(record)]
    for mark in record.keyframes:
        assert mark.look is not None
        told += describe_look(mark.look)
    for gap, mark in zip(record.evidence, record.keyframes[1:], strict=True):
        told += describe_gap(gap, mark.look, told[-1])
        told += describe_gap(gap, None)
    for sentence in told:
        said = in_language(sentence, "zh")
        assert not left_in_english(said), sentence
        assert QUOTED.findall(said) == QUOTED.findall(sentence)
        assert said.endswith("。")


QUESTIONS = {
    "有几个镜头？": "how many shots",
    "什么时候切换？": "when are the cuts",
    "镜头动了吗？": "does the camera move",
    "镜头向左摇吗": "does it pan left",
    "什么时候推近？": "when does it zoom in",
    "画面是亮还是暗？": "is it bright or dark",
    "光线有变化吗？": "does the light change",
    "有什么颜色？": "which colours",
    "哪里有红色？": "where is red",
    "什么时候出现文字？": "when is there text",
    "有什么文字？": "what text",
    "什么在动？": "what is moving",
    "第5秒发生了什么？": "what happens at 5 s",
    "1分02秒的画面": "what is at 1:02",
    "9分钟9秒": "at 9:09",
    "视频多长？": "how long is it",
    "画面清晰吗？": "is it sharp",
    "发生了什么？": "what happens",
    "里面有狗吗？": "is there a dog",
    "他是谁？": "who is it",
    "天气怎么样？": "how is the weather",
}


@given(records(), st.sampled_from(list(QUESTIONS)))
@settings(deadline=None, max_examples=250)
def test_a_question_in_chinese_gets_the_answer_of_the_english_one(record: Measured, question: str) -> None:
    video = VideoInfo(Path("clip.mp4"), record.keyframes[-1].time + 1, 25.0, (640, 360), "h264")
    scene = Scene(video, keyframes=record.keyframes, evidence=record.evidence)
    answer = list(answer_sentences(scene, asked_in_english(question, "zh")))
    assert answer == list(answer_sentences(scene, QUESTIONS[question]))
    for sentence in answer:
        assert not left_in_english(in_language(sentence, "zh").replace(" s）", "")), sentence


@given(records())
@settings(deadline=None, max_examples=60)
def test_chips_are_said_in_chinese(record: Measured) -> None:
    for gap in record.evidence:
        for phrase in phrases(gap):
            assert not left_in_english(words_in(phrase.text, "zh")), phrase.text


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "At 0:04 a cut brings a new shot, bright and mostly sky blue, with dark green and beige.",
            "0:04 切换到新镜头，画面明亮，以天蓝为主，带有深绿和米色。",
        ),
        ("The camera slowly pans to the left until 0:05, then holds still.", "镜头缓慢向左摇至 0:05，然后保持不动。"),
        ("“A. b” and “3章5” are gone. It gets a little brighter.", "“A. b”和“3章5”消失。画面略微变亮。"),
        ("A person walks a dog. It gets a little brighter.", "A person walks a dog. 画面略微变亮。"),
        ("At 0:22: the camera holds still.", "0:22：镜头保持不动。"),
    ],
)
def test_wording(english: str, chinese: str) -> None:
    assert in_language(english, "zh") == chinese
    assert in_language(english, "en") == english


@pytest.mark.parametrize("keyframes", [0, 1, 2])
@pytest.mark.parametrize("samples", [1, 2, 1204])
def test_however_many_there_are_so_far(keyframes: int, samples: int) -> None:
    legend = f"{counted(keyframes, 'keyframe')} of {counted(samples, 'sample')}"
    assert words_in(legend, "zh") == f"{keyframes} 个关键帧 / {samples:,} 个采样帧"


def test_the_language_of_a_question() -> None:
    assert language_of("有 2 cats 吗") == "zh"
    assert language_of("What happens at 0:15?") == "en"
    assert asked_in_english("What happens?", "en") == "What happens?"
    assert "1:05" in asked_in_english("1分5秒发生了什么", "zh")


@given(st.text("“”.?! \nab,·:5", max_size=60))
@settings(deadline=None, max_examples=300)
def test_what_nobody_measured_stays_to_the_letter(text: str) -> None:
    assert in_language(text, "zh") == text
    assert words_in(text, "zh") == text
