"""Finds the measured facts that a question asks for: the answer first, then what it rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from sgv_demo.engines import Scene
from sgv_demo.engines.measured.prose import describe_gap, describe_look
from sgv_demo.evidence import KINDS
from sgv_demo.evidence.kind import Topic
from sgv_demo.evidence.look import appearance
from sgv_demo.evidence.words import after_colon, sentence, span
from sgv_demo.times import clock
from sgv_demo.types import Evidence

_CAN = "This engine measures camera movement, cuts, light, colours, motion and text; it recognises nothing else."

_TIME = re.compile(r"\b(?:(\d{1,2}):)?(\d{1,3}):(\d{2})\b|\b(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)\b")
_NOBODY = re.compile(
    r"\b(persons?|people|man|men|woman|women|child|children|girl|boy|faces?|dogs?|cats?|animals?|birds?|cars?|sounds?"
    r"|music|voice|emotions?|names?)\b"
)
_NEVER = re.compile(r"\b(who|whose|why|feel\w*|think\w*|say|says|said)\b")
"""Questions that no measurement answers."""
_STILL = ("light", "colour", "text")
"""Kinds of evidence that a single picture shows."""
_MOST_TOPICS = 3
_NEAR = 1.0
"""Seconds: a cut this near belongs to the moment that was asked about."""


def answer_sentences(scene: Scene, question: str) -> Iterator[str]:
    """Sentences that answer `question` from the scene's measurements, with times as m:ss."""
    low = question.lower()
    topics = [topic for topic in _topics() if re.search(rf"\b(?:{topic.asked})", low)]
    if len(topics) > 1 and _HAPPENING in topics:
        topics.remove(_HAPPENING)
    moment, unknown = _moment(low), _unknown(low)
    yield from unknown
    if moment is not None and _DURATION not in topics:
        yield from _at(scene, moment, low)
    elif topics:
        for topic in topics[:_MOST_TOPICS]:
            found = list(topic.answer(scene, low))
            yield from [*found, *([topic.basis] if found and topic.basis else [])]
        if not scene.keyframes and _DURATION not in topics:
            yield "Nothing was measured in this video."
    elif not unknown:
        yield f"That can't be told from measurements. {_CAN}"


def _topics() -> list[Topic]:
    """What can be asked about: every evidence kind with a topic, then what isn't measured between keyframes."""
    return [*(kind.topic for kind in KINDS if kind.topic), _DURATION, _SHARPNESS, _HAPPENING]


def _unknown(question: str) -> list[str]:
    """What can't be told, where a question asks for it."""
    if named := _NOBODY.search(question):
        return [f"About “{named.group(1)}” nothing can be told: {after_colon(_CAN)}"]
    return [f"That can't be told from measurements. {_CAN}"] if _NEVER.search(question) else []


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
        said = " ".join(describe_gap(_narrowed(gap, moment), None)) or "Nothing was measured."
        told.append(f"{said} That rests on what was measured {span(gap.start, gap.end)}.")
    if looks:
        time, look = min(looks, key=lambda pair: abs(pair[0] - moment))
        name = "the picture" if time == moment else f"the nearest keyframe, at {clock(time)},"
        told.insert(0 if still else len(told), " ".join(describe_look(look, opening=name)))
    lead, *rest = told
    yield f"At {clock(moment)}: {after_colon(lead)}"
    yield from rest


def _narrowed(gap: Evidence, moment: float) -> Evidence:
    """What of a gap's evidence holds at one moment; what has no time of its own holds for the whole gap."""
    moves = tuple(move for move in gap.moves if move.start <= moment <= move.end)[-1:] or gap.moves
    things = tuple(t for t in gap.moving if t.start is None or t.end is None or t.start <= moment <= t.end)
    words = tuple(move.word for move in moves) or gap.camera
    if not gap.cuts:
        return replace(gap, camera=words, moves=moves, moving=things)
    # Light and colours changed with the cut, which may be far from the moment.
    cuts = tuple(cut for cut in gap.cuts if abs(cut - moment) <= _NEAR)
    return replace(gap, camera=words, moves=moves, cuts=cuts, moving=things, light=0.0, colour=None)


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
        yield sentence(f"{span(gap.start, gap.end)}: {after_colon(text)}")
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
