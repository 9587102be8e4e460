"""HTML of the inspection room's small parts: the bar over the captions, the ratings table. Pure.

What a visitor says about captions is kept by that visitor's browser (assets/room.js), which draws the buttons under
each card; the server holds it only in a permalink's snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from sgv_demo.events import Analysis
from sgv_demo.formats.markup import macros
from sgv_demo.results.review import RATINGS, Rating, Review, Tally, questions_about, tally
from sgv_demo.ui.parts import file_name


def bar(report: str, *, mine: bool, links: bool, rows: Sequence[Tally]) -> Markup:
    """What can be done with a finished result.

    Args:
        report: its address.
        mine: false for a guest, who only reads.
        links: whether permalinks are switched on.
        rows: the ratings so far.
    """
    return macros("inspect").bar(report, file_name(report), mine and links, mine, ratings(rows))


def ratings(rows: Sequence[Tally]) -> Markup:
    """Ratings as a bar, and unfolded by engine with the numbers; empty while nothing is rated."""
    rated = sum(row.rated for row in rows)
    if not rated + sum(row.edited + row.flagged for row in rows):
        return Markup()
    total: dict[Rating, int] = {rating: sum(row.counts[rating] for row in rows) for rating in RATINGS}
    return macros("inspect").ratings(rated, total, RATINGS, rows)


def replay(address: str, name: str) -> Markup:
    """The player of an opened result, or that its video wasn't kept."""
    return macros("inspect").replay(address, name)


def dead(why: str) -> Markup:
    """Where a link leads that leads nowhere."""
    return macros("inspect").dead(why)


def asked(analysis: Analysis, review: Review) -> dict[str, list[str]]:
    """Questions by caption index, only of captions that have some."""
    found = {str(c.index): questions_about(analysis, c, review) for c in analysis.captions}
    return {index: lines for index, lines in found.items() if lines}


def tallied(results: Sequence[tuple[Analysis, Review]]) -> list[Tally]:
    """Ratings by engine over the visit's results."""
    return [row for row in tally(results) if row.rated or row.edited or row.flagged]
