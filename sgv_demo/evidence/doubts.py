"""Whether a caption's words claim something: what the doubts of every evidence kind start from."""

from __future__ import annotations

import re

_DENIAL = re.compile(
    r"\b(?:no|not|n't|never|without|rather than|instead of|stops?|neither|isn't|doesn't)\b[^.;,]*$", re.I
)
_REACH = 60
"""Characters before a claim in which a denial still belongs to it."""


def said(pattern: re.Pattern[str], words: str) -> bool:
    """Whether the pattern is in the text and not denied in the same clause, as in "does not pan left"."""
    return any(
        not _DENIAL.search(words[max(0, match.start() - _REACH) : match.end()].rpartition(" ")[0])
        for match in pattern.finditer(words)
    )
