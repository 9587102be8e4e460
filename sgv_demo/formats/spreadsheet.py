"""An `Analysis` with its review as CSV: one row for each caption."""

from __future__ import annotations

import csv
import io

from sgv_demo.events import Analysis
from sgv_demo.fields import leaves
from sgv_demo.formats.exports import evidence_phrases
from sgv_demo.options import AnalysisOptions
from sgv_demo.results.provenance import facts
from sgv_demo.results.review import NONE, Review, questions_about
from sgv_demo.types import Caption, EngineInfo

_OF_A_CAPTION = (
    "caption", "start_s", "end_s", "text", "text_before_edit", "rating", "flagged", "note", "camera", "measured",
    "questions", "prompt_tokens", "new_tokens", "seconds", "prompt", "similarity",
)  # fmt: skip


COLUMNS = (
    *_OF_A_CAPTION,
    *(fact.column for fact in facts(Analysis(EngineInfo("none", "Nothing written"), AnalysisOptions()))),
    "summary",
    "summary_prompt",
)
"""What is said of a caption, then what is said of the run, then its summary."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(analysis: Analysis, review: Review = NONE) -> str:
    """CSV as RFC 4180 has it, with a byte order mark, without which Excel takes UTF-8 for something else.

    What is said of the whole run stands in every row, so that rows of several results can be put together; its summary
    stands in the first. A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    target = io.StringIO()
    writer = csv.DictWriter(target, COLUMNS)
    writer.writeheader()
    run = _run_cells(analysis)
    summary = {
        "summary": analysis.summary,
        "summary_prompt": analysis.summary_trace.prompt if analysis.summary_trace else "",
    }
    for caption in analysis.captions:
        cells = run | summary | _caption_cells(analysis, caption, review)
        writer.writerow({name: _safe(cell) if isinstance(cell, str) else cell for name, cell in cells.items()})
        summary = {}
    return "\ufeff" + target.getvalue()


def _run_cells(analysis: Analysis) -> dict[str, object]:
    """The facts, with options as plain numbers where they hold for these captions."""
    told: dict[str, object] = {fact.column: fact.value for fact in facts(analysis)}
    chosen = analysis.options.in_force()
    for spec in leaves(AnalysisOptions):
        if told[spec.column] and spec.kind in (int, float):
            told[spec.column] = "" if chosen[spec.name] is None else chosen[spec.name]
    return told


def _caption_cells(analysis: Analysis, caption: Caption, review: Review) -> dict[str, object]:
    verdict, trace, evidence = review.of(caption.index), caption.trace, caption.evidence
    return {
        "caption": caption.index + 1,
        "start_s": round(caption.start, 3),
        "end_s": round(caption.end, 3),
        "text": caption.text if verdict.text is None else verdict.text,
        "text_before_edit": "" if verdict.text is None else caption.text,
        "rating": verdict.rating or "",
        "flagged": "yes" if verdict.flagged else "",
        "note": verdict.note,
        "camera": ", ".join(evidence.camera) if evidence else "",
        "measured": "; ".join(evidence_phrases(evidence)) if evidence else "",
        "similarity": "" if evidence is None or evidence.similarity is None else round(evidence.similarity, 4),
        "questions": " ".join(questions_about(analysis, caption, review)),
        "prompt_tokens": trace.prompt_tokens if trace else "",
        "new_tokens": trace.new_tokens if trace else "",
        "seconds": round(trace.seconds, 3) if trace else "",
        "prompt": trace.prompt if trace else "",
    }


def _safe(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text
