"""Evidence kind: how bright the picture is, and how that changes between two keyframes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sgv_demo.evidence.kind import Gap, Kind, Lane, LaneSpan, Phrase, Record, Topic, Wordings
from sgv_demo.evidence.look import light_word
from sgv_demo.evidence.words import percent, sentence, span
from sgv_demo.times import clock
from sgv_demo.types import Evidence, Look

_SHOWN = 0.02
"""Share of full scale from which a change of the mean luma gets a chip and a place in its lane."""
_TOLD = 0.03
"""The same, for a sentence."""
_MUCH = 0.1
"""A change by less is drawn faintly."""
_A_LITTLE, _A_LOT = 0.08, 0.25


def _measure(gap: Gap) -> Mapping[str, Any]:
    return {"light": gap.now.light - gap.was.light}


def _phrases(evidence: Evidence) -> Iterator[Phrase]:
    if abs(evidence.light) >= _SHOWN:
        brighter = evidence.light > 0
        figure = f"{abs(evidence.light) * 100:.0f} %"
        yield Phrase("sun" if brighter else "moon", f"{figure} {'brighter' if brighter else 'darker'}")


def _much(change: float) -> str:
    """ "a little brighter", "much darker"."""
    how = "a little " if abs(change) < _A_LITTLE else "much " if abs(change) >= _A_LOT else ""
    return f"{how}{'brighter' if change > 0 else 'darker'}"


def _sentences(evidence: Evidence, after: Look | None) -> Iterator[Wordings]:
    # Across a cut the two pictures show different things: how light the new shot is stands with the cut.
    if abs(evidence.light) >= _TOLD and not evidence.cuts:
        word = _much(evidence.light)
        yield [f"It gets {word}.", f"The picture becomes {word}."]


def _looks(record: Record) -> list[tuple[float, float]]:
    """(seconds, mean luma) of the keyframes."""
    return [(mark.time, mark.look.light) for mark in record.keyframes if mark.look]


def _changes(record: Record) -> list[Evidence]:
    """Gaps within a shot over which the light changes, the largest change first."""
    inside = [gap for gap in record.evidence if not gap.cuts and abs(gap.light) >= _TOLD]
    return sorted(inside, key=lambda gap: -abs(gap.light))


def _story(record: Record) -> Iterator[str]:
    lights = [light for _, light in _looks(record)]
    if found := _changes(record):
        gap, more = found[0], len(found) > 1
        at, much = span(gap.start, gap.end), _much(gap.light)
        yield sentence(f"the light changes most {at}, when it gets {much}" if more else f"{at} it gets {much}")
    elif len(lights) > 1 and max(lights) - min(lights) < _TOLD:
        yield "The light stays the same."


_CHANGING = re.compile(r"\b(chang|gets?\b|getting|turn|becom|fad)")


def _answer(record: Record, question: str) -> Iterator[str]:
    looks = _looks(record)
    if not looks:
        return
    (dark_at, darkest), (bright_at, brightest) = (f(looks, key=lambda pair: pair[1]) for f in (min, max))
    if brightest - darkest < _TOLD:
        yield f"The light stays the same: the picture is {light_word(looks[0][1])}."
        return
    words = light_word(darkest), light_word(brightest)
    named = [f" ({word})" if words[0] != words[1] else "" for word in words]
    dark, bright = f"darkest at {clock(dark_at)}{named[0]}", f"brightest at {clock(bright_at)}{named[1]}"
    first, second = (dark, bright) if "dark" in question else (bright, dark)
    extremes = sentence(f"it is {first} and {second}")
    changes = [
        sentence(f"{span(gap.start, gap.end)} it gets {_much(gap.light)} (by {percent(abs(gap.light))})")
        for gap in sorted(_changes(record)[:3], key=lambda gap: gap.start)
    ]
    yield from [*changes, extremes] if _CHANGING.search(question) else [extremes, *changes]


def _spans(record: Record) -> Iterator[LaneSpan]:
    for gap in record.evidence:
        if abs(gap.light) >= _SHOWN:
            word = "brighter" if gap.light > 0 else "darker"
            kind = ("bright" if gap.light > 0 else "dim") + (" faint" if abs(gap.light) < _MUCH else "")
            yield LaneSpan(gap.start, gap.end, word, word, kind)


KIND = Kind(
    "light",
    _measure,
    _phrases,
    _sentences,
    story=_story,
    lane=Lane("Light", _spans),
    topic=Topic(
        r"bright|dark|light|night|exposure|fade", _answer, "Measured from the mean brightness of the keyframes."
    ),
)
