"""What the page's server hands out beside the page itself: pictures, exports, shared videos, examples.

Nothing of the store is below Gradio's `allowed_paths`, where whatever lies can be fetched. Each address here leads to
one kind of file of our own naming; pictures and media come as what they are, everything else as a download.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from sgv_demo.errors import StoreError
from sgv_demo.results.links import People
from sgv_demo.results.store import Store

TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
}
"""Suffix to type of all that is shown; anything else is a download."""
_PICTURES = (".jpg", ".png")
_KINDS = ("keyframes", "saw", "shots")
_DOWNLOAD = "application/octet-stream"


def picture_address(key: str, name: str) -> str:
    """Address of a result's picture, relative, so that it works behind a proxy; `name` is inside its folder."""
    return f"results/{key}/{quote(name)}"


def export_address(key: str, person: str, name: str) -> str:
    """Address of somebody's export."""
    return f"people/{key}/{person}/exports/{quote(name)}"


def link_address(token: str, name: str) -> str:
    """Address of what belongs to a link: its video, or `exports/NAME`."""
    return f"links/{token}/{quote(name)}"


def example_address(number: int, path: Path) -> str:
    """Address of an example."""
    return f"examples/{number}{path.suffix}"


def video_address(path: Path, folder: Path, place: str = "videos") -> str:
    """Address of a video in an operator's folder: that of `videos`, or of `benchmarks`."""
    return f"{place}/{quote(str(path.relative_to(folder)))}"


class Served:
    """The routes."""

    def __init__(
        self,
        store: Store,
        people: People,
        examples: tuple[Path, ...],
        videos: Path | None,
        benchmarks: Path | None = None,
    ) -> None:
        """`videos`, `benchmarks`: the operator's folders, where there are any; of them pictures and media alone."""
        self.store, self.people, self.examples = store, people, examples
        self.folders = {"videos": videos, "benchmarks": benchmarks}

    def routes(self) -> list[Route]:
        """For the server, before Gradio's own."""
        return [
            Route("/results/{key}/{kind}/{name}", self._picture),
            Route("/people/{key}/{person}/exports/{name}", self._export),
            Route("/links/{token}/exports/{name}", self._links_export),
            Route("/links/{token}/{name}", self._links_video),
            Route("/examples/{name}", self._example),
            Route("/videos/{name:path}", self._video),
            Route("/benchmarks/{name:path}", self._benchmarks_video),
        ]

    def _picture(self, request: Request) -> Response:
        key, kind, name = (request.path_params[part] for part in ("key", "kind", "name"))
        if kind not in _KINDS or Path(name).suffix not in _PICTURES:
            return _nothing()
        return _inside(lambda: self.store.folder(key) / kind, name)

    def _export(self, request: Request) -> Response:
        key, person, name = (request.path_params[part] for part in ("key", "person", "name"))
        return _inside(lambda: self.people.folder(key, person) / "exports", name, download=True)

    def _links_export(self, request: Request) -> Response:
        token, name = request.path_params["token"], request.path_params["name"]
        return _inside(lambda: self.people.link_folder(token) / "exports", name, download=True)

    def _links_video(self, request: Request) -> Response:
        token, name = request.path_params["token"], request.path_params["name"]
        return _inside(lambda: self.people.link_folder(token), name) if name.startswith("video.") else _nothing()

    def _example(self, request: Request) -> Response:
        stem = Path(request.path_params["name"]).stem
        if not stem.isdecimal() or int(stem) >= len(self.examples):
            return _nothing()
        return _file(self.examples[int(stem)])

    def _video(self, request: Request) -> Response:
        return _below(self.folders["videos"], request.path_params["name"])

    def _benchmarks_video(self, request: Request) -> Response:
        return _below(self.folders["benchmarks"], request.path_params["name"])


def _below(folder: Path | None, name: str) -> Response:
    """Anything to be shown anywhere below a folder; answers and annotations are not."""
    if folder is None:
        return _nothing()
    path = (folder / name).resolve()
    return _file(path) if path.is_relative_to(folder.resolve()) else _nothing()


def _inside(folder: Callable[[], Path], name: str, *, download: bool = False) -> Response:
    """A file directly in a folder, whose parts a stranger may have named."""
    try:
        path = folder() / name
    except StoreError:
        return _nothing()
    if name != Path(name).name or name.startswith(".") or name.endswith(".part"):
        return _nothing()
    return _file(path, download=download)


def _file(path: Path, *, download: bool = False) -> Response:
    shown = None if download else TYPES.get(path.suffix.lower())
    try:
        if not path.is_file() or not (shown or download):
            return _nothing()
    except (OSError, ValueError):  # a name too long, or with a zero byte
        return _nothing()
    return FileResponse(
        path,
        media_type=shown or _DOWNLOAD,
        filename=path.name,
        content_disposition_type="inline" if shown else "attachment",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"},
    )


def _nothing() -> Response:
    return Response("There is no such file here.", status_code=404, media_type="text/plain")
