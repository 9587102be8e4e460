"""Captions written in the layouts that trainers take; each writer goes through the records once."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sgv_demo.annotation.inputs import Video, at_hand
from sgv_demo.annotation.layouts.read import Record
from sgv_demo.dataset.index import Entry
from sgv_demo.dataset.record import from_entry
from sgv_demo.errors import SettingsError, SgvError

_BATCH = 512
"""Records of one Parquet row group."""
_SHARD_SAMPLES, _SHARD_BYTES = 1000, 1 << 30
"""Of one tar at most."""


@dataclass(frozen=True, slots=True)
class Captioned:
    """One video's record with the text that is handed over."""

    record: Record
    entry: Entry
    text: str

    @property
    def name(self) -> str:
        """The video, below the pool's folder."""
        return self.entry.video_path or self.entry.video_id


@dataclass
class Handed:
    """What became of the records."""

    overwrite: bool = False
    """Whether sidecars that stand beside clips already may be replaced: somebody may have written them."""
    written: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    """Reason → how many."""

    def skip(self, reason: str) -> None:
        """One more that isn't there."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def dataset(rows: Iterable[Captioned], out: Path, videos: Mapping[str, Video], handed: Handed) -> None:
    """`annotations.jsonl`, one record a line in the published schema: whole, whatever field was asked for."""
    with _replaced(out, "annotations.jsonl") as path, path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row.record, ensure_ascii=False) + "\n")
            handed.written += 1


def metadata(rows: Iterable[Captioned], out: Path, videos: Mapping[str, Video], handed: Handed) -> None:
    """`metadata.jsonl`, or the .csv that `out` names, with `file_name` and `text`."""
    with _replaced(out, "metadata.jsonl") as path, path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file) if out.suffix == ".csv" else None
        if table:
            table.writerow(["file_name", "text"])
        for row in _with_text(rows, handed):
            if table:
                table.writerow([row.name, row.text])
            else:
                file.write(json.dumps({"file_name": row.name, "text": row.text}, ensure_ascii=False) + "\n")


def parquet(rows: Iterable[Captioned], out: Path, videos: Mapping[str, Video], handed: Handed) -> None:
    """`captions.parquet`: text, differential captions with times, engine, ratings, and the whole record as JSON."""
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError as error:
        raise SettingsError("Parquet needs pyarrow; pip install -r requirements-scale.txt.") from error
    caption = pa.struct([("start", pa.float64()), ("end", pa.float64()), ("text", pa.string())])
    texts = [(name, pa.string()) for name in ("video_path", "video_id", "text", "summary", "engine", "record")]
    more = [("captions", pa.list_(caption)), ("ratings", pa.list_(pa.string())), ("duration", pa.float64())]
    schema = pa.schema([*texts, *more])
    with _replaced(out, "captions.parquet") as path, ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for row in _with_text(rows, handed):
            batch.append(_flat(row))
            if len(batch) == _BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch = []
        if batch or not handed.written:
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _flat(row: Captioned) -> dict[str, Any]:
    analysis, review = from_entry(row.entry)
    shown = review.edited(analysis)
    return {
        "video_path": row.name,
        "video_id": row.entry.video_id,
        "text": row.text,
        "summary": row.entry.summary,
        "captions": [{"start": c.start, "end": c.end, "text": c.text} for c in shown.captions],
        "duration": analysis.video.duration if analysis.video else None,
        "engine": analysis.engine.name,
        "ratings": [str(verdict.rating) for verdict in review.verdicts if verdict.rating],
        "record": json.dumps(row.record, ensure_ascii=False),
    }


def sidecar(rows: Iterable[Captioned], out: Path | None, videos: Mapping[str, Video], handed: Handed) -> None:
    """`clip.txt` beside each clip, or in the same folders below `out`."""
    for row in _with_text(rows, handed):
        if "#t=" in row.name:
            handed.written -= 1
            handed.skip("parts of a video, which have no file of their own")
            continue
        if out is not None:
            path = out / PurePosixPath(row.name.lstrip("/")).with_suffix(".txt")
            if not path.resolve().is_relative_to(out.resolve()):
                raise SettingsError(f"“{row.name}” leads out of the folder; mend that record.")
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            video = videos.get(row.name)
            if video is None or video.offset is not None or not Path(video.address).is_file():
                handed.written -= 1
                handed.skip("clips that aren't there, in a tar, or in an object store")
                continue
            path = Path(video.address).with_suffix(".txt")
            if path.exists() and not handed.overwrite:
                handed.written -= 1
                handed.skip("sidecars that are there already; --overwrite replaces them")
                continue
        path.write_text(row.text + "\n", encoding="utf-8")


def webdataset(rows: Iterable[Captioned], out: Path, videos: Mapping[str, Video], handed: Handed) -> None:
    """`00000.tar` and so on: each sample's clip where it is at hand, its .txt, and its record as .json."""
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        shard, archive, size = 0, None, 0
        for number, row in enumerate(_with_text(rows, handed)):
            if archive is None or number % _SHARD_SAMPLES == 0 or size > _SHARD_BYTES:
                opened.close()
                archive = opened.enter_context(tarfile.open(out / f"{shard:05d}.tar", "w"))
                shard, size = shard + 1, 0
            key = f"{number:09d}"
            size += _add_clip(archive, key, videos.get(row.name), handed)
            record = json.dumps(row.record, ensure_ascii=False)
            for kind, text in (("txt", row.text), ("json", record)):
                data = text.encode("utf-8", "replace")
                _add(archive, f"{key}.{kind}", io.BytesIO(data), len(data))
                size += len(data)


def _add_clip(archive: tarfile.TarFile, key: str, video: Video | None, handed: Handed) -> int:
    """Bytes of the clip; 0 where it isn't there, which is counted."""
    try:
        if video is None:
            raise SettingsError("not listed")
        with at_hand(video, 1 << 62) as path, path.open("rb") as file:
            size = path.stat().st_size
            _add(archive, f"{key}{path.suffix.lower() or '.mp4'}", file, size)
            return size
    except (SgvError, OSError):
        handed.skip("clips that aren't at hand; their texts are there")
        return 0


def _add(archive: tarfile.TarFile, name: str, file: Any, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    archive.addfile(info, file)


def _with_text(rows: Iterable[Captioned], handed: Handed) -> Iterator[Captioned]:
    for row in rows:
        if not row.text:
            handed.skip("records without that text")
            continue
        handed.written += 1
        yield row


@contextmanager
def _replaced(out: Path, name: str) -> Iterator[Path]:
    """A file, `out` or `name` in that folder, that stands in its place only once it is whole."""
    path = out if out.suffix else out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def videos_of(source: Path, manifest: Iterable[Video]) -> dict[str, Video]:
    """Where the clips are: as the pool's manifest says, or below the folder that holds the captions."""
    return {video.name: video for video in manifest} or {
        path.relative_to(source).as_posix(): Video(path.relative_to(source).as_posix(), str(path))
        for path in (source.rglob("*") if source.is_dir() else ())
        if path.is_file()
    }
