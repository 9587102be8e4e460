"""Two results of one video side by side: aligned in time, differences in wording marked. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

from sgv_demo.events import Analysis
from sgv_demo.evidence import KINDS
from sgv_demo.fields import leaves
from sgv_demo.options import AnalysisOptions
from sgv_demo.types import Caption

_WORDS = re.compile(r"\s*(?:\d+(?::\d\d)+|\w+(?:['’]\w+)*|[^\w\s])\s*|\s+")
_SENTENCES = re.compile(r".+?(?:[.!?…]+\s+(?=[^a-z])|[。！？]+|\Z)", re.DOTALL)
_ALIKE = 0.5
"""Share of words in common from which word differences tell more than they hide."""
_SHARED = 0.5
"""Share of a sentence's words that another text must have to speak of the same."""
_MOST_WORDS = 1500
"""Of texts longer than this only whole-text equality is told: difflib's time grows with the square of the length."""
_OF_THE_ENGINE = {"label": "Engine", "model": "Model", "quantization": "Quantization", "dtype": "Number format"}

Piece: TypeAlias = tuple[Literal["same", "only"], str]
"""A stretch of text and whether the other side has it too."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stretch of time in which the two results can be read next to each other."""

    start: float
    """Seconds."""
    end: float
    """Seconds; equal to `start` for a first keyframe's caption."""
    left: tuple[Caption, ...]
    right: tuple[Caption, ...]


def align(left: Sequence[Caption], right: Sequence[Caption]) -> list[Row]:
    """Rows in order of time; each caption is in exactly one row.

    Captions whose spans overlap share a row, also through a third one. Spans that only touch don't overlap; captions
    of single moments (start == end) pair up when they are less than half a second apart.
    """
    tagged = sorted(
        [(c.start, c.end, 0, c) for c in left] + [(c.start, c.end, 1, c) for c in right], key=lambda t: t[:3]
    )
    groups: list[list[tuple[int, Caption]]] = []
    reach, moment = float("-inf"), True
    for start, end, side, caption in tagged:
        point = end <= start
        joins = bool(groups) and (
            (point and moment and start - reach < 0.5) or (not point and not moment and start < reach - 1e-6)
        )
        if joins:
            groups[-1].append((side, caption))
            reach = max(reach, end)
        else:
            groups.append([(side, caption)])
            reach, moment = end, point
    return [_row(group) for group in groups]


def _row(group: Sequence[tuple[int, Caption]]) -> Row:
    captions = [c for _, c in group]
    return Row(
        min(c.start for c in captions),
        max(c.end for c in captions),
        tuple(c for side, c in group if side == 0),
        tuple(c for side, c in group if side == 1),
    )


def differences(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Each text in pieces, words that the other one lacks marked "only"; joined, the pieces are the text again."""
    a, b = _WORDS.findall(left), _WORDS.findall(right)
    if not left or not right or max(len(a), len(b)) > _MOST_WORDS:
        kind: Literal["same", "only"] = "same" if left == right else "only"
        return ([(kind, left)] if left else []), ([(kind, right)] if right else [])
    matcher = SequenceMatcher(None, [w.strip().casefold() for w in a], [w.strip().casefold() for w in b], False)
    one: list[Piece] = []
    two: list[Piece] = []
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        shared: Literal["same", "only"] = "same" if tag == "equal" else "only"
        if a2 > a1:
            one.append((shared, "".join(a[a1:a2])))
        if b2 > b1:
            two.append((shared, "".join(b[b1:b2])))
    return one, two


def contrasts(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Pieces as in `differences`: word by word where the texts are alike, else sentence by sentence.

    Texts of another form (one caption of a whole video beside one of a pair) share hardly a word in order, and every
    word would be marked. There a sentence is "only" when nothing in the other text speaks of the same: neither of one
    of its topics (camera, light, …), nor, where it has none, in its words.
    """
    if not left or not right:  # nothing to tell it from
        return ([("same", left)] if left else []), ([("same", right)] if right else [])
    if likeness(left, right) >= _ALIKE:
        return differences(left, right)
    return _unshared(left, right), _unshared(right, left)


def _unshared(text: str, other: str) -> list[Piece]:
    topics, words = _topics(other), _content(other)
    pieces: list[Piece] = []
    for sentence in filter(None, _SENTENCES.findall(text)):
        mine = _content(sentence)
        shared = _topics(sentence) & topics or (not _topics(sentence) and len(mine & words) >= _SHARED * len(mine))
        pieces.append(("same" if shared else "only", sentence))
    return pieces


def _topics(text: str) -> set[str]:
    lower = text.lower()
    return {kind.name for kind in KINDS if kind.topic and re.search(rf"\b(?:{kind.topic.asked})", lower)}


def _content(text: str) -> set[str]:
    """The words that carry a sentence: those of four letters and more, and all of scripts without spaces."""
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) > 3 or not word.isascii()}


def parted(pieces: Sequence[Piece], parts: Sequence[str], between: str) -> list[list[Piece]]:
    """The pieces of `between.join(parts)`, part by part and without what stands between them."""
    edges, end = [], 0
    for part in parts:
        edges.append((end, end + len(part)))
        end += len(part) + len(between)
    made: list[list[Piece]] = [[] for _ in parts]
    at = 0
    for kind, text in pieces:
        for number, (start, stop) in enumerate(edges):
            inside = text[max(start - at, 0) : max(stop - at, 0)]
            if inside:
                made[number].append((kind, inside))
        at += len(text)
    return made


def likeness(left: str, right: str) -> float:
    """Share of words in common, in order: 0 to 1 (difflib's ratio over words)."""
    words = re.compile(r"\w+")
    a, b = words.findall(left.casefold())[:_MOST_WORDS], words.findall(right.casefold())[:_MOST_WORDS]
    return SequenceMatcher(None, a, b, autojunk=False).ratio() if a or b else 1.0


def what_differs(left: Analysis, right: Analysis) -> list[str]:
    """In words: what of the engine and of the options isn't the same; empty when all is."""
    one, two = left.options.in_force(), right.options.in_force()
    pairs = [(spec.label, spec.words(one[spec.name]), spec.words(two[spec.name])) for spec in leaves(AnalysisOptions)]
    engines = [
        (label, getattr(left.engine, name) or "default", getattr(right.engine, name) or "default")
        for name, label in _OF_THE_ENGINE.items()
    ]
    return [f"{label}: {a} ↔ {b}" for label, a, b in (*engines, *pairs) if a != b]
