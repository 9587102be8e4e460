"""What the running page hands out: every file of the store is asked for, by each address that could lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from sgv_demo.events import Begun, Captioned, Finished, Kept
from sgv_demo.results.links import person_of
from sgv_demo.results.review import NONE
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, TraceMark
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.inspect.handlers import Room, RoomHandlers
from sgv_demo.ui.layout import build_app, launch_options
from sgv_demo.ui.served import TYPES
from sgv_demo.ui.visit import Visit
from tests.support.samples import analysis
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner

KEY = "ab" * 20
WORD = "anna's browser keeps this"
SCRIPT = b"<script>document.title = 'owned'</script>"
IMAGE = np.full((48, 64, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A store with everything that there can be in one, and a page of script in every place that a visitor can fill."""
    folder = tmp_path_factory.mktemp("served")
    store = Store(folder / "store", 100)
    done = analysis(key=KEY)
    captions = [replace(caption, trace=TraceMark("p")) for caption in done.captions]
    with store.log(KEY) as log:
        kept = [Kept(mark, Frame(mark.time, IMAGE)) for mark in done.keyframes]
        captioned = [Captioned(c, picture=IMAGE) for c in captions]
        events = [Begun(done.engine, done.options, KEY), *kept, *captioned, Finished(1.0)]
        list(log.record(event for event in events))
    (folder / "clip.html").write_bytes(SCRIPT)
    (folder / "clip.svg").write_bytes(b"\0\0\0\x18ftypisom" + SCRIPT)
    (folder / "videos").mkdir()
    (folder / "videos" / "a b.mp4").write_bytes(b"movie")
    (folder / "videos" / "page.html").write_bytes(SCRIPT)
    settings = Settings(store_dir=folder / "store", videos_dir=str(folder / "videos"))
    choice = Choice(
        "scripted",
        "Scripted",
        "",
        lambda report: ScriptedCaptioner(Script()),
        lambda report: ScriptedAnswerer(Script()),
    )
    made = Desk(settings, [choice], store, [folder / "videos" / "a b.mp4"])
    handlers = RoomHandlers(made)
    hello = SimpleNamespace(name="hello", me=WORD, token=None)
    room = handlers.act(hello, Visit(), Room())["room"]
    handlers.settled(Visit(phase="done", analysis=done), room, None, None)
    for name in ("clip.html", "clip.svg"):
        token = made.people.link(KEY, person_of(WORD), NONE.rate(1, "made up"), folder / name)
        handlers.act(SimpleNamespace(name="hello", me="bert's browser keeps that", token=token), Visit(), Room())
    (store.folder(KEY) / "shots").mkdir()
    (store.folder(KEY) / "shots" / "grid.png").write_bytes(b"png")
    (store.folder(KEY) / "video.html").write_bytes(SCRIPT)  # as an older version kept it
    (store.folder(KEY) / "keyframes" / "page.html").write_bytes(SCRIPT)
    return made


@pytest.fixture(scope="module")
def page(desk: Desk) -> Iterator[httpx.Client]:
    app = build_app(desk)
    _, url, _ = app.launch(quiet=True, prevent_thread_lock=True, server_name="127.0.0.1", **launch_options(desk))
    with httpx.Client(base_url=url) as client:
        yield client
    app.close()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _addresses(desk: Desk, path: Path) -> list[str]:
    """Every way in which somebody may ask for a file."""
    store = desk.store.root.parent
    parts = path.relative_to(store).as_posix()
    ways = [parts, f"gradio_api/file={path}", f"gradio_api/file={path.resolve()}", f"file={path}"]
    if "/links/" in parts:
        ways.append("links/" + parts.split("/links/", 1)[1])
    return [quote(way, safe="/=") for way in ways]


def test_every_file_of_the_store_comes_as_what_we_name_or_as_a_download_or_not_at_all(
    desk: Desk, page: httpx.Client
) -> None:
    got: dict[str, int] = {}
    for path in _files(desk.store.root.parent):
        for address in _addresses(desk, path):
            answer = page.get(f"/{address}", headers={"accept": "text/html"})
            if answer.status_code != 200 or answer.content != path.read_bytes():
                continue  # nothing, or the page itself
            got[path.suffix] = got.get(path.suffix, 0) + 1
            assert answer.headers["x-content-type-options"] == "nosniff"
            kind, how = answer.headers["content-type"], answer.headers["content-disposition"]
            inline = kind == TYPES.get(path.suffix) and how.startswith("inline")
            download = kind == "application/octet-stream" and how.startswith("attachment")
            assert inline or download, path
            assert "json" not in path.name or path.parent.name == "exports", path
            assert path.suffix != ".html" or download, path
    assert {".jpg", ".png", ".mp4", ".html", ".vtt", ".srt"} <= got.keys()


def test_nothing_secret_is_handed_out(desk: Desk, page: httpx.Client) -> None:
    tokens = desk.store.tokens(KEY)
    assert len(tokens) == 2
    secret = [path for path in _files(desk.store.root.parent) if path.parent.name not in ("keyframes", "saw", "shots")]
    for path in secret:
        for address in _addresses(desk, path):
            answer = page.get(f"/{address}")
            if answer.status_code == 200 and answer.content == path.read_bytes():
                assert path.parent.name == "exports" or path.name == "video.mp4", path
                assert not [token for token in tokens if token.encode() in answer.content]


@pytest.mark.parametrize(
    "address",
    [
        f"results/{KEY}/keyframes/../events.jsonl",
        f"results/{KEY}/keyframes/..%2Fevents.jsonl",
        f"results/{KEY}/keyframes/..%5Cevents.jsonl",
        f"results/{KEY}/../{KEY}/events.jsonl",
        f"results/{KEY}/keyframes/page.html",
        f"results/{KEY}/video.html",
        f"results/{KEY}/keyframes/%00.jpg",
        f"results/{KEY}/keyframes/{'x' * 300}.jpg",
        "results/../keyframes/0000.jpg",
        f"people/{KEY}/../exports/a.json",
        f"people/{KEY}/{'0' * 40}/exports/a.json",
        f"links/{'x' * 22}/video.mp4",
        f"links/{'x' * 22}/link.json",
        "examples/1.mp4",
        "examples/-1.mp4",
        "examples/x.mp4",
        "videos/page.html",
        "videos/../store/secret",
        "videos/%2Fetc%2Fpasswd",
        "videos/..%2Fclip.html",
    ],
)
def test_odd_addresses_lead_nowhere(page: httpx.Client, address: str) -> None:
    request = page.build_request("GET", "/")
    request.url = httpx.URL(f"{page.base_url}{address}")  # as it stands, not tidied
    assert page.send(request).status_code in (403, 404)


def test_what_the_page_shows_is_there_and_can_be_played_from_the_middle(desk: Desk, page: httpx.Client) -> None:
    for address in (
        desk.pictures(KEY)("keyframes/0000.jpg"), desk.pictures(KEY)("saw/0001.png"), "examples/0.mp4",
        "videos/a%20b.mp4",
    ):  # fmt: skip
        answer: Any = page.get(f"/{address}")
        assert answer.status_code == 200, address
        assert answer.headers["content-type"] == TYPES[Path(address).suffix]
    assert page.get("/examples/0.mp4", headers={"range": "bytes=2-3"}).content == b"vi"


def test_the_page_names_no_place_of_the_server(desk: Desk, page: httpx.Client) -> None:
    config = page.get("/config").text + page.get("/").text
    for place in (desk.store.root.parent.parent, Path(__file__).parents[2], Path(httpx.__file__).parents[1]):
        assert str(place) not in config
