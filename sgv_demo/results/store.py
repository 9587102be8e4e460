"""Results on disk, keyed by content: replay, resume, pictures.

    results/KEY/              what was computed, shared by all who run the same video with the same options
        events.jsonl          the log of its events (see `log`): what was seen is what is replayed
        keyframes/ saw/       pictures
    people/KEY/PERSON/        what is somebody's: the file's name, exports, links (see `links`)
    links/TOKEN               where a permalink leads
    locks/                    who writes a result right now

A key is a hash over the video's content, the engine and every option. Who has the video or the key has the permission
to read what was computed; nothing lists keys.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import lru_cache, reduce
from pathlib import Path

from filelock import FileLock, Timeout

from sgv_demo import __version__
from sgv_demo.errors import StoreError
from sgv_demo.events import Analysis, Begun, Noted
from sgv_demo.options import AnalysisOptions, GenerationOptions
from sgv_demo.results.log import NAME, Log, Read, read, trouble
from sgv_demo.results.record import parse
from sgv_demo.types import EngineInfo

logger = logging.getLogger(__name__)

_KEY = re.compile(r"[0-9a-f]{40}")
_OLDER = "result.json"
"""In older versions: the whole result, beside a log without its beginning."""
TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_IN_USE_SECONDS = 600.0
_LOCK_SECONDS = 3.0
"""How long a run waits for a stopped one of the same result to end its step."""
_LOCK_DAYS = 86_400.0


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
    chosen = asdict(options)
    if options.generation.language == GenerationOptions().language:
        del chosen["generation"]["language"]  # results from before there was a choice are found
    made = asdict(engine)
    del made["sees_several"]  # follows from the rest
    parts = [__version__, content, made, chosen, [str(x) for x in extra]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


class Store:
    """A folder of results with a size cap."""

    def __init__(self, root: Path, megabytes: int) -> None:
        """`root` is made when needed; `megabytes` caps everything together."""
        self.root = root / "results"
        self.people = root / "people"
        """Beside the results: who has one result must not find who else has it, nor their links."""
        self.links = root / "links"
        self.locks = root / "locks"
        self.megabytes = megabytes

    def folder(self, key: str) -> Path:
        """The folder of a result, whether it exists or not.

        Raises:
            StoreError: `key` is no key (and so could name a place outside the store).
        """
        return self.root / checked(key)

    def has(self, key: str) -> bool:
        """Whether there is a result under a key."""
        return any((self.folder(key) / name).is_file() for name in (NAME, _OLDER))

    def read(self, key: str) -> Read:
        """What a result's log holds; nothing where there is none, or none that can be read."""
        try:
            return read(key, (self.folder(key) / NAME).read_bytes())
        except FileNotFoundError:
            return Read()
        except OSError as error:
            logger.warning("The log of %s can't be read: %s", key, error)
            return Read()

    @contextmanager
    def log(self, key: str) -> Iterator[Log]:
        """A result's log, open for what comes; a result that is being written by somebody else gets another key.

        Nothing that the disk may do is an error here: the log then says so, and lets events pass.

        Raises:
            StoreError: `key` is no key.
        """
        log, lock = Log(key, self.folder(key), self.read(key)), None
        try:
            if not log.earlier.finished:  # a whole result needs no writing
                lock = self.hold(key, _LOCK_SECONDS)
                if lock is None:
                    key = secrets.token_hex(20)
                    lock = self.hold(key)
                log = Log(key, self.folder(key), self.read(key))
                if not log.earlier.finished:
                    log.open()
        except OSError as error:
            log.troubles.append(trouble(error))
        try:
            yield log
        finally:
            wrote = log.close()
            if lock is not None:
                lock.release()
            if wrote:
                self.prune(keep=log.key)

    def hold(self, key: str, seconds: float = 0.0) -> FileLock | None:
        """Makes the caller a result's only writer, until `release`; None when somebody else still is after `seconds`.

        Raises:
            OSError: the disk is full or not writable.
        """
        self.locks.mkdir(parents=True, exist_ok=True)
        # A run is begun in one thread and may be closed in another.
        lock = FileLock(self.locks / f"{checked(key)}.lock", thread_local=False)
        try:
            lock.acquire(timeout=seconds)
        except Timeout:
            return None
        with suppress(OSError):
            os.utime(lock.lock_file)
        return lock

    @contextmanager
    def people_of(self, key: str) -> Iterator[None]:
        """While who has a result is being changed.

        Raises:
            OSError: the disk is full or not writable.
        """
        self.locks.mkdir(parents=True, exist_ok=True)
        with FileLock(self.locks / f"{checked(key)}-people.lock", timeout=_LOCK_SECONDS):
            yield

    def recall(self, key: str) -> Analysis | None:
        """A result as it was when its log ended, or None when there is nothing (any more).

        Raises:
            StoreError: `key` is no key, or nothing of the result can be read.
        """
        found = self.read(key)
        if found.events and isinstance(found.events[0], Begun):
            analysis = reduce(Analysis.apply, found.events, Analysis())
            damaged = "A part of this stored result was damaged on disk and is left out; run the video again."
            return replace(analysis.apply(Noted(damaged)) if found.damaged else analysis, key=key)
        try:
            return replace(parse((self.folder(key) / _OLDER).read_text(encoding="utf-8")), key=key)
        except FileNotFoundError:
            if not found.damaged:
                return None
            raise StoreError("This stored result can't be read any more; run the video again.") from None
        except (OSError, UnicodeDecodeError, StoreError) as error:
            raise StoreError("This stored result can't be read any more; run the video again.") from error

    def remove(self, key: str) -> bool:
        """Removes what was computed and all that people have of it; returns False while somebody writes it."""
        try:
            with self.people_of(key):
                return self.remove_held(key)
        except OSError as error:
            logger.warning("A result can't be removed: %s", error)
            return False

    def remove_held(self, key: str) -> bool:
        """`remove` within `people_of`.

        Raises:
            OSError: the disk is full or not writable.
        """
        lock = self.hold(key)
        if lock is None:
            return False
        try:
            self.unlink(self.tokens(key))
            for folder in (self.people / key, self.folder(key)):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            lock.release()
        return True

    def tokens(self, key: str) -> list[str]:
        """All links to a result."""
        return [path.name for path in (self.people / checked(key)).glob("*/links/*")] + self.older_links(key)

    def older_links(self, key: str) -> list[str]:
        """Links of an older version that nobody followed since: they belong to nobody and are listed in one file."""
        try:
            names = (self.folder(key) / "links").read_text(encoding="ascii", errors="replace").split()
        except OSError:
            return []
        known = {path.name for path in (self.people / key).glob("*/links/*")}
        return [name for name in names if TOKEN.fullmatch(name) and name not in known and (self.links / name).exists()]

    def unlink(self, tokens: Iterable[str]) -> None:
        """Makes links lead nowhere."""
        for token in filter(TOKEN.fullmatch, tokens):
            with suppress(OSError):
                (self.links / token).unlink(missing_ok=True)

    def prune(self, keep: str = "") -> int:
        """Deletes the oldest results until the store fits its cap; returns how many went.

        A result written to within the last ten minutes, one that is being written, and `keep`, are never deleted.
        """
        rows = sorted((_newest(folders), sum(map(_size, folders)), key) for key, folders in self._all().items())
        total, deleted = _size(self.links) + sum(size for _, size, _ in rows), 0
        now = max([time.time(), *(newest for newest, _, _ in rows)])  # the clock may have been set back since
        for newest, size, key in rows:
            if total <= self.megabytes * 1_000_000:
                break
            if key != keep and now - newest > _IN_USE_SECONDS and self.remove(key):
                total, deleted = total - size, deleted + 1
        self._sweep()
        return deleted

    def _all(self) -> dict[str, tuple[Path, Path]]:
        names = {name for root in (self.root, self.people) for name in listed(root) if _KEY.fullmatch(name)}
        return {key: (self.root / key, self.people / key) for key in names}

    def _sweep(self) -> None:
        """Removes the locks of results that are long gone."""
        for name in listed(self.locks):
            path = self.locks / name
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _LOCK_DAYS and not (self.root / path.stem[:40]).exists():
                    path.unlink()


def checked(key: str) -> str:
    """The key itself.

    Raises:
        StoreError: it is none (and so could name a place outside the store).
    """
    if not _KEY.fullmatch(key):
        raise StoreError("That is not a result's key; use a link as it was given.")
    return key


def listed(folder: Path) -> list[str]:
    """Names in a folder, which may go at any moment."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _stats(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    for folder in folders:
        for place, _, names in os.walk(folder):  # leaves out what it can't read
            for name in names:
                with suppress(OSError):
                    yield os.stat(Path(place, name))


def _newest(folders: Iterable[Path]) -> float:
    return max((stat.st_mtime for stat in _stats(folders)), default=0.0)


def _size(folder: Path) -> int:
    return sum(stat.st_size for stat in _stats((folder,)))
