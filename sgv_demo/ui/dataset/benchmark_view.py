"""A benchmark's questions and answers as HTML: pure."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from markupsafe import Markup
from PIL import Image

from sgv_demo.evaluation.answers import Asked
from sgv_demo.evaluation.browsing import Opened
from sgv_demo.evaluation.report import maker
from sgv_demo.evaluation.score import Row
from sgv_demo.formats.markup import macros
from sgv_demo.types import Picture
from sgv_demo.ui.parts import hint

PAGE = 20
"""Questions in one list."""


def about(opened: Opened, rules: str) -> Markup:
    """What is open, and of a run by which rule and engine."""
    by = maker(dict(opened.rows[0].answer.engine)) if opened.run else ""
    count = f"{len(opened.rows):,}"
    return macros("benchmarks").about(opened.name, opened.benchmark.title, count, rules if opened.run else "", by)


def results(rows: Sequence[Row], found: Sequence[int], start: int) -> Markup:
    """One page of questions, with buttons for the pages beside it."""
    if not found:
        return hint("No question is left; choose another filter.")
    page = found[start : start + PAGE]
    where = f"{start + 1:,} to {start + len(page):,} of {len(found):,} found"
    back = max(0, start - PAGE) if start else None
    ahead = start + PAGE if start + PAGE < len(found) else None
    return macros("benchmarks").results(where, back, ahead, [_line(number, rows[number]) for number in page])


def _line(number: int, row: Row) -> tuple[int, Asked, str, str]:
    asked = row.answer.asked
    first = asked.text.removeprefix("Question: ").split("\n")[0]
    return number, asked, mark(row), first[:160]


def mark(row: Row) -> str:
    """One word on an answer."""
    if row.answer.error:
        return "unreadable"
    if row.verdict.right is None:
        return "not scored"
    return "correct" if row.verdict.right else "unmatched" if row.verdict.matched is False else "wrong"


def record(row: Row, seen: Picture | bytes | None) -> Markup:
    """One question with what the model sees (a picture, or a JPEG), its answer, and what the rule made of it."""
    return macros("benchmarks").record(row, mark(row), "" if seen is None else data_uri(seen))


def data_uri(picture: Picture | bytes) -> str:
    """A JPEG inside an address."""
    if not isinstance(picture, bytes):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=80)
        picture = buffer.getvalue()
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"
