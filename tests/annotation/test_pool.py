"""A pool of videos: each annotated once, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from sgv_demo.annotation.inputs import manifest, videos, write_manifest
from sgv_demo.annotation.pool import FAILURES, RECORDS, Pool, read
from sgv_demo.annotation.run import Part, Threads, annotate
from sgv_demo.cli import main
from sgv_demo.dataset.record import parse
from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.pipeline import analyze
from sgv_demo.settings import Settings
from sgv_demo.types import Generation, Keyframe
from tests.support.scripted import Script, ScriptedCaptioner
from tests.support.video_files import write_clip

GOOD = 7
OPTIONS = AnalysisOptions(SamplingOptions(every=2, keep_all=True, read_text=False))
MADE = {"engine": {"name": "scripted"}}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips in folders, one with Chinese and blanks in its name, one broken, one empty, one that is no video."""
    root = tmp_path_factory.mktemp("pool")
    names = ["a.mp4", "b.mkv", "deep/er/c.mp4", "deep/d.mp4", "视频 一.mp4", "e.mp4", "f.mp4"]
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(root / name, count=60, numbers=[number + 1] * 30 + [number + 90] * 30)
    (root / "broken.mp4").write_bytes(b"no video at all")
    (root / "empty.mp4").write_bytes(b"")
    (root / "notes.txt.md").write_text("no video")
    (root / ".hidden.mp4").write_bytes(b"")
    return root


def run(source: Path, out: Path, captioner: ScriptedCaptioner | None = None, part: Part | None = None) -> Pool:
    with Pool(out, MADE) as pool:
        engine = captioner or ScriptedCaptioner(Script())
        write_manifest(videos(source), out)
        wanted = list((part or Part()).of(manifest(out), pool))
        annotate(iter(wanted), len(wanted), pool, Threads(engine, OPTIONS, Settings(), 3))
    return pool


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


def test_every_video_has_a_record_in_the_published_schema_or_a_reason(source: Path, tmp_path: Path) -> None:
    pool = run(source, tmp_path)
    assert len(records(tmp_path)) == len(pool.done) == GOOD
    assert pool.failed.keys() == {"broken.mp4", "empty.mp4"}
    assert all(reason.endswith(".") for reason in pool.failed.values())
    for line in (tmp_path / RECORDS).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert {"video_id", "video_path", "captions", "timestamp", "keyframe"} <= row.keys()
        assert (source / row["video_path"]).is_file()
        analysis, _ = parse(line)
        assert analysis.captions[0].text.startswith("First")
        assert analysis.finished
    assert read(tmp_path) == (pool.done, pool.failed)


def test_running_again_does_only_what_is_missing(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path, part=Part(limit=3))
    before = records(tmp_path)
    assert 1 <= len(before) <= 3
    run(source, tmp_path)
    assert before.items() <= records(tmp_path).items()
    again = ScriptedCaptioner(Script())
    run(source, tmp_path, again)
    assert again.script.asked == []
    assert (tmp_path / FAILURES).read_text().count("\n") == 2


def test_what_failed_is_tried_again_when_asked(source: Path, tmp_path: Path) -> None:
    engine = ScriptedCaptioner(Script())
    engine.script.fail["difference"] = "The device is out of memory; choose nf4."
    pool = run(source, tmp_path, engine)
    assert not pool.done
    assert len(pool.failed) == GOOD + 2
    assert "out of memory" in pool.failed["a.mp4"]
    assert len(run(source, tmp_path).failed) == GOOD + 2
    assert run(source, tmp_path, part=Part(retry_errors=True)).failed.keys() == {"broken.mp4", "empty.mp4"}


def test_shards_are_parts_of_the_whole(source: Path, tmp_path: Path) -> None:
    parts = [run(source, tmp_path / str(i), part=Part(shard=(i, 3))).done for i in (1, 2, 3)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == GOOD


def test_a_line_that_is_torn_at_any_byte_is_annotated_again(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path, part=Part(limit=4))
    path = tmp_path / RECORDS
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in (last + 1, last + 7, (last + len(whole)) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        run(source, tmp_path)
        assert len(records(tmp_path)) == GOOD


def test_two_runs_on_one_folder_and_other_options_are_refused(source: Path, tmp_path: Path) -> None:
    with Pool(tmp_path, MADE), pytest.raises(SettingsError, match="Another run writes into"):
        Pool(tmp_path, MADE)
    with pytest.raises(SettingsError, match="begun with another engine or other options"):
        Pool(tmp_path, {"engine": {"name": "another"}})
    with Pool(tmp_path, MADE):
        pass


def _lines(out: Path) -> int:
    path = out / RECORDS
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_status_from_elsewhere(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(source, tmp_path)
    assert main(["annotate", "--out", str(tmp_path), "--status"]) == 0
    assert capsys.readouterr().out == "7 done, 2 failed, 0 left of 9\n"
    with pytest.raises(DatasetError, match="is no pool"):
        read(tmp_path / "nowhere")
    assert main(["annotate", str(source), "--out", str(tmp_path), "--shard", "3/2"]) == 1
    assert "There is no shard 3 of 2" in capsys.readouterr().err


def test_a_dry_run_counts_and_measures_and_writes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pool"
    command = ["annotate", str(source), "--out", str(out), "--engine", "measured", "--no-text", "--dry-run"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert told.startswith("9 videos, ")
    assert "; 2 of 9 looked at can't be read\nMeasured on a few with Measured, no language model: " in told
    assert not out.exists()
    assert main([*command, "--ray", "auto"]) == 1
    assert "leave out --ray or --dry-run" in capsys.readouterr().err
    assert not out.exists()


def test_what_was_written_of_a_video_that_failed_is_kept(source: Path, tmp_path: Path) -> None:
    engine = ScriptedCaptioner(Script())
    engine.script.fail["difference"] = "The device is out of memory; choose nf4."
    run(source, tmp_path, engine)
    rows = [json.loads(line) for line in (tmp_path / FAILURES).read_text(encoding="utf-8").splitlines()]
    kept = {row["video"]: row["record"]["captions"][0]["content"] for row in rows if "record" in row}
    assert len(kept) == GOOD
    assert all(text.startswith("First") for text in kept.values())


def test_a_fault_of_ours_costs_one_video(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, *given: Any) -> Any:
        if path.name == "d.mp4":
            raise ZeroDivisionError
        return analyze(path, *given)

    monkeypatch.setattr("sgv_demo.annotation.run.analyze", broken)
    pool = run(source, tmp_path)
    assert len(pool.done) == GOOD - 1
    assert pool.failed["deep/d.mp4"] == "It failed for an unforeseen reason (logged)."


def test_a_full_disk_ends_the_run_and_no_line_is_half(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = FileIO.write, [3]

    class Full(FileIO):
        def write(self, data: Any) -> int:
            left[0] -= 1
            return write(self, data if left[0] > 0 else data[:100])

    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", **how: Full(path, mode) if mode == "ab" else opened(path, mode, **how)
    )
    with pytest.raises(OSError, match="No space left"):
        run(source, tmp_path)
    monkeypatch.undo()
    assert (tmp_path / RECORDS).read_bytes().endswith(b"}\n")
    before = records(tmp_path)
    assert 0 < len(before) < GOOD
    run(source, tmp_path)
    assert before.items() <= records(tmp_path).items()
    assert len(records(tmp_path)) == GOOD


def test_ctrl_c_ends_it_and_what_is_done_stays(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sgv_demo", "annotate", str(source), "--engine", "measured", "--no-text", "--out"]
    running = subprocess.Popen([*command, str(tmp_path), "--at-once", "1"], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while running.poll() is None and _lines(tmp_path) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert 2 <= _lines(tmp_path) < GOOD


def test_a_name_of_any_bytes_is_annotated_once(source: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    shutil.copy(source / "a.mp4", clips / os.fsdecode(b"clip\xff.mp4"))
    run(clips, tmp_path / "out")
    pool = run(clips, tmp_path / "out")
    assert pool.done == {"clip\ufffd.mp4"}
    assert len(records(tmp_path / "out")) == 1


@pytest.mark.parametrize("wrong", [["--limit", "-1"], ["--at-once", "0"]])
def test_numbers_that_mean_nothing_are_refused(wrong: list[str], source: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["annotate", str(source), "--out", str(tmp_path), "--engine", "measured", *wrong])
    assert ended.value.code == 2


class Endless(ScriptedCaptioner):
    """Its texts never end by themselves."""

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        while True:
            time.sleep(0.01)
            yield ""


def test_a_run_that_can_not_go_on_stops_what_is_under_way(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def work() -> None:
        with pytest.raises(OSError, match="No space left"):
            run(source, tmp_path, Endless(Script()))
        ended.set()

    monkeypatch.setattr(Pool, "fail", full)  # the broken video's
    threading.Thread(target=work, daemon=True).start()
    assert ended.wait(60)
    assert not (tmp_path / RECORDS).exists()
