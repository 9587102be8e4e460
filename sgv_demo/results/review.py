"""What a person thinks of captions: rating, correction, note, flag; and questions where text and evidence disagree.

A `Review` is an immutable value beside an `Analysis`: the engine's text is never overwritten. Nothing here is a
verdict on a caption by the program; `questions` only asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, cast, get_args

from sgv_demo.errors import StoreError
from sgv_demo.events import Analysis
from sgv_demo.evidence import KINDS
from sgv_demo.types import Caption

Rating: TypeAlias = Literal["accurate", "missing something", "made up", "wrong order"]
RATINGS: tuple[Rating, ...] = get_args(Rating)
"""In the order of the keys 1 to 4."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said about one caption."""

    index: int
    """The caption's index."""
    rating: Rating | None = None
    text: str | None = None
    """The corrected text, or None while the engine's stands."""
    note: str = ""
    flagged: bool = False

    @property
    def blank(self) -> bool:
        """Whether nothing is said."""
        return self.rating is None and self.text is None and not self.note and not self.flagged


@dataclass(frozen=True, slots=True)
class Review:
    """All verdicts on one analysis, by caption index. Changed by `put` alone."""

    verdicts: tuple[Verdict, ...] = ()

    def of(self, index: int) -> Verdict:
        """The verdict on a caption; a blank one when there is none."""
        return next((v for v in self.verdicts if v.index == index), Verdict(index))

    def put(self, verdict: Verdict) -> Review:
        """The same with one verdict replaced; a blank one is taken out."""
        others = [v for v in self.verdicts if v.index != verdict.index]
        kept = others if verdict.blank else [*others, verdict]
        return Review(tuple(sorted(kept, key=lambda v: v.index)))

    def rate(self, index: int, rating: Rating) -> Review:
        """Rates a caption; the same rating twice takes it back."""
        verdict = self.of(index)
        return self.put(replace(verdict, rating=None if verdict.rating == rating else rating))

    def edit(self, caption: Caption, text: str) -> Review:
        """Corrects a caption's text; blank text or the engine's own takes the correction back."""
        cleaned = text.strip()
        changed = cleaned if cleaned and cleaned != caption.text.strip() else None
        return self.put(replace(self.of(caption.index), text=changed))

    def remark(self, index: int, note: str) -> Review:
        """Sets a caption's note."""
        return self.put(replace(self.of(index), note=note.strip()))

    def flag(self, index: int) -> Review:
        """Flags a caption, or takes the flag away."""
        verdict = self.of(index)
        return self.put(replace(verdict, flagged=not verdict.flagged))

    def edited(self, analysis: Analysis) -> Analysis:
        """The analysis with corrected texts in place of the engine's."""
        texts = {v.index: v.text for v in self.verdicts if v.text is not None}
        captions = tuple(replace(c, text=texts.get(c.index, c.text)) for c in analysis.captions)
        return replace(analysis, captions=captions)

    def counts(self) -> dict[Rating, int]:
        """How often each rating was given."""
        return {rating: sum(v.rating == rating for v in self.verdicts) for rating in RATINGS}


NONE = Review()
"""Nothing said yet."""


def to_record(review: Review) -> list[dict[str, Any]]:
    """Plain JSON data."""
    return [
        {"index": v.index, "rating": v.rating, "text": v.text, "note": v.note, "flagged": v.flagged}
        for v in review.verdicts
    ]


def check_lengths(review: Review, most_each: int, most: int) -> None:
    """Looks whether notes and corrections are as short as is allowed, in characters.

    Raises:
        StoreError: one is longer than `most_each`, or all together than `most`.
    """
    lengths = [len(text) for v in review.verdicts for text in (v.note, v.text or "")]
    if max(lengths, default=0) > most_each:
        raise StoreError(f"A note or correction has at most {most_each:,} characters; shorten the longest one.")
    if sum(lengths) > most:
        raise StoreError(f"All notes and corrections together have at most {most:,} characters; shorten some.")


def from_record(data: object) -> Review:
    """Inverse of `to_record`; entries of another shape are left out."""
    review = NONE
    for item in data if isinstance(data, list) else ():
        if not isinstance(item, dict) or type(item.get("index")) is not int or item["index"] < 0:
            continue
        rating, text, note = item.get("rating"), item.get("text"), item.get("note")
        review = review.put(
            Verdict(
                index=item["index"],
                rating=cast(Rating, rating) if rating in RATINGS else None,
                text=text if isinstance(text, str) and text.strip() else None,
                note=note if isinstance(note, str) else "",
                flagged=item.get("flagged") is True,
            )
        )
    return review


@dataclass(frozen=True, slots=True)
class Tally:
    """Ratings of one engine."""

    engine: str
    """Its label, with its quantization when it has one."""
    captions: int
    counts: dict[Rating, int]
    edited: int
    flagged: int

    @property
    def rated(self) -> int:
        """Captions with a rating."""
        return sum(self.counts.values())


def tally(reviewed: Iterable[tuple[Analysis, Review]]) -> list[Tally]:
    """Ratings by engine over any number of results, engines in order of appearance."""
    rows: dict[str, Tally] = {}
    for analysis, review in reviewed:
        engine = analysis.engine
        name = f"{engine.label}, {engine.quantization}" if engine.model else engine.label
        row = rows.get(name) or Tally(name, 0, dict.fromkeys(RATINGS, 0), 0, 0)
        given = review.counts()
        rows[name] = Tally(
            engine=name,
            captions=row.captions + len(analysis.captions),
            counts={rating: row.counts[rating] + given[rating] for rating in RATINGS},
            edited=row.edited + sum(v.text is not None for v in review.verdicts),
            flagged=row.flagged + sum(v.flagged for v in review.verdicts),
        )
    return list(rows.values())


def questions_about(analysis: Analysis, caption: Caption, review: Review = NONE) -> list[str]:
    """`questions` with all text that was read on the keyframes of the caption's span, and with its correction."""
    inside = [k.look for k in analysis.keyframes if caption.start <= k.time <= caption.end]
    read = [line for look in inside if look for line in look.text]
    return questions(caption, review.of(caption.index).text, read)


def questions(caption: Caption, text: str | None = None, read: Sequence[str] = ()) -> list[str]:
    """Where a caption's words and what was measured don't agree, each put as a question.

    Args:
        caption: with its evidence; without any there is nothing to ask.
        text: the corrected text, where there is one.
        read: lines of text read in the caption's span, beyond those that the caption itself knows.

    Returns:
        Sentences that end in a question mark; empty when nothing disagrees or nothing could be measured.
    """
    words = caption.text if text is None else text
    return [question for kind in KINDS for question in kind.doubts(words, caption, read)]
