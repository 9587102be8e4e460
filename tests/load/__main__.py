"""`make load`: what many visitors cost each other, in figures."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import mean

import psutil

from tests.load.harness import Visit, clips, page, reading, visits

VISITORS = 20
STEP = 2.0
"""Seconds that the server of models takes for a step."""


def remote(folder: Path) -> None:
    """Twenty visitors of three servers (8 steps each at once), ten steps each, against one alone."""
    films = clips(folder, VISITORS + 1, 16)
    with ExitStack() as running:
        servers = [running.enter_context(reading(STEP)) for _ in range(3)]
        urls = ",".join(server.url for server in servers)
        served = running.enter_context(page(folder, "--engine", "remote", "--base-url", urls))
        alone = visits(served.url, films[-1:])[0].ended
        found = visits(served.url, films[:VISITORS])
        most = sum(server.most for server in servers)
    wall = max(got.ended for got in found)
    told(f"remote, three servers of {STEP:g} s a step", found, wall, served.log)
    print(f"  {wall:.1f} s for {VISITORS}, {alone:.1f} s for one alone: {wall / alone:.2f} times; {most} at once")


def offline(folder: Path) -> None:
    """Twenty visitors of the measured engine, against one after the other."""
    films = clips(folder, VISITORS + 4, 10)
    with page(folder, "--engine", "measured") as served:
        visits(served.url, films[:1])  # what is loaded once
        each = mean(visits(served.url, [film])[0].ended for film in films[VISITORS + 1 :])
        found = visits(served.url, films[:VISITORS])
        process = psutil.Process(served.pid)
        readers = len(process.children())
    wall = max(got.ended for got in found)
    told("offline, 10 s clips", found, wall, served.log, numbers=False)
    print(f"  {wall:.1f} s for {VISITORS}, {each:.2f} s one alone: throughput {VISITORS * each / wall:.2f} times")
    print(f"  first caption after {mean(got.first for got in found):.1f} s, the last visitor's after "
          f"{max(got.first for got in found):.1f} s; readers left: {readers}")  # fmt: skip


def told(what: str, found: list[Visit], wall: float, log: Path, *, numbers: bool = True) -> None:
    """One row, and what went wrong in it."""
    failed = [got.failure for got in found if got.failure]
    mixed = sum(set(got.texts) != {f"The number {got.number}."} for got in found) if numbers else 0
    traces = log.read_text().count("Traceback")
    mine = f"{len(found)} of {VISITORS} ended, {len(failed)} failed, {mixed} mixed, {traces} tracebacks"
    print(
        f"{what}: {mine}; waited {mean(got.ended for got in found):.1f} s on the mean, {wall:.1f} s at most", flush=True
    )


def main() -> None:
    """All rows."""
    for row in (remote, offline):
        with tempfile.TemporaryDirectory() as folder:
            row(Path(folder))


main()
