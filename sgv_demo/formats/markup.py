"""HTML from the templates in assets/templates: one escaping rule for whatever comes from a file, a model or a visitor.

Everything that a template prints is escaped unless a template made it, and loses the characters that HTML forbids or
that would turn the words around it (`clean`). A template file holds macros; `macros` hands them out as functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sgv_demo.times import clock

ASSETS = Path(__file__).resolve().parents[2] / "assets"

_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line end
    "\u202a-\u202e\u2066-\u2069"  # they turn the direction of what follows, outside their own element too
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"  # halves of characters, and what never is one
)
_TIME = re.compile(
    r"(?<![\w:.,])(\d{1,2}:[0-5]\d(?::[0-5]\d)?(?!\d|:\d)|(\d+(?:\.\d+)?) ?(?:seconds?|secs?|s)\b)",
    re.ASCII,  # a Chinese character may stand right before a time
)


def clean(text: str) -> str:
    """The text without characters that no page may hold."""
    return _FORBIDDEN.sub("", text)


def span(start: float, end: float) -> str:
    """ "0:04 → 0:06", or one time when both are the same (seconds)."""
    return f"{clock(start)} → {clock(end)}" if end > start else clock(start)


def counted(number: int, one: str, several: str = "") -> str:
    """ "1 sample", "3 samples"."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def timed(text: str) -> Iterator[tuple[str, float | None]]:
    """The text in pieces: each time in it ("0:12", "12 seconds") with its seconds, the rest with None."""
    last = 0
    for match in _TIME.finditer(text):
        seconds = 0.0
        for part in (match.group(2) or match.group(1)).split(":"):
            seconds = seconds * 60 + float(part)
        yield text[last : match.start()], None
        yield match.group(0), seconds
        last = match.end()
    yield text[last:], None


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(ASSETS / "templates"),
        autoescape=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clock": clock, "timed": timed, "counted": counted}
    made.globals["span"] = span
    return made


@cache
def macros(name: str) -> Any:
    """The macros of a template file, to be called like functions; each returns `Markup`."""
    return _environment().get_template(f"{name}.html").module


def joined(parts: list[Markup]) -> Markup:
    """Finished pieces one after another."""
    return Markup().join(parts)
