"""HTML of the inspection room's small parts: the bar over the captions, the ratings table. Pure.

What a visitor says about captions is kept by that visitor's browser (assets/room.js), which draws the buttons under
each card; the server holds it only in a permalink's snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sgv_demo.events import Analysis
from sgv_demo.results.review import RATINGS, Rating, Review, Tally, questions_about, tally
from sgv_demo.ui.captions.view import esc, file_name


def bar(report: str, *, mine: bool, links: bool, rows: Sequence[Tally]) -> str:
    """What can be done with a finished result.

    Args:
        report: its address; empty where there is none.
        mine: false for a guest, who only reads.
        links: whether permalinks are switched on.
        rows: the ratings so far.
    """
    parts = []
    if report:
        parts.append(f'<a class="quiet" href="{esc(report)}" download="{esc(file_name(report))}">↓ Report</a>')
    if mine and links:
        parts.append('<button class="quiet" data-room="share">⤴ Share</button>')
    parts.append('<button class="quiet" data-room="keys">⌨ Keys</button>')
    if not mine:
        parts.append('<span class="sim">Opened from a link: read only</span>')
    return f'<div class="room-bar">{"".join(parts)}{ratings(rows)}</div>'


def ratings(rows: Sequence[Tally]) -> str:
    """Ratings as a bar, and unfolded by engine with the numbers; empty while nothing is rated."""
    rated = sum(row.rated for row in rows)
    said = rated + sum(row.edited + row.flagged for row in rows)
    if not said:
        return ""
    head = "".join(f'<th scope="col" class="number">{_swatch(i)}{rating}</th>' for i, rating in enumerate(RATINGS, 1))
    total: dict[Rating, int] = {rating: sum(row.counts[rating] for row in rows) for rating in RATINGS}
    return (
        f'<details class="ratings"><summary>Ratings ({rated}){_stack(total, rated)}</summary><table><thead><tr>'
        '<th scope="col">Engine</th><th scope="col" class="number">Rated</th><td></td>'
        f'{head}<th scope="col" class="number">edited</th><th scope="col" class="number">flagged</th></tr></thead>'
        f"<tbody>{''.join(map(_row, rows))}</tbody></table></details>"
    )


def _swatch(number: int) -> str:
    return f'<i class="rated r{number}" aria-hidden="true"></i>'


def _stack(counts: Mapping[Rating, int], whole: int) -> str:
    """A bar of the ratings among `whole` captions; the numbers stand beside it."""
    parts = "".join(
        f'<i class="rated r{number}" style="width:{100 * count / max(whole, 1):.1f}%"></i>'
        for number, count in enumerate(counts.values(), 1)
        if count
    )
    return f'<span class="stack" aria-hidden="true">{parts}</span>'


def _row(row: Tally) -> str:
    cells = "".join(f'<td class="number">{count}</td>' for count in row.counts.values())
    return (
        f'<tr><th scope="row">{esc(row.engine)}</th><td class="number">{row.rated} of {row.captions}</td>'
        f"<td>{_stack(row.counts, row.captions)}</td>{cells}"
        f'<td class="number">{row.edited}</td><td class="number">{row.flagged}</td></tr>'
    )


def asked(analysis: Analysis, review: Review) -> dict[str, list[str]]:
    """Questions by caption index, only of captions that have some."""
    found = {str(c.index): questions_about(analysis, c, review) for c in analysis.captions}
    return {index: lines for index, lines in found.items() if lines}


def tallied(results: Sequence[tuple[Analysis, Review]]) -> list[Tally]:
    """Ratings by engine over the visit's results."""
    return [row for row in tally(results) if row.rated or row.edited or row.flagged]
