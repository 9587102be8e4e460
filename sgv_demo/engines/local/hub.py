"""From a hub id to a folder: the hub's cache, or a download that is checked when it arrived."""

from __future__ import annotations

import errno
import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, TypeAlias, cast

from huggingface_hub import DryRunFileInfo, HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    DryRunError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from tqdm.auto import tqdm

from sgv_demo.errors import EngineError
from sgv_demo.times import gigabytes, length

Progress: TypeAlias = "Callable[[str, float | None], None]"
"""(what is being done, done share 0..1 or None)."""

MODEL_FILES = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt", "*.jinja")
"""What is fetched from the hub: no code, no pictures."""

CACHED = re.compile(r"/models--([\w.-]+?)--([\w.-]+)/snapshots/\w+/?$")
"""A snapshot's folder in the hub's cache."""
NO_ANSWER = (FutureTimeoutError, HfHubHTTPError, OSError, RuntimeError, ValueError, TypeError)
"""The last two come when something else than the hub answers, such as a network's log-in page."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def model_label(model: str) -> str:
    """A hub id as it is, also for its snapshot in the hub's cache; of another folder its name alone, never the path."""
    path = Path(model).expanduser()
    cached = CACHED.search(path.as_posix())
    if cached:
        return f"{cached[1]}/{cached[2]}"
    return path.resolve().name if path.is_dir() else model


def resolve_model(
    model: str,
    *,
    files: Sequence[str] = MODEL_FILES,
    timeout: float = 3.0,
    progress: Progress | None = None,
) -> Path:
    """A local folder with the model's files: the given one, the hub's cache, or a fresh download.

    Args:
        model: folder or hub id.
        files: patterns of what is fetched.
        timeout: seconds until the hub is given up.
        progress: told how far a download is.

    Raises:
        EngineError: no such folder or repository, no connection and nothing cached, no room on the disk.
    """
    folder = Path(model).expanduser()
    if model and folder.is_dir():
        return folder
    if folder.exists() or not HUB_ID.fullmatch(model):
        raise EngineError(f"{model!r} is neither a folder nor a hub id like owner/name; give one of the two.")
    planned = _ask_hub(model, files, timeout)
    if planned is None:
        return _cached(model, files, timeout)
    total = sum(file.file_size or 0 for file in planned if file.will_download)
    _check_disk(model, total)
    try:
        place = snapshot_download(
            model, allow_patterns=list(files), etag_timeout=timeout, tqdm_class=_bar(model, total, progress)
        )
        if any(file.will_download for file in planned):
            _check_download(model, progress)
    except Exception as error:
        if not (isinstance(error, (HfHubHTTPError, OSError)) or _is_transport(error)):
            raise
        remedy = (
            "free some disk space, or set HF_HOME to a larger disk"
            if getattr(error, "errno", None) == errno.ENOSPC
            else "try again, what arrived whole is kept"
        )
        raise EngineError(f"The download of {model} broke off ({first_line(error)}); {remedy}.") from error
    return Path(cast(str, place))


def _check_download(model: str, progress: Progress | None) -> None:
    """Compares what arrived with the hub's checksums: a download compares sizes alone.

    Raises:
        EngineError: a file is damaged; it was removed, so that the next attempt fetches it again.
    """
    if progress is not None:
        progress(f"Checking {model}", None)
    found = HfApi().verify_repo_checksums(model)
    for damaged in found.mismatches:
        link = found.verified_path / damaged["path"]
        link.resolve().unlink()
        link.unlink(missing_ok=True)
    if found.mismatches:
        name = found.mismatches[0]["path"]
        raise EngineError(f"{name} arrived damaged (its checksum is wrong) and was removed; load it again.")


def _ask_hub(model: str, files: Sequence[str], timeout: float) -> list[DryRunFileInfo] | None:
    """What a download would do, or None when the hub doesn't answer in time."""
    answer: Future[list[DryRunFileInfo]] = Future()

    def ask() -> None:
        try:
            planned = snapshot_download(
                model,
                allow_patterns=list(files),
                etag_timeout=timeout,
                tqdm_class=_bar(model, 0, None),
                dry_run=True,
            )
            answer.set_result(cast(list[DryRunFileInfo], planned))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
            answer.set_exception(error)

    # A daemon: name resolution knows no timeout, and a hanging one must keep neither us nor the exit waiting.
    threading.Thread(target=ask, name="hub", daemon=True).start()
    try:
        return answer.result(timeout)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, DryRunError) else error
        if isinstance(cause, GatedRepoError):
            raise EngineError(f"{model} is gated: accept its terms on the hub and run `hf auth login`.") from error
        if isinstance(cause, RepositoryNotFoundError):
            raise EngineError(f"The hub has no model {model}; check the name, or give a folder.") from error
        if cause is None or isinstance(cause, NO_ANSWER) or _is_transport(cause):
            return None
        raise


def _is_transport(error: BaseException) -> bool:
    """Whether the hub's HTTP library raised it: httpx or httpx2, depending on the client's version."""
    return type(error).__module__.startswith("httpx")


def _cached(model: str, files: Sequence[str], timeout: float) -> Path:
    try:
        return Path(cast(str, snapshot_download(model, allow_patterns=list(files), local_files_only=True)))
    except (LocalEntryNotFoundError, OSError) as error:
        raise EngineError(
            f"The model hub did not answer within {timeout:g} s and {model} is not on this machine; "
            "check the connection, or give a folder that holds the checkpoint."
        ) from error


def _check_disk(model: str, total: int) -> None:
    place = Path(constants.HF_HUB_CACHE)
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    blobs = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "blobs"
    begun = sum(path.stat().st_size for path in blobs.glob("*.incomplete"))
    if total - begun > free:
        raise EngineError(
            f"{model} takes {gigabytes(total)} and the disk has {gigabytes(free)} left; "
            "free some space, or set HF_HOME to a larger disk."
        )


def _bar(model: str, total: int, progress: Progress | None) -> type[tqdm]:
    """A progress bar that draws nothing and tells `progress` the share of bytes."""

    class Bar(tqdm):
        def __init__(self, *args: Any, **given: Any) -> None:
            self._bytes = given.get("unit") == "B"
            given.pop("name", None)
            super().__init__(*args, **{**given, "disable": True})
            self._done = self._before = float(given.get("initial") or 0)
            self._began = time.monotonic()

        def update(self, n: float | None = 1) -> bool | None:
            self._done += n or 0
            if self._bytes and progress is not None and total:
                share = min(self._done / total, 1.0)
                amount = f"{gigabytes(int(self._done))} of {gigabytes(total)}{self._pace()}"
                progress(f"Downloading {model} ({amount})", share)
            return None

        def _pace(self) -> str:
            seconds = time.monotonic() - self._began
            rate = (self._done - self._before) / seconds if seconds > 1 else 0.0
            if not rate or not total:
                return ""
            left = f", about {length((total - self._done) / rate)} left" if self._done < total else ""
            return f", {gigabytes(rate)} a second{left}"

    return Bar


def first_line(error: BaseException) -> str:
    """What an error says, its first line alone, short."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160].rstrip(".")
