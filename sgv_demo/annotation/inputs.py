"""Which videos a pool has: folders, lists, tables, tars, single files, on this machine or wherever fsspec reaches.

They are listed once into `manifest.jsonl`, a line each, so that a million names never lie in memory together.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import mimetypes
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import fsspec
from fsspec.implementations.local import LocalFileSystem

from sgv_demo.clean import clean
from sgv_demo.errors import SettingsError, VideoError

MANIFEST = "manifest.jsonl"
COLUMNS = ("video", "video_path", "file_name", "path", "file", "url")
"""Where a table's videos are looked for when no column is named."""
LISTS = (".txt", ".csv", ".tsv", ".jsonl", ".parquet")
MORE_SUFFIXES = (
    ".ts",
    ".m2ts",
    ".mts",
    ".mkv",
    ".mxf",
    ".webm",
    ".gif",
    ".apng",
    ".avif",
    ".h264",
    ".nut",
    ".flv",
    ".vob",
)
"""Of videos, where the system's own list may not know them."""
_PIECE = 1 << 16
"""Bytes at each end of a file that its key is made of."""
_EXPECTED = "give a folder, a list (.txt, .csv, .jsonl, .parquet), a .tar or a video"


Files: TypeAlias = Any
"""An fsspec file system; its own types don't say that what is opened as bytes gives bytes."""


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a pool, or a part of one."""

    name: str
    """Its path below the pool's folder, with "/" and fit for a record: the same on every system. A part of a video
    has its times behind a "#", as media fragments have."""
    address: str
    """A path of this machine or an address that fsspec knows."""
    offset: int | None = None
    """Where it begins within a tar, bytes; None: the address is the video."""
    size: int | None = None
    """Bytes; None where nobody said."""
    key: str = ""
    """Tells contents apart: a hash of the size and both ends, or what the store says in its place."""
    start: float = 0.0
    """Seconds where the part begins."""
    end: float | None = None
    """Seconds where it ends; None: with the video."""


def videos(source: str | Path, column: str = "") -> Iterator[Video]:
    """The videos that `source` means, in an order that depends on names alone.

    Args:
        source: a folder with all below it, tars included; a list with one path or address a line (.txt); a table
            (.csv, .tsv, .jsonl, .parquet) with optional columns `start` and `end`, seconds; a tar; a video. Paths in
            lists and tables are relative to the list.
        column: the table's column of paths; empty: the first of `COLUMNS` that it has.

    Raises:
        SettingsError: it isn't there, can't be read, or means no video.
    """
    address = str(source)
    files, path = _place(address)
    none = True
    try:
        if not files.exists(path):
            raise SettingsError(f"There is no “{address}”; {_EXPECTED}.")
        for video in _found(files, path, column):
            none = False
            yield video
    except (OSError, tarfile.TarError, UnicodeError, csv.Error) as error:
        raise SettingsError(f"“{address}” can't be listed ({_said(error)}); {_EXPECTED}.") from error
    if none:
        raise SettingsError(f"There is no video in “{address}”; {_EXPECTED}.")


def _found(files: Files, path: str, column: str) -> Iterator[Video]:
    name, suffix = PurePosixPath(path).name, PurePosixPath(path).suffix.lower()
    if files.isdir(path):
        yield from _below(files, path)
    elif suffix in LISTS:
        for row in _rows(files, path, suffix, column):
            yield _of_row(files, path, row)
    elif suffix == ".tar":
        yield from _members(files, path, name)
    else:
        yield _file(files, path, name, files.info(path))


def _below(files: Files, root: str) -> Iterator[Video]:
    """A folder's; of a subfolder, only the names are in memory together."""
    for name, kind, path in _entries(files, root):
        if name.startswith("."):
            continue
        if kind == "directory":
            inner = _below(files, path)
        elif name.lower().endswith(".tar"):
            yield from _members(files, path, name)
            continue
        elif is_video(name):
            yield _file(files, path, name, files.info(path))
            continue
        else:
            continue
        for video in inner:
            yield replace(video, name=f"{clean(name)}/{video.name}")


def _entries(files: Files, root: str) -> list[tuple[str, str, str]]:
    """(name, kind, path) of what lies in a folder, by name; links to folders aren't followed, they may lead round."""
    if isinstance(files, LocalFileSystem):
        with os.scandir(root) as entries:
            kinds = ((e.name, "directory" if e.is_dir(follow_symlinks=False) else "file", e.path) for e in entries)
            return sorted(kinds)
    listed = files.ls(root, detail=True)
    return sorted((PurePosixPath(str(e["name"])).name, str(e["type"]), str(e["name"])) for e in listed)


def _file(files: Files, path: str, name: str, entry: Mapping[str, Any]) -> Video:
    size = entry.get("size")
    return Video(clean(name), _address(files, path), size=size, key=_key(files, path, entry))


def _members(files: Files, path: str, name: str) -> Iterator[Video]:
    """The videos in a tar, such as WebDataset's shards."""
    with files.open(path, "rb") as stream, tarfile.open(fileobj=stream) as archive:
        for member in archive:
            if member.isfile() and is_video(PurePosixPath(member.name).name):
                key = hashlib.sha256(f"{name} {member.name} {member.size} {member.mtime}".encode()).hexdigest()[:16]
                inner = clean(f"{name}/{member.name.lstrip('./')}")
                yield Video(inner, _address(files, path), member.offset_data, member.size, key)


def _rows(files: Files, path: str, suffix: str, column: str) -> Iterator[dict[str, Any]]:
    """(where, start, end) of each row as a dict with these names."""
    rows = _parquet(files, path) if suffix == ".parquet" else _lines(files, path, suffix)
    for number, row in enumerate(rows, 1):
        used = column or next((name for name in COLUMNS if row.get(name)), "")
        where = row.get(used)
        if not isinstance(where, str) or not where.strip():
            names = ", ".join(list(map(str, row))[:12])
            wanted = f"has no text in “{column}”" if column else f"has none of the columns {', '.join(COLUMNS)}"
            raise SettingsError(
                f"Row {number} of “{PurePosixPath(path).name}” {wanted} (it has {names}); use --column."
            )
        yield {"where": where.strip(), "start": _seconds(row.get("start")) or 0.0, "end": _seconds(row.get("end"))}


def _lines(files: Files, path: str, suffix: str) -> Iterator[dict[str, Any]]:
    with files.open(path, "rb") as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        if suffix in (".csv", ".tsv"):
            yield from csv.DictReader(text, delimiter="\t" if suffix == ".tsv" else ",")
            return
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            if suffix == ".txt":
                yield {COLUMNS[0]: line}
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise SettingsError(f"Line {number} of “{PurePosixPath(path).name}” is no JSON object; mend the list.")
            yield row


def _parquet(files: Files, path: str) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise SettingsError("Parquet needs pyarrow; pip install -r requirements-scale.txt.") from error
    with files.open(path, "rb") as stream:
        try:
            table = parquet.ParquetFile(stream)
            wanted = [name for name in table.schema_arrow.names if name not in ("captions", "record")]
            for batch in table.iter_batches(1024, columns=wanted):
                yield from batch.to_pylist()
        except ArrowException as error:
            raise SettingsError(f"“{PurePosixPath(path).name}” is no Parquet file; give another list.") from error


def _of_row(files: Files, path: str, row: dict[str, Any]) -> Video:
    where, start, end = row["where"], row["start"], row["end"]
    part = f"#t={start:g},{end:g}" if end is not None else f"#t={start:g}" if start else ""
    if "://" in where:
        return Video(clean(where) + part, where, start=start, end=end)
    name = PurePosixPath(where.replace("\\", "/")) if isinstance(files, LocalFileSystem) else PurePosixPath(where)
    folder = PurePosixPath(path).parent
    at = str(name if name.is_absolute() else folder / name)
    try:
        entry = files.info(at)
    except OSError:
        entry = {}  # said when it is its turn
    key = _key(files, at, entry) if entry.get("type") == "file" else ""
    return Video(clean(name.as_posix()) + part, _address(files, at), None, entry.get("size"), key, start, end)


def _key(files: Files, path: str, entry: Mapping[str, Any]) -> str:
    """A hash of the size and both ends of a local file; elsewhere what the listing says of it."""
    size = int(entry.get("size") or 0)
    if not isinstance(files, LocalFileSystem):
        told = entry.get("ETag") or entry.get("etag") or entry.get("mtime") or entry.get("LastModified") or ""
        return hashlib.sha256(f"{path} {size} {told}".encode()).hexdigest()[:16]
    try:
        with open(path, "rb") as file:
            head = file.read(_PIECE)
            file.seek(max(size - _PIECE, 0))
            return hashlib.sha256(b"%d " % size + head + file.read(_PIECE)).hexdigest()[:16]
    except OSError:
        return ""  # said when it is its turn


def write_manifest(found: Iterator[Video], folder: Path) -> int:
    """Writes `found` into the pool's manifest, each name once; returns how many there are."""
    unfinished, count = folder / f"{MANIFEST}.tmp", 0
    hashes: set[int] = set()
    with unfinished.open("w", encoding="utf-8") as file:
        for video in found:
            if (number := hash(video.name)) in hashes:
                continue  # a line twice in a list
            hashes.add(number)
            file.write(json.dumps(asdict(video)) + "\n")  # in ASCII: paths may hold any bytes
            count += 1
    unfinished.replace(folder / MANIFEST)
    return count


def manifest(folder: Path) -> Iterator[Video]:
    """What `write_manifest` wrote."""
    with (folder / MANIFEST).open(encoding="utf-8") as file:
        for line in file:
            yield Video(**json.loads(line))


@contextmanager
def at_hand(video: Video, most_bytes: int) -> Iterator[Path]:
    """The video as a file of this machine, for a block; what isn't one is fetched and dropped afterwards.

    Raises:
        VideoError: it can't be fetched, or is larger than `most_bytes`.
    """
    files, path = _place(video.address)
    if isinstance(files, LocalFileSystem) and video.offset is None:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="sgv-") as folder:
        name = PurePosixPath(video.name.partition("#")[0]).name or "video"
        copy = Path(folder) / name[-100:]
        try:
            size = video.size if video.size is not None else files.size(path)
            if size is not None and size > most_bytes:
                raise VideoError(f"This video has {size >> 20} MB, {most_bytes >> 20} MB are the most; leave it out.")
            with files.open(path, "rb") as stream, copy.open("wb") as out:
                if video.offset is None:
                    _copy(stream, out, None)
                else:
                    stream.seek(video.offset)
                    _copy(stream, out, video.size or 0)
        except OSError as error:
            raise VideoError(f"The video can't be fetched ({_said(error)}); try again later.") from error
        yield copy


def _copy(stream: Any, out: io.BufferedWriter, left: int | None) -> None:
    """So many bytes, or all."""
    while left != 0 and (piece := stream.read(1 << 20 if left is None else min(left, 1 << 20))):
        out.write(piece)
        left = None if left is None else left - len(piece)


def _place(address: str) -> tuple[Files, str]:
    if "://" not in address:
        return LocalFileSystem(), os.path.abspath(os.path.expanduser(address))
    try:
        files, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as error:
        protocol = address.partition("://")[0]
        raise SettingsError(f"{protocol}:// can't be read here ({_said(error)}); install what it needs.") from error
    return files, str(path)


def _address(files: Files, path: str) -> str:
    return path if isinstance(files, LocalFileSystem) else str(files.unstrip_protocol(path))


def _seconds(value: object) -> float | None:
    """Of a table's cell; None where it is empty or nothing.

    Raises:
        SettingsError: it is no number.
    """
    if value is None or value == "":
        return None
    try:
        return float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{value!r} is no time; give start and end in seconds.") from error


def _said(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", "") or error).split())[:200].rstrip(".") or type(error).__name__


def is_video(name: str) -> bool:
    """Whether a file's name says so."""
    kind, _ = mimetypes.guess_type(name)
    return not name.startswith(".") and ((kind or "").startswith("video/") or name.lower().endswith(MORE_SUFFIXES))
