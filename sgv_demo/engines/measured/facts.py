"""Finds the measured facts that a question asks for: the answer first, then what it rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sgv_demo.engines import Scene
from sgv_demo.engines.measured.prose import describe_gap, describe_look
from sgv_demo.evidence import KINDS
from sgv_demo.evidence.kind import Topic
from sgv_demo.evidence.look import appearance
from sgv_demo.evidence.words import clock, sentence, span
from sgv_demo.types import Evidence

_CAN = "This engine measures camera movement, cuts, light, colours, motion and text; it recognises nothing else."

_TIME = re.compile(r"\b(?:(\d{1,2}):)?(\d{1,3}):(\d{2})\b|\b(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)\b")
_UNKNOWABLE = re.compile(
    r"\b(who|whose|why|name|names|emotions?|feel\w*|think\w*|say|says|said|persons?|people|man|men|woman|women|child"
    r"|children|girl|boy|faces?|dogs?|cats?|animals?|birds?|cars?|sounds?|music|voice)\b"
)
_STILL = ("light", "colour", "text")
"""Kinds of evidence that a single picture shows."""
_MOST_TOPICS = 3


def answer_sentences(scene: Scene, question: str) -> Iterator[str]:
    """Sentences that answer `question` from the scene's measurements, with times as m:ss."""
    low = question.lower()
    topics = [topic for topic in _topics() if re.search(rf"\b(?:{topic.asked})", low)]
    unknowable, moment = _UNKNOWABLE.search(low), _moment(low)
    if unknowable:
        yield f"About “{unknowable.group(1)}” nothing can be told: {_CAN[:1].lower()}{_CAN[1:]}"
    if moment is not None and _DURATION not in topics:
        yield from _at(scene, moment, low)
    elif topics:
        for topic in topics[:_MOST_TOPICS]:
            found = list(topic.answer(scene, low))
            yield from [*found, *([topic.basis] if found and topic.basis else [])]
        if not scene.keyframes and _DURATION not in topics:
            yield "Nothing was measured in this video."
    elif not unknowable:
        yield f"That can't be told from measurements. {_CAN}"


def _topics() -> list[Topic]:
    """What can be asked about: every evidence kind with a topic, then what isn't measured between keyframes."""
    return [*(kind.topic for kind in KINDS if kind.topic), _DURATION, _SHARPNESS, _HAPPENING]


def _moment(question: str) -> float | None:
    found = _TIME.search(question)
    if not found:
        return None
    hours, minutes, seconds, plain = found.groups()
    if plain is not None:
        return float(plain)
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)


def _at(scene: Scene, moment: float, question: str) -> Iterator[str]:
    """What was measured in the span that holds one time; how it looks there comes first where that is asked for."""
    end = scene.video.start + scene.video.duration
    if moment > end:
        yield f"The video ends at {clock(end)}, before {clock(moment)}."
        return
    holding = [gap for gap in scene.evidence if gap.start <= moment <= gap.end]
    looks = [(mark.time, mark.look) for mark in scene.keyframes if mark.look]
    if not holding and not looks:
        yield "Nothing was measured in this video."
        return
    still = any(k.name in _STILL and k.topic and re.search(rf"\b(?:{k.topic.asked})", question) for k in KINDS)
    told: list[str] = []
    if holding:
        # Where one span ends and the next begins the question is about what follows.
        gap = holding[-1]
        told.append(f"{' '.join(describe_gap(gap, None))} That is measured {span(gap.start, gap.end)}.")
    if looks:
        time, look = min(looks, key=lambda pair: abs(pair[0] - moment))
        name = "the picture" if time == moment else f"the nearest keyframe, at {clock(time)},"
        told.insert(0 if still else len(told), " ".join(describe_look(look, opening=name)))
    lead, *rest = told
    yield f"At {clock(moment)}: {lead[:1].lower()}{lead[1:]}"
    yield from rest


def _duration(scene: Scene, question: str) -> Iterator[str]:
    info = scene.video
    width, height = info.size
    lasts = f"{clock(info.duration)} ({info.duration:.2f} s)"
    yield f"The video lasts {lasts}; it has {width} × {height} pixels and {info.fps:.4g} pictures a second."


def _sharpness(scene: Scene, question: str) -> Iterator[str]:
    looks = [(mark.time, mark.look.sharpness) for mark in scene.keyframes if mark.look]
    if looks:
        (soft, least), (sharp, most) = min(looks, key=lambda p: p[1]), max(looks, key=lambda p: p[1])
        if most < 1.1 * least:
            yield "The picture is as sharp at every keyframe."
        else:
            yield f"It is sharpest at {clock(sharp)} and softest at {clock(soft)}."


def _happening(scene: Scene, question: str) -> Iterator[str]:
    """The most telling gaps in order, for "what happens", "what changes", "describe"."""
    telling = sorted(scene.evidence, key=_weight, reverse=True)[:_MOST_TOPICS]
    before = ""
    for gap in sorted(telling, key=lambda g: g.start):
        text = " ".join(describe_gap(gap, None, before))
        yield sentence(f"{span(gap.start, gap.end)}: {text[:1].lower()}{text[1:]}")
        before = text
    if not telling and scene.keyframes and (look := scene.keyframes[0].look):
        yield f"There is one picture, which is {appearance(look)}."


def _weight(gap: Evidence) -> float:
    moved = sum(word not in ("static", "unknown", "cut") for word in gap.camera)
    return 3 * len(gap.cuts) + moved + 5 * abs(gap.light) + 2 * len(gap.text_appeared) + len(gap.moving)


def _own(asked: str, answer: Callable[[Scene, str], Iterator[str]], basis: str = "") -> Topic:
    return Topic(asked, answer, basis)  # pyright: ignore[reportArgumentType]


_DURATION = _own(r"how long|duration|length|resolution|fps|frame rate|how many seconds|how big|size", _duration)
_SHARPNESS = _own(r"blur|sharp|focus", _sharpness, "Measured from the fine detail of the keyframes.")
_HAPPENING = _own(
    r"happen|change|describe|summar|going on|overview|what is (?:this|it)|about\b",
    _happening,
    f"What people or things do can't be told. {_CAN}",
)
