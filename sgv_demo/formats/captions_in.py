"""Captions that a user brings along: our JSON, WebVTT, SRT, or lines of text with or without times."""

from __future__ import annotations

import re

from sgv_demo.errors import StoreError
from sgv_demo.results.record import parse
from sgv_demo.types import Caption

MOST_CHARACTERS = 2_000_000

_CLOCK = r"(?:\d+:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_CUE = re.compile(rf"^\s*({_CLOCK})\s*-->\s*({_CLOCK})[^\n]*$")
_LINE = re.compile(rf"^\s*[\[(]?({_CLOCK})(?:\s*(?:-|–|→|to)\s*({_CLOCK}))?[\])]?\s*[:\-–|]?\s+(\S.*)$")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&nbsp;": " ", "&amp;": "&"}


def parse_captions(text: str) -> list[Caption]:
    """The captions in `text`, in its order, times in seconds.

    Raises:
        StoreError: there are none, the text is too long, or it is JSON of another kind.
    """
    if len(text) > MOST_CHARACTERS:
        raise StoreError(f"That is more than {MOST_CHARACTERS:,} characters of captions; take a part of them.")
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith("{"):
        captions = [c for c in parse(stripped).captions if c.text.strip()]
    elif any(_CUE.match(line) for line in stripped.splitlines()):
        captions = _cues(stripped)
    else:
        captions = _lines(stripped)
    if not captions:
        raise StoreError("There are no captions in it; give JSON, WebVTT, SRT, or one caption a line.")
    return captions


def seconds(clock: str) -> float:
    """Seconds of "1:02:03.5", "02:03,500" or "0:12"."""
    total = 0.0
    for part in clock.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total


def _cues(text: str) -> list[Caption]:
    found: list[Caption] = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.split("\n")
        at = next((number for number, line in enumerate(lines) if _CUE.match(line)), None)
        if at is None:
            continue
        match = _CUE.match(lines[at])
        words = _plain(" ".join(lines[at + 1 :]))
        if match and words:
            start, end = seconds(match.group(1)), seconds(match.group(2))
            found.append(Caption(len(found), start, max(start, end), words, stated_time=max(start, end)))
    return found


def _plain(text: str) -> str:
    text = _TAG.sub("", text)
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return " ".join(text.split())


def _lines(text: str) -> list[Caption]:
    found: list[Caption] = []
    for line in filter(str.strip, text.splitlines()):
        match = _LINE.match(line)
        start = seconds(match.group(1)) if match else (found[-1].end if found else 0.0)
        end = seconds(match.group(2)) if match and match.group(2) else start
        words = match.group(3) if match else line.strip()
        found.append(Caption(len(found), start, max(start, end), words, stated_time=max(start, end)))
    return found
