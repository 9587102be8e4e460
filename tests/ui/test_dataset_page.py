"""The dataset tab without a browser."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sgv_demo.annotation.inputs import videos, write_manifest
from sgv_demo.dataset.index import Dataset
from sgv_demo.dataset.record import to_line
from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.results.review import NONE
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui.dataset import view as dataset_view
from sgv_demo.ui.dataset.handlers import DatasetHandlers
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.inspect.handlers import Room, RoomHandlers
from sgv_demo.ui.language import MARK
from sgv_demo.ui.serve import with_pool
from tests.support.samples import analysis


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for number in range(45):
            captions = [{"idx": "1", "content": f"<b>Clip</b> {number}."}, {"idx": "-1", "content": f"Whole {number}."}]
            record = {
                "video_id": f"v{number}",
                "video_path": f"v{number}.mp4",
                "zip_folder": "odd" if number % 2 else "",
            }
            out.write(json.dumps(record | {"captions": captions}) + "\n")
    return path


@pytest.fixture
def handlers(tmp_path: Path, file: Path) -> DatasetHandlers:
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "v7.mp4").write_bytes(b"")
    nothing: Any = object()
    settings = Settings(store_dir=tmp_path, dataset=str(file), videos_dir=str(videos))
    desk = Desk(settings, [Choice("x", "X", "", load_captioner=lambda report: nothing)], Store(tmp_path, 10))
    return DatasetHandlers(desk, RoomHandlers(desk))


def _act(
    handlers: DatasetHandlers, file: Path, kind: str, value: object, found: list[int] | None = None, **room: Any
) -> Any:
    event = SimpleNamespace(what={"kind": kind, "value": value})
    return handlers.act(event, str(file), found or [], Room(**room))


def test_a_file_opens_and_shows_its_first_page(handlers: DatasetHandlers, file: Path) -> None:
    *_, last = handlers.open(str(file))
    assert last["dataset"] == str(file)
    assert "45 records in 2 source folders" in last["dataset_about"]
    (everywhere, star), *folders = last["dataset_folder"]["choices"]
    assert (everywhere.key, star) == (MARK + "All folders", "*")
    assert folders == [("(none) (23)", ""), ("odd (22)", "odd")]
    assert not last["dataset_engine"]["visible"]
    assert not last["dataset_rating"]["visible"]
    assert last["dataset_results"].count("data-record") == dataset_view.PAGE
    *_, offered = handlers.offered()
    assert offered["dataset"] == str(file)


def test_a_broken_file_says_so(handlers: DatasetHandlers, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("hello")
    *_, last = handlers.open(str(tmp_path / "bad.jsonl"))
    assert "holds no annotations" in last["dataset_about"]
    *_, last = handlers.open(None)
    assert last["dataset"] == ""


def test_search_filters_and_pages(handlers: DatasetHandlers, file: Path) -> None:
    (found,) = handlers.find(str(file), "clip", "odd", "*", "*", 0, None)
    assert len(found["dataset_found"]) == 22
    assert "Later" in found["dataset_results"]
    page = _act(handlers, file, "page", 20, found["dataset_found"])["dataset_results"]
    assert "21 to 22 of 22" in page
    assert next(handlers.find(str(file), "clip", "", "*", "*", 0, None))["dataset_found"][:2] == [0, 2]
    assert next(handlers.find(str(file), "clip", "*", "*", "*", 10_000, None))["dataset_found"] == []
    assert list(handlers.find("", "clip", "*", "*", "*", 0, None)) == []


def test_engines_and_ratings_are_offered_where_records_name_them(handlers: DatasetHandlers, tmp_path: Path) -> None:
    ours = tmp_path / "ours.jsonl"
    ours.write_text(to_line(analysis(), NONE.rate(0, "made up")) + to_line(analysis()), encoding="utf-8")
    *_, last = handlers.open(str(ours))
    engine = analysis().engine.label
    assert last["dataset_engine"]["choices"][1:] == [(f"{engine} (2)", engine)]
    assert last["dataset_rating"]["choices"][1:] == [("made up (1)", "made up")]
    assert last["dataset_engine"]["visible"]
    assert last["dataset_rating"]["visible"]
    (found,) = handlers.find(str(ours), "", "*", engine, "made up", 0, None)
    assert found["dataset_found"] == [0]


def test_a_search_that_is_too_long_is_one_sentence(handlers: DatasetHandlers, file: Path) -> None:
    with pytest.raises(SettingsError, match="This search has 8,001 characters; write 8,000 at most"):
        list(handlers.find(str(file), "x" * 8001, "*", "*", "*", 0, None))
    with pytest.raises(DatasetError, match="This search has 2,000 words; write 50 at most"):
        list(handlers.find(str(file), " ".join(chr(0x4E00 + i) for i in range(2000)), "*", "*", "*", 0, None))


def test_a_long_search_can_be_ended_while_it_looks(
    handlers: DatasetHandlers, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    monkeypatch.setattr(Dataset, "_holds", lambda _self, number, _wanted: bool(looked.append(number)))
    monkeypatch.setattr("sgv_demo.dataset.index._BIT", 10)
    monkeypatch.setattr("sgv_demo.ui.dataset.handlers._TELL", 0)
    searching = handlers.find(str(file), "clip", "*", "*", "*", 0, None)
    assert next(searching) == {}
    searching.close()
    assert len(looked) < 11


def test_a_record_shows_and_its_video_plays(handlers: DatasetHandlers, file: Path) -> None:
    shown = _act(handlers, file, "record", 7)
    assert "v7.mp4" in shown["replay"]
    assert shown["player"]["visible"] is False
    assert "&lt;b&gt;Clip&lt;/b&gt; 7." in shown["dataset_record"]
    other = _act(handlers, file, "record", 8)
    assert "replay" not in other
    assert "isn't on this server" in unescape(other["dataset_record"])
    assert _act(handlers, file, "close", 0) == {"dataset_record": ""}


def test_a_record_stands_beside_the_shown_result(handlers: DatasetHandlers, file: Path) -> None:
    shown = analysis(key="ab" * 20)
    updates = _act(handlers, file, "compare", 3, shown=shown, shelf=((shown, Room().review),))
    assert (updates["left"]["value"], updates["right"]["value"]) == ("ab" * 20, "dataset-3")
    assert "Dataset: v3" in updates["comparison"]


@pytest.mark.parametrize(
    "what",
    [
        None,
        {},
        {"kind": "record"},
        {"kind": "record", "value": 45},
        {"kind": "record", "value": -1},
        {"kind": "record", "value": "1"},
    ],
)
def test_foreign_acts_do_nothing(handlers: DatasetHandlers, file: Path, what: object) -> None:
    assert handlers.act(SimpleNamespace(what=what), str(file), [], Room()) == {}
    assert handlers.act(SimpleNamespace(), str(file), [], Room()) == {}


def test_a_pool_is_the_offered_dataset_with_how_far_it_is(tmp_path: Path, file: Path) -> None:
    folder, clips = tmp_path / "pool", tmp_path / "clips"
    folder.mkdir()
    clips.mkdir()
    (folder / "pool.json").write_text("{}")
    (folder / "annotations.jsonl").write_bytes(file.read_bytes())
    (folder / "failures.jsonl").write_text(json.dumps({"video": "<b>.mp4", "error": "It is <i>empty</i>."}) + "\n")
    for name in ("v7.mp4", "<b>.mp4", "later.mp4"):
        (clips / name).write_bytes(b"")
    write_manifest(videos(clips), folder)
    settings = with_pool(Settings(store_dir=tmp_path, pool=str(folder)))
    assert settings.dataset == str(folder / "annotations.jsonl")
    assert settings.videos_dir == f"{clips}/"
    desk = Desk(settings, [Choice("x", "X", "", load_captioner=lambda report: object())], Store(tmp_path, 10))  # pyright: ignore[reportArgumentType]
    handlers = DatasetHandlers(desk, RoomHandlers(desk))
    *_, last = handlers.offered()
    assert "The pool: 45 done, 1 failed, 0 left" in last["dataset_about"]
    assert "&lt;b&gt;.mp4</bdi>: <span>It is &lt;i&gt;empty&lt;/i&gt;." in last["dataset_about"]
    *_, other = handlers.open(str(file))
    assert "The pool" not in other["dataset_about"]
    with pytest.raises(DatasetError, match="is no pool"):
        with_pool(Settings(pool=str(tmp_path)))
