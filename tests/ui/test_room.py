"""The inspection room without a browser: what it does with acts that come from one, friendly or not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sgv_demo.dataset.index import Entry
from sgv_demo.dataset.library import Library
from sgv_demo.results.links import person_of
from sgv_demo.results.review import NONE
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.compare import view as comparison
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.inspect import view as judging
from sgv_demo.ui.inspect.handlers import Room, RoomHandlers, history_entry
from sgv_demo.ui.video.controls import Controls
from sgv_demo.ui.video.handlers import VideoHandlers
from sgv_demo.ui.visit import Visit
from tests.support.samples import analysis
from tests.support.stored import store_result

KEY = "ab" * 20
OTHER = "cd" * 20
DONE = Visit(phase="done", analysis=analysis(key=KEY), run=1)


def _desk(tmp_path: Path, **settings: Any) -> Desk:
    nothing: Any = object()
    choice = Choice("scripted", "Scripted", "", load_captioner=lambda report: nothing)
    return Desk(Settings(store_dir=tmp_path, **settings), [choice], Store(tmp_path, 100))


@pytest.fixture
def handlers(tmp_path: Path) -> RoomHandlers:
    return RoomHandlers(_desk(tmp_path))


def _act(handlers: RoomHandlers, room: Room, visit: Visit = DONE, **what: Any) -> dict[str, Any]:
    """As the page's binder does it."""
    with boundary("an act") as told:
        return handlers.act(SimpleNamespace(**what), visit, room)
    return {"channel": {"say": told.sentence}}


def _hello(handlers: RoomHandlers, who: str) -> Room:
    """Somebody opens the page."""
    return handlers.act(SimpleNamespace(name="hello", me=f"{who} keeps this word", token=None), Visit(), Room())["room"]


def _settled(handlers: RoomHandlers, visit: Visit = DONE, who: str = "anna's browser") -> Room:
    """Somebody's run has ended."""
    assert visit.analysis
    store_result(handlers.desk.store, visit.analysis)
    return handlers.settled(visit, _hello(handlers, who), None, None)["room"]


def test_who_made_a_result_opens_it_again_another_day(handlers: RoomHandlers) -> None:
    _settled(handlers)
    anna = _hello(handlers, "anna's browser")
    updates = handlers.act(SimpleNamespace(name="open", key=KEY), Visit(), anna)
    assert updates["channel"]["shown"]["mine"] is True
    assert updates["channel"]["history"]["key"] == KEY
    assert updates["channel"]["history"]["name"] == "my *clip*.mp4"
    handlers.desk.store.remove(KEY)
    updates = handlers.act(SimpleNamespace(name="open", key=KEY), Visit(), anna)
    assert updates == {"channel": updates["channel"]}
    assert updates["channel"]["gone"] == KEY


@pytest.mark.parametrize("name", ["open", "remove"])
def test_what_somebody_else_made_is_neither_opened_nor_deleted(handlers: RoomHandlers, name: str) -> None:
    _settled(handlers)
    for stranger in (_hello(handlers, "bert's browser"), _hello(handlers, ""), Room()):
        updates = _act(handlers, stranger, Visit(), name=name, key=KEY)
        assert "isn't yours" in updates["channel"]["say"]
    assert handlers.desk.store.has(KEY)


def test_the_history_of_an_older_version_opens_and_is_its_browsers_from_then_on(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "results" / "older", tmp_path, dirs_exist_ok=True)
    handlers = RoomHandlers(_desk(tmp_path))
    anna, proof = _hello(handlers, "anna's browser"), "186f822df0744f342435cc5c373b9f4b"
    assert "isn't yours" in _act(handlers, anna, Visit(), name="open", key=KEY, proof="x")["channel"]["say"]
    updates = handlers.act(SimpleNamespace(name="open", key=KEY, proof=proof), Visit(), anna)
    assert updates["channel"]["history"]["name"] == "my *clip*.mp4"
    assert updates["feed"]["lists"]["keys"]["0"].count(f"results/{KEY}/keyframes/0000.jpg")
    assert "room" in handlers.act(SimpleNamespace(name="open", key=KEY), Visit(), anna)


def test_starting_over_takes_ones_own_and_nobody_elses(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    handlers, video = RoomHandlers(desk), VideoHandlers(desk)
    shown = replace(DONE, path=Path(__file__), video=analysis().video)
    anna, bert = _settled(handlers), _settled(handlers, who="bert's browser")
    link = _act(handlers, bert, name="share", video=False)["channel"]["link"]
    again = video.restart(shown, Controls(), anna.person)["visit"]
    assert again.take
    assert again.phase == "waiting"
    assert desk.people.follow(link)
    assert not desk.people.claims(KEY, anna.person)
    stopped = replace(again, phase="ready")
    assert video.begin(stopped, Controls())["visit"].take == again.take  # goes on with the same
    stranger = video.restart(shown, Controls(), person_of("somebody who has no part in it"))["visit"]
    assert stranger.take
    assert not video.restart(shown, Controls(), bert.person)["visit"].take
    assert not desk.store.has(KEY)


def test_a_video_that_the_server_has_no_more_is_asked_for_again(tmp_path: Path) -> None:
    shown = replace(DONE, path=tmp_path / "gone.mp4", video=analysis().video)
    updates = VideoHandlers(_desk(tmp_path)).begin(shown, Controls())
    assert "no longer on the server; upload it again" in updates["progress"]
    assert updates["visit"].path is None
    assert updates["player"] is None


def test_the_history_counts_rightly_and_shows_the_first_keyframe_by_the_address_of_the_page(
    handlers: RoomHandlers,
) -> None:
    done = DONE.analysis
    assert done
    store_result(handlers.desk.store, done)
    entry = handlers.settled(DONE, Room(), None, None)["channel"]["history"]
    assert entry["picture"] == handlers.desk.pictures(KEY)(done.keyframes[0].picture)
    assert " · 1 caption · " in history_entry(replace(done, captions=done.captions[:1]))["about"]
    bare = replace(DONE, analysis=replace(done, keyframes=()))
    assert handlers.settled(bare, Room(), None, None)["channel"]["history"]["picture"] == ""


def test_a_finished_run_is_kept_and_offered(handlers: RoomHandlers) -> None:
    for key in (KEY, OTHER):
        store_result(handlers.desk.store, analysis(key=key))
    updates = handlers.settled(DONE, Room(), None, None)
    assert updates["channel"]["history"]["key"] == KEY
    assert updates["channel"]["shown"]["mine"] is True
    assert updates["downloads"].count("download=") == 7
    assert handlers.desk.people.claims(KEY, updates["room"].person)
    assert "/home" not in json.dumps(updates["channel"])
    second = replace(DONE, analysis=analysis(key=OTHER), run=2)
    updates = handlers.settled(second, updates["room"], None, None)
    assert (updates["left"]["value"], updates["right"]["value"]) == (KEY, OTHER)
    assert "Captions side by side" in updates["comparison"]


@pytest.mark.parametrize("phase", ["running", "waiting"])
def test_a_run_under_way_is_left_alone(handlers: RoomHandlers, phase: Any) -> None:
    assert handlers.settled(replace(DONE, phase=phase), Room(), None, None) == {}


def test_a_review_reaches_the_files_and_nobody_elses(handlers: RoomHandlers) -> None:
    room = _settled(handlers)
    verdicts = [{"index": 1, "rating": "made up", "text": "Other words.", "note": "", "flagged": False}]
    updates = _act(handlers, room, name="review", key=KEY, verdicts=verdicts)
    bert = _settled(handlers, who="bert's browser")
    for person, said in ((room.person, True), (bert.person, False)):
        exports = handlers.desk.people.folder(KEY, person) / "exports"
        assert ("Other words." in next(exports.glob("*.vtt")).read_text()) is said
    assert room.person in updates["downloads"]
    assert not list(handlers.desk.store.folder(KEY).glob("exports"))
    assert "Ratings (1)" in updates["bar"]


@pytest.mark.parametrize("verdicts", [None, "x", [{"index": 99, "rating": "made up"}], [[]], {"index": 1}])
def test_a_foreign_review_is_no_review(handlers: RoomHandlers, verdicts: object) -> None:
    updates = _act(handlers, _settled(handlers), name="review", key=KEY, verdicts=verdicts)
    assert updates["room"].review == NONE


def test_a_note_that_is_too_long_is_refused_in_a_sentence(handlers: RoomHandlers) -> None:
    room = _settled(handlers)
    most = handlers.desk.settings.max_note
    for length, refused in ((most, False), (most + 1, True)):
        verdicts = [{"index": 1, "note": "x" * length}]
        updates = _act(handlers, room, name="review", key=KEY, verdicts=verdicts)
        assert ("at most 5,000 characters" in updates["channel"].get("say", "")) is refused
        assert ("room" in updates) is not refused


def test_only_the_shown_result_of_ones_own_is_reviewed(handlers: RoomHandlers) -> None:
    room = _settled(handlers)
    verdicts = [{"index": 1, "flagged": True}]
    assert _act(handlers, room, name="review", key=OTHER, verdicts=verdicts) == {}
    assert _act(handlers, replace(room, mine=False), name="review", key=KEY, verdicts=verdicts) == {}


def test_a_link_opens_read_only(handlers: RoomHandlers) -> None:
    room = replace(_settled(handlers), review=NONE.rate(1, "accurate"))
    token = _act(handlers, room, name="share", video=False)["channel"]["link"]
    hello = SimpleNamespace(name="hello", me="bert's browser keeps this", token=token)
    updates = handlers.act(hello, Visit(), Room())
    assert updates["channel"]["shown"]["mine"] is False
    assert updates["channel"]["shown"]["review"][0]["rating"] == "accurate"
    assert updates["channel"]["history"] is None
    assert updates["visit"].path is None
    assert updates["visit"].analysis.key == ""
    assert 'data-room="share"' not in updates["bar"]
    assert set(updates["feed"]["lists"]["cards"]) == {"0", "1", "2"}


def test_links_can_be_switched_off(tmp_path: Path) -> None:
    on, off = RoomHandlers(_desk(tmp_path)), RoomHandlers(_desk(tmp_path, permalinks=False))
    room = _settled(on)
    token = _act(on, room, name="share", video=False)["channel"]["link"]
    assert "switched off" in _act(off, room, name="share", video=False)["channel"]["say"]
    assert "leads nowhere" in _act(off, Room(), name="hello", me="", token=token)["replay"]
    assert 'data-room="share"' not in off.settled(DONE, Room(), None, None)["bar"]


def test_deleting_takes_it_from_disk_and_from_the_shelf(handlers: RoomHandlers) -> None:
    room = _settled(handlers)
    updates = _act(handlers, room, name="remove", key=KEY)
    assert not handlers.desk.store.folder(KEY).exists()
    assert updates["room"].shelf == ()
    assert updates["room"].shown is None
    assert updates["bar"] == ""
    assert updates["channel"]["removed"] == KEY


@pytest.mark.parametrize(
    "what",
    [
        {"name": "open", "key": "../../etc", "proof": ""},
        {"name": "open", "key": KEY, "proof": ""},
        {"name": "open", "key": KEY},
        {"name": "remove", "key": KEY},
        {"name": "hello", "me": "x" * 40, "token": "../" + "x" * 19},
        {"name": "hello", "me": None, "token": 5},
        {"name": "hello", "me": "\ud800" * 40, "token": None},
        {"name": "remove", "key": "/", "proof": ""},
        {"name": "share", "video": True},
        {"name": "open"},
        {"name": "dance"},
    ],
)
def test_hostile_acts_change_nothing(handlers: RoomHandlers, what: dict[str, Any]) -> None:
    store_result(handlers.desk.store, analysis(key=KEY))
    updates = _act(handlers, Room(), Visit(), **what)
    assert set(updates) <= {"channel", "room", "replay", "example"}
    assert handlers.desk.store.has(KEY)


def test_nothing_of_a_text_is_run(handlers: RoomHandlers) -> None:
    hostile = '<script>alert(1)</script>" onclick=x'
    captions = tuple(replace(c, text=hostile) for c in analysis().captions)
    bad = analysis(key=KEY, captions=captions, engine=replace(analysis().engine, label=hostile), summary=hostile)
    html = comparison.page((bad, NONE, lambda _: hostile), (analysis(key=OTHER), NONE, lambda _: ""))
    html += judging.bar("", mine=True, links=True, rows=judging.tallied([(bad, NONE.rate(0, "accurate"))]))
    assert "<script" not in html
    assert '" onclick' not in html


def test_a_records_video_is_found_in_the_operators_folder_only(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    (videos / "part1").mkdir(parents=True)
    (videos / "part1" / "a.mp4").write_bytes(b"")
    (tmp_path / "secret.mp4").write_bytes(b"")
    library = Library(str(videos))
    assert library.video(Entry("a", "a.mp4", "part1.zip", ())) == videos / "part1" / "a.mp4"
    for name in ("../secret.mp4", str(tmp_path / "secret.mp4"), "b.mp4", "", "x" * 5000, "a\x00.mp4", "y" * 300):
        assert library.video(Entry("a", name, "part1", ())) is None
    assert library.video(Entry("a", "secret.mp4", "..", ())) is None
    assert Library().video(Entry("a", "a.mp4", "part1", ())) is None
