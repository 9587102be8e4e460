"""Forty clips, two of them broken, one empty, by threads and by Ray: killed three times, none is lost or done twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from sgv_demo.annotation.pool import FAILURES, RECORDS
from tests.support.video_files import write_clip

GOOD = 37
OPTIONS = ("--engine", "measured", "--no-text", "--every", "1")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty of them."""
    root = tmp_path_factory.mktemp("forty")
    for number in range(GOOD - 1):
        folder = root / f"part {number % 3}"
        folder.mkdir(exist_ok=True)
        write_clip(folder / f"clip {number:02}.mp4", count=36, numbers=[number + 1] * 18 + [number + 99] * 18)
    write_clip(root / "中文 片段.mp4", count=36, numbers=[77] * 36)
    (root / "broken.mp4").write_bytes(b"no video at all")
    whole = (root / "part 0" / "clip 00.mp4").read_bytes()
    (root / "cut off.mp4").write_bytes(whole[:200])
    (root / "empty.mp4").write_bytes(b"")
    return root


@pytest.fixture(scope="module")
def undisturbed(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run that nobody kills leaves."""
    out = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(_command(clips, out), capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "3 videos without annotation:" in done.stderr
    found = records(out)
    assert len(found) == GOOD
    return found


def _command(clips: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "sgv_demo", "annotate", str(clips), "--out", str(out), *OPTIONS, *more]


def records(out: Path) -> dict[str, Any]:
    """Video → record, without what every run takes its own time for."""
    found: dict[str, Any] = {}
    for line in (out / RECORDS).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert row["video_path"] not in found, "annotated twice"
        found[row["video_path"]] = _timeless(row)
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(item) for name, item in value.items() if name != "seconds"}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _lines(out: Path) -> int:
    path = out / RECORDS
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_killed_three_times_the_results_are_those_of_an_undisturbed_run(
    clips: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    for least in (1, 10, 20):
        _kill(_started(_command(clips, tmp_path), tmp_path, least))
    _ends(_command(clips, tmp_path), tmp_path, undisturbed)


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray isn't installed (it has no wheel for every Python)")
def test_on_ray_a_worker_then_the_whole_node_is_killed(
    clips: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    command = _command(clips, tmp_path, "--ray", "auto", "--actors", "2")
    running = _started(command, tmp_path, 1)
    workers = [p for p in psutil.Process(running.pid).children(recursive=True) if "Actor" in " ".join(_words(p))]
    assert workers
    _killed(workers[0])
    _waited(running, tmp_path, 15)  # Ray starts another, and the other one goes on meanwhile
    _kill(running)
    _ends(command, tmp_path, undisturbed)


def _started(command: list[str], out: Path, least: int) -> subprocess.Popen[bytes]:
    """A run that has written `least` records, and a little more."""
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _waited(running, out, least)
    return running


def _waited(running: subprocess.Popen[bytes], out: Path, least: int) -> None:
    until = time.monotonic() + 120
    while running.poll() is None and _lines(out) < least and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(random.random() / 20)


def _kill(running: subprocess.Popen[bytes]) -> None:
    """With all that it started."""
    below = psutil.Process(running.pid).children(recursive=True) if running.poll() is None else []
    running.send_signal(signal.SIGKILL)
    running.wait()
    for process in below:
        _killed(process)


def _ends(command: list[str], out: Path, undisturbed: dict[str, Any]) -> None:
    """One more run does the rest."""
    assert _lines(out) < GOOD, "it ended before it was killed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert records(out) == undisturbed
    failed = [json.loads(line)["video"] for line in (out / FAILURES).read_text().splitlines()]
    assert sorted(set(failed)) == ["broken.mp4", "cut off.mp4", "empty.mp4"]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _killed(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()
