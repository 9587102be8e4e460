"""The store: what is written comes back, torn logs resume, caps hold, keys can't leave the folder."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sgv_demo.errors import StoreError
from sgv_demo.events import Begun, Captioned, Event, Finished, Kept, Noted, Opened, Summarized
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.results import log as log_module
from sgv_demo.results import store as store_module
from sgv_demo.results.log import NAME, Read, read
from sgv_demo.results.store import Store, content_hash, key_of
from sgv_demo.types import EngineInfo, Frame, TraceMark
from tests.support.samples import ENGINE, analysis

KEY = "a" * 40
BEGUN = Begun(ENGINE, analysis().options, KEY)
CAPTIONS = [Captioned(c) for c in analysis().captions]
IMAGE = np.full((48, 64, 3), 200, np.uint8)


def stream(events: Iterable[Event]) -> Generator[Event, None, None]:
    yield from events


def write(store: Store, *events: Event) -> list[Event]:
    """Records events; returns what the log let pass."""
    with store.log(KEY) as log:
        return list(log.record(stream(events)))


def texts(events: Iterable[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Noted)]


def whole() -> list[Event]:
    """Every event of a run."""
    done = analysis()
    assert done.video
    return [
        BEGUN, Opened(done.video), *(Kept(mark) for mark in done.keyframes), *CAPTIONS, Summarized(done.summary),
        Finished(done.seconds),
    ]  # fmt: skip


def test_the_log_alone_opens_a_result(tmp_path: Path) -> None:
    store, done = Store(tmp_path, 100), analysis()
    write(store, *whole())
    found = store.recall(KEY)
    assert found is not None
    assert (found.engine, found.options, found.captions, found.summary) == (
        done.engine, done.options, done.captions, done.summary,
    )  # fmt: skip
    assert (found.key, found.finished, found.seconds, found.from_store) == (KEY, True, done.seconds, True)
    assert [file.name for file in store.folder(KEY).iterdir()] == [NAME]


def test_nothing_stored_is_none(tmp_path: Path) -> None:
    assert Store(tmp_path, 100).recall(KEY) is None


def test_the_name_of_a_file_stays_with_its_owner(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    write(store, *whole())
    assert b"clip" not in (store.folder(KEY) / NAME).read_bytes()


def test_what_an_earlier_run_wrote_is_not_written_twice(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    for options in (AnalysisOptions(), AnalysisOptions(SamplingOptions(threshold=0.87))):
        write(store, replace(BEGUN, options=options), CAPTIONS[0], Noted("n"), Noted("n"))
    assert len((store.folder(KEY) / NAME).read_text().splitlines()) == 3
    assert len(store.read(KEY).events) == 3


def test_what_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    with store.log(KEY) as log:
        events = log.record(stream([BEGUN, CAPTIONS[0]]))
        assert next(events) == BEGUN
        assert store.read(KEY).events == (BEGUN,)


def test_a_line_torn_at_any_byte_is_dropped_and_the_next_run_goes_on_before_it(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    write(store, BEGUN, CAPTIONS[0], CAPTIONS[1])
    path = store.folder(KEY) / NAME
    data = path.read_bytes()
    second = data.index(b"\n", data.index(b"\n") + 1) + 1
    for end in range(second, len(data)):
        path.write_bytes(data[:end])
        found = store.read(KEY)
        assert (len(found.events), found.size, found.damaged) == (2, second, False)
    assert texts(write(store, BEGUN, CAPTIONS[0], CAPTIONS[1])) == []
    assert path.read_bytes() == data


def lines_of(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("harm", "kept"),
    [
        (lambda lines: [lines[0], lines[1], lines[1], *lines[2:]], 2),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 1),
        (lambda lines: lines[::-1], 0),
        (lambda lines: [lines[0], *lines[2:]], 1),
        (lambda lines: [*lines[:2], lines[2].replace(b"shows", b"hides"), *lines[3:]], 2),
        (lambda lines: [*lines[:2], bytes(len(lines[2]) - 1) + b"\n", *lines[3:]], 2),
        (lambda lines: [*lines[:2], b"\xff\xfe" * 8 + b"\n", *lines[3:]], 2),
        (lambda lines: [*lines[:3], b'{"finished": {"seconds": 1}}\n'], 3),
    ],
    ids=["doubled", "swapped", "reversed", "missing", "changed", "zeroed", "noise", "forged"],
)
def test_a_line_that_is_not_as_it_was_written_is_noticed_and_what_is_before_it_kept(
    tmp_path: Path, harm: Any, kept: int
) -> None:
    store = Store(tmp_path, 100)
    write(store, BEGUN, *CAPTIONS)
    path = store.folder(KEY) / NAME
    path.write_bytes(b"".join(harm(lines_of(path.read_bytes()))))
    found = store.read(KEY)
    assert found.damaged
    assert len(found.events) == kept
    passed = write(store, BEGUN, *CAPTIONS, Finished(1.0))
    assert any("damaged" in text for text in texts(passed))
    assert isinstance(passed[0], Begun)
    mended = store.read(KEY)
    assert (mended.damaged, mended.finished, len(mended.events)) == (False, True, 5)


def test_a_line_of_another_result_is_noticed(tmp_path: Path) -> None:
    store, other = Store(tmp_path, 100), "b" * 40
    write(store, BEGUN, CAPTIONS[0])
    assert read(other, (store.folder(KEY) / NAME).read_bytes()) == Read(damaged=True)


def test_a_damaged_result_opens_with_what_is_whole_and_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    write(store, *whole())
    path = store.folder(KEY) / NAME
    path.write_bytes(path.read_bytes().replace(b"line two", b"line six"))
    found = store.recall(KEY)
    assert found
    assert len(found.captions) == 2
    assert not found.finished
    assert any("damaged" in note for note in found.notes)
    path.write_bytes(b"0 00000000 {}\n")
    with pytest.raises(StoreError, match="can't be read any more"):
        store.recall(KEY)


def test_a_result_that_somebody_else_is_writing_gets_a_key_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LOCK_SECONDS", 0.1)
    store = Store(tmp_path, 100)
    with store.log(KEY) as first, store.log(KEY) as second:
        assert first.key == KEY != second.key
        list(first.record(stream([BEGUN, CAPTIONS[0]])))
        list(second.record(stream([replace(BEGUN, key=second.key), CAPTIONS[1]])))
    for log, caption in ((first, CAPTIONS[0]), (second, CAPTIONS[1])):
        found = store.recall(log.key)
        assert found
        assert found.captions == (caption.caption,)


def test_a_run_waits_for_a_stopped_one_to_end_its_step(tmp_path: Path) -> None:
    store, holding = Store(tmp_path, 100), threading.Event()

    def stopped() -> None:
        with store.log(KEY) as log:
            holding.set()
            time.sleep(0.3)
            list(log.record(stream([BEGUN, CAPTIONS[0]])))

    thread = threading.Thread(target=stopped)
    thread.start()
    assert holding.wait(5)
    with store.log(KEY) as log:
        list(log.record(stream([BEGUN, CAPTIONS[1]])))
    thread.join()
    assert (log.key, len(log.earlier.events)) == (KEY, 2)
    found = store.recall(KEY)
    assert found
    assert [c.index for c in found.captions] == [0, 1]


def test_pixels_are_taken_out_and_written_whole_inside_the_folder(tmp_path: Path) -> None:
    store, mark, trace = Store(tmp_path, 100), replace(analysis().keyframes[2], picture=None), TraceMark("p")
    caption = replace(CAPTIONS[1].caption, trace=trace)
    kept, captioned, summarized = write(
        store, Kept(mark, Frame(4.0, IMAGE)), Captioned(caption, picture=IMAGE), Summarized("s", 1, trace, IMAGE)
    )
    assert isinstance(kept, Kept)
    assert isinstance(captioned, Captioned)
    assert isinstance(summarized, Summarized)
    assert captioned.caption.trace
    assert summarized.trace
    names = [kept.mark.picture, captioned.caption.trace.picture, summarized.trace.picture]
    assert names == ["keyframes/0002.jpg", "saw/0001.png", "saw/summary.png"]
    assert (kept.frame, captioned.picture, summarized.picture) == (None, None, None)
    for name in names:
        with Image.open(store.folder(KEY) / str(name)) as picture:
            assert picture.size == (64, 48)
    files = [file for file in store.folder(KEY).rglob("*") if file.is_file()]
    assert sorted(files) == sorted(store.folder(KEY) / str(name) for name in (NAME, *names))


class FullDisk(io.FileIO):
    """Takes so many bytes and no more."""

    room = 0

    def write(self, data: Any, /) -> int:
        taken = min(len(data), FullDisk.room)
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        FullDisk.room -= taken
        return super().write(data[:taken])


@pytest.mark.parametrize("room", [0, 1, 400, 700, 1000])
def test_a_disk_that_fills_up_is_said_once_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    store, real = Store(tmp_path, 100), Path.open

    def opened(self: Path, mode: str = "r", *args: Any, **how: Any) -> Any:
        return FullDisk(self, "a") if mode == "ab" else real(self, mode, *args, **how)

    monkeypatch.setattr(Path, "open", opened)
    FullDisk.room = room
    events = whole()
    passed = write(store, *events)
    assert [event for event in passed if not isinstance(event, Noted)] == events  # nothing is lost on the way
    assert len(texts(passed)) == 1
    assert "No space left" in texts(passed)[0]
    left = (store.folder(KEY) / NAME).read_bytes()
    assert left == b"" or left.endswith(b"\n")
    assert not store.read(KEY).damaged
    monkeypatch.undo()
    assert texts(write(store, *events)) == []
    assert store.read(KEY).finished


def test_a_picture_that_does_not_fit_is_named_nowhere_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    store = Store(tmp_path, 100)
    marks = [replace(mark, picture=None) for mark in analysis().keyframes]
    passed = write(store, BEGUN, *(Kept(mark, Frame(mark.time, IMAGE)) for mark in marks), Finished(1.0))
    assert texts(passed) == [
        "Results can't be stored (No space left on device); free some disk space or set SGV_STORE_DIR."
    ]
    assert [event.mark.picture for event in passed if isinstance(event, Kept)] == [None] * 3
    assert store.read(KEY).finished
    assert [file.name for file in store.folder(KEY).rglob("*") if file.is_file()] == [NAME]


def test_what_a_crash_left_half_written_goes_with_the_next_run(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    write(store, BEGUN)
    (store.folder(KEY) / "saw").mkdir()
    (store.folder(KEY) / "saw" / "0001.png.abc.part").write_bytes(b"half")
    write(store, BEGUN, CAPTIONS[0])
    assert not list(store.folder(KEY).rglob("*.part"))


def test_a_whole_result_opens_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path, 100)
    write(store, *whole())

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Store, "hold", refused)
    monkeypatch.setattr(log_module.Log, "open", refused)
    with store.log(KEY) as log:
        assert log.earlier.finished
        assert texts(log.record(stream([BEGUN]))) == []
    with store.log("b" * 40) as log:
        assert texts(log.record(stream([BEGUN]))) == [
            "Results can't be stored (Read-only file system); free some disk space or set SGV_STORE_DIR."
        ]


def test_a_result_that_is_removed_while_it_is_written_is_noticed(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    with store.log(KEY) as log:
        events = log.record(stream([BEGUN, *CAPTIONS, Finished(1.0)]))
        next(events)
        assert not store.remove(KEY)  # our own removing waits for no one and takes nothing from anyone
        assert store.folder(KEY).is_dir()
        shutil.rmtree(store.folder(KEY))  # somebody else's doesn't ask
        rest = list(events)
    assert texts(rest) == ["This result was deleted meanwhile; run the video again to keep it."]
    assert isinstance(rest[-1], Finished)


@pytest.mark.parametrize("key", ["../../etc", "", "A" * 40, "a" * 39, "a" * 41, f"{'a' * 39}/"])
def test_a_key_can_not_leave_the_store(tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreError):
        Store(tmp_path, 100).folder(key)


def test_the_oldest_results_go_first_and_fresh_ones_stay(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    for age, name in ((3, "a"), (2, "b"), (0, "c")):
        folder = store.folder(name * 40)
        folder.mkdir(parents=True)
        (folder / "blob").write_bytes(bytes(600_000))
        then = time.time() - age * 3600
        os.utime(folder / "blob", (then, then))
    assert store.prune() == 2
    assert [f.name[0] for f in store.root.iterdir()] == ["c"]
    assert store.prune() == 0


def test_a_clock_that_was_set_back_keeps_no_old_result(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    before = time.time() + 30 * 86_400  # what the clock said until it was set back
    for age, name in ((3600, "a"), (1800, "b"), (0, "c")):
        folder = store.folder(name * 40)
        folder.mkdir(parents=True)
        (folder / "blob").write_bytes(bytes(600_000))
        os.utime(folder / "blob", (before - age, before - age))
    assert store.prune() == 2
    assert [f.name[0] for f in store.root.iterdir()] == ["c"]


def test_a_result_in_use_or_just_written_stays_whatever_the_cap(tmp_path: Path) -> None:
    store = Store(tmp_path, 0)
    for age, name in ((3600, "a"), (3600, "b"), (60, "c")):
        folder = store.folder(name * 40)
        folder.mkdir(parents=True)
        (folder / "blob").write_bytes(b"1")
        then = time.time() - age
        os.utime(folder / "blob", (then, then))
    assert store.prune(keep="a" * 40) == 1
    assert sorted(f.name[0] for f in store.root.iterdir()) == ["a", "c"]


def test_the_cap_is_in_megabytes_and_looked_at_after_each_run(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    folder = store.folder("b" * 40)
    folder.mkdir(parents=True)
    (folder / "blob").write_bytes(bytes(900_000))
    os.utime(folder / "blob", (0, 0))
    write(store, BEGUN)
    assert folder.is_dir()
    store.megabytes = 0
    write(store, CAPTIONS[0])
    assert not folder.exists()


def test_what_people_have_of_a_result_counts_and_goes_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path, 1)
    for name in ("a", "b"):
        for root in (store.root, store.people):
            folder = root / (name * 40)
            folder.mkdir(parents=True)
            (folder / "blob").write_bytes(bytes(300_000))
            os.utime(folder / "blob", (ord(name), ord(name)))
    assert store.prune() == 1
    assert [path.name[0] for root in (store.root, store.people) for path in root.iterdir()] == ["b", "b"]


def test_a_folder_that_goes_while_it_is_being_counted_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, stat = Store(tmp_path, 0), os.stat
    for name in "abc":
        store.folder(name * 40).mkdir(parents=True)
        (store.folder(name * 40) / "blob").write_bytes(b"1")

    def gone(path: Any, *args: Any, **how: Any) -> os.stat_result:
        if str(path).endswith("blob"):
            shutil.rmtree(Path(path).parent)
        return stat(path, *args, **how)

    monkeypatch.setattr(store_module.os, "stat", gone)
    store.prune()


def test_a_result_that_is_being_written_is_never_pruned(tmp_path: Path) -> None:
    store = Store(tmp_path, 0)
    with store.log(KEY) as log:
        list(log.record(stream([BEGUN])))
        os.utime(store.folder(KEY) / NAME, (0, 0))
        assert store.prune() == 0
    os.utime(store.folder(KEY) / NAME, (0, 0))
    assert store.prune() == 1


def test_locks_of_results_that_are_long_gone_go(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    write(store, BEGUN)
    store.remove(KEY)
    assert list(store.locks.iterdir())
    for path in store.locks.iterdir():
        os.utime(path, (0, 0))
    store.prune()
    assert not list(store.locks.iterdir())


def test_deleting_removes_every_file(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    write(store, BEGUN, Finished(1.0))
    assert store.remove(KEY)
    assert not store.folder(KEY).exists()
    assert store.read(KEY) == Read()


def test_a_place_that_can_not_be_written_is_said_and_lets_events_pass(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the way")
    passed = write(Store(tmp_path, 100), *whole())
    assert len(texts(passed)) == 1
    assert "can't be stored" in texts(passed)[0]
    assert len(passed) == len(whole()) + 1


def test_the_key_changes_with_whatever_changes_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = AnalysisOptions(SamplingOptions(similarity="histogram"))
    keys = {
        key_of("content", ENGINE, options),
        key_of("other", ENGINE, options),
        key_of("content", replace(ENGINE, fingerprint="new weights"), options),
        key_of("content", ENGINE, replace(options, sampling=SamplingOptions(every=3, similarity="histogram"))),
        key_of("content", ENGINE, options, ["more"]),
    }
    assert len(keys) == 5
    written_out = replace(options, sampling=replace(options.sampling, threshold=0.87))
    assert key_of("content", ENGINE, written_out) == key_of("content", ENGINE, options)
    assert key_of("content", ENGINE, replace(options, sampling=replace(options.sampling, threshold=0.93))) not in keys
    Store(tmp_path, 1).folder(key_of("content", ENGINE, options))  # it is one that a store takes
    monkeypatch.setattr(store_module, "__version__", "another")
    assert key_of("content", ENGINE, options) not in keys


def test_the_content_hash_follows_the_content(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"one")
    first = content_hash(file)
    (tmp_path / "b.bin").write_bytes(b"one")
    assert content_hash(tmp_path / "b.bin") == first
    file.write_bytes(b"three")
    assert content_hash(file) != first
    os.utime(file, ns=(0, 1))
    content_hash(file)
    file.write_bytes(b"seven")
    os.utime(file, ns=(0, 2))  # as long as before, and changed within the same second
    assert content_hash(file) == hashlib.sha256(b"seven").hexdigest()


def test_what_an_option_or_an_engine_gained_since_changes_no_key_of_earlier_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sgv_demo.results.store.__version__", "0")
    engine, options = EngineInfo("measured", "Measured"), AnalysisOptions()
    # Made before results had a language and engines said how many pictures they see.
    assert key_of("content", engine, options) == "eddf4b5b222122fe96772e3fb139eca9bb34c75a"
    assert key_of("content", replace(engine, sees_several=True), options) == key_of("content", engine, options)
    chinese = replace(options, generation=replace(options.generation, language="zh"))
    assert key_of("content", engine, chinese) != key_of("content", engine, options)
