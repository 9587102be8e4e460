"""Captions that a user brings along, as the formats say and as people's tools write them.

Read: this program's JSON, records of ShareGPT4Video's annotation files, lists of {start, end, text} under the names
that speech recognisers give them, WebVTT, SRT, SBV, SubStation Alpha, LRC, or lines with or without a time. Refused by
name: formats that need more than their text. What can't be read in a file that is read is counted and said.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from sgv_demo.clean import clean, clean_data, decode
from sgv_demo.dataset.index import entry_from_record
from sgv_demo.dataset.record import from_entry
from sgv_demo.errors import DatasetError, StoreError
from sgv_demo.results.record import parse
from sgv_demo.times import parse_seconds
from sgv_demo.types import Caption

MOST_CHARACTERS = 2_000_000
LONGEST = 1e7
"""Seconds; a time beyond it is none."""
ROLLING = 0.1
"""Seconds between two cues of which the second rolls on from the first."""

_SPACE = r"[ \t\u00a0]*"
_CLOCK = rf"(?:\d+{_SPACE}:{_SPACE})?\d{{1,2}}{_SPACE}:{_SPACE}\d{{1,2}}(?:{_SPACE}[.,:]{_SPACE}\d{{1,9}})?"
_CUE = re.compile(rf"^\s*({_CLOCK}){_SPACE}[-–—]{{1,2}}>{_SPACE}({_CLOCK})(?![\d:]).*$")
_SBV = re.compile(r"^(\d+:\d{2}:\d{2}\.\d{3}),(\d+:\d{2}:\d{2}\.\d{3})$")
_PLAIN_CLOCK = r"(?:\d+:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_LINE = re.compile(
    rf"^\s*(?:\[({_PLAIN_CLOCK})\]|[\[(]?({_PLAIN_CLOCK})(?:\s*(?:-|–|→|to)\s*({_PLAIN_CLOCK}))?[\])]?\s*[:\-–|]?\s)\s*(\S.*)$"
)
_LRC_WORD = re.compile(rf"<{_PLAIN_CLOCK}>")
_LRC_ABOUT = re.compile(r"^\s*\[(?:ti|ar|al|au|by|re|ve|length|offset|la|#)\s*:.*\]\s*$", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:[a-zA-Z][^<>]{0,200}|\d[\d:.]{0,20})?>|\{\\[^{}]{0,200}\}|\{[ybiucfs]:[^{}]{0,80}\}", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

_OTHERS = (
    (re.compile(r"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:\w+:)?tt[\s>]", re.DOTALL), "TTML"),
    (re.compile(r"^\s*<sami", re.IGNORECASE), "SAMI"),
    (re.compile(r"^\s*(?:<!doctype html|<html)", re.IGNORECASE), "a web page"),
    (re.compile(r"^\s*<\?xml"), "XML"),
    (re.compile(r"^\s*\{\d+\}\{\d+\}"), "MicroDVD, whose times are frame numbers"),
    (re.compile(r"^\s*\[\d+\]\[\d+\]"), "MPL2"),
    (re.compile(r"^Scenarist_SCC"), "SCC"),
)
"""How other formats begin, and their names."""

_TEXT = ("text", "content", "caption", "sentence", "utf8")
_START = ("start", "from", "begin", "start_time", "t0", "startTime")
_END = ("end", "to", "end_time", "t1", "endTime")
_LISTS = ("segments", "chunks", "cues", "subtitles", "transcript", "transcription", "results", "items", "body")


@dataclass(frozen=True, slots=True)
class Brought:
    """What a text held."""

    captions: tuple[Caption, ...]
    """In order of time, seconds."""
    notes: tuple[str, ...] = ()
    """What was left out or guessed, a sentence each."""


@dataclass(frozen=True, slots=True)
class _Cue:
    start: float
    end: float
    lines: tuple[str, ...]
    """Without tags, none blank."""


def read_captions(path: Path) -> Brought:
    """`parse_captions` on a file in UTF-8, UTF-16 or Windows-1252.

    Raises:
        StoreError: it is too large, no text, can't be read, or see `parse_captions`.
    """
    try:
        if path.stat().st_size > 4 * MOST_CHARACTERS:
            raise StoreError("This file is too large for captions; give JSON, WebVTT or SRT of at most 8 MB.")
        data = path.read_bytes()
    except OSError as error:
        raise StoreError(f"“{path.name}” can't be read ({error.strerror}); choose another file.") from error
    text, encoding = decode(data)
    if encoding == "windows-1252" and b"\0" in data:  # which every file can be read as, a video too
        raise StoreError("This file is no text; give JSON, WebVTT, SRT, or one caption a line.")
    brought = parse_captions(text)
    if encoding != "windows-1252":
        return brought
    guess = "The file is not in UTF-8 and was read as Windows-1252; check its accents."
    return replace(brought, notes=(*brought.notes, guess))


def parse_captions(text: str) -> Brought:
    """The captions in `text`, in order of time.

    Raises:
        StoreError: there are none, the text is too long, is JSON of another kind or a format that isn't read.
    """
    if len(text) > MOST_CHARACTERS:
        raise StoreError(f"That is more than {MOST_CHARACTERS:,} characters of captions; take a part of them.")
    stripped = clean(text).strip()
    for begins, name in _OTHERS:
        if begins.match(stripped):
            raise StoreError(f"This is {name}, which isn't read here; save the captions as SRT or WebVTT.")
    if stripped.startswith("{") or re.match(r"\[\s*[\[{\]]", stripped):
        brought = _json(stripped)
    elif re.search(r"^\[(?:Script Info|V4\+? Styles|Events)\]", stripped, re.MULTILINE | re.IGNORECASE):
        brought = _captions(*_substation(stripped))
    elif any(_CUE.match(line) or _SBV.match(line) for line in stripped.splitlines()):
        brought = _captions(*_cues(stripped))
    elif stripped.startswith("WEBVTT") or "-->" in stripped:
        raise StoreError("None of its cues has a time that can be read; write them as 00:00:01.000 --> 00:00:02.000.")
    else:
        brought = Brought(tuple(_lines(stripped)))
    if not brought.captions:
        raise StoreError("There are no captions in it; give JSON, WebVTT, SRT, or one caption a line.")
    return brought


def seconds(clock: str) -> float:
    """Seconds of "1:02:03.5", "02:03,500", "0:12", or "00:00:02:500" with milliseconds after a third colon."""
    text = re.sub(r"\s", "", clock)
    return parse_seconds(".".join(text.rsplit(":", 1)) if text.count(":") == 3 else text)


def _captions(cues: Iterable[_Cue], unread: int) -> Brought:
    """Cues as captions: rolling ones once, in order of time."""
    kept = [cue for cue in cues if cue.lines]
    kept = _unrolled(kept)
    ordered = sorted(kept, key=lambda cue: cue.start)
    notes = []
    if unread:
        left = "cue can't be read and was" if unread == 1 else "cues can't be read and were"
        notes.append(f"{unread:,} {left} left out.")
    if ordered != kept:
        notes.append("The captions were not in order of time and were sorted.")
    return Brought(
        tuple(
            Caption(
                number, cue.start, max(cue.start, cue.end), " ".join(cue.lines), stated_time=max(cue.start, cue.end)
            )
            for number, cue in enumerate(ordered)
        ),
        tuple(notes),
    )


def _unrolled(cues: list[_Cue]) -> list[_Cue]:
    """Speech that rolls through two lines (as YouTube writes it), each line once, as long as it was there.

    A file rolls when some cue of several lines begins with the line that ended the cue just before; a line that is
    merely said twice in a row stays twice.
    """

    def follows(before: _Cue, after: _Cue) -> bool:
        return abs(after.start - before.end) <= ROLLING and after.lines[0] == before.lines[-1]

    pairs = list(pairwise(cues))
    if not any(len(after.lines) > 1 and follows(before, after) for before, after in pairs):
        return cues
    found: list[_Cue] = []
    for number, cue in enumerate(cues):
        rolls = number > 0 and follows(cues[number - 1], cue)
        fresh = cue.lines[1:] if rolls else cue.lines
        if fresh:
            found.append(replace(cue, lines=fresh))
        elif found:
            found[-1] = replace(found[-1], end=max(found[-1].end, cue.end))
    return found


def _cues(text: str) -> tuple[list[_Cue], int]:
    """(cues, how many can't be read) of SRT, WebVTT or SBV.

    WebVTT's text ends at a blank line, as its rules say. SRT has no rules: tools leave the blank line between two cues
    out and write one inside a cue, so there a cue's text reaches to the next time, less the next cue's number.
    """
    lines = text.splitlines()
    strict = lines[0].startswith("WEBVTT")
    at = [number for number, line in enumerate(lines) if _CUE.match(line) or _SBV.match(line) or "-->" in line]
    below_a_number = sum(number > 0 and lines[number - 1].strip().isdigit() for number in at)
    numbered = not strict and 2 * below_a_number >= len(at)  # tools lose a number now and then
    found: list[_Cue] = []
    unread = _stray(lines[: at[0]]) if strict else 0
    for number, next_at in zip(at, [*at[1:], len(lines)], strict=True):
        below = lines[number + 1 : next_at]
        if strict:
            blank = next((i for i, line in enumerate(below) if not line), len(below))
            below, rest = below[:blank], below[blank:]
            unread += _stray(rest, last_is_name=next_at < len(lines))
        elif numbered and next_at < len(lines) and below and below[-1].strip().isdigit():
            below = below[:-1]
        match = _CUE.match(lines[number]) or _SBV.match(lines[number])
        times = (seconds(match.group(1)), seconds(match.group(2))) if match else (LONGEST, LONGEST)
        if max(times) >= LONGEST:
            unread += 1
            continue
        found.append(_Cue(*times, tuple(filter(None, map(_plain, below)))))
    return found, unread


def _stray(lines: list[str], last_is_name: bool = True) -> int:
    """Blocks of a WebVTT file that are neither its head, a remark or a style, nor the name of the cue below them."""
    blocks = [block for block in re.split(r"\n(?:\n)+", "\n".join(lines).strip("\n")) if block.strip()]
    if blocks and last_is_name and lines and lines[-1].strip() and "\n" not in blocks[-1]:
        blocks = blocks[:-1]
    return sum(not re.match(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s|$)", block) for block in blocks)


def _substation(text: str) -> tuple[list[_Cue], int]:
    """(cues, how many can't be read) of SubStation Alpha: the columns of `Dialogue:` as `Format:` names them."""
    columns = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]
    found: list[_Cue] = []
    unread, events = 0, False
    for line in text.splitlines():
        head, _, rest = line.partition(":")
        if line.startswith("["):
            events = line.strip().casefold() == "[events]"
        elif events and head == "Format":
            columns = [name.strip().casefold() for name in rest.split(",")]
        elif head == "Dialogue":
            row = dict(zip(columns, rest.split(",", len(columns) - 1), strict=False))
            try:
                start, end = seconds(row["start"]), seconds(row["end"])
                words = re.sub(r"\\[Nnh]", " ", row["text"])
            except (KeyError, ValueError):
                unread += 1
                continue
            found.append(_Cue(start, end, tuple(filter(None, [_plain(words)]))))
    return found, unread


def _plain(text: str) -> str:
    """A line of a cue without tags, positions and entities."""
    text = _ENTITY.sub(lambda match: html.unescape(match.group()), _TAG.sub("", text))
    return " ".join(clean(text).split())


def _lines(text: str) -> Iterator[Caption]:
    before = 0.0
    for number, line in enumerate(line for line in text.splitlines() if line.strip() and not _LRC_ABOUT.match(line)):
        match = _LINE.match(line)
        start = seconds(match.group(1) or match.group(2)) if match else before
        end = seconds(match.group(3)) if match and match.group(3) else start
        before = max(start, end)
        words = _LRC_WORD.sub("", match.group(4)) if match else line.strip()
        yield Caption(number, start, before, words, stated_time=before)


def _json(text: str) -> Brought:
    """Captions in JSON: a result or a record, or a list of pieces with times, under whichever name."""
    values = _values(text)
    if len(values) == 1 and isinstance(values[0], dict):
        data = values[0]
        captions = data.get("captions")
        if isinstance(captions, list) and any(isinstance(c, dict) and "content" in c for c in captions):
            return _record(data)
        if isinstance(captions, list) and any(isinstance(c, dict) and "index" in c for c in captions):
            own = parse(json.dumps(data))
            return Brought(tuple(c for c in own.captions if c.text.strip()))
        pieces = next((data[name] for name in ("captions", *_LISTS) if isinstance(data.get(name), list)), None)
        if pieces is None:
            parse(json.dumps(data))  # says what is missing
            return Brought(())
        return _pieces(pieces)
    if len(values) == 1 and isinstance(values[0], list):
        return _pieces(values[0])
    if any(isinstance(value, dict) and "captions" in value for value in values):
        raise StoreError(f"This is a file of {len(values):,} records; open it under Dataset and take one of them.")
    return _pieces(values)


def _values(text: str) -> list[Any]:
    """The JSON values of a text: one, or one after another.

    Raises:
        StoreError: it is no JSON.
    """
    decoder, at, found = json.JSONDecoder(), 0, []
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            found.append(clean_data(value))
            at += len(text[at:]) - len(text[at:].lstrip(" \t\n,"))
    except (ValueError, RecursionError):
        parse(text)  # says where
        raise
    return found


def _record(data: dict[str, Any]) -> Brought:
    entry = entry_from_record(data)
    if entry is None:
        raise StoreError("This record holds no captions; give another one.")
    try:
        analysis, _ = from_entry(entry)
    except DatasetError as error:
        raise StoreError(str(error)) from error
    return Brought(tuple(c for c in analysis.captions if c.text.strip()))


def _pieces(pieces: list[Any]) -> Brought:
    """Pieces of text with their times; a piece without a time begins where the one before ends."""
    cues: list[_Cue] = []
    unread, now = 0, 0.0
    for piece in pieces:
        words = piece if isinstance(piece, str) else _first(piece, _TEXT) if isinstance(piece, dict) else None
        times = _times_of(piece, now)
        if not isinstance(words, str) or times is None:
            unread += 1
            continue
        now = times[1]
        cues.append(_Cue(*times, tuple(filter(None, [_plain(words)]))))
    return _captions(cues, unread)


def _times_of(piece: Any, now: float) -> tuple[float, float] | None:
    """(start, end) of a piece; None when what it says is no time."""
    if not isinstance(piece, dict):
        return now, now
    pair = piece.get("timestamp", piece.get("timestamps"))
    if isinstance(pair, dict):
        pair = [_first(pair, _START), _first(pair, _END)]
    start, end = pair[:2] if isinstance(pair, list) and len(pair) > 1 else (_first(piece, _START), _first(piece, _END))
    begin = now if start is None else _time(start)
    if end is None and begin is not None:
        length = _time(_first(piece, ("duration", "dur")) or 0)
        stop = None if length is None else begin + length
    else:
        stop = _time(end)
    return None if begin is None or stop is None else (begin, max(begin, stop))


def _time(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        time = seconds(value) if isinstance(value, str) else float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return None
    return time if 0 <= time < LONGEST else None


def _first(piece: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((piece[name] for name in names if piece.get(name) is not None), None)
