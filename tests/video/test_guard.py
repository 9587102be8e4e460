"""The reading process: whatever happens in it, the app gets one clear error and goes on."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

import sgv_demo
from sgv_demo.errors import VideoError
from sgv_demo.events import Opened
from sgv_demo.keyframes.watch import watch
from sgv_demo.options import SamplingOptions
from sgv_demo.settings import Settings
from sgv_demo.video import VideoReader, guard, open_video, probe
from tests.support.video_files import number_in, write_clip, write_picture

ROOT = str(Path(sgv_demo.__file__).resolve().parent.parent)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", count=48, fps=12)


def sabotage(monkeypatch: pytest.MonkeyPatch, code: str, change: str = "") -> None:
    """Has `code` run in the reading process when it is asked for frames; `change` runs before it starts."""
    program = f"""
import sys
sys.path.insert(0, {ROOT!r})
import ctypes, os, signal, time
from sgv_demo.video import worker
from sgv_demo.video.decoding.pyav import PyavReader
def broken(self, **_):
    {code}
    yield
PyavReader.frames = broken
{change}
worker.main()
"""
    monkeypatch.setattr(guard, "worker_command", lambda: [sys.executable, "-P", "-c", program])


def workers() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]


def test_reads_like_the_reader_itself(clip: Path) -> None:
    with open_video(clip, Settings()) as video:
        assert video.info.path == clip
        assert (video.info.size, video.info.duration, video.fps, video.frame_count) == ((128, 96), 4.0, 12, 48)
        assert [number_in(f.image) for f in video.frames(start=1, end=1.5)] == [12, 13, 14, 15, 16, 17]
        found = list(video.near(itertools.count(0, 1), exact=True, long_side=64))
        assert [number_in(f.image) for f in found] == [0, 12, 24, 36, 47]
        assert found[1].image.shape == (48, 64, 3)
        assert [number_in(f.image) for f in video.near([0, 2], last=True)] == [0, 24, 47]
        assert [number_in(f.image) for f in video.at_indices([5, 40, 40])] == [5, 40, 40]


def test_a_refusal_arrives_word_for_word(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="still picture"):
        probe(write_picture(tmp_path / "upload.mp4"), Settings())


@pytest.mark.parametrize("blow", [signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_is_an_error(clip: Path, monkeypatch: pytest.MonkeyPatch, blow: signal.Signals) -> None:
    sabotage(monkeypatch, f"os.kill(os.getpid(), {int(blow)})")
    with open_video(clip, Settings()) as video:
        with pytest.raises(VideoError, match="crashed"):
            list(video.frames())
        # The next reading gets a process of its own.
        assert number_in(next(iter(video.near([1.0]))).image) == 12
    assert not workers()


def test_a_hang_is_an_error(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, "ctypes.PyDLL(None).pause()")
    with open_video(clip, Settings(read_timeout=4)) as video, pytest.raises(VideoError, match="too long"):
        list(video.frames())
    assert not workers()


def test_a_memory_excess_is_an_error(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, "hoard = [bytearray(50_000_000) for _ in range(100)]")
    with open_video(clip, Settings(reader_memory_mb=500)) as video, pytest.raises(VideoError, match="more memory"):
        list(video.frames())
    assert not workers()


@pytest.mark.parametrize("noise", [b"\xff" * 64, b"\x02\0\0\0{}", b"\x04\0\0\0null", b"\x04\0\0\0nope"])
def test_nonsense_from_a_captured_process_is_an_error(
    clip: Path, monkeypatch: pytest.MonkeyPatch, noise: bytes
) -> None:
    sabotage(monkeypatch, "pass", f"worker.Worker._serve = lambda self, *_: self._sink.write({noise!r})")
    with open_video(clip, Settings()) as video, pytest.raises(VideoError, match="failed"):
        list(video.frames())


def test_abandoning_a_reading_ends_its_process_at_once(clip: Path) -> None:
    with open_video(clip, Settings()) as video:
        frames = video.frames()
        next(iter(frames))
        assert len(workers()) == 1
        frames.close()  # pyright: ignore[reportAttributeAccessIssue]
        assert not workers()
        assert len(list(video.frames())) == 48


def test_reading_on_after_closing_is_an_error(clip: Path) -> None:
    with open_video(clip, Settings()) as video:
        frames = iter(video.frames())
        next(frames)
    with pytest.raises(VideoError, match="closed"):
        next(frames)


def test_two_readings_at_once(clip: Path) -> None:
    with open_video(clip, Settings()) as video:
        pairs = zip(video.frames(), video.near(itertools.count(0, 1 / 12), exact=True), strict=False)
        assert all(number_in(a.image) == number_in(b.image) for a, b in pairs)
    assert not workers()


def test_nothing_is_decoded_far_ahead(tmp_path: Path) -> None:
    asked: list[float] = []

    def times():
        for i in range(1000):
            asked.append(i / 12)
            yield i / 12

    path = write_clip(tmp_path / "clip.mp4", count=240)
    with open_video(path, Settings()) as video:
        next(iter(video.near(times())))
    assert len(asked) < 40


def test_the_process_ends_with_the_app(clip: Path) -> None:
    program = f"""
import os, sys
sys.path.insert(0, {ROOT!r})
from pathlib import Path
from sgv_demo.settings import Settings
from sgv_demo.video import open_video
import psutil
with open_video(Path({str(clip)!r}), Settings()) as video:
    frames = iter(video.frames())
    next(frames)
    print(psutil.Process().children()[0].pid, flush=True)
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    until = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)


def test_it_stays_light() -> None:
    code = f"""
import sys
sys.path.insert(0, {ROOT!r})
import sgv_demo.video.worker, sgv_demo.video.decoding.pyav
heavy = {{"torch", "gradio", "cv2", "transformers", "decord"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_the_app_itself_loads_no_video_library() -> None:
    code = f"""
import sys
sys.path.insert(0, {ROOT!r})
import sgv_demo.video.guard
heavy = {{"av", "decord", "cv2"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_a_file_in_the_working_folder_is_not_imported(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clip.parent / "av.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(clip.parent)
    assert probe(clip, Settings()).size == (128, 96)
    assert os.path.exists("av.py")


BUSY = {
    "decoding": "for _ in iter(int, 1): pass",
    "asleep": "time.sleep(600)",
    "deaf": "signal.signal(signal.SIGTERM, signal.SIG_IGN); ctypes.PyDLL(None).pause()",
    "talking": "while True: self._beat()",
}


def read_on(video: VideoReader) -> None:
    with pytest.raises(VideoError, match="closed"):
        list(video.frames())


@pytest.mark.parametrize("work", BUSY.values(), ids=BUSY)
def test_twenty_closed_in_mid_work_leave_none_within_a_second(
    clip: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    sabotage(monkeypatch, work)
    for _ in range(5):
        with ExitStack() as readers:
            videos = [readers.enter_context(open_video(clip, Settings())) for _ in range(4)]
            threads = [threading.Thread(target=read_on, args=(video,)) for video in videos]
            for thread in threads:
                thread.start()
            assert len(workers()) == 4
            for video in videos:
                began = time.monotonic()
                video.close()
                assert time.monotonic() - began < 1
            for thread in threads:
                thread.join(5)
                assert not thread.is_alive()
            assert not workers()


def test_a_watch_that_is_closed_ends_its_readers_within_a_second(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sgv_demo.video.decoding.pyav as p; p.PyavReader.near = broken"
    sabotage(monkeypatch, "ctypes.PyDLL(None).pause()", program)
    events = watch(clip, SamplingOptions(read_text=False), Settings())
    assert isinstance(next(events), Opened)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 1
    assert not workers()


def test_no_thread_outlives_its_reader(clip: Path) -> None:
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    for _ in range(5):
        with open_video(clip, Settings()) as video:
            next(iter(video.frames()))
    assert set(threading.enumerate()) <= before


def without(folder: Path, *modules: str) -> dict[str, str]:
    """An environment in which these modules can't be imported, in any process."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name in {modules!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        f"for name in {modules!r}:\n"
        "    sys.modules.pop(name, None)\n"
    )
    return os.environ | {"PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1", "SGV_MAX_READERS": "4"}


def test_a_whole_caption_where_decord_and_unix_are_missing(clip: Path, tmp_path: Path) -> None:
    environment = without(tmp_path / "blocked", "decord", "fcntl", "resource")
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "sgv_demo", "caption", str(clip), "--engine", "measured", "--no-text", "--json"]
    for extra in ([], ["--sampling", "published"]):
        done = subprocess.run(
            [*command, str(out), *extra], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        written = out.read_text()
        assert '"captions"' in written
        assert ("decord isn't installed" in written) == bool(extra)
        out.unlink()
    check = "import sgv_demo.video.worker, sys; assert not {'fcntl', 'resource'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, env=environment, check=True)


def test_memory_is_watched_where_it_can_not_be_bounded(
    clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hoard = "hoard = [bytearray(50_000_000) for _ in range(20) if not time.sleep(0.1)]; time.sleep(60)"
    sabotage(monkeypatch, hoard, "worker.limit = lambda settings: False")
    guard._tell.cache_clear()
    with open_video(clip, Settings(reader_memory_mb=400)) as video:
        assert "is watched instead" in caplog.text
        with pytest.raises(VideoError, match="more memory"):
            list(video.frames())
    assert not workers()
