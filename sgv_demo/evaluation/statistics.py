"""How sure a score is. Standard formulas; no model of anything."""

from __future__ import annotations

from math import comb, sqrt

Z95 = 1.959963984540054
"""Standard normal quantile of 0.975."""


def wilson(right: int, questions: int) -> tuple[float, float] | None:
    """95 % interval of a share, in percent (Wilson's score interval); None without questions."""
    if questions == 0:
        return None
    share, z2 = max(right, 0) / questions, Z95**2
    centre = share + z2 / (2 * questions)
    half = Z95 * sqrt(share * (1 - share) / questions + z2 / (4 * questions**2))
    width = 1 + z2 / questions
    return max(0.0, 100 * (centre - half) / width), min(100.0, 100 * (centre + half) / width)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value that two runs are equally good, by McNemar's exact test.

    Args:
        only_first: questions that only the first run has right.
        only_second: questions that only the second has right.
    """
    flipped = only_first + only_second
    fewer = min(only_first, only_second)
    tail = sum(comb(flipped, i) for i in range(fewer + 1))
    return min(1.0, 2 * tail / 2**flipped)
