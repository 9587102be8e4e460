"""Evidence kind: text in the picture, what came and what went between two readings (see `reading`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from sgv_demo.evidence.kind import Gap, Kind, Lane, LaneSpan, Phrase, Record, Topic, Wordings
from sgv_demo.evidence.words import quoted, sentence, span
from sgv_demo.times import clock
from sgv_demo.types import Caption, Evidence, Look

_ALIKE = 0.7
"""Lines that match this well are one line read twice."""


def _measure(gap: Gap) -> Mapping[str, Any]:
    appeared, gone = text_changes(gap.was.text, gap.now.text)
    return {"text_appeared": appeared, "text_gone": gone}


def text_changes(before: Sequence[str], after: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines that appeared and lines that went; a line that was merely read a little differently did neither."""
    left = list(before)
    appeared: list[str] = []
    for line in after:
        best = max(left, key=lambda other: _likeness(line, other), default=None)
        if best is not None and _likeness(line, best) >= _ALIKE:
            left.remove(best)
        else:
            appeared.append(line)
    return tuple(appeared), tuple(left)


def _likeness(a: str, b: str) -> float:
    """1 for equal lines, whatever their case, spaces and punctuation; 0 for lines with nothing in common."""
    return SequenceMatcher(None, _squeezed(a), _squeezed(b), autojunk=False).ratio()


def _squeezed(text: str) -> str:
    """Letters and digits alone, in one case."""
    return "".join(c for c in text.casefold() if c.isalnum())


def _phrases(evidence: Evidence) -> Iterator[Phrase]:
    for line in evidence.text_appeared:
        yield Phrase("letter", f"text in: “{line}”")
    for line in evidence.text_gone:
        yield Phrase("letter", f"text out: “{line}”")


def _sentences(evidence: Evidence, after: Look | None) -> Iterator[Wordings]:
    if lines := evidence.text_appeared:
        one = len(lines) == 1
        yield [
            f"The text{'' if one else 's'} {quoted(lines)} appear{'s' if one else ''}.",
            f"{quoted(lines)} can be read now.",
        ]
    if lines := evidence.text_gone:
        verb = "is" if len(lines) == 1 else "are"
        yield [f"{quoted(lines)} {verb} gone.", f"{quoted(lines)} {verb} no longer there."]


def _seen(record: Record) -> dict[str, list[float]]:
    """Each line with the seconds of the keyframes that show it; a line read a little differently is the same one."""
    seen: dict[str, list[float]] = {}
    for mark in record.keyframes:
        for line in mark.look.text if mark.look else ():
            known = next((other for other in seen if _likeness(line, other) >= _ALIKE), line)
            seen.setdefault(known, []).append(mark.time)
    return seen


def _story(record: Record, most: int = 6) -> Iterator[str]:
    if seen := list(_seen(record).items()):
        listed = [f"“{line}” ({clock(times[0])})" for line, times in seen[:most]]
        more = f" and {len(seen) - most} more" if len(seen) > most else ""
        yield f"Text in the picture: {', '.join(listed)}{more}."


def _answer(record: Record, question: str) -> Iterator[str]:
    if not any(mark.look for mark in record.keyframes):
        return
    seen = _seen(record)
    if not seen:
        yield "No text was read in the keyframes."
    for line, times in list(seen.items())[:10]:
        if re.search(r"\bwhen\b", question):
            yield sentence(f"{span(times[0], times[-1])}: “{line}”")
        else:
            yield sentence(f"“{line}” {span(times[0], times[-1])}")


def _spans(record: Record) -> Iterator[LaneSpan]:
    """Lines of text from the keyframe that shows them first to the one that has them no more."""
    shown: dict[str, float] = {}
    first = next((mark for mark in record.keyframes if mark.look), None)
    if first and first.look:
        shown = dict.fromkeys(first.look.text, first.time)
    for evidence in record.evidence:
        for line in evidence.text_gone:
            if line in shown:
                yield LaneSpan(shown.pop(line), evidence.end, line, f"text: {line}", "read")
        for line in evidence.text_appeared:
            shown.setdefault(line, evidence.end)
    end = record.evidence[-1].end if record.evidence else 0.0
    for line, start in shown.items():
        yield LaneSpan(start, max(end, start), line, f"text: {line}", "read")


_QUOTED = re.compile(r"“([^”]{2,80})”|\"([^\"]{2,80})\"|「([^」]{2,80})」")


def _doubts(words: str, caption: Caption, read: Sequence[str]) -> Iterator[str]:
    """Only where text was read at all: nothing read may mean that reading was off."""
    lines = [*read, *(caption.look.text if caption.look else ())]
    if caption.evidence:
        lines += [*caption.evidence.text_appeared, *caption.evidence.text_gone]
    everything = _squeezed("".join(lines))
    for quote in dict.fromkeys("".join(groups).strip() for groups in _QUOTED.findall(words)):
        if lines and _squeezed(quote) and _squeezed(quote) not in everything:
            yield f"The text quotes “{quote}”, which wasn't read in the picture. Is it there?"


KIND = Kind(
    "text",
    _measure,
    _phrases,
    _sentences,
    story=_story,
    lane=Lane("Text", _spans),
    topic=Topic(
        r"text|written|write|reads?\b|title|sign\b|signs\b|words?\b|letters?\b|subtitle|caption|logo",
        _answer,
        "Only the keyframes were read; what stood there in between may be missing.",
    ),
    doubts=_doubts,
)
