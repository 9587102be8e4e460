"""Annotation files that are open, shared by all visitors: an index is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from sgv_demo.dataset.index import Dataset, Entry

_MOST = 4


class Library:
    """The last few files. A file that changed on disk is opened anew."""

    def __init__(self, videos: str = "") -> None:
        """`videos`: the operator's folder with the datasets' videos, or empty."""
        self._open: OrderedDict[tuple[str, int, int], Dataset] = OrderedDict()
        self._lock = threading.Lock()
        self._videos = Path(videos).expanduser().resolve() if videos else None

    def get(self, path: Path, progress: Callable[[float], None] | None = None) -> Dataset:
        """The file's index, made now if need be.

        Raises:
            DatasetError: the file can't be read or holds no record.
        """
        try:
            stat = path.stat()
            key = (str(path), stat.st_size, stat.st_mtime_ns)
        except OSError:
            return Dataset(path, progress)  # says what is wrong
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
        made = Dataset(path, progress)
        with self._lock:
            self._open[key] = made
            while len(self._open) > _MOST:
                self._open.popitem(last=False)  # closed by the garbage collector when its last reader is done
        return made

    def video(self, entry: Entry) -> Path | None:
        """The record's video inside the operator's folder; None when there is none, or its name leads elsewhere."""
        if self._videos is None or not entry.video_path:
            return None
        folder = entry.zip_folder.removesuffix(".zip")
        for name in (entry.video_path, f"{folder}/{entry.video_path}", Path(entry.video_path).name):
            if "\x00" in name or len(name) > 1000 or any(len(part.encode()) > 255 for part in Path(name).parts):
                continue  # no file system has such a name
            path = (self._videos / name).resolve()
            if path.is_relative_to(self._videos) and path.is_file():
                return path
        return None
