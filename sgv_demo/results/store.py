"""Results on disk, keyed by content: replay, resume, pictures.

A result is a folder named by a hash over the video's content, the engine and every option. Inside, `events.jsonl` is
the log of its events: what was seen is what is replayed, and a result cut off in the middle resumes where its log
ends. `keyframes/` and `saw/` hold pictures. Who has the video or the key has the permission; nothing lists keys.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import lru_cache, reduce
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from sgv_demo import __version__
from sgv_demo.errors import StoreError
from sgv_demo.events import Analysis, Event
from sgv_demo.results import review as reviews
from sgv_demo.results.record import event_from_line, event_to_line, from_record, to_record
from sgv_demo.results.review import NONE, Review
from sgv_demo.types import AnalysisOptions, EngineInfo, Picture

log = logging.getLogger(__name__)

_KEY = re.compile(r"[0-9a-f]{40}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_IN_USE_SECONDS = 600.0
_LOCK_SECONDS = 3.0
"""How long a run waits for a stopped one of the same result to end its step."""


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits; remembered until the file changes."""
    stat = path.stat()
    return _content_hash(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _content_hash(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_of(content: str, engine: EngineInfo, options: AnalysisOptions, extra: Iterable[object] = ()) -> str:
    """The result's key: 40 hexadecimal digits over the video, the engine, the options and this program's version."""
    options = replace(options, sampling=options.sampling.plain())
    parts = [__version__, content, asdict(engine), asdict(options), [str(x) for x in extra]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


class Store:
    """A folder of results with a size cap."""

    def __init__(self, root: Path, megabytes: int) -> None:
        """`root` is made when needed; `megabytes` caps all results together."""
        self.root = root / "results"
        self.links = root / "links"
        """Beside the results, whose files the page serves: who has one link must not find the others."""
        self.megabytes = megabytes

    def folder(self, key: str) -> Path:
        """The folder of a result, whether it exists or not.

        Raises:
            StoreError: `key` is no key (and so could name a place outside the store).
        """
        if not _KEY.fullmatch(key):
            raise StoreError("That is not a result's key; use a link as it was given.")
        return self.root / key

    def load(self, key: str, engine: EngineInfo, options: AnalysisOptions) -> Analysis | None:
        """The stored state, or None when there is none."""
        events = self.events(key)
        if not events:
            return None
        return reduce(Analysis.apply, events, Analysis(engine, options, key=key))

    def events(self, key: str) -> list[Event]:
        """The log; torn lines are left out."""
        path = self.folder(key) / "events.jsonl"
        if not path.is_file():
            return []
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [event for event in map(event_from_line, lines) if event is not None]

    def remember(self, analysis: Analysis) -> None:
        """Writes a result as a whole, so that its key alone opens it again.

        Raises:
            StoreError: the disk is full or not writable.
        """
        folder = self.folder(analysis.key)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False, encoding="utf-8") as part:
                json.dump(to_record(analysis), part, ensure_ascii=False)
            os.replace(part.name, folder / "result.json")
        except OSError as error:
            raise StoreError(f"Results can't be stored ({error.strerror}); free some disk space.") from error

    def recall(self, key: str) -> Analysis | None:
        """What `remember` wrote, or None when there is nothing (any more).

        Raises:
            StoreError: `key` is no key, or its file is damaged.
        """
        try:
            record = json.loads((self.folder(key) / "result.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError("This stored result can't be read any more; run the video again.") from error
        return replace(from_record(record), key=key)

    def keep_video(self, key: str, path: Path) -> None:
        """Keeps a video beside its result, without taking the space twice where the disk can link.

        Raises:
            StoreError: the disk is full or not writable.
        """
        target = self.folder(key) / f"video{path.suffix.lower()}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                try:
                    os.link(path, target)
                except OSError:  # another disk, or one without links
                    shutil.copyfile(path, target)
        except OSError as error:
            raise StoreError(f"The video can't be kept ({error.strerror}); free some disk space.") from error

    def video(self, key: str) -> Path | None:
        """The video kept beside a result, or None."""
        return next(iter(sorted(self.folder(key).glob("video.*"))), None)

    def proof(self, key: str) -> str:
        """What whoever made a result remembers, so as to open or delete it again; a key alone can be seen by guests.

        Raises:
            StoreError: `key` is no key, or the disk isn't writable.
        """
        self.folder(key)
        path = self.links.parent / "secret"
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:  # for the owner's eyes only
                    part.write(secrets.token_bytes(32))
                with contextlib.suppress(FileExistsError):
                    os.link(part.name, path)  # the first of two processes wins
                os.unlink(part.name)
            return hmac.new(path.read_bytes(), key.encode("ascii"), "sha256").hexdigest()[:32]
        except OSError as error:
            raise StoreError(f"Results can't be remembered ({error.strerror}); free some disk space.") from error

    def link(self, key: str, review: Review = NONE) -> str:
        """A new permalink token for a result as it was judged: 128 bits of chance, nothing of the video in it.

        Raises:
            StoreError: there is no such result, or the disk isn't writable.
        """
        folder = self.folder(key)
        if not folder.is_dir():
            raise StoreError("This result was deleted; run the video again to share it.")
        token = secrets.token_urlsafe(16)
        try:
            self.links.mkdir(parents=True, exist_ok=True)
            data = {"key": key, "review": reviews.to_record(review)}
            (self.links / token).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
            with (folder / "links").open("a", encoding="ascii") as file:
                file.write(token + "\n")
        except OSError as error:
            raise StoreError(f"The link can't be stored ({error.strerror}); free some disk space.") from error
        return token

    def linked(self, token: str) -> tuple[str, Review] | None:
        """The key behind a permalink token and the review it was made with, or None when it leads nowhere."""
        path = self.links / token
        if not _TOKEN.fullmatch(token) or not path.is_file():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            key = str(data["key"])
            folder = self.folder(key)
        except (ValueError, KeyError, TypeError, StoreError):
            log.warning("A permalink's file is damaged")
            return None
        if folder.is_dir():
            return key, reviews.from_record(data.get("review"))
        path.unlink(missing_ok=True)
        return None

    def _unlink(self, key: str) -> None:
        path = self.folder(key) / "links"
        tokens = path.read_text(encoding="ascii", errors="replace").split() if path.is_file() else []
        for token in filter(_TOKEN.fullmatch, tokens):
            (self.links / token).unlink(missing_ok=True)

    def delete(self, key: str) -> None:
        """Removes a result, its pictures, its kept video and its permalinks for good."""
        self._unlink(key)
        shutil.rmtree(self.folder(key), ignore_errors=True)

    def session(self, key: str) -> Session:
        """Opens a result for writing.

        Raises:
            StoreError: the folder can't be made.
        """
        try:
            return Session(self, key)
        except OSError as error:
            raise StoreError(f"Results can't be stored ({error.strerror}); free some disk space.") from error

    def prune(self, keep: str = "") -> int:
        """Deletes the oldest results until the store fits its cap; returns how many went.

        A result written to within the last ten minutes, and `keep`, are never deleted.
        """
        if not self.root.is_dir():
            return 0
        rows: list[tuple[float, int, Path]] = []
        for folder in self.root.iterdir():
            files = [f.stat() for f in folder.rglob("*") if f.is_file()]
            newest = max((s.st_mtime for s in files), default=0.0)
            rows.append((newest, sum(s.st_size for s in files), folder))
        total, deleted = sum(size for _, size, _ in rows), 0
        for newest, size, folder in sorted(rows, key=lambda row: row[0]):
            if total <= self.megabytes * 1_000_000:
                break
            if folder.name != keep and time.time() - newest > _IN_USE_SECONDS:
                self.delete(folder.name) if _KEY.fullmatch(folder.name) else shutil.rmtree(folder, ignore_errors=True)
                total, deleted = total - size, deleted + 1
        return deleted


class Session:
    """One result, open for appending. Use as a context manager."""

    def __init__(self, store: Store, key: str) -> None:
        self.key = key
        self.folder = store.folder(key)
        for name in ("keyframes", "saw"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._store = store
        self._log: IO[str] | None = None
        self._read()

    def __enter__(self) -> Session:
        file = (self.folder / "events.jsonl").open("a", encoding="utf-8")
        until = time.monotonic() + _LOCK_SECONDS
        while not _locked(file):
            if time.monotonic() > until:
                file.close()  # another visitor is writing the same result right now: read only
                return self
            time.sleep(0.05)
        self._read()
        if os.fstat(file.fileno()).st_size:
            file.write("\n")  # ends a line that was torn by a crash; empty lines are left out when read
        self._log = file
        return self

    def _read(self) -> None:
        self.earlier = self._store.events(self.key)
        """What an earlier run left."""
        self._written = {line for event in self.earlier if (line := event_to_line(event))}

    def __exit__(self, *exc: object) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
            self._store.prune(keep=self.key)

    def write(self, event: Event) -> None:
        """Appends an event unless an earlier run wrote the same.

        Raises:
            StoreError: the disk is full or not writable.
        """
        line = event_to_line(event)
        if self._log is None or line is None or line in self._written:
            return
        try:
            self._log.write(line + "\n")
            self._log.flush()
        except OSError as error:
            raise StoreError(f"Results can't be stored ({error.strerror}); free some disk space.") from error
        self._written.add(line)

    def keyframe(self, index: int, image: Picture) -> str:
        """Writes a keyframe as JPEG; returns its file name inside the result's folder."""
        return self._picture(f"keyframes/{index:04d}.jpg", image)

    def saw(self, step: int | str, image: Picture) -> str:
        """Writes the picture that a model saw as PNG; returns its file name inside the result's folder."""
        name = step if isinstance(step, str) else f"{step:04d}"
        return self._picture(f"saw/{name}.png", image)

    def _picture(self, name: str, image: Picture) -> str:
        target = self.folder / name
        try:
            with tempfile.NamedTemporaryFile(dir=target.parent, suffix=target.suffix, delete=False) as part:
                Image.fromarray(np.ascontiguousarray(image)).save(part, quality=88)
            os.replace(part.name, target)
        except OSError as error:
            raise StoreError(f"Pictures can't be stored ({error.strerror}); free some disk space.") from error
        return name


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
