"""Measurements in English: what happens first, then how it looks; nothing that wasn't measured, and no percentages."""

from __future__ import annotations

from collections.abc import Iterator

from sgv_demo.evidence import KINDS
from sgv_demo.evidence.kind import Record
from sgv_demo.evidence.look import appearance
from sgv_demo.evidence.words import quoted, sentence, vary, where
from sgv_demo.languages import Language
from sgv_demo.types import Evidence, Look

_LOW, _HIGH = 0.1, 0.28
"""Contrasts below and above which a picture is called low or strong in contrast."""
_SOFT = 60
"""Sharpness below which a picture looks soft."""


def describe_look(look: Look, *, opening: str = "the first picture") -> Iterator[str]:
    """Sentences about one picture."""
    contrast = ", low in contrast" if look.contrast < _LOW else ", strong in contrast" if look.contrast > _HIGH else ""
    yield sentence(f"{opening} is {appearance(look)}{contrast}")
    if look.text:
        yield f"{quoted(look.text)} can be read in it."
    if look.detail == "nowhere":
        yield "It shows hardly any detail."
    elif look.detail != "everywhere":
        yield f"Most of its detail lies {where(look.detail)}."
    if look.sharpness < _SOFT and look.detail != "nowhere":
        yield "It looks soft, without sharp edges."


def describe_gap(
    evidence: Evidence, after: Look | None, previous: str = "", language: Language = "en"
) -> Iterator[str]:
    """Sentences about the gap between two keyframes, worded otherwise than `previous`, the text before them.

    `language`: that of `previous`.
    """
    told = [vary(one, previous, language) for kind in KINDS for one in kind.sentences(evidence, after)]
    yield from told
    if len(told) == 1 and evidence.camera == ("static",) and not evidence.cuts:
        yield vary(["Nothing else changes that can be measured.", "Otherwise nothing changes."], previous, language)


def story(record: Record) -> Iterator[str]:
    """A whole video: shots, camera, motion, light, text, and then how it looks at its two ends."""
    for kind in KINDS:
        yield from kind.story(record)
    looks = [mark.look for mark in record.keyframes if mark.look]
    if not looks:
        return
    first, last = appearance(looks[0]), appearance(looks[-1])
    if len(looks) == 1 or first == last:
        yield sentence(f"the picture is {first}{'' if len(looks) == 1 else ' at the start and at the end'}")
    else:
        yield sentence(f"it opens with a picture that is {first}, and ends with one that is {last}")
