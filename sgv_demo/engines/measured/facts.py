"""Finds the measured facts that a question asks for, and says plainly when there are none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from sgv_demo.engines import Scene
from sgv_demo.engines.measured import prose
from sgv_demo.engines.measured.prose import clock, join, sentence
from sgv_demo.types import Evidence, KeyframeMark

_CAN = "This engine measures camera movement, cuts, light, colours, motion and text; it recognises nothing else."

_TIME = re.compile(r"\b(?:(\d{1,2}):)?(\d{1,3}):(\d{2})\b|\b(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)\b")

_COLOUR = re.compile(
    r"\b(red|blue|green|yellow|orange|pink|purple|violet|brown|white|black|grey|gray|beige|cream|gold|teal|cyan)\b"
)

Answer = Callable[[Scene, str], Iterator[str]]


def answer_sentences(scene: Scene, question: str) -> Iterator[str]:
    """Sentences that answer `question` from the scene's measurements, with times as m:ss."""
    low = question.lower()
    moment = _moment(low)
    topics = [topic for words, topic in _TOPICS if re.search(rf"\b(?:{words})", low)]
    if moment is not None and not (set(topics) & {_duration}):
        yield from _at(scene, moment)
        return
    if not topics:
        yield f"That can't be known from measurements. {_CAN}"
        yield from _hint(scene)
        return
    unknowable = re.search(r"\b(who|why|name of|emotion|feel|think|person|people|man|woman|child|dog|cat|car)\b", low)
    for topic in topics[:3]:
        yield from topic(scene, low)
    if unknowable:
        yield f"About “{unknowable.group(1)}” nothing can be said. {_CAN}"


def _moment(question: str) -> float | None:
    found = _TIME.search(question)
    if not found:
        return None
    hours, minutes, seconds, plain = found.groups()
    if plain is not None:
        return float(plain)
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)


def _at(scene: Scene, moment: float) -> Iterator[str]:
    """What was measured around one time."""
    if moment > scene.video.start + scene.video.duration:
        yield f"The video ends at {clock(scene.video.start + scene.video.duration)}, before {clock(moment)}."
        return
    gap = next((g for g in scene.evidence if g.start <= moment <= g.end), None)
    nearest = min(scene.keyframes, key=lambda k: abs(k.time - moment), default=None)
    if gap:
        yield sentence(f"{prose.span(gap.start, gap.end)}: {' '.join(prose.describe_evidence(gap, None))}")
    if nearest and nearest.look:
        yield sentence(f"at {clock(nearest.time)}: {' '.join(prose.describe_look(nearest.look))}")


def _hint(scene: Scene) -> Iterator[str]:
    text = prose.camera_over_time(scene.evidence)
    if text:
        yield f"What was measured, for example: {text[:1].lower()}{text[1:]}"


def _camera(scene: Scene, question: str) -> Iterator[str]:
    asked = [
        word
        for word in ("pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "roll", "shake", "static")
        if re.search(_ASKED[word], question)
    ]
    spans = prose.camera_spans(scene.evidence)
    matching = [s for s in spans if s.word in asked]
    if asked and matching:
        listed = join([f"{s.word} {prose.span(s.start, s.end)}" for s in matching[:8]])
        yield sentence(f"yes: {listed}" if _yes_no(question) else listed)
    elif asked:
        yield sentence(f"no {join(asked, 'or')} was measured")
        yield prose.camera_over_time(scene.evidence) or "How the camera moves can't be told."
    elif re.search(r"\bwhen\b", question) and (moves := [s for s in spans if s.word not in ("static", "unknown")]):
        yield sentence(f"the camera moves {join([f'{prose.span(s.start, s.end)} ({s.word})' for s in moves[:8]])}")
    else:
        yield prose.camera_over_time(scene.evidence) or "Nothing was measured about the camera."


_ASKED = {
    "pan left": r"pan\w*( to the| slowly| quickly)* left|turn\w* left|\bpan\w*\b(?!.*\bright\b)",
    "pan right": r"pan\w*( to the| slowly| quickly)* right|turn\w* right|\bpan\w*\b(?!.*\bleft\b)",
    "tilt up": r"tilt\w* up|\btilt\w*\b(?!.*\bdown\b)",
    "tilt down": r"tilt\w* down|\btilt\w*\b(?!.*\bup\b)",
    "zoom in": r"zoom\w* in|\bzoom\w*\b(?!.*\bout\b)",
    "zoom out": r"zoom\w* out|\bzoom\w*\b(?!.*\bin\b)",
    "roll": r"\broll",
    "shake": r"shak|handheld|hand-held",
    "static": r"static|hold\w* still|stand\w* still|camera still",
}


def _yes_no(question: str) -> bool:
    return bool(re.match(r"\s*(does|do|did|is|are|was|were|has|have|can)\b", question))


def _cuts(scene: Scene, question: str) -> Iterator[str]:
    cuts = [cut for gap in scene.evidence for cut in gap.cuts]
    if not cuts:
        yield "No cut was found: it is one shot."
    else:
        times = join([clock(cut) for cut in cuts[:12]])
        yield f"{len(cuts) + 1} shots, with {'a cut' if len(cuts) == 1 else 'cuts'} at {times}."


def _light(scene: Scene, question: str) -> Iterator[str]:
    looks = [(k.time, k.look) for k in scene.keyframes if k.look]
    if not looks:
        return
    darkest, brightest = min(looks, key=lambda p: p[1].light), max(looks, key=lambda p: p[1].light)
    if brightest[1].light - darkest[1].light < prose.SMALL_LIGHT:
        yield sentence(f"the light stays the same: the picture is {prose.light_word(looks[0][1].light)}")
    else:
        yield (
            f"Brightest is {clock(brightest[0])} ({prose.light_word(brightest[1].light)}), "
            f"darkest {clock(darkest[0])} ({prose.light_word(darkest[1].light)})."
        )
    changes = [g for g in scene.evidence if abs(g.light) >= prose.SMALL_LIGHT]
    for gap in sorted(changes, key=lambda g: -abs(g.light))[:3]:
        yield sentence(
            f"{prose.span(gap.start, gap.end)} it gets {prose.percent(abs(gap.light))} "
            f"{'brighter' if gap.light > 0 else 'darker'}"
        )


def _colours(scene: Scene, question: str) -> Iterator[str]:
    looks = [(k.time, k.look) for k in scene.keyframes if k.look]
    asked = set(_COLOUR.findall(question))
    if asked:
        rows = [
            f"{name} covers {prose.percent(share)} at {clock(at)}"
            for at, look in looks
            for name, share in look.colours
            if asked & set(name.replace("-", " ").split())
        ]
        yield sentence(
            join(rows[:5]) if rows else f"{join(sorted(asked), 'or')} is none of the colours that cover much"
        )
        return
    chosen: list[KeyframeMark] = [scene.keyframes[0]] if scene.keyframes else []
    if len(scene.keyframes) > 1:
        chosen.append(scene.keyframes[-1])
    for mark in chosen:
        if mark.look:
            yield sentence(f"at {clock(mark.time)} the picture is {prose.colours(mark.look)}")
    for gap in [g for g in scene.evidence if g.colour][:3]:
        assert gap.colour is not None
        yield sentence(f"{prose.span(gap.start, gap.end)} {gap.colour.before} gives way to {gap.colour.after}")


def _motion(scene: Scene, question: str) -> Iterator[str]:
    busy = [gap for gap in scene.evidence if gap.moving]
    if not busy:
        yield "Apart from the camera, no movement was measured."
    most = sorted(busy, key=lambda gap: -gap.moving[0].area)[:4]
    for gap in sorted(most, key=lambda gap: gap.start):
        yield sentence(f"{prose.span(gap.start, gap.end)} {prose.moving(gap.moving[:2])}")


def _text(scene: Scene, question: str) -> Iterator[str]:
    seen: dict[str, list[float]] = {}
    for mark in scene.keyframes:
        for line in mark.look.text if mark.look else ():
            seen.setdefault(line, []).append(mark.time)
    if not seen:
        yield "No text was read in the keyframes."
    for line, times in list(seen.items())[:10]:
        yield sentence(f"“{line}” {prose.span(times[0], times[-1])}")


def _duration(scene: Scene, question: str) -> Iterator[str]:
    info = scene.video
    width, height = info.size
    lasts = f"{clock(info.duration)} ({info.duration:.2f} s)"
    yield f"The video lasts {lasts}; it has {width} × {height} pixels and {info.fps:.4g} pictures a second."


def _sharpness(scene: Scene, question: str) -> Iterator[str]:
    looks = [(k.time, k.look.sharpness) for k in scene.keyframes if k.look]
    if looks:
        softest, sharpest = min(looks, key=lambda p: p[1]), max(looks, key=lambda p: p[1])
        yield f"Sharpest is {clock(sharpest[0])}, softest {clock(softest[0])}."


def _happening(scene: Scene, question: str) -> Iterator[str]:
    """The most telling gaps in order, for "what happens", "what changes", "describe"; what can't be told comes last."""
    telling = sorted(scene.evidence, key=_weight, reverse=True)[:3]
    for gap in sorted(telling, key=lambda g: g.start):
        yield sentence(f"{prose.span(gap.start, gap.end)}: {' '.join(prose.describe_evidence(gap, None))}")
    yield f"What people or things do can't be told. {_CAN}"


def _weight(gap: Evidence) -> float:
    moved = sum(word not in ("static", "unknown", "cut") for word in gap.camera)
    return 3 * len(gap.cuts) + moved + 5 * abs(gap.light) + 2 * len(gap.text_appeared) + len(gap.moving)


_TOPICS: Sequence[tuple[str, Answer]] = (
    (r"camera|pan(?:s|ned|ning)?\b|tilt|zoom|handheld|hand-held|shak", _camera),
    (r"cuts?\b|shots?\b|scenes?\b|edit|transition", _cuts),
    (r"bright|dark|light|night|exposure|fade", _light),
    (r"colou?r|red\b|blue\b|green\b|yellow\b|orange\b|pink\b|purple\b|brown\b|white\b|black\b|grey\b|gray\b", _colours),
    (r"text|written|write|reads?\b|title|sign\b|signs\b|words?\b|letters?\b|subtitle|caption|logo", _text),
    (r"how long|duration|length|resolution|fps|frame rate|how many seconds|how big|size", _duration),
    (r"blur|sharp|focus", _sharpness),
    (r"(?:something|anything|objects?|things?|what)\s+(?:is |are )?mov|motion|movement|moving", _motion),
    (r"happen|change|describe|summar|going on|overview|what is (?:this|it)|about\b", _happening),
)
