"""Every file that a result can be written as: one table for the page and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from sgv_demo.dataset import record as dataset_record
from sgv_demo.events import Analysis
from sgv_demo.formats import exports
from sgv_demo.formats.report import to_html
from sgv_demo.formats.spreadsheet import to_csv
from sgv_demo.formats.thumbnails import Pictures
from sgv_demo.results import review as reviews
from sgv_demo.results.record import to_record
from sgv_demo.results.review import NONE, Review


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file."""

    name: str
    """Name of the command line's option: `--html`."""
    label: str
    """For the page."""
    suffix: str
    """Ending of the file's name."""
    make: Callable[[Analysis, Review, Pictures], str]
    """The file's text from a result, what was said about it, and its keyframes' pictures."""


def to_json(analysis: Analysis, review: Review = NONE) -> str:
    """The whole result, with the review where there is one."""
    record = to_record(analysis)
    if review.verdicts:
        record["review"] = reviews.to_record(review)
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


FORMATS: tuple[Format, ...] = (
    Format("html", "Report", ".html", to_html),
    Format("json", "JSON", ".json", lambda a, r, _: to_json(a, r)),
    Format("vtt", "WebVTT", ".vtt", lambda a, r, _: exports.to_vtt(r.edited(a))),
    Format("srt", "SRT", ".srt", lambda a, r, _: exports.to_srt(r.edited(a))),
    Format("markdown", "Markdown", ".md", lambda a, r, _: exports.to_markdown(r.edited(a))),
    Format("csv", "CSV", ".csv", lambda a, r, _: to_csv(a, r)),
    Format("dataset", "Dataset record", ".jsonl", lambda a, r, _: dataset_record.to_line(a, r)),
)
"""In the order in which they are offered."""

BY_NAME = {form.name: form for form in FORMATS}
