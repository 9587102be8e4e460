"""What is filtered: a pool's records, or the rows of any table with captions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgv_demo.annotation.filtering.measured import Measured, measured
from sgv_demo.annotation.layouts.read import raw, record_of
from sgv_demo.annotation.layouts.wording import Wording
from sgv_demo.dataset.index import Entry, entry_from_record
from sgv_demo.dataset.record import from_entry
from sgv_demo.errors import DatasetError, SettingsError

_SECONDS = ("duration", "seconds", "length")
"""Where a table's lengths are looked for when no column is named."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a table's captions and lengths are; empty: where they usually are."""

    text: str = ""
    seconds: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One video's."""

    raw: dict[str, Any]
    """As it was read; as such it is written again."""
    entry: Entry
    name: str
    source: str
    """Where it comes from: the dataset's folder, else the first folder of its path."""
    text: str
    """What is compared."""
    seconds: float | None

    def measured(self) -> Measured:
        """What its evidence says."""
        found = measured(from_entry(self.entry)[0]) if self.entry.extra else Measured()
        return found if found.seconds is not None else Measured(self.seconds, *_rest(found))


def _rest(found: Measured) -> tuple[Any, ...]:
    return found.cuts, found.motion, found.light, found.text


def rows(source: Path, columns: Columns, wording: Wording) -> Iterator[Row]:
    """Every row with a caption or without, in the order of the input.

    Raises:
        DatasetError: there is none.
        SettingsError: a column that was named isn't there, or holds no number of seconds.
    """
    none = True
    for given in raw(source):
        none = False
        record = record_of(given)
        entry = entry_from_record(record) or Entry("", str(record.get("video_path", "")), "", ())
        text = wording.of(entry)
        if columns.text:
            if columns.text not in given:
                raise SettingsError(f"There is no column “{columns.text}”; there are {', '.join(map(str, given))}.")
            text = str(given[columns.text] or "").strip()
        name = entry.video_path or entry.video_id
        folder = entry.zip_folder or (name.split("/", 1)[0] if "/" in name else "")
        yield Row(given, entry, name, folder, text, _seconds(given, columns.seconds))
    if none:
        raise DatasetError(f"“{source.name}” holds no captions; give what annotate wrote, or a table with captions.")


def _seconds(row: dict[str, Any], column: str) -> float | None:
    value = row.get(column or next((name for name in _SECONDS if row.get(name) not in (None, "")), ""))
    if value in (None, ""):
        return None
    try:
        return float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{value!r} is no number of seconds; name the column with --seconds-column.") from error
