"""An `Analysis` with its review as CSV: one row for each caption."""

from __future__ import annotations

import csv
import io

from sgv_demo.events import Analysis
from sgv_demo.exports import evidence_phrases
from sgv_demo.review import NONE, Review, questions_about

COLUMNS = (
    "caption", "start_s", "end_s", "text", "text_before_edit", "rating", "flagged", "note", "camera", "measured",
    "questions", "engine", "model", "quantization", "dtype", "mode", "every_s", "beams", "prompt_tokens",
    "new_tokens", "seconds", "prompt",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(analysis: Analysis, review: Review = NONE) -> str:
    """CSV as RFC 4180 has it, with a byte order mark, without which Excel takes UTF-8 for something else.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    engine, options = analysis.engine, analysis.options
    for caption in analysis.captions:
        verdict, trace, evidence = review.of(caption.index), caption.trace, caption.evidence
        cells = (
            caption.index + 1,
            round(caption.start, 3),
            round(caption.end, 3),
            caption.text if verdict.text is None else verdict.text,
            "" if verdict.text is None else caption.text,
            verdict.rating or "",
            "yes" if verdict.flagged else "",
            verdict.note,
            ", ".join(evidence.camera) if evidence else "",
            "; ".join(evidence_phrases(evidence)) if evidence else "",
            " ".join(questions_about(analysis, caption, review)),
            engine.label,
            engine.model,
            engine.quantization,
            engine.dtype,
            options.mode,
            options.sampling.every,
            options.generation.beams,
            trace.prompt_tokens if trace else "",
            trace.new_tokens if trace else "",
            round(trace.seconds, 3) if trace else "",
            trace.prompt if trace else "",
        )
        writer.writerow([_safe(cell) if isinstance(cell, str) else cell for cell in cells])
    return "\ufeff" + target.getvalue()


def _safe(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text
