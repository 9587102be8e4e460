"""What a pool's run leaves: one line a video, written the moment it is done.

`annotations.jsonl` holds the published annotation schema, so the Dataset room and anyone's loader read it as it is;
this program's own fields lie below `sgv_demo`. `failures.jsonl` holds the videos that couldn't be annotated, each with
the reason, `pool.json` how the pool was made. A line that a killed run left half written is cut off.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sgv_demo.annotation.inputs import MANIFEST
from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.fields import values
from sgv_demo.lines import mend, sole_writer
from sgv_demo.options import AnalysisOptions
from sgv_demo.types import EngineInfo

RECORDS, FAILURES, MADE = "annotations.jsonl", "failures.jsonl", "pool.json"


def made_by(engine: EngineInfo, options: AnalysisOptions) -> dict[str, Any]:
    """What all records of one pool have in common: who wrote them, from which weights, with which options."""
    names = ("name", "model", "quantization", "dtype", "fingerprint")
    return {"engine": {name: getattr(engine, name) for name in names}, "options": values(options)}


class Pool:
    """A pool's folder, open for writing: one process at a time, any number of its threads."""

    def __init__(self, folder: Path, made: Mapping[str, Any]) -> None:
        """
        Args:
            folder: made when needed.
            made: engine and options, which must be those of earlier runs into this folder.

        Raises:
            SettingsError: another run writes into this folder, or an earlier one was made otherwise.
        """
        self._file_lock = sole_writer(folder, ".pool.lock")
        self.folder = folder
        self._lock = threading.Lock()
        try:
            self._check(made)
            for name in (RECORDS, FAILURES):
                mend(folder / name)
            self.done, self.failed = read(folder)
        except BaseException:
            self._file_lock.release()
            raise

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file_lock.release()

    def add(self, video: str, record: Mapping[str, Any]) -> None:
        """Writes a video's record."""
        with self._lock:
            self._write(RECORDS, record)
            self.done.add(video)
            self.failed.pop(video, None)

    def fail(self, video: str, reason: str, record: Mapping[str, Any]) -> None:
        """Writes why a video has none, and what was done of it."""
        done = {"record": record} if record.get("captions") else {}
        with self._lock:
            self._write(FAILURES, {"video": video, "error": reason} | done)
            self.failed[video] = reason

    def _write(self, name: str, row: Mapping[str, Any]) -> None:
        """In one piece: a killed process loses nothing that it was given, and a full disk no line but this one."""
        path, line = self.folder / name, json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        try:
            with path.open("ab", buffering=0) as file:
                wrote = file.write(line)
            if wrote < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            mend(path)
            raise

    def _check(self, made: Mapping[str, Any]) -> None:
        path = self.folder / MADE
        text = json.dumps(made, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        if not path.exists():
            unfinished = path.with_suffix(".tmp")
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        elif path.read_text(encoding="utf-8") != text:
            raise SettingsError(
                f"“{self.folder.name}” was begun with another engine or other options (see {MADE}); "
                "choose another --out."
            )


def read(folder: Path) -> tuple[set[str], dict[str, str]]:
    """(videos that are annotated, video → the latest reason why it isn't), of a run that may be going on.

    Raises:
        DatasetError: it is no pool's folder.
    """
    if not (folder / MADE).is_file():
        raise DatasetError(f"“{folder.name}” is no pool: it has no {MADE}; give the --out of a run.")
    done = {str(row["video_path"]) for row in _whole(folder / RECORDS, {"video_path"})}
    failed = {str(row["video"]): str(row["error"]) for row in _whole(folder / FAILURES, {"video", "error"})}
    return done, {video: reason for video, reason in failed.items() if video not in done}


def status(folder: Path) -> str:
    """How far a run is that may be going on: "7 done, 2 failed, 31 left of 40".

    Raises:
        DatasetError: it is no pool's folder.
    """
    done, failed, listed = counts(folder)
    told = f"{done} done, {len(failed)} failed"
    return told if listed is None else f"{told}, {max(0, listed - done - len(failed))} left of {listed}"


def counts(folder: Path) -> tuple[int, dict[str, str], int | None]:
    """(videos done, video → why it failed, videos listed, None where nobody listed them).

    Raises:
        DatasetError: it is no pool's folder.
    """
    done, failed = read(folder)
    if not (folder / MANIFEST).is_file():
        return len(done), failed, None
    with (folder / MANIFEST).open("rb") as file:
        return len(done), failed, sum(1 for _ in file)


def _whole(path: Path, names: set[str]) -> Iterator[dict[str, Any]]:
    """Every line that is an object with these fields; a torn one, as a full disk leaves it, is passed over."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and names <= row.keys():
                yield row
