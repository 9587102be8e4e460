"""What is measured between two keyframes, kind by kind.

A new kind is one file with a `KIND` (how it is measured, and how it is said in chips, sentences, lanes, answers and
doubts) and its place in `KINDS`.
"""

from __future__ import annotations

from sgv_demo.evidence import camera, colour, cuts, light, moving, text
from sgv_demo.evidence.kind import Kind, Phrase
from sgv_demo.types import Evidence

KINDS: list[Kind] = [cuts.KIND, camera.KIND, moving.KIND, light.KIND, text.KIND, colour.KIND]
"""In the order in which they are told: what happens first, then how it looks."""


def phrases(evidence: Evidence) -> list[Phrase]:
    """Short phrases for chips and reports: "cut at 0:06", "pan right", "12 % brighter"."""
    return [phrase for kind in KINDS for phrase in kind.phrases(evidence)]
