"""Twenty visitors at once against one alone, or one after the other: a fleet, the offline engine, a native network."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from statistics import mean

from tests.load.harness import Visit, clips, page, reading, visits

_CAPTIONER = Path(__file__).parents[1] / "golden" / "sharecaptioner-4khd" / "checkpoint"
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
        readers = len(served.readers())
    wall = max(got.ended for got in found)
    told("offline, 10 s clips", found, wall, served.log, numbers=False)
    print(f"  {wall:.1f} s for {VISITORS}, {each:.2f} s one alone: throughput {VISITORS * each / wall:.2f} times")
    print(f"  first caption after {mean(got.first for got in found):.1f} s, the last visitor's after "
          f"{max(got.first for got in found):.1f} s; readers left: {readers}")  # fmt: skip


def native(folder: Path) -> None:
    """Twenty visitors of a native network (tiny), each text equal to the one alone."""
    films = clips(folder, VISITORS, 6)
    flags = ("--engine", "official", "--captioner", str(_CAPTIONER), "--quantization", "none", "--dtype", "float32")
    short = {"max_new_tokens": 40}
    with page(folder, *flags, SGV_STORE_DIR=str(folder / "other")) as served:
        visits(served.url, films[:1], **short)
        began = time.monotonic()
        alone = [visits(served.url, [film], every=2, **short)[0] for film in films]
        one_by_one = time.monotonic() - began
    with page(folder, *flags) as served:
        visits(served.url, films[:1], **short)
        found = visits(served.url, films, every=2, **short)
    wall = max(got.ended for got in found)
    told("native, tiny", found, wall, served.log, numbers=False)
    equal = sum(got.texts == one.texts and bool(one.texts) for got, one in zip(found, alone, strict=True))
    print(
        f"  {equal} of {VISITORS} equal to alone; {one_by_one:.1f} s one after the other: {one_by_one / wall:.2f} times"
    )


def told(what: str, found: list[Visit], wall: float, log: Path, *, numbers: bool = True) -> None:
    """One row, and what went wrong in it."""
    failed = [got.failure for got in found if got.failure]
    mixed = sum(set(got.texts) != {f"The number {got.number}."} for got in found) if numbers else 0
    traces = log.read_text().count("Traceback")
    mine = f"{len(found)} of {VISITORS} ended, {len(failed)} failed, {mixed} mixed, {traces} tracebacks"
    print(
        f"{what}: {mine}; waited {mean(got.ended for got in found):.1f} s on the mean, {wall:.1f} s at most", flush=True
    )
