"""Evidence kind: the colours that lead, and a clear change of them between two keyframes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sgv_demo.evidence.kind import Gap, Kind, Phrase, Record, Topic, Wordings
from sgv_demo.evidence.look import colours
from sgv_demo.evidence.words import join, percent, sentence, span
from sgv_demo.keyframes.similarity import HistogramEmbedder
from sgv_demo.times import clock
from sgv_demo.types import ColourChange, Evidence, Look

_DIFFER = 0.3
"""Bhattacharyya distance from which two pictures have clearly different colours."""
_SHARE = 0.08
"""Share of the picture that a colour must win or lose to be named."""


def _measure(gap: Gap) -> Mapping[str, Any]:
    """The named colour that lost most and the one that gained most, when the pictures' colours differ clearly."""
    was, now = dict(gap.was.colours), dict(gap.now.colours)
    gain = {name: now.get(name, 0.0) - was.get(name, 0.0) for name in {**was, **now}}
    if not gain:
        return {}
    lost, won = min(gain, key=lambda name: gain[name]), max(gain, key=lambda name: gain[name])
    if gain[lost] > -_SHARE or gain[won] < _SHARE:
        return {}
    rows = HistogramEmbedder().embed([gap.before.frame, gap.after.frame])
    distance = float(np.sqrt(max(0.0, 1 - float(rows[0] @ rows[1]))))
    return {"colour": ColourChange(lost, won, distance)} if distance >= _DIFFER else {}


def _phrases(evidence: Evidence) -> Iterator[Phrase]:
    if evidence.colour:
        yield Phrase("colour", f"{evidence.colour.before} → {evidence.colour.after}")


def _sentences(evidence: Evidence, after: Look | None) -> Iterator[Wordings]:
    # A new shot has its own colours, which stand with the cut.
    if evidence.colour and not evidence.cuts:
        before, now = evidence.colour.before, evidence.colour.after
        yield [sentence(f"{before} gives way to {now}"), sentence(f"{now} takes the place of {before}")]


_NAMED = re.compile(
    r"\b(red|blue|green|yellow|orange|pink|purple|violet|brown|white|black|grey|gray|beige|cream|gold|teal|cyan)\b"
)


def _answer(record: Record, question: str) -> Iterator[str]:
    looks = [(mark.time, mark.look) for mark in record.keyframes if mark.look]
    if not looks:
        return
    if asked := {name.replace("gray", "grey") for name in _NAMED.findall(question)}:
        yield from _covered(looks, asked)
        return
    for time, look in looks[:: max(1, len(looks) - 1)]:
        yield sentence(f"at {clock(time)} the picture is {colours(look)}")
    for gap in [gap for gap in record.evidence if gap.colour][:3]:
        assert gap.colour is not None
        yield sentence(f"{span(gap.start, gap.end)} {gap.colour.before} gives way to {gap.colour.after}")


def _covered(looks: list[tuple[float, Look]], asked: set[str]) -> Iterator[str]:
    """Where the colours asked about cover most of the picture."""
    found: dict[str, list[tuple[float, float]]] = {}
    for time, look in looks:
        for name, share in look.colours:
            if asked & set(name.replace("-", " ").split()):
                found.setdefault(name, []).append((share, time))
    if not found:
        yield sentence(f"{join(sorted(asked), 'or')} is none of the colours that cover much")
    for name, seen in sorted(found.items(), key=lambda pair: -max(pair[1])[0])[:3]:
        (share, most), first, last = max(seen), min(t for _, t in seen), max(t for _, t in seen)
        rest = f", most at {clock(most)} ({percent(share)} of the picture)"
        yield sentence(f"{span(first, last)} there is {name}{rest}")


KIND = Kind(
    "colour",
    _measure,
    _phrases,
    _sentences,
    topic=Topic(
        r"colou?r|red\b|blue\b|green\b|yellow\b|orange\b|pink\b|purple\b|brown\b|white\b|black\b|grey\b|gray\b",
        _answer,
        "Measured from the nearest named colour of every pixel of the keyframes.",
    ),
)
