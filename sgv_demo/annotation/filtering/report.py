"""What a filter did, as one page: a histogram with the threshold, pairs near it, counts before and after."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sgv_demo.annotation.filtering.encoders import ENCODERS
from sgv_demo.annotation.filtering.pictures import looks
from sgv_demo.annotation.filtering.rows import rows
from sgv_demo.annotation.filtering.run import Filtered, How
from sgv_demo.annotation.inputs import Video
from sgv_demo.formats.markup import ASSETS, macros
from sgv_demo.formats.thumbnails import small
from sgv_demo.settings import Settings

PAIRS = 10
"""Pairs on each side of the threshold."""
_BINS = 50
_LENGTHS = (10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds: where groups of lengths end."""


def report(source: Path, how: How, found: Filtered, videos: Mapping[str, Video], settings: Settings) -> str:
    """The page as HTML in one file, without a request to anywhere."""
    page = macros("filter")
    about = ENCODERS[how.encoder].about if how.encoder in ENCODERS else "the mean of CLIP's features of 8 pictures"
    body = page.body(
        source.name,
        len(found.names),
        found.kept,
        found.counts(),
        found.unmeasured,
        f"{how.encoder}: {about}",
        found.threshold,
        _bars(found),
        _pairs(source, how, found, videos, settings),
        [
            ("source", _counts(found, [source or "(none)" for source in found.sources])),
            ("length", _counts(found, [_length(seconds) for seconds in found.seconds])),
        ],
        [("order", f"{how.order}, seed {how.seed}"), *_bounds(how)],
    )
    style = (ASSETS / "report.css").read_text(encoding="utf-8") + (ASSETS / "filter.css").read_text(encoding="utf-8")
    return str(macros("report").page(f"Filter of {source.name}", style, body))


def _bars(found: Filtered) -> list[tuple[float, float, float, bool]]:
    """(left edge, width, height, whether it lies below the threshold), in shares of the plot, left is 0, right is 1."""
    values = [c.similarity for c in found.choices if c.similarity is not None and c.reason != "same pictures"]
    if not values:
        return []
    counts, edges = np.histogram(np.clip(values, 0, 1), _BINS, (0.0, 1.0))
    most = max(1, int(counts.max()))
    return [
        (float(left), 1 / _BINS, float(count) / most, float(left) < found.threshold)
        for count, left in zip(counts, edges, strict=False)
        if count
    ]


def _pairs(
    source: Path, how: How, found: Filtered, videos: Mapping[str, Video], settings: Settings
) -> list[dict[str, object]]:
    """Those nearest the threshold, from the most to the least alike."""
    alike = sorted((c.similarity, n) for n, c in enumerate(found.choices) if c.similarity is not None)
    above = [pair for pair in alike if pair[0] >= found.threshold][:PAIRS]
    below = [pair for pair in reversed(alike) if pair[0] < found.threshold][:PAIRS]
    chosen = [*reversed(above), *below]
    wanted = {n for _, number in chosen for n in (number, found.choices[number].nearest) if n is not None}
    texts = {n: row.text for n, row in enumerate(rows(source, how.columns, how.wording)) if n in wanted}
    shown = {n: _thumbnail(videos.get(found.names[n]), settings) for n in wanted}
    return [
        {
            "similarity": similarity,
            "kept": found.choices[number].kept,
            "reason": found.choices[number].reason,
            "sides": [
                {"name": found.names[n], "text": texts.get(n, ""), "picture": shown[n]}
                for n in (number, found.choices[number].nearest)
                if n is not None
            ],
        }
        for similarity, number in chosen
    ]


def _thumbnail(video: Video | None, settings: Settings) -> str:
    """A picture of the middle as a data address; empty where there is none."""
    frames = looks(video, settings) if video else []
    if not frames:
        return ""
    jpeg = small(frames[len(frames) // 2].image, 160)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _counts(found: Filtered, groups: Iterable[str]) -> list[tuple[str, int, int]]:
    """(group, before, after), the largest twenty first."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for group, choice in zip(groups, found.choices, strict=True):
        before[group] += 1
        after[group] += choice.kept
    return [(group, count, after[group]) for group, count in before.most_common(20)]


def _length(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    last = next((end for end in _LENGTHS if seconds <= end), None)
    return f"up to {last:g} s" if last else f"over {_LENGTHS[-1]:g} s"


def _bounds(how: How) -> list[tuple[str, str]]:
    named = {
        "shortest": how.bounds.min_seconds,
        "longest": how.bounds.max_seconds,
        "cuts at most": how.bounds.max_cuts,
        "motion at least": how.bounds.min_motion,
        "light at least": how.bounds.min_light,
        "lines of text at most": how.bounds.max_text,
    }
    return [(name, f"{value:g}") for name, value in named.items() if value is not None]
