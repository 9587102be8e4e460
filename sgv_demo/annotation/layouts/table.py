"""Every layout by name: one table for `annotate`, `convert` and the help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sgv_demo.annotation.inputs import MANIFEST, manifest
from sgv_demo.annotation.layouts import write
from sgv_demo.annotation.layouts.read import records
from sgv_demo.annotation.layouts.wording import Wording
from sgv_demo.annotation.layouts.write import Captioned, Handed
from sgv_demo.errors import SettingsError

Name = Literal["dataset", "parquet", "sidecar", "metadata", "webdataset"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One form of captions for training."""

    write: Callable[..., None]
    """(rows, out, videos, handed)."""
    beside: bool = False
    """Whether the files may stand beside the clips, without a folder of their own."""


LAYOUTS: dict[str, Layout] = {
    "dataset": Layout(write.dataset),
    "parquet": Layout(write.parquet),
    "sidecar": Layout(write.sidecar, beside=True),
    "metadata": Layout(write.metadata),
    "webdataset": Layout(write.webdataset),
}


def convert(
    source: Path, layout: str, out: Path | None, wording: Wording, edits: Path | None = None, *, overwrite: bool = False
) -> Handed:
    """Writes the captions of `source`, in whatever layout they are, in another one.

    Args:
        source: see `read.records`.
        layout: a name of `LAYOUTS`.
        out: a folder, or a file where the layout is one; None: beside the clips.
        wording: which text is handed over.
        edits: see `read.records`.
        overwrite: see `Handed`.

    Raises:
        SettingsError: the layout needs a place, or a package that isn't installed.
        DatasetError: there is nothing to read.
    """
    chosen = LAYOUTS[layout]
    if out is None and not chosen.beside:
        raise SettingsError(f"The layout {layout} needs a place; give --out.")
    folder = source if source.is_dir() else source.parent
    listed = manifest(folder) if (folder / MANIFEST).is_file() else ()
    videos: dict[str, Any] = write.videos_of(folder, listed) if layout in ("sidecar", "webdataset") else {}
    handed = Handed(overwrite)
    chosen.write(_rows(source, edits, wording), out, videos, handed)
    return handed


def _rows(source: Path, edits: Path | None, wording: Wording) -> Iterator[Captioned]:
    for record, entry in records(source, edits):
        yield Captioned(record, entry, wording.of(entry))
