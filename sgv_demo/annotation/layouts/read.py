"""Captions in any of the layouts, read back as records of the published schema."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sgv_demo.annotation.inputs import is_video
from sgv_demo.annotation.pool import RECORDS
from sgv_demo.dataset.index import FIELD, WHOLE, Entry, entry_from_record
from sgv_demo.errors import DatasetError

Record = dict[str, Any]


def records(source: Path, edits: Path | None = None) -> Iterator[tuple[Record, Entry]]:
    """(record, what is known of it) of each video.

    Args:
        source: what `annotate` or `convert` wrote: a pool, a JSONL, a Parquet, a metadata.jsonl or .csv, a tar, or a
            folder with one of these or with sidecars.
        edits: records that stand in place of those of the same video: what the page's download "Dataset record" gave.

    Raises:
        DatasetError: nothing of these is there, or a file can't be read.
    """
    corrected = {_name(record): record for record in _read(edits)} if edits else {}
    none = True
    for record in _read(source):
        record = corrected.pop(_name(record), record) if corrected else record
        if (entry := entry_from_record(record)) is not None:
            none = False
            yield record, entry
    if none:
        raise DatasetError(f"“{source.name}” holds no captions; give what annotate or convert wrote.")


def _name(record: Record) -> str:
    return str(record.get("video_path") or record.get("video_id") or "")


def _read(source: Path) -> Iterator[Record]:
    return map(record_of, raw(source))


def raw(source: Path) -> Iterator[Record]:
    """Every row as it stands in the file.

    Raises:
        DatasetError: a file can't be read.
    """
    try:
        for path in _files(source):
            yield from _file(path, source if source.is_dir() else source.parent)
    except (OSError, UnicodeError, tarfile.TarError, csv.Error) as error:
        raise DatasetError(f"“{source.name}” can't be read ({str(error)[:200]}); give another.") from error


def _files(source: Path) -> list[Path]:
    """What of a folder holds captions: the first layout that is there."""
    if not source.is_dir():
        return [source]
    for pattern in (RECORDS, "metadata.jsonl", "metadata.csv", "*.parquet", "*.tar", "*.jsonl"):
        if found := sorted(source.glob(pattern)):
            return found
    return sorted(path for path in source.rglob("*.txt") if _beside(path) is not None)


def _file(path: Path, root: Path) -> Iterator[Record]:
    match path.suffix.lower():
        case ".jsonl":
            with path.open(encoding="utf-8-sig") as file:
                for line in file:
                    yield from _of_line(line)
        case ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield from csv.DictReader(file)
        case ".parquet":
            yield from _parquet(path)
        case ".tar":
            yield from _tar(path)
        case ".txt":
            video = _beside(path)
            name = (video or path).relative_to(root).as_posix()
            yield plain(name, path.read_text(encoding="utf-8-sig").strip())
        case _:
            raise DatasetError(f"“{path.name}” is none of the layouts; give what annotate or convert wrote.")


def plain(name: str, text: str) -> Record:
    """A record that has one text alone."""
    captions = [{"idx": WHOLE, "content": text}] if text else []
    return {"video_id": PurePosixPath(name).stem, "video_path": name, "zip_folder": "", "captions": captions}


def _of_line(line: str) -> Iterator[Record]:
    """The record of a line; of a torn one, as a killed run leaves it, nothing."""
    try:
        row = json.loads(line)
    except ValueError:
        return
    if isinstance(row, dict):
        yield row


def record_of(row: Record) -> Record:
    """The record that a row is, or holds, or has a text for."""
    if isinstance(row.get("record"), str):
        for record in _of_line(row["record"]):
            return record
    if isinstance(row.get("captions"), list):
        return row
    name = row.get("file_name") or row.get("video_path") or ""
    text = row.get("text") or row.get("caption") or row.get("summary") or ""
    return plain(str(name), str(text))


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DatasetError("Parquet needs pyarrow; pip install -r requirements-scale.txt.") from error
    try:
        for batch in parquet.ParquetFile(path).iter_batches(256):
            yield from batch.to_pylist()
    except ArrowException as error:
        raise DatasetError(f"“{path.name}” is no Parquet file; give another.") from error


def _tar(path: Path) -> Iterator[Record]:
    """A shard's samples: its .json where it is a record, else its .txt."""
    with tarfile.open(path) as archive:
        texts: dict[str, dict[str, str]] = {}
        for member in archive:
            key, _, kind = member.name.partition(".")
            if kind in ("json", "txt") and (stream := archive.extractfile(member)):
                texts.setdefault(key, {})[kind] = io.TextIOWrapper(stream, encoding="utf-8").read()
    for key, found in texts.items():
        whole = [row for row in _of_line(found.get("json", "")) if row.get("captions")]
        yield whole[0] if whole else plain(key, found.get("txt", "").strip())


def _beside(path: Path) -> Path | None:
    """The clip that a sidecar belongs to."""
    here = (other for other in path.parent.glob(f"{_literal(path.stem)}.*") if is_video(other.name))
    return next(here, None)


def _literal(text: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


def source_of(record: Record) -> dict[str, Any]:
    """What annotating said of a record's source."""
    own = record.get(FIELD)
    found = own.get("source") if isinstance(own, dict) else None
    return found if isinstance(found, dict) else {}
