"""The store: what is written comes back, torn logs resume, caps hold, keys can't leave the folder."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sgv_demo.errors import StoreError
from sgv_demo.events import Captioned, Finished, Noted
from sgv_demo.results import store as store_module
from sgv_demo.results.store import Store, content_hash, key_of
from sgv_demo.types import AnalysisOptions, SamplingOptions
from tests.support.samples import ENGINE, analysis

KEY = "a" * 40
CAPTIONS = [Captioned(c) for c in analysis().captions]


def test_events_come_back_in_order(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    with store.session(KEY) as session:
        for event in CAPTIONS:
            session.write(event)
    found = store.load(KEY, ENGINE, AnalysisOptions())
    assert found is not None
    assert found.captions == analysis().captions
    assert found.from_store


def test_nothing_stored_is_none(tmp_path: Path) -> None:
    assert Store(tmp_path, 100).load(KEY, ENGINE, AnalysisOptions()) is None


def test_a_torn_last_line_is_left_out_and_the_next_run_goes_on_after_it(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    with store.session(KEY) as session:
        session.write(CAPTIONS[0])
    log = store.folder(KEY) / "events.jsonl"
    with log.open("a") as file:
        file.write('{"captioned": {"index": 1, "te')
    with store.session(KEY) as session:
        session.write(CAPTIONS[1])
    found = store.load(KEY, ENGINE, AnalysisOptions())
    assert found is not None
    assert [c.index for c in found.captions] == [0, 1]


def test_what_an_earlier_run_wrote_is_not_written_twice(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    for _ in range(2):
        with store.session(KEY) as session:
            session.write(CAPTIONS[0])
            session.write(Noted("n"))
            session.write(Noted("n"))
    lines = (store.folder(KEY) / "events.jsonl").read_text().split("\n")
    assert len([line for line in lines if line]) == 2


def test_what_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    with store.session(KEY) as session:
        session.write(CAPTIONS[0])
        assert len(store.events(KEY)) == 1


def test_a_second_writer_of_the_same_result_reads_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_LOCK_SECONDS", 0.1)
    store = Store(tmp_path, 100)
    with store.session(KEY) as first, store.session(KEY) as second:
        first.write(CAPTIONS[0])
        second.write(CAPTIONS[1])
    found = store.load(KEY, ENGINE, AnalysisOptions())
    assert found is not None
    assert [c.index for c in found.captions] == [0]


def test_a_run_waits_for_a_stopped_one_to_end_its_step(tmp_path: Path) -> None:
    store, holding = Store(tmp_path, 100), threading.Event()

    def stopped() -> None:
        with store.session(KEY) as session:
            holding.set()
            time.sleep(0.3)
            session.write(CAPTIONS[0])

    thread = threading.Thread(target=stopped)
    thread.start()
    assert holding.wait(5)
    with store.session(KEY) as session:
        session.write(CAPTIONS[1])
    thread.join()
    assert [e.caption.index for e in session.earlier if isinstance(e, Captioned)] == [0]
    found = store.load(KEY, ENGINE, AnalysisOptions())
    assert found is not None
    assert [c.index for c in found.captions] == [0, 1]


def test_pictures_are_written_whole_and_named_inside_the_folder(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    image = np.full((48, 64, 3), 200, np.uint8)
    with store.session(KEY) as session:
        names = [session.keyframe(3, image), session.saw("summary", image), session.saw(1, image)]
    assert names == ["keyframes/0003.jpg", "saw/summary.png", "saw/0001.png"]
    for name in names:
        with Image.open(store.folder(KEY) / name) as picture:
            assert picture.size == (64, 48)
    files = [file for file in store.folder(KEY).rglob("*") if file.is_file()]
    assert sorted(files) == sorted(store.folder(KEY) / name for name in ("events.jsonl", *names))


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
    with store.session(KEY) as session:
        session.write(CAPTIONS[0])
    assert folder.is_dir()
    store.megabytes = 0
    with store.session(KEY):
        pass
    assert not folder.exists()


def test_deleting_removes_every_file(tmp_path: Path) -> None:
    store = Store(tmp_path, 100)
    with store.session(KEY) as session:
        session.write(Finished(1.0))
    store.delete(KEY)
    assert not store.folder(KEY).exists()
    assert store.events(KEY) == []


def test_a_place_that_can_not_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the way")
    with pytest.raises(StoreError, match="can't be stored"):
        Store(tmp_path, 100).session(KEY)


def test_the_key_changes_with_whatever_changes_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = AnalysisOptions()
    keys = {
        key_of("content", ENGINE, options),
        key_of("other", ENGINE, options),
        key_of("content", replace(ENGINE, fingerprint="new weights"), options),
        key_of("content", ENGINE, replace(options, sampling=SamplingOptions(every=3))),
        key_of("content", ENGINE, options, ["more"]),
    }
    assert len(keys) == 5
    written_out = replace(options, sampling=SamplingOptions(threshold=0.87))
    assert key_of("content", ENGINE, written_out) == key_of("content", ENGINE, options)
    assert key_of("content", ENGINE, replace(options, sampling=SamplingOptions(threshold=0.93))) not in keys
    assert key_of("content", ENGINE, AnalysisOptions()) == key_of("content", ENGINE, options)
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
