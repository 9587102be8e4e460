"""Every file that a result can be written as: one table for the page and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sgv_demo.dataset import record as dataset_record
from sgv_demo.events import Analysis
from sgv_demo.formats import exports
from sgv_demo.formats.report import to_html
from sgv_demo.formats.spreadsheet import to_csv
from sgv_demo.formats.thumbnails import Pictures
from sgv_demo.formats.translated import html_in
from sgv_demo.languages import Language
from sgv_demo.results import review as reviews
from sgv_demo.results.record import to_record
from sgv_demo.results.review import NONE, Review


@dataclass(frozen=True, slots=True)
class Beside:
    """What files may hold beside a result; most hold none of it."""

    pictures: Pictures = field(default_factory=dict)
    """Of its keyframes."""
    language: Language = "en"
    """Of headings."""
    film: Path | None = None
    """The video itself, to be inside a report."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file."""

    name: str
    """Name of the command line's option: `--html`."""
    label: str
    """For the page."""
    suffix: str
    """Ending of the file's name."""
    make: Callable[[Analysis, Review, Beside], str]
    """The file's text from a result, what was said about it, and what may stand beside it."""
    about: str
    """For the command line."""


def to_json(analysis: Analysis, review: Review = NONE) -> str:
    """The whole result, with the review where there is one."""
    record = to_record(analysis)
    if review.verdicts:
        record["review"] = reviews.to_record(review)
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def _to_report(analysis: Analysis, review: Review, beside: Beside) -> str:
    return html_in(to_html(analysis, review, beside.pictures, beside.film), beside.language)


FORMATS: tuple[Format, ...] = (
    Format("html", "Report", ".html", _to_report, "A report in one file, its pictures inside"),
    Format("json", "JSON", ".json", lambda a, r, _: to_json(a, r), "The whole result"),
    Format("vtt", "WebVTT", ".vtt", lambda a, r, b: exports.to_vtt(r.edited(a), b.language), "Subtitles as WebVTT"),
    Format("srt", "SRT", ".srt", lambda a, r, _: exports.to_srt(r.edited(a)), "Subtitles as SubRip"),
    Format(
        "markdown",
        "Markdown",
        ".md",
        lambda a, r, b: exports.to_markdown(r.edited(a), b.language),
        "A report in Markdown",
    ),
    Format("csv", "CSV", ".csv", lambda a, r, _: to_csv(a, r), "A table, one row for each caption"),
    Format(
        "dataset",
        "Dataset record",
        ".jsonl",
        lambda a, r, _: dataset_record.to_line(a, r),
        "A record added in the dataset's schema",
    ),
)
"""In the order in which they are offered."""
