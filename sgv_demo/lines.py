"""Files that grow by a line at a time and must survive a killed process: one writer, and no half line in the middle."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from sgv_demo.errors import SettingsError


def sole_writer(folder: Path, lock: str) -> FileLock:
    """Makes this process the only one that writes into `folder`, until `release`.

    Raises:
        SettingsError: another run does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = FileLock(folder / lock, timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise SettingsError(f"Another run writes into “{folder.name}”; wait for it or choose another --out.") from error
    return held


def mend(path: Path) -> None:
    """Cuts off what follows the last line end: the line that was being written when a run was killed."""
    if not path.exists():
        return
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        keep = end
        while keep:  # from behind, as a file of millions of lines shouldn't be read for its last one
            start = max(keep - 65_536, 0)
            file.seek(start)
            found = file.read(keep - start).rfind(b"\n")
            if found >= 0:
                keep = start + found + 1
                break
            keep = start
    if keep < end:
        os.truncate(path, keep)
