"""Writes the exports of a result to files that the page may serve, under names that a person recognizes."""

from __future__ import annotations

import re
from pathlib import Path

from sgv_demo.events import Analysis
from sgv_demo.formats.table import FORMATS, Beside
from sgv_demo.formats.thumbnails import stored
from sgv_demo.languages import Language
from sgv_demo.results.log import write_whole
from sgv_demo.results.review import NONE, Review

_PICTURES = 400
"""Most pictures in a report: a visitor waits for it."""

_UNSAFE = re.compile(r"[^\w\-. ]+")


def stem(name: str) -> str:
    """A file name without its ending, safe in any file system, at most 80 characters."""
    cleaned = _UNSAFE.sub("_", Path(name).stem).strip(" .")
    return cleaned[:80] or "video"


def write(
    analysis: Analysis,
    folder: Path,
    result: Path,
    review: Review = NONE,
    language: Language = "en",
    film: Path | None = None,
) -> list[tuple[str, Path]]:
    """Writes every format into `folder`; the pictures are in the folder `result`; `film` is put into the
    report. Returns (format, file).

    A file in another language than English has the language in its name, as players expect it of subtitles.

    Raises:
        OSError: the disk is full or not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside = Beside(stored(result, analysis.keyframes[:_PICTURES]), language, film)
    made = _paths(analysis, folder, language)
    for form, (_, path) in zip(FORMATS, made, strict=True):
        write_whole(path, form.make(analysis, review, beside).encode("utf-8", "replace"))
    return made


def _paths(analysis: Analysis, folder: Path, language: Language) -> list[tuple[str, Path]]:
    name = stem(analysis.video.name if analysis.video else "video") + ("" if language == "en" else f".{language}")
    return [(form.label, folder / f"{name}{form.suffix}") for form in FORMATS]
