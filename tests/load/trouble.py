"""What a page and a run survive: faults of servers, killed processes, two pages on one store, full and locked disks."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradio_client import Client

from tests.load.harness import Page, clips, page, reading, side_by_side, visit, visits

KEYFRAMES = 100
FAULTS = ("500", "cut", "blank", "garbage", "429")


def faults(folder: Path) -> None:
    """Ten visitors of one server, five of whose steps meet a fault each."""
    films = clips(folder, 10, 8)
    planned = {number: [fault] for number, fault in zip(range(1, 10, 2), FAULTS, strict=True)}
    with reading(0.3, planned) as server, page(folder, "--engine", "remote", "--base-url", server.url) as served:
        found = visits(served.url, films)
    clean = [got for got in found if got.number % 2 == 0]
    whole = sum(not got.failure and set(got.texts) == {f"The number {got.number}."} for got in clean)
    print(f"faults of a server, one step of every second visitor: {whole} of {len(clean)} others whole")
    for got in found:
        if got.number % 2:
            print(f"  {FAULTS[got.number // 2]}: {got.failure or 'tried again, whole'}", flush=True)


def killed(folder: Path) -> None:
    """kill -9 of a run of 100 keyframes, three times, at any moment; then it goes on."""
    (film,) = clips(folder, 1, KEYFRAMES)
    with reading(0.05) as server:
        command = [sys.executable, "-m", "sgv_demo", "caption", str(film), "--engine", "remote", "--base-url"]
        command += [server.url, "--all", "--every", "1", "--no-text", "--resume", "--json", str(folder / "result.json")]
        settings = os.environ | {"SGV_STORE_DIR": str(folder / "store"), "HF_HUB_OFFLINE": "1"}
        before = 0
        for _ in range(3):
            with subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
                asked = server.asked
                until = time.monotonic() + 60
                while server.asked < asked + 20 and time.monotonic() < until:
                    time.sleep(0.01)
                time.sleep(random.random() / 5)
                run.kill()
            before = server.asked
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        asked = server.asked
    result = json.loads((folder / "result.json").read_text())
    right = sum(caption["text"] == "The number 1." for caption in result["captions"])
    print(
        f"kill -9, three times: exit code {done.returncode}, {right} of {KEYFRAMES} captions right; {asked} questions "
        f"for {KEYFRAMES + 1} texts ({before} before the last start)",
        flush=True,
    )


def reader(folder: Path) -> None:
    """kill -9 of the reading processes while five visitors run."""
    films = clips(folder, 6, 16)
    with reading(0.5) as server, page(folder, "--engine", "remote", "--base-url", server.url) as served:

        def kill() -> None:
            until = time.monotonic() + 30
            while not served.readers() and time.monotonic() < until:
                time.sleep(0.02)
            for process in served.readers():
                process.kill()

        found: list[Any] = []
        side_by_side([kill, lambda: found.extend(visits(served.url, films[:5]))])
        after = visits(served.url, films[5:])[0]
    told = sorted({got.failure for got in found})
    print(f"kill -9 of readers: {sum(not got.failure for got in found)} of 5 whole, others told {told}")
    print(f"  {sum(len(got.texts) for got in found)} captions kept; the next visitor: {after.failure or 'whole'}; "
          f"{served.log.read_text().count('Traceback')} tracebacks", flush=True)  # fmt: skip


def two_pages(folder: Path) -> None:
    """Two pages on one store, the same video on both at once."""
    (film,) = clips(folder, 1, 12)
    store = folder / "shared"
    with (
        reading(0.3) as server,
        page(folder / "a", "--engine", "remote", "--base-url", server.url, store=store) as one,
        page(folder / "b", "--engine", "remote", "--base-url", server.url, store=store) as two,
    ):
        found: list[Any] = []
        side_by_side([lambda url=url: found.extend(visits(url, [film])) for url in (one.url, two.url)])
        asked = server.asked
        again = visits(one.url, [film])[0]
        more = server.asked - asked
    same = len({got.texts for got in (*found, again)}) == 1
    told = [got.failure or "whole" for got in found]
    print(f"two pages, one store: {told}, {'equal' if same else 'DIFFERENT'}; once more: {more} questions", flush=True)


@contextmanager
def disk(place: Path, options: str) -> Iterator[bool]:
    """A file system of its own at `place`; whether it could be had (only root may)."""
    place.mkdir(exist_ok=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], capture_output=True, check=False)
    try:
        yield made.returncode == 0
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "-l", str(place)], check=False)


def full(folder: Path) -> None:
    """A store on a disk of 1 MB, and one that can't be written."""
    films = clips(folder, 3, 12)
    for what, options in (("a disk of 200 kB", "size=200k"), ("a read-only disk", "ro")):
        with disk(folder / "small", options) as there:
            if not there:
                print(f"{what}: not tried, only root may make one")
                continue
            with (
                reading(0.1) as server,
                page(folder / "p", "--engine", "remote", "--base-url", server.url, store=folder / "small") as served,
            ):
                found = visits(served.url, films)
                parts = len(list((folder / "small").rglob("*.part")))
            texts = [len(got.texts) for got in found]
            told = sorted({got.failure or " ".join(got.notes) or "whole, not a word" for got in found})
            traces = served.log.read_text().count("Traceback")
            print(f"{what}: {told}, {texts} captions; {parts} half files, {traces} tracebacks", flush=True)


def ended(folder: Path) -> None:
    """SIGTERM in mid-run; then another page goes on."""
    (film,) = clips(folder, 1, 24)
    store = folder / "store"
    with reading(0.3) as server:
        flags = ("--engine", "remote", "--base-url", server.url)
        with page(folder / "a", *flags, store=store) as served:
            seconds = _terminated(served, film, 6, server)
            left = served.log.read_text().count("Traceback")
        before = server.asked
        with page(folder / "b", *flags, store=store) as served:
            found = visits(served.url, [film])[0]
        more = server.asked - before
    print(
        f"SIGTERM: the process ended after {seconds:.1f} s, {left} tracebacks; then {found.failure or 'whole'}: "
        f"{len(found.texts)} captions with {more} more questions of {len(found.texts) + 1}",
        flush=True,
    )


def _terminated(served: Page, film: Path, questions: int, server: Any) -> float:
    """Seconds that the page took to end."""
    client = Client(served.url, verbose=False)
    threading.Thread(target=visit, args=(client, film, 1, time.monotonic()), daemon=True).start()
    until = time.monotonic() + 60
    while server.asked < questions and time.monotonic() < until:
        time.sleep(0.02)
    began = time.monotonic()
    served.process.send_signal(signal.SIGTERM)
    served.process.wait(30)
    return time.monotonic() - began
