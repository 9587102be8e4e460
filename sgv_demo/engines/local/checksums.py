"""Whether a download arrived as it was sent. The hub's client compares sizes alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from sgv_demo.errors import EngineError

_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_download(
    folder: Path, before: Iterable[str], progress: Callable[[str, float | None], None] | None = None
) -> None:
    """Compares the files of a snapshot in the hub's cache with their checksums, which are the names of their blobs.

    Args:
        folder: the snapshot; its files are links to blobs (elsewhere nothing is known, and nothing is checked).
        before: names of blobs that were there before the download, and are not read again.
        progress: told what is being done.

    Raises:
        EngineError: a file is damaged; it was removed, so that the next attempt fetches it again.
    """
    known = set(before)
    links = [path for path in sorted(folder.rglob("*")) if path.is_symlink() and _is_new(path, known)]
    for number, link in enumerate(links):
        if progress is not None:
            progress(f"Checking {link.name}", number / len(links))
        blob = link.resolve()
        with blob.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != blob.name:
            blob.unlink()
            link.unlink()
            raise EngineError(f"{link.name} arrived damaged (its checksum is wrong) and was removed; load it again.")


def _is_new(link: Path, known: set[str]) -> bool:
    # Only large files are named by their SHA-256; small ones by a hash of another kind, and JSON shows its damage.
    name = link.resolve().name
    return name not in known and _SHA256.fullmatch(name) is not None
