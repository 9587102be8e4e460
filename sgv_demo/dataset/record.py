"""Between an `Analysis` and a record of ShareGPT4Video's annotation files, both ways and without loss.

The record's own fields are those that published tools read. What they have no place for (engine, settings, evidence,
review) is in one further field, `sgv_demo`; caption texts are not repeated there, so a text that somebody corrected
in the file is the text that comes back.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from sgv_demo.dataset.index import FIELD, WHOLE, Entry, entry_from_record
from sgv_demo.errors import DatasetError, StoreError
from sgv_demo.events import Analysis
from sgv_demo.options import AnalysisOptions
from sgv_demo.results import record as analysis_record
from sgv_demo.results import review as reviews
from sgv_demo.results.review import NONE, Review
from sgv_demo.types import Caption, EngineInfo, VideoInfo

ANNOTATED = EngineInfo("dataset", "The dataset's own captions")
"""Stands as the engine of a record that wasn't written by this program."""
STEP = 2.0
"""Seconds between keyframes where a record has no times: the sampling step of the published captions."""


def to_record(analysis: Analysis, review: Review = NONE) -> dict[str, Any]:
    """The record of an analysis; captions carry corrected texts."""
    name = analysis.video.name if analysis.video else ""
    shown = review.edited(analysis)
    own = analysis_record.to_record(analysis)
    corrected = {v.index for v in review.verdicts if v.text is not None}
    for caption in own["captions"]:
        caption["text"] = caption["text"] if caption["index"] in corrected else ""
    del own["summary"]
    kept = [number for number, sample in enumerate(analysis.samples) if sample.kept]
    return {
        "video_id": Path(name).stem,
        "video_path": name,
        "zip_folder": "",
        "captions": [{"idx": str(c.index + 1), "content": c.text} for c in shown.captions]
        + ([{"idx": WHOLE, "content": analysis.summary}] if analysis.summary else []),
        "timestamp": [c.end for c in analysis.captions],
        "keyframe": kept,
        FIELD: {**own, "review": reviews.to_record(review)},
    }


def to_line(analysis: Analysis, review: Review = NONE) -> str:
    """One line of a JSONL file, newline included."""
    return json.dumps(to_record(analysis, review), ensure_ascii=False) + "\n"


def append(path: Path, analysis: Analysis, review: Review = NONE) -> None:
    """Adds a record to a JSONL file, which is made when it isn't there.

    A last line without its newline, as a crash or an editor leaves it, is ended first.

    Raises:
        DatasetError: the file can't be written.
    """
    try:
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                torn = file.read(1) != b"\n"
                file.write(b"\n" if torn else b"")
            file.write(to_line(analysis, review).encode("utf-8", "replace"))
    except OSError as error:
        raise DatasetError(f"“{path.name}” can't be written ({error.strerror}); choose another place.") from error


def from_entry(entry: Entry) -> tuple[Analysis, Review]:
    """The analysis and review of a record: this program's own as they were, a published one as far as it tells."""
    own = entry.extra.get(FIELD)
    if isinstance(own, dict):
        try:
            return _ours(entry, cast("dict[str, Any]", own))
        except StoreError:
            pass  # not ours after all: what the published fields tell is still right
    return _published(entry), NONE


def parse(line: str) -> tuple[Analysis, Review]:
    """`from_entry` of one line.

    Raises:
        DatasetError: the line is no record.
    """
    try:
        entry = entry_from_record(json.loads(line))
    except (ValueError, RecursionError):
        entry = None
    if entry is None:
        raise DatasetError("This line is no record with captions; give one line of an annotation file.")
    return from_entry(entry)


def _ours(entry: Entry, own: dict[str, Any]) -> tuple[Analysis, Review]:
    analysis = analysis_record.from_record({**own, "summary": entry.summary})
    review = reviews.from_record(own.get("review"))
    texts = dict(entry.captions)
    captions: list[Caption] = []
    for caption in analysis.captions:
        text = texts.get(str(caption.index + 1), caption.text)
        verdict = review.of(caption.index)
        if verdict.text is None:
            caption = replace(caption, text=text)
        elif verdict.text != text:
            review = review.edit(caption, text)
        captions.append(caption)
    return replace(analysis, captions=tuple(captions)), review


def _published(entry: Entry) -> Analysis:
    times = _times(entry)
    captions = [
        Caption(number, times[max(0, number - 1)], times[number], text, stated_time=times[number])
        for number, (_, text) in enumerate(entry.captions)
    ]
    name = Path(entry.video_path).name or entry.video_id
    duration = times[-1] if times else 0.0
    return Analysis(
        engine=ANNOTATED,
        options=AnalysisOptions(),
        video=VideoInfo(Path(name), duration, 0.0, (0, 0), "") if name else None,
        captions=tuple(captions),
        summary=entry.summary,
        finished=True,
    )


def _times(entry: Entry) -> list[float]:
    """A time for each caption: the record's, or keyframe numbers at the published step, or that step alone."""
    places = _places(entry)
    for times in (entry.timestamp, tuple(STEP * number for number in entry.keyframe)):
        if list(times) == sorted(times) and (len(times) == len(places) or max(places, default=0) < len(times)):
            return [times[place if max(places) < len(times) else number] for number, place in enumerate(places)]
    return [STEP * number for number in range(len(places))]


def _places(entry: Entry) -> list[int]:
    """Where each caption's time stands: by its idx, which counts from 1, or in order where that is no such number."""
    names = [name for name, _ in entry.captions]
    numbers = [int(name) - 1 for name in names if name.isdecimal() and int(name) > 0]
    return numbers if len(set(numbers)) == len(names) else list(range(len(names)))
