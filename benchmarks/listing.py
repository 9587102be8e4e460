"""Listing a pool into its manifest: 100,000 and a million made-up names in a list, 50,000 empty files in folders.

Each in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LISTS = (100_000, 1_000_000)
FILES, FOLDERS = 50_000, 50


def main() -> None:
    """Prints a line for each."""
    for kind, count in (*(("list", count) for count in LISTS), ("folder", FILES)):
        command = [sys.executable, "-m", "benchmarks.listing", kind, str(count)]
        told = json.loads(subprocess.check_output(command))
        print(f"{told['listed']:9,} names of a {kind}: {told['seconds']:.0f} s, {told['megabytes']:.0f} MB at most")


def measure(kind: str, count: int) -> None:
    """One of them, as JSON on standard output."""
    from sgv_demo.annotation.inputs import videos, write_manifest

    with tempfile.TemporaryDirectory() as folder:
        source = (_list if kind == "list" else _folders)(Path(folder) / "pool", count)
        began = time.monotonic()
        listed = write_manifest(videos(source), Path(folder))
        seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"listed": listed, "seconds": seconds, "megabytes": peak}))


def _list(at: Path, count: int) -> Path:
    source = at.with_suffix(".txt")
    with source.open("w", encoding="utf-8") as file:
        file.writelines(f"batch {number // 1000}/clip {number}.mp4\n" for number in range(count))
    return source


def _folders(at: Path, count: int) -> Path:
    for number in range(count):
        clip = at / f"batch {number % FOLDERS}" / f"clip {number}.mp4"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.touch()
    return at


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main()
