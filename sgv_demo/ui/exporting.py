"""Writes the exports of a result to files that the page may serve, under names that a person recognizes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sgv_demo import exports
from sgv_demo.types import Analysis

FORMATS: tuple[tuple[str, str, Callable[[Analysis], str]], ...] = (
    ("JSON", ".json", exports.to_json),
    ("WebVTT", ".vtt", exports.to_vtt),
    ("SRT", ".srt", exports.to_srt),
    ("Markdown", ".md", exports.to_markdown),
)

_UNSAFE = re.compile(r"[^\w\-. ]+")


def stem(name: str) -> str:
    """A file name without its ending, safe in any file system, at most 80 characters."""
    cleaned = _UNSAFE.sub("_", Path(name).stem).strip(" .")
    return cleaned[:80] or "video"


def write(analysis: Analysis, folder: Path) -> list[tuple[str, Path]]:
    """Writes every format into `folder`; returns (format, file).

    Raises:
        OSError: the disk is full or not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = stem(analysis.video.path.name if analysis.video else "video")
    written: list[tuple[str, Path]] = []
    for label, ending, make in FORMATS:
        path = folder / f"{name}{ending}"
        part = path.with_name(path.name + ".part")
        part.write_text(make(analysis), encoding="utf-8")
        part.replace(path)
        written.append((label, path))
    return written
