"""What a pool's run leaves: one line a video, written the moment it is done.

`annotations.jsonl` holds the published annotation schema, so the Dataset room and anyone's loader read it as it is;
this program's own fields lie below `sgv_demo`. `failures.jsonl` holds the videos that couldn't be annotated, each with
the reason, `pool.json` how the pool was made. A line that a killed run left half written is cut off.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from sgv_demo.dataset.record import to_record
from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.events import Analysis

RECORDS, FAILURES, MADE = "annotations.jsonl", "failures.jsonl", "pool.json"


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
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._file_lock = FileLock(folder / ".pool.lock", timeout=0)
        try:
            self._file_lock.acquire()
        except Timeout as error:
            raise SettingsError(
                f"Another run writes into “{folder.name}”; wait for it or choose another --out."
            ) from error
        self._lock = threading.Lock()
        self._check(made)
        self.done = {str(row["video_path"]) for row in _rows(folder / RECORDS)}
        """Videos that are annotated."""
        self.failed = {str(row["video"]): str(row["error"]) for row in _rows(folder / FAILURES)}
        """Video → reason; the latest of each."""
        self.failed = {video: reason for video, reason in self.failed.items() if video not in self.done}

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file_lock.release()

    def add(self, video: str, analysis: Analysis) -> None:
        """Writes a video's record."""
        record = to_record(analysis) | {"video_id": Path(video).stem, "video_path": video}
        with self._lock:
            self._write(RECORDS, record)
            self.done.add(video)
            self.failed.pop(video, None)

    def fail(self, video: str, reason: str) -> None:
        """Writes why a video has none."""
        with self._lock:
            self._write(FAILURES, {"video": video, "error": reason})
            self.failed[video] = reason

    def _write(self, name: str, row: Mapping[str, Any]) -> None:
        """In one piece: a killed process loses nothing that it was given."""
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with (self.folder / name).open("ab", buffering=0) as file:
            file.write(line)

    def _check(self, made: Mapping[str, Any]) -> None:
        path = self.folder / MADE
        text = json.dumps(made, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        if not path.exists():
            unfinished = path.with_suffix(".tmp")
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        elif path.read_text(encoding="utf-8") != text:
            self._file_lock.release()
            raise SettingsError(
                f"“{self.folder.name}” was begun with another engine or other options (see {MADE}); "
                "choose another --out."
            )


def counts(folder: Path) -> tuple[int, dict[str, str]]:
    """(videos annotated, video → reason of those that failed), of a run that may be going on.

    Raises:
        DatasetError: it is no pool's folder.
    """
    if not (folder / MADE).is_file():
        raise DatasetError(f"“{folder.name}” is no pool: it has no {MADE}; give the --out of a run.")
    done = {str(row["video_path"]) for row in _whole(folder / RECORDS)}
    failed = {str(row["video"]): str(row["error"]) for row in _whole(folder / FAILURES)}
    return len(done), {video: reason for video, reason in failed.items() if video not in done}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """`_whole`, after what was left half written is cut off, so that the next line stands alone."""
    if path.exists():
        data = path.read_bytes()
        keep = data.rfind(b"\n") + 1
        if keep < len(data):
            with path.open("r+b") as file:
                file.truncate(keep)
    return _whole(path)


def _whole(path: Path) -> Iterator[dict[str, Any]]:
    """Every line that is an object; a torn one in the middle, as a full disk leaves it, is passed over."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and ("video_path" in row or {"video", "error"} <= row.keys()):
                yield row
