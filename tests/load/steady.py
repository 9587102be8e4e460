"""Hours in short: many analyses in a row and many sessions, after which memory, threads and files are as before."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil
from gradio_client import Client, handle_file

from tests.load.harness import Page, clips, page

ANALYSES, SESSIONS, WARM = 500, 300, 50
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Held:
    """What the page's process holds."""

    memory: float
    """Megabytes of its own (RSS)."""
    files: int
    """Descriptors."""
    threads: int
    children: int
    temporary: int
    """Files in the folder that gradio keeps uploads in."""

    def __str__(self) -> str:
        return (
            f"{self.memory:.0f} MB, {self.files} descriptors, {self.threads} threads, {self.children} processes, "
            f"{self.temporary} temporary files"
        )


def held(served: Page, temporary: Path) -> Held:
    """At this moment."""
    process = psutil.Process(served.process.pid)
    return Held(
        process.memory_info().rss / MEGABYTE,
        process.num_fds(),
        process.num_threads(),
        len(process.children()),
        sum(path.is_file() for path in temporary.rglob("*")),
    )


def analyses(folder: Path) -> None:
    """500 short ones in a row by one client, 25 clips in turn, the store bounded."""
    films = clips(folder, 25, 2)
    with page(folder, "--engine", "measured", GRADIO_TEMP_DIR=str(folder / "sent"), SGV_STORE_MEGABYTES="8") as served:
        client = Client(served.url, verbose=False)
        before = held(served, folder / "sent")
        for number in range(ANALYSES):
            if number == WARM:
                before = held(served, folder / "sent")
            if number % 25 == 24:
                shutil.rmtree(folder / "store", ignore_errors=True)  # so that all are computed anew
            given = handle_file(str(films[number % len(films)]))
            found = client.predict(video=given, read_text=False, api_name="/caption")
            assert found["captions"], found
        after = held(served, folder / "sent")
        client.close()
    store = sum(path.stat().st_size for path in (folder / "store").rglob("*") if path.is_file()) / MEGABYTE
    print(f"{ANALYSES} analyses: after {WARM} {before}")
    print(f"  at the end {after}; store {store:.1f} MB", flush=True)


def sessions(folder: Path) -> None:
    """300 visitors who open the page, ask for its state, and go."""
    with page(folder, "--engine", "measured", GRADIO_TEMP_DIR=tempfile.mkdtemp(dir=folder)) as served:
        before = held(served, folder / "sent")
        for number in range(SESSIONS):
            if number == WARM:
                before = held(served, folder / "sent")
            with urllib.request.urlopen(served.url, timeout=30) as answer:
                answer.read()
            client = Client(served.url, verbose=False)
            client.close()
        after = held(served, folder / "sent")
    print(f"{SESSIONS} sessions: after {WARM} {before}")
    print(f"  at the end {after}", flush=True)
    print(json.dumps({"grown_megabytes": round(after.memory - before.memory, 1)}))
