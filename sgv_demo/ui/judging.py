"""HTML of the inspection room's small parts: the bar over the captions, the ratings table. Pure.

What a visitor says about captions is kept by that visitor's browser (assets/room.js), which draws the buttons under
each card; the server holds it only in a permalink's snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sgv_demo.events import Analysis
from sgv_demo.review import RATINGS, Review, Tally, questions_about, tally
from sgv_demo.ui.render import esc, file_url


def bar(report: Path | None, *, mine: bool, share: bool, rows: Sequence[Tally]) -> str:
    """What can be done with a finished result; `rows` are the ratings so far."""
    parts = []
    if report is not None:
        parts.append(f'<a class="quiet" href="{esc(file_url(report))}" download="{esc(report.name)}">↓ Report</a>')
    if mine and share:
        parts.append('<button class="quiet" data-room="share">⤴ Share</button>')
    parts.append('<button class="quiet" data-room="keys">⌨ Keys</button>')
    if not mine:
        parts.append('<span class="sim">Opened from a link: read only</span>')
    return f'<div class="room-bar">{"".join(parts)}{ratings(rows)}</div>'


def ratings(rows: Sequence[Tally]) -> str:
    """The table of ratings by engine, folded; empty while nothing is rated."""
    rated = sum(row.rated for row in rows)
    said = rated + sum(row.edited + row.flagged for row in rows)
    if not said:
        return ""
    head = "".join(f'<th scope="col">{rating}</th>' for rating in RATINGS)
    body = "".join(_row(row) for row in rows)
    return (
        f'<details class="ratings"><summary>Ratings ({rated})</summary><table><thead><tr><th scope="col">Engine</th>'
        f'<th scope="col">Rated</th>{head}<th scope="col">edited</th><th scope="col">flagged</th></tr></thead>'
        f"<tbody>{body}</tbody></table></details>"
    )


def _row(row: Tally) -> str:
    widest = max(1, *row.counts.values())
    cells = "".join(
        f'<td><i class="bar" style="width:{36 * count / widest:.0f}px" aria-hidden="true"></i>{count}</td>'
        for count in row.counts.values()
    )
    return (
        f'<tr><th scope="row">{esc(row.engine)}</th><td>{row.rated} of {row.captions}</td>{cells}'
        f"<td>{row.edited}</td><td>{row.flagged}</td></tr>"
    )


def asked(analysis: Analysis, review: Review) -> dict[str, list[str]]:
    """Questions by caption index, only of captions that have some."""
    found = {str(c.index): questions_about(analysis, c, review) for c in analysis.captions}
    return {index: lines for index, lines in found.items() if lines}


def tallied(results: Sequence[tuple[Analysis, Review]]) -> list[Tally]:
    """Ratings by engine over the visit's results."""
    return [row for row in tally(results) if row.rated or row.edited or row.flagged]
