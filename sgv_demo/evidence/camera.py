"""Evidence kind: the camera's movement, from measured steps.

"pan left": the camera turns left and the content moves right. "tilt up": the content moves down. "zoom in": the
content grows. "shake": jitter that gets nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgv_demo.evidence.doubts import said
from sgv_demo.evidence.flow import Motion
from sgv_demo.evidence.kind import Gap, Kind, Lane, LaneSpan, Phrase, Record, Topic, Wordings
from sgv_demo.evidence.words import join, sentence, span, when
from sgv_demo.times import clock
from sgv_demo.types import CameraMove, Caption, Evidence, Look

_NET = {"shift": 0.015, "zoom": 0.02, "roll": 0.035}
"""Least movement over a span that is one: picture widths, logarithm, radians."""
_RATE = {"shift": 0.008, "zoom": 0.01, "roll": 0.0175}
"""Least movement a second: slower is a drift that nobody sees."""
_STRAIGHT = 0.4
"""A movement gets somewhere: its net is at least this share of the way that was gone."""
_STRAIGHT_PART = 0.6
"""The same for a part of a span: a piece of jitter may look like a movement."""
_DIAGONAL = 0.5
"""A second direction is named when it is at least this share of the first."""
_SHAKE = 0.004
"""Picture widths: jitter from step to step that can be seen."""
_SURE = 5.0
"""Times the scatter of the steps by which two speeds must differ."""
_SPAN = 0.7
"""Seconds: a shorter movement gets no word of its own."""
_RADIUS = 0.3
"""Mean distance of a picture's points from its centre, in widths: makes zoom and roll comparable with shifts."""

_SLOW = {"pan": 0.05, "tilt": 0.08, "zoom": 0.04, "roll": 3.0}
"""Slower is "slowly": frame widths, frame heights, logarithm, degrees a second."""
_FAST = {"pan": 0.25, "tilt": 0.4, "zoom": 0.25, "roll": 20.0}
"""Faster is "quickly"."""
_LIGHT_SHAKE, _STRONG_SHAKE = 0.008, 0.025
"""Picture widths of jitter."""

_VERBS = {
    "pan left": ("pans", "panning", "to the left"),
    "pan right": ("pans", "panning", "to the right"),
    "tilt up": ("tilts", "tilting", "upwards"),
    "tilt down": ("tilts", "tilting", "downwards"),
    "zoom in": ("zooms", "zooming", "in"),
    "zoom out": ("zooms", "zooming", "out"),
    "roll": ("rolls", "rolling", ""),
    "shake": ("shakes", "shaking", ""),
}
"""Camera words that are movements: the verb, its other form, and the way."""
_KNOWN = {*_VERBS, "static"}
_CALM = ("static", "unknown")

_ICONS = {
    "pan left": "left",
    "pan right": "right",
    "tilt up": "up",
    "tilt down": "down",
    "zoom in": "zoom-in",
    "zoom out": "zoom-out",
    "roll": "roll",
    "shake": "shake",
    "static": "still",
}

Path = NDArray[np.float64]


def _measure(gap: Gap) -> Mapping[str, Any]:
    """Camera words and movements; with a cut inside, no word says more than that the camera stood still."""
    found = tuple(move for shot in gap.shots for move in moves(shot))
    words = tuple(move.word for move in found)
    if gap.cuts:
        return {"camera": ("static",) if set(words) == {"static"} else ("cut",), "moves": found}
    return {"camera": words or ("unknown",), "moves": found}


def moves(steps: Sequence[Motion]) -> tuple[CameraMove, ...]:
    """What the camera did over neighbouring steps without a cut, in order; "unknown" where it can't be told."""
    if not steps:
        return ()
    known = [step for step in steps if step.reliable]
    start, end = steps[0].start, steps[-1].end
    if sum(s.end - s.start for s in known) < 0.5 * (end - start):
        return (CameraMove("unknown", start, end, 0.0, "frame widths"),)
    found: list[CameraMove] = []
    parts = _split(known)
    for part in parts:
        for move in _name(part, _STRAIGHT if len(parts) == 1 else _STRAIGHT_PART):
            if found and found[-1].word == move.word:
                found[-1] = _join(found[-1], move)
            else:
                found.append(move)
    return tuple(found)


def _path(steps: Sequence[Motion]) -> Path:
    """(n, 4): shift right, shift down, zoom, roll of each step."""
    return np.array([(s.dx, s.dy, s.zoom, s.roll) for s in steps])


def _name(steps: Sequence[Motion], straight: float) -> list[CameraMove]:
    """The one movement (two when it is diagonal) of a span, or "static", or "shake"."""
    path = _path(steps)
    seconds = sum(s.end - s.start for s in steps)
    start, end = steps[0].start, steps[-1].end
    # Net movement against the way that was gone: jitter adds up to little however much way it goes.
    dx, dy, zoom, roll = path.sum(axis=0)
    shift = float(np.hypot(dx, dy))
    gone = float(np.hypot(path[:, 0], path[:, 1]).sum())
    zooms = _counts("zoom", abs(zoom), float(np.abs(path[:, 2]).sum()), seconds, straight)
    rolls = _counts("roll", abs(roll), float(np.abs(path[:, 3]).sum()), seconds, straight)
    # A zoom or roll about a point off the centre also shifts the centre, so a small shift beside it is part of it.
    turning = max(abs(zoom) if zooms else 0.0, abs(roll) if rolls else 0.0)
    if turning > 0 and shift < 0.5 * turning:
        if abs(zoom) * zooms >= abs(roll) * rolls:
            return [CameraMove("zoom in" if zoom > 0 else "zoom out", start, end, float(np.exp(zoom)), "times")]
        return [CameraMove("roll", start, end, float(np.degrees(roll)), "degrees")]
    if _counts("shift", shift, gone, seconds, straight):
        pan = CameraMove("pan left" if dx > 0 else "pan right", start, end, abs(float(dx)), "frame widths")
        tilt = CameraMove(
            "tilt up" if dy > 0 else "tilt down", start, end, abs(float(dy)) * steps[0].aspect, "frame heights"
        )
        first, second = (pan, tilt) if abs(dx) >= abs(dy) else (tilt, pan)
        diagonal = min(abs(dx), abs(dy)) >= _DIAGONAL * max(abs(dx), abs(dy))
        return [first, second] if diagonal else [first]
    # Neither got anywhere: what is left is jitter about the mean speed, or nothing.
    jitter = path[:, :2] - path[:, :2].mean(axis=0)
    shake = float(np.sqrt((jitter**2).sum(axis=1).mean() / 2))
    if len(steps) >= 3 and shake >= _SHAKE:
        return [CameraMove("shake", start, end, shake, "frame widths")]
    return [CameraMove("static", start, end, 0.0, "frame widths")]


def _counts(kind: str, net: float, gone: float, seconds: float, straight: float) -> bool:
    """Whether a net movement over a way of length `gone` in `seconds` is one that a viewer would see."""
    return net >= _NET[kind] and net >= _RATE[kind] * seconds and net >= straight * gone


def _split(steps: Sequence[Motion]) -> list[Sequence[Motion]]:
    """Cuts a span where the camera's speed changes for good, again and again.

    The place is where two constant speeds explain the steps best; it counts when both sides are long enough, the
    speeds differ by more than a visible rate, and by far more than the steps scatter. Linear in the steps.
    """
    path = _path(steps) * (1, 1, _RADIUS, _RADIUS)
    lengths = np.array([s.end - s.start for s in steps])[:, None]
    parts: list[Sequence[Motion]] = []
    waiting = [(0, len(steps))]
    while waiting:
        start, end = waiting.pop()
        at = _change(path[start:end], lengths[start:end])
        if at:
            waiting += [(start + at, end), (start, start + at)]
        else:
            parts.append(steps[start:end])
    return parts


def _change(path: Path, lengths: Path) -> int:
    """The step at which the speed changes for good, 0 when it doesn't; `lengths` are (n, 1) seconds."""
    n = len(path)
    if n < 2:
        return 0
    speeds, left_over, seconds = [], np.zeros(n - 1), []
    # Running sums from both ends give the squared residual of one constant speed for every split at once:
    # sum |p - v t|² = sum |p|² + |v|² sum t² - 2 v · sum p t.
    for flip in (1, -1):
        p, length = path[::flip], lengths[::flip]
        way, time = p.cumsum(axis=0), length.cumsum(axis=0)
        speed = way / time
        squares = (p**2).sum(axis=1).cumsum() + (speed**2).sum(axis=1) * (length[:, 0] ** 2).cumsum()
        rest = squares - 2 * (speed * (p * length).cumsum(axis=0)).sum(axis=1)
        side = slice(None, -1)
        speeds.append(speed[side][::flip])
        seconds.append(time[side][::flip, 0])
        left_over += np.clip(rest[side], 0, None)[::flip]
    # A t-test in spirit: two means over i and n - i steps scatter with sqrt(1 / i + 1 / (n - i)).
    difference = np.linalg.norm(speeds[0] - speeds[1], axis=1)
    scatter = np.sqrt(left_over / max(1, n - 2)) / float(lengths.mean())
    i = np.arange(1, n)
    clear = difference > _SURE * scatter * np.sqrt(1 / i + 1 / (n - i))
    fits = (np.minimum(*seconds) >= _SPAN) & (difference > 2 * _RATE["shift"]) & clear
    gain = difference * np.sqrt(seconds[0] * seconds[1] / (seconds[0] + seconds[1])) * fits
    return int(gain.argmax()) + 1 if gain.any() else 0


def _join(a: CameraMove, b: CameraMove) -> CameraMove:
    """Two spans of the same movement as one."""
    if a.unit == "times":
        amount = a.amount * b.amount
    elif a.word == "shake":
        amount = max(a.amount, b.amount)
    else:
        amount = a.amount + b.amount
    return CameraMove(a.word, a.start, b.end, amount, a.unit)


def _phrases(evidence: Evidence) -> Iterator[Phrase]:
    for word in evidence.camera:
        if word != "cut":
            yield Phrase(_ICONS.get(word, "unknown"), f"camera {word}" if word in _CALM else word)


def _speed(move: CameraMove) -> str:
    """ "slowly", "quickly" or ""."""
    kind, seconds = move.word.split()[0], max(1e-6, move.end - move.start)
    if kind not in _SLOW or not move.amount:
        return ""
    way = abs(float(np.log(max(1e-6, abs(move.amount))))) if move.unit == "times" else abs(move.amount)
    return "slowly" if way < _SLOW[kind] * seconds else "quickly" if way > _FAST[kind] * seconds else ""


def _does(move: CameraMove, *, goes_on: bool = False) -> str:
    """ "slowly pans to the left", or "goes on slowly panning to the left"; "holds still"."""
    if move.word not in _VERBS:
        return "still doesn't move" if goes_on else "holds still"
    verb, other, way = _VERBS[move.word]
    if move.word == "shake" and move.amount:
        way = "a little" if move.amount < _LIGHT_SHAKE else "strongly" if move.amount > _STRONG_SHAKE else ""
    return " ".join(filter(None, ("goes on" if goes_on else "", _speed(move), other if goes_on else verb, way)))


def _course(found: Sequence[CameraMove], start: float, end: float) -> str:
    """One shot's movements in order: "pans to the left until 0:05, then holds still"; "" when none is known."""
    known = [move for move in found if move.word in _KNOWN]
    # A diagonal movement is two words over one span.
    spans = [list(same) for _, same in groupby(known, key=lambda move: (move.start, move.end))]
    told = [" and ".join(map(_does, same)) for same in spans]
    if len(spans) == 1 and len(known) == len(found):
        return told[0]
    if len(spans) == 1:
        return f"{told[0]} {when(known[0].start, known[0].end, start, end)}".strip()
    parts = [
        text if same is spans[-1] else f"{text} until {clock(same[-1].end)}"
        for text, same in zip(told, spans, strict=True)
    ]
    return ", then ".join(parts)


def _shots(evidence: Evidence) -> list[tuple[float, float, list[CameraMove]]]:
    """(start, end, movements) of each shot that the gap shows."""
    found = evidence.moves or tuple(
        CameraMove(word, evidence.start, evidence.end, 0.0, "frame widths") for word in evidence.camera
    )
    edges = [evidence.start, *evidence.cuts, evidence.end + 1e-6]
    return [(a, b, [move for move in found if a - 1e-6 <= move.start < b]) for a, b in pairwise(edges)]


def _sentences(evidence: Evidence, after: Look | None) -> Iterator[Wordings]:
    shots = [(start, end, _course(found, start, end)) for start, end, found in _shots(evidence)]
    told = [shot for shot in shots if shot[2]]
    if not evidence.cuts and told:
        known = [move for *_, found in _shots(evidence) for move in found if move.word in _KNOWN]
        again = " and ".join(_does(move, goes_on=True) for move in known)
        alone = len({(move.start, move.end) for move in known}) == 1 and len(known) == 1
        yield [f"The camera {told[0][2]}.", *([f"The camera {again}."] if alone else [])]
    elif not told:
        if "unknown" in evidence.camera:
            yield ["How the camera moves can't be told.", "The camera's movement can't be told here either."]
    elif len({text for *_, text in shots}) == 1:
        how = "before and after the cut" if len(shots) == 2 else "in each shot"
        yield [f"The camera {told[0][2]} {how}.", f"{sentence(how)[:-1]} the camera {told[0][2]}."]
    elif len(told) > 1 and len({text for *_, text in told}) == 1:
        yield [f"Wherever it can be told, the camera {told[0][2]}."]
    else:
        yield [_across(shots)]


def _across(shots: Sequence[tuple[float, float, str]]) -> str:
    """ "Before the cut the camera pans to the left, after it it holds still."."""
    names = [f"from {clock(start)} on" for start, *_ in shots]
    names[0] = f"until {clock(shots[0][1])}"
    if len(shots) == 2:
        names = ["before the cut", "after the cut"]
    told = [(name, text) for name, (*_, text) in zip(names, shots, strict=True) if text]
    if len(shots) == 2 and not shots[1][2]:
        told = [("until then", shots[0][2])]
    clauses = [f"{name} {'the camera' if i == 0 else 'it'} {text}" for i, (name, text) in enumerate(told)]
    return sentence("; ".join(clauses))


def camera_spans(evidence: Sequence[Evidence]) -> list[LaneSpan]:
    """The camera's words over the whole video, neighbours with the same word joined."""
    spans: list[LaneSpan] = []
    for gap in evidence:
        pieces = gap.moves or tuple(
            CameraMove(word, gap.start, gap.end, 0.0, "frame widths") for word in gap.camera if len(gap.camera) == 1
        )
        for piece in pieces:
            if piece.word == "cut":
                continue
            begins = piece.start
            if spans and spans[-1].word == piece.word and _follows(spans[-1].end, piece.start, gap.cuts):
                begins = spans.pop().start
            spans.append(LaneSpan(begins, piece.end, piece.word, f"camera: {piece.word}"))
    return spans


def _follows(end: float, start: float, cuts: Sequence[float]) -> bool:
    """Whether what starts at `start` goes on with what ended at `end`: soon after it, and no cut between."""
    return start - end < 0.5 and not any(end - 0.01 <= cut <= start + 0.01 for cut in cuts)


def _plainly(word: str) -> str:
    """ "pans to the left"; "holds still"."""
    verb, _, way = _VERBS.get(word, ("holds", "", "still"))
    return f"{verb} {way}".strip()


def _story(record: Record, most: int = 8) -> Iterator[str]:
    """ "The camera pans to the right from 0:02 to 0:06 and holds still from 0:06 to 0:10."."""
    evidence = record.evidence
    spans = [s for s in camera_spans(evidence) if s.word in _KNOWN]
    if not spans:
        if evidence:
            yield "How the camera moves can't be told."
        return
    if {s.word for s in spans} == {"static"}:
        whole = len(spans) == 1 or sum(s.end - s.start for s in spans) > 0.8 * (evidence[-1].end - evidence[0].start)
        yield "The camera holds still throughout." if whole else "Where it can be told, the camera holds still."
        return
    moved = [s for s in spans if s.word != "static"]
    few = len(spans) <= most
    telling = _run_together(spans) if few else moved
    if len(telling) > most:
        # A list of dozens of times is read by nobody: say what it does most, and the longest of each.
        yield from _overall(moved)
        return
    parts = [f"{_plainly(s.word)} {span(s.start, s.end)}" for s in telling]
    still = not few and len(moved) < len(spans)
    yield sentence(f"the camera {join(parts)}{'; otherwise it holds still' if still else ''}")


_ACROSS = 0.5
"""Seconds without a word, as around a cut, over which a movement is said to go on."""


def _run_together(spans: Sequence[LaneSpan]) -> list[LaneSpan]:
    """Neighbours of one word as one: across a cut, too, it is said once."""
    found: list[LaneSpan] = []
    for one in spans:
        if found and found[-1].word == one.word and one.start - found[-1].end <= _ACROSS:
            found[-1] = replace(found[-1], end=one.end)
        else:
            found.append(one)
    return found


def _overall(moved: Sequence[LaneSpan]) -> Iterator[str]:
    longest = {s.word: s for s in sorted(moved, key=lambda s: s.end - s.start)}
    often = sorted(longest, key=lambda word: -sum(s.end - s.start for s in moved if s.word == word))[:3]
    parts = [f"{_plainly(word)} (longest {span(longest[word].start, longest[word].end)})" for word in often]
    yield sentence(f"the camera moves {len(moved)} times; most of all it {join(parts)}")


_LANE = Lane(
    "Camera",
    lambda record: (
        LaneSpan(move.start, move.end, move.word, f"camera: {move.word}", "calm" if move.word in _CALM else "")
        for evidence in record.evidence
        for move in evidence.moves or _unspanned(evidence)
    ),
)


def _unspanned(evidence: Evidence) -> list[CameraMove]:
    """All its words over the whole gap, where their spans aren't known."""
    word = ", ".join(word for word in evidence.camera if word != "cut")
    return [CameraMove(word, evidence.start, evidence.end, 0.0, "frame widths")] if word else []


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
_YES_NO = re.compile(r"\s*(does|do|did|is|are|was|were|has|have|can)\b")


def _answer(record: Record, question: str) -> Iterator[str]:
    asked = [word for word, pattern in _ASKED.items() if re.search(pattern, question)]
    spans = camera_spans(record.evidence)
    found = [s for s in spans if s.word in asked]
    if asked and found:
        yes = "yes: " if _YES_NO.match(question) else ""
        yield sentence(f"{yes}{join([f'{span(s.start, s.end)} it {_plainly(s.word)}' for s in found[:8]])}")
    elif asked:
        no = "no, " if _YES_NO.match(question) else ""
        yield sentence(f"{no}no {join(asked, 'or')} was measured")
        yield from _story(record)
    elif re.search(r"\bwhen\b|\bwhere\b", question) and (moved := [s for s in spans if s.word in _VERBS]):
        yield sentence(join([f"{span(s.start, s.end)} it {_plainly(s.word)}" for s in moved[:8]]))
    elif _YES_NO.match(question) and re.search(r"\bmov", question) and spans:
        moves_at_all = any(s.word in _VERBS for s in spans)
        yield "Yes, it moves." if moves_at_all else "No, it doesn't move as far as it can be told."
        yield from _story(record)
    else:
        yield from _story(record)


_CAMERA = r"(?:camera|shot|view|frame|scene|perspective)\b[^.;]{0,40}?"
_CLAIMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (word, re.compile(pattern, re.IGNORECASE))
    for word, pattern in (
        ("pan left", r"\bpan(?:s|ned|ning)?\b(?: \w+){0,3}? (?:left|leftward|leftwards)\b"),
        ("pan right", r"\bpan(?:s|ned|ning)?\b(?: \w+){0,3}? (?:right|rightward|rightwards)\b"),
        ("tilt up", r"\btilt(?:s|ed|ing)?\b(?: \w+){0,3}? (?:up|upward|upwards)\b"),
        ("tilt down", r"\btilt(?:s|ed|ing)?\b(?: \w+){0,3}? (?:down|downward|downwards)\b"),
        ("zoom in", r"\bzoom(?:s|ed|ing)?[ -](?:\w+ )?in\b"),
        ("zoom out", r"\bzoom(?:s|ed|ing)?[ -](?:\w+ )?out\b"),
        (
            "static",
            _CAMERA + r"\b(?:static|still|stationary|fixed|unmoving)\b|\b(?:static|stationary|fixed) (?:camera|shot)\b",
        ),
    )
)
_OPPOSITE = {
    "pan left": "pan right",
    "pan right": "pan left",
    "tilt up": "tilt down",
    "tilt down": "tilt up",
    "zoom in": "zoom out",
    "zoom out": "zoom in",
}


def _doubts(words: str, caption: Caption, read: Sequence[str]) -> Iterator[str]:
    if caption.evidence is None:
        return
    camera = caption.evidence.camera
    measured = [word for word in camera if word not in ("unknown", "cut")]
    if not measured or len(measured) < len(camera):
        return
    claimed, shown = [word for word, pattern in _CLAIMS if said(pattern, words)], ", then ".join(measured)
    for word in claimed:
        if word == "static" and measured != ["static"] and len(claimed) == 1:
            yield f"The text calls the camera static, but “{shown}” was measured. Which is right?"
        elif word != "static" and word not in measured:
            if _OPPOSITE[word] in measured:
                yield f"The text says “{word}”, but “{_OPPOSITE[word]}” was measured. Which is right?"
            elif measured == ["static"]:
                yield f"The text says “{word}”, but the camera was measured as static. Does it move?"


KIND = Kind(
    "camera",
    _measure,
    _phrases,
    _sentences,
    story=_story,
    lane=_LANE,
    topic=Topic(
        r"camera|pan(?:s|ned|ning)?\b|tilt|zoom|handheld|hand-held|shak",
        _answer,
        "Measured from how the whole picture shifts from frame to frame.",
    ),
    doubts=_doubts,
)
