"""Whose a result is: links that show it as it was judged, and deletion that takes what is one's own."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sgv_demo.errors import SettingsError, StoreError
from sgv_demo.events import Begun, Captioned, Event, Finished, Opened
from sgv_demo.results.links import People, container_suffix, person_of
from sgv_demo.results.review import NONE, check_lengths
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from tests.support.samples import ENGINE, analysis
from tests.support.stored import store_result

KEY = "ab" * 20
ANNA, BERT = person_of("anna's browser keeps this"), person_of("bert's browser keeps that")
MP4 = b"\0\0\0\x18ftypisom" + bytes(40)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store", 100)
    store_result(made, analysis(key=KEY))
    return made


@pytest.fixture
def people(store: Store) -> People:
    made = People(store, 5)
    made.claim(KEY, ANNA, "anna's.mp4")
    return made


def test_a_word_too_short_is_nobody_and_no_word_is_kept(people: People, store: Store) -> None:
    assert person_of("short") == person_of("") == ""
    assert not people.claims(KEY, "")
    assert not [path for path in store.people.rglob("*") if "anna's browser" in str(path)]


def test_each_person_opens_a_result_under_the_name_of_their_own_file(people: People) -> None:
    people.claim(KEY, BERT, "/home/bert/bert's.mkv")
    for person, name in ((ANNA, "anna's.mp4"), (BERT, "bert's.mkv")):
        found = people.open(KEY, person)
        assert found
        assert found.video
        assert found.video.path == Path(name)
        assert found.captions == analysis().captions


def test_what_is_gone_can_not_be_claimed(people: People, store: Store) -> None:
    store.remove(KEY)
    with pytest.raises(StoreError, match="was deleted"):
        people.claim(KEY, BERT, "b.mp4")
    assert not people.claims(KEY, BERT)
    assert people.open(KEY, ANNA) is None


def test_a_permalink_shows_its_result_as_it_was_judged(people: People) -> None:
    review = NONE.rate(1, "made up")
    token = people.link(KEY, ANNA, review)
    assert len(token) == 22
    other = people.link(KEY, ANNA)
    assert other != token
    for each, judged in ((token, review), (other, NONE), (token, review)):
        found = people.follow(each)
        assert found
        link, shown = found
        assert (link.key, link.token, link.review, link.video) == (KEY, each, judged, None)
        assert shown.captions == analysis().captions
        assert shown.video
        assert shown.video.path.name == "anna's.mp4"


def test_nothing_of_a_person_is_among_what_is_computed(people: People, store: Store) -> None:
    token = people.link(KEY, ANNA, NONE.edit(analysis().captions[1], "Mine."))
    told = b"".join(path.read_bytes() for path in store.root.rglob("*") if path.is_file())
    assert not [word for word in (token, ANNA, "anna", "Mine.") if word.encode() in told]


@pytest.mark.parametrize("token", ["", "x", "../../etc/passwd", "a" * 22, "a" * 23, "ä" * 22, "../" + "a" * 19])
def test_a_wrong_token_leads_nowhere(people: People, token: str) -> None:
    people.link(KEY, ANNA)
    assert people.follow(token) is None


def test_a_token_can_not_name_a_file_elsewhere(people: People, store: Store, tmp_path: Path) -> None:
    (store.links / people.link(KEY, ANNA)).rename(store.links.parent / ("a" * 19))
    assert people.follow("../" + "a" * 19) is None


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"key": "../elsewhere"}', f'{{"key": "{KEY}", "person": "../.."}}']
)
def test_a_damaged_link_leads_nowhere(people: People, store: Store, content: str) -> None:
    token = people.link(KEY, ANNA)
    (store.links / token).write_text(content)
    assert people.follow(token) is None


def test_a_link_whose_result_is_gone_is_taken_away(people: People, store: Store) -> None:
    token = people.link(KEY, ANNA)
    shutil.rmtree(store.folder(KEY))
    assert people.follow(token) is None
    assert list(store.links.iterdir()) == []


def test_links_to_one_result_are_counted_for_all_people_together(people: People) -> None:
    people.claim(KEY, BERT, "b.mp4")
    for number in range(5):
        people.link(KEY, (ANNA, BERT)[number % 2])
    for person in (ANNA, BERT):
        with pytest.raises(StoreError, match="has 5 links, the most that one may have"):
            people.link(KEY, person)
    people.forget(KEY, ANNA)
    people.link(KEY, BERT)


def test_links_count_in_the_stores_cap(people: People, store: Store) -> None:
    notes = NONE
    for index in range(2):
        notes = notes.remark(index, "long " * 60_000)
    other = "cd" * 20
    store_result(store, analysis(key=other))
    for path in store.folder(other).rglob("*"):
        os.utime(path, (0, 0))
    store.megabytes = 1
    people.link(KEY, ANNA, notes)
    assert store.has(other)
    people.link(KEY, ANNA, notes)
    assert not store.has(other)
    assert store.has(KEY)


def test_notes_and_corrections_are_bounded_one_by_one_and_together() -> None:
    first, second = analysis().captions[:2]
    check_lengths(NONE.remark(0, "x" * 10).edit(second, "y" * 10), 10, 20)
    with pytest.raises(StoreError, match="has at most 10 characters"):
        check_lengths(NONE.remark(0, "x" * 11), 10, 20)
    with pytest.raises(StoreError, match="has at most 10 characters"):
        check_lengths(NONE.edit(first, "x" * 11), 10, 20)
    with pytest.raises(StoreError, match="together have at most 20 characters"):
        check_lengths(NONE.remark(0, "x" * 10).edit(first, "y" * 10).remark(1, "z"), 10, 20)


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (MP4, ".mp4"),
        (b"\0\0\0\x14ftypqt  " + bytes(40), ".mov"),
        (b"\x1a\x45\xdf\xa3" + bytes(40), ".webm"),
        (b"OggS" + bytes(40), ".ogv"),
        (b"GIF89a" + bytes(40), ".gif"),
        (b"<html><script>alert(1)</script>", ""),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", ""),
        (b"", ""),
    ],
)
@pytest.mark.parametrize("name", ["clip.html", "clip.svg", "clip.xhtml", "clip.mp4", "clip"])
def test_a_shared_video_is_kept_under_our_own_name_by_what_it_is(
    people: People, tmp_path: Path, head: bytes, suffix: str, name: str
) -> None:
    (tmp_path / name).write_bytes(head)
    assert container_suffix(tmp_path / name) == suffix
    found = people.follow(people.link(KEY, ANNA, NONE, tmp_path / name))
    assert found
    kept = found[0].video
    assert (kept.name if kept else "") == (f"video{suffix}" if suffix else "")
    assert kept is None or kept.read_bytes() == head


def test_a_video_is_copied_where_the_disk_can_not_link(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(MP4)

    def refuse(*_paths: Path) -> None:
        raise OSError("Another disk.")

    monkeypatch.setattr("sgv_demo.results.links.os.link", refuse)
    found = people.follow(people.link(KEY, ANNA, NONE, tmp_path / "a.mp4"))
    assert found
    assert found[0].video
    assert found[0].video.read_bytes() == MP4


def test_a_link_that_does_not_fit_the_disk_leaves_nothing(
    people: People, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").write_bytes(MP4)
    before = sorted(store.people.rglob("*"))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sgv_demo.results.links.os.link", full)
    monkeypatch.setattr("sgv_demo.results.links.shutil.copyfile", full)
    with pytest.raises(StoreError, match="No space left"):
        people.link(KEY, ANNA, NONE, tmp_path / "a.mp4")
    assert [path for path in sorted(store.people.rglob("*")) if path.name != "links"] == before
    assert people.follow("a" * 22) is None


def test_deletion_takes_everything_when_nobody_else_has_it(people: People, store: Store, tmp_path: Path) -> None:
    video = tmp_path / "upload.MP4"
    video.write_bytes(MP4)
    tokens = [people.link(KEY, ANNA), people.link(KEY, ANNA, NONE, video)]
    assert people.forget(KEY, ANNA)
    assert [people.follow(token) for token in tokens] == [None, None]
    left = [path for path in store.links.parent.rglob("*") if path.is_file() and path.parent != store.locks]
    assert left == []
    assert video.exists()


def test_deletion_takes_ones_own_and_nobody_elses(people: People, store: Store) -> None:
    people.claim(KEY, BERT, "b.mp4")
    annas, berts = people.link(KEY, ANNA), people.link(KEY, BERT)
    assert not people.forget(KEY, ANNA)
    assert people.follow(annas) is None
    assert people.follow(berts) is not None
    assert (people.claims(KEY, ANNA), people.claims(KEY, BERT)) == (False, True)
    assert people.forget(KEY, BERT)
    assert not store.has(KEY)


def test_exports_that_another_tab_wrote_after_the_deletion_keep_nothing(people: People, store: Store) -> None:
    people.claim(KEY, BERT, "b.mp4")
    people.forget(KEY, ANNA)
    (people.folder(KEY, ANNA) / "exports").mkdir(parents=True)
    (people.folder(KEY, ANNA) / "exports" / "a.vtt").write_text("WEBVTT")
    assert people.forget(KEY, BERT)
    assert not store.has(KEY)
    assert not list(store.people.rglob("*.vtt"))


def test_what_somebody_is_writing_is_not_deleted_under_them(people: People, store: Store) -> None:
    other = "cd" * 20
    with store.log(other) as log:
        next(log.record(event for event in [Begun(ENGINE, analysis().options, other)]))
        people.claim(other, ANNA, "a.mp4")
        assert not people.forget(other, ANNA)
        assert store.has(other)


def test_many_who_claim_and_forget_at_once_never_keep_a_claim_on_nothing(people: People, store: Store) -> None:
    persons = [ANNA, *(person_of(f"person number {number} of the crowd") for number in range(6))]
    trouble: list[BaseException] = []

    def live(person: str) -> None:
        try:
            for _ in range(5):
                people.claim(KEY, person, "x.mp4")
                assert store.has(KEY)
                people.forget(KEY, person)
        except StoreError:
            pass  # it was deleted before this claim
        except BaseException as error:  # noqa: BLE001 - told by the test
            trouble.append(error)

    threads = [threading.Thread(target=live, args=(person,)) for person in persons]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert not store.has(KEY)
    assert not list(store.people.rglob("claim.json"))


def test_a_pruned_result_takes_its_links_along(people: People, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    token = people.link(KEY, ANNA)
    monkeypatch.setattr("sgv_demo.results.store._IN_USE_SECONDS", -1.0)
    store.megabytes = 0
    assert store.prune() == 1
    assert list(store.links.iterdir()) == []
    assert people.follow(token) is None


def test_a_deleted_result_has_no_link(people: People) -> None:
    people.forget(KEY, ANNA)
    with pytest.raises(StoreError, match="was deleted"):
        people.link(KEY, ANNA)
    with pytest.raises(StoreError, match="was deleted"):
        people.link("cd" * 20, ANNA)


class TestOlderVersion:
    """A folder as version 0.1 wrote it before runs began with an event: see tests/results/older."""

    TOKEN = "F14GXedPp-JdF5mKULfywQ"
    PROOF = "186f822df0744f342435cc5c373b9f4b"

    @pytest.fixture
    def older(self, tmp_path: Path) -> People:
        shutil.copytree(Path(__file__).parent / "older", tmp_path / "older")
        return People(Store(tmp_path / "older", 100), 5)

    def test_a_result_opens_by_its_key(self, older: People) -> None:
        found, done = older.store.recall(KEY), analysis()
        assert found
        assert found.video
        assert done.video
        assert replace(found, video=done.video) == replace(done, key=KEY)
        assert found.video.path == Path("my *clip*.mp4")

    def test_a_permalink_opens_as_it_was_judged_and_its_page_is_no_video(self, older: People) -> None:
        for _ in range(2):  # the first one makes it a link of today's
            found = older.follow(self.TOKEN)
            assert found
            link, shown = found
            assert shown.captions == analysis().captions
            assert link.review.of(1).rating == "made up"
            assert link.review.of(2).text == "Two lines."
            assert link.video is None  # what was shared is a page of script: it isn't among what is served
            assert shown.video
            assert shown.video.path.name == "my *clip*.mp4"

    def test_the_history_of_a_browser_opens_by_its_proof(self, older: People) -> None:
        assert older.proved(KEY, self.PROOF)
        for wrong in ("", "é", self.PROOF[:-1], self.PROOF.upper()):
            assert not older.proved(KEY, wrong)
        assert not older.proved("cd" * 20, self.PROOF)

    @pytest.mark.parametrize("followed", [False, True])
    def test_a_link_that_belongs_to_nobody_keeps_its_result(self, older: People, followed: bool) -> None:
        if followed:
            older.follow(self.TOKEN)
        older.claim(KEY, ANNA, "a.mp4")
        assert not older.forget(KEY, ANNA)
        assert older.follow(self.TOKEN)

    def test_a_run_goes_on_where_the_log_of_another_ended(self, older: People) -> None:
        other, done = "cd" * 20, analysis()
        with older.store.log(other) as log:
            assert [type(event) for event in log.earlier.events] == [Opened, Captioned, Captioned]
            rest: list[Event] = [Begun(ENGINE, done.options, other), Captioned(done.captions[2]), Finished(1.0)]
            list(log.record(event for event in rest))
        found = older.store.read(other)
        assert found.finished
        assert not found.damaged

    def test_it_goes_as_a_whole_when_it_is_pruned(self, older: People) -> None:
        for path in older.store.links.parent.rglob("*"):
            os.utime(path, (0, 0))
        older.store.megabytes = 0
        assert older.store.prune() == 2
        assert list(older.store.links.iterdir()) == []


@pytest.mark.parametrize(("raw", "value"), [("0", False), ("off", False), ("1", True), ("Yes", True), ("", True)])
def test_permalinks_are_off_by_a_setting(raw: str, value: bool) -> None:
    assert Settings.from_env({"SGV_PERMALINKS": raw}).permalinks is value


def test_a_switch_is_on_or_off() -> None:
    with pytest.raises(SettingsError, match="neither yes nor no"):
        Settings.from_env({"SGV_PERMALINKS": "perhaps"})
