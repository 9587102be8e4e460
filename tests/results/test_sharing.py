"""Results that open by key or permalink, and are gone when deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from sgv_demo.errors import SettingsError, StoreError
from sgv_demo.results.review import NONE
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from tests.support.samples import analysis

KEY = "ab" * 20


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, 100)


def test_a_remembered_result_opens_by_its_key(store: Store) -> None:
    store.remember(analysis(key=KEY))
    result = store.recall(KEY)
    assert result is not None
    assert (result.captions, result.engine, result.options, result.key) == (
        analysis().captions, analysis().engine, analysis().options, KEY,
    )  # fmt: skip
    assert result.video
    assert result.video.path == Path("my *clip*.mp4")
    store.remember(analysis(key=KEY, summary="Another."))
    again = store.recall(KEY)
    assert again is not None
    assert again.summary == "Another."
    assert [file.name for file in store.folder(KEY).iterdir()] == ["result.json"]


def test_nothing_is_recalled_of_what_is_not_there(store: Store) -> None:
    assert store.recall(KEY) is None
    with pytest.raises(StoreError):
        store.recall("../secret")
    store.remember(analysis(key=KEY))
    (store.folder(KEY) / "result.json").write_text("{")
    with pytest.raises(StoreError, match="can't be read any more"):
        store.recall(KEY)


def test_a_permalink_leads_to_its_result_as_it_was_judged(store: Store) -> None:
    store.remember(analysis(key=KEY))
    review = NONE.rate(1, "made up")
    token = store.link(KEY, review)
    assert len(token) == 22
    assert store.linked(token) == (KEY, review)
    other = store.link(KEY)
    assert other != token
    assert store.linked(other) == (KEY, NONE)
    assert store.linked(token) == (KEY, review)


def test_links_are_not_among_the_served_files(store: Store) -> None:
    store.remember(analysis(key=KEY))
    store.link(KEY)
    assert not store.links.is_relative_to(store.root)


@pytest.mark.parametrize("token", ["", "x", "../../etc/passwd", "a" * 22, "a" * 23, "ä" * 22, "../" + "a" * 19])
def test_a_wrong_token_leads_nowhere(store: Store, token: str) -> None:
    store.remember(analysis(key=KEY))
    store.link(KEY)
    assert store.linked(token) is None


def test_a_token_can_not_name_a_file_elsewhere(store: Store, tmp_path: Path) -> None:
    store.remember(analysis(key=KEY))
    (store.links / store.link(KEY)).rename(tmp_path / ("a" * 19))
    assert store.linked("../" + "a" * 19) is None


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"key": "../elsewhere"}'])
def test_a_damaged_link_leads_nowhere(store: Store, content: str) -> None:
    store.remember(analysis(key=KEY))
    token = store.link(KEY)
    (store.links / token).write_text(content)
    assert store.linked(token) is None


def test_a_link_whose_result_is_gone_is_taken_away(store: Store) -> None:
    store.remember(analysis(key=KEY))
    token = store.link(KEY)
    (store.folder(KEY) / "result.json").unlink()
    (store.folder(KEY) / "links").unlink()
    store.folder(KEY).rmdir()
    assert store.linked(token) is None
    assert list(store.links.iterdir()) == []


def test_a_video_is_kept_once_and_copied_where_the_disk_can_not_link(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("one.MP4", b"one"), ("two.mp4", b"two")):
        (tmp_path / name).write_bytes(content)

    def refuse(*_paths: Path) -> None:
        raise OSError("Another disk.")

    monkeypatch.setattr("sgv_demo.results.store.os.link", refuse)
    store.keep_video(KEY, tmp_path / "one.MP4")
    store.keep_video(KEY, tmp_path / "two.mp4")
    kept = store.video(KEY)
    assert kept
    assert (kept.name, kept.read_bytes()) == ("video.mp4", b"one")


def test_deletion_really_deletes(store: Store, tmp_path: Path) -> None:
    video = tmp_path / "upload.MP4"
    video.write_bytes(b"movie")
    store.remember(analysis(key=KEY))
    token, second = store.link(KEY), store.link(KEY)
    store.keep_video(KEY, video)
    kept = store.video(KEY)
    assert kept is not None
    assert kept.read_bytes() == b"movie"
    store.delete(KEY)
    assert list(store.links.iterdir()) == []  # before anybody follows them, which would take them away
    assert store.recall(KEY) is None
    assert store.linked(token) is None
    assert store.linked(second) is None
    assert store.video(KEY) is None
    assert [p for p in (tmp_path).rglob("*") if p.is_file()] == [video]


def test_a_pruned_result_takes_its_link_along(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.remember(analysis(key=KEY))
    token = store.link(KEY)
    monkeypatch.setattr("sgv_demo.results.store._IN_USE_SECONDS", -1.0)
    store.megabytes = 0
    assert store.prune() == 1
    assert list(store.links.iterdir()) == []
    assert store.linked(token) is None


def test_a_proof_is_this_stores_and_lasts(store: Store, tmp_path: Path) -> None:
    proof = store.proof(KEY)
    assert Store(tmp_path, 1).proof(KEY) == proof
    assert Store(tmp_path / "another", 1).proof(KEY) != proof
    assert store.proof("cd" * 20) != proof
    assert not (store.root / "secret").exists()
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_a_deleted_result_has_no_link(store: Store) -> None:
    with pytest.raises(StoreError, match="was deleted"):
        store.link(KEY)


@pytest.mark.parametrize(("raw", "value"), [("0", False), ("off", False), ("1", True), ("Yes", True), ("", True)])
def test_permalinks_are_off_by_a_setting(raw: str, value: bool) -> None:
    assert Settings.from_env({"SGV_PERMALINKS": raw}).permalinks is value


def test_a_switch_is_on_or_off() -> None:
    with pytest.raises(SettingsError, match="neither yes nor no"):
        Settings.from_env({"SGV_PERMALINKS": "perhaps"})
