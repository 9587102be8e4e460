"""Small words that all evidence kinds share: lists, times, places and sizes in English."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sgv_demo.languages import Language, in_language
from sgv_demo.times import clock

_PLACES = {"top": "at the top", "bottom": "at the bottom", "left": "on the left", "right": "on the right"}
_VARYING = re.compile(r"\d+:\d\d(?::\d\d)?|“[^”]*”")
"""What differs between two sentences of one wording: times and quoted text."""


def join_clauses(clauses: Sequence[str]) -> str:
    """ "this goes up", "this goes up, and that goes down", "this goes up, that goes down, and a third stays"."""
    *first, last = clauses or [""]
    return f"{', '.join(first)}, and {last}" if first else last


def join(parts: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def after_colon(text: str) -> str:
    """A sentence as it goes on after a colon: with a small letter."""
    return f"{text[:1].lower()}{text[1:]}"


def span(start: float, end: float) -> str:
    """ "at 0:04" or "from 0:04 to 0:06"."""
    a, b = clock(start), clock(end)
    return f"at {a}" if a == b else f"from {a} to {b}"


def when(start: float, end: float, first: float, last: float) -> str:
    """When something happened inside a stretch that is known: "until 0:05", "from 0:05 on", or "" for all of it."""
    a, b = clock(start), clock(end)
    from_start, to_end = a == clock(first), b == clock(last)
    if from_start and to_end:
        return ""
    if from_start:
        return f"until {b}"
    return f"from {a} on" if to_end else span(start, end)


def percent(share: float) -> str:
    """ "12 %", "0.4 %"."""
    return f"{share * 100:.{0 if abs(share) >= 0.01 else 1}f} %"


def quoted(lines: Iterable[str], most: int = 4) -> str:
    """Lines of text in quotation marks; says how many more there are."""
    listed = [f"“{line}”" for line in lines]
    more = len(listed) - most
    return join([*listed[:most], f"{more} more"] if more > 0 else listed)


def where(place: str) -> str:
    """ "on the left", "in the upper right"."""
    return _PLACES.get(place, f"in the {place}")


def vary(wordings: Sequence[str], previous: str, language: Language = "en") -> str:
    """The first wording that the previous text doesn't use, so that neighbours don't read alike; else the first.

    `language`: that of `previous`.
    """
    said = _VARYING.sub("#", previous)
    return next((one for one in wordings if _VARYING.sub("#", in_language(one, language)) not in said), wordings[0])
