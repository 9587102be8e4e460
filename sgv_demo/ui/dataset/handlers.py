"""What happens in the dataset tab."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from sgv_demo.annotation import pool
from sgv_demo.dataset.index import Dataset, Wanted
from sgv_demo.dataset.library import Library
from sgv_demo.dataset.record import from_entry
from sgv_demo.errors import DatasetError, SgvError
from sgv_demo.ui.dataset import view as dataset_view
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.inspect.handlers import Room, RoomHandlers
from sgv_demo.ui.language import say
from sgv_demo.ui.parts import trouble
from sgv_demo.ui.served import video_address
from sgv_demo.ui.video.handlers import Updates

log = logging.getLogger(__name__)

_TELL = 0.2
"""Seconds of a search between two moments at which it can be ended."""


EVERY = "*"
"""Chosen where a search isn't narrowed."""
MOST_CHOICES = 500


class DatasetHandlers:
    """Opening, searching and reading annotation files."""

    def __init__(self, desk: Desk, room: RoomHandlers) -> None:
        self.desk, self.room = desk, room
        self.library = Library(desk.settings.videos_dir)

    def offered(self) -> Iterator[Updates]:
        """Opens the operator's file."""
        return self.open(self.desk.settings.dataset)

    def open(self, path: str | None) -> Iterator[Updates]:
        """Opens a file; its progress shows while it is read."""
        if not path:
            yield {
                "dataset": "",
                "dataset_found": [],
                "dataset_about": dataset_view.welcome(),
                "dataset_search": gr.update(visible=False),
                "dataset_results": "",
                "dataset_record": "",
            }
            return
        share = [0.0]
        with ThreadPoolExecutor(1) as worker:
            work = worker.submit(self.library.get, Path(path).expanduser(), lambda part: share.__setitem__(0, part))
            while not wait([work], timeout=0.2).done:
                yield {"dataset_about": dataset_view.indexing(share[0]), "dataset_results": "", "dataset_record": ""}
        try:
            yield self._opened(path, work.result())
        except SgvError as error:
            yield {"dataset_about": trouble(str(error)), "dataset_search": gr.update(visible=False)}

    def _opened(self, path: str, dataset: Dataset) -> Updates:
        everything = range(len(dataset))
        engines, ratings = dataset.engines(), dataset.ratings()
        return {
            "dataset": path,
            "dataset_found": [],
            "dataset_about": dataset_view.about(dataset) + self._pool(path),
            "dataset_search": gr.update(visible=True),
            "dataset_words": "",
            "dataset_folder": _choices(say("All folders"), dataset.folders()),
            "dataset_engine": _choices(say("All engines"), engines) | {"visible": bool(engines)},
            "dataset_rating": _choices(say("Any rating"), ratings) | {"visible": bool(ratings)},
            "dataset_results": dataset_view.results(dataset, everything, 0),
            "dataset_record": "",
        }

    def _pool(self, path: str) -> Markup:
        """How far the operator's pool is, where these are its records."""
        folder = Path(self.desk.settings.pool).expanduser()
        if not self.desk.settings.pool or Path(path) != folder / pool.RECORDS:
            return Markup()
        return dataset_view.pool(*pool.counts(folder))

    def find(
        self,
        path: str,
        words: str,
        folder: str,
        engine: str,
        rating: str,
        shortest: float | None,
        longest: float | None,
    ) -> Generator[Updates, None, None]:
        """Searches; the first page of what is found shows. Yields now and then, so that it can be ended.

        Raises:
            SgvError: the search is too long.
        """
        dataset = self._dataset(path)
        if dataset is None:
            return
        started = told = time.perf_counter()
        wanted = Wanted(
            self.desk.settings.bounded(words or "", "search"),
            *(None if name == EVERY else name for name in (folder, engine, rating)),
            shortest=int(shortest or 0),
            longest=int(longest) if longest else None,
        )
        found: list[int] = []
        for numbers in dataset.scan(wanted):
            found += numbers
            if time.perf_counter() - told > _TELL:
                told = time.perf_counter()
                yield {}
        shown = dataset_view.results(dataset, found, 0, time.perf_counter() - started)
        yield {"dataset_found": found, "dataset_results": shown, "dataset_record": ""}

    def anywhere(self, path: str, found: list[int]) -> Updates:
        """A random record of what was found, or of all."""
        dataset = self._dataset(path)
        return self._record(dataset, dataset.anywhere(found or None)) if dataset else {}

    def act(self, event: Any, path: str, found: list[int], room: Room) -> Updates:
        """A record, a page of results or a comparison was asked for."""
        dataset = self._dataset(path)
        what = event.what if isinstance(getattr(event, "what", None), dict) else {}
        kind, value = str(what.get("kind")), what.get("value")
        if dataset is None or not isinstance(value, int) or not 0 <= value < len(dataset):
            return {}
        try:
            if kind == "page":
                return {"dataset_results": dataset_view.results(dataset, found or range(len(dataset)), value)}
            if kind == "close":
                return {"dataset_record": ""}
            if kind == "compare":
                analysis, review = from_entry(dataset[value])
                return self.room.shelve(room, replace(analysis, key=f"dataset-{value}"), review)
            return self._record(dataset, value)
        except DatasetError as error:
            return {"dataset_record": trouble(str(error))}

    def _record(self, dataset: Dataset, number: int) -> Updates:
        entry = dataset[number]
        video = self.library.video(entry)
        updates: Updates = {"dataset_record": dataset_view.record(number, entry, playable=video is not None)}
        if video is not None and self.desk.videos is not None:
            replay = dataset_view.player(video_address(video, self.desk.videos), entry.video_id)
            updates |= {"replay": replay, "player": gr.update(visible=False)}
        return updates

    def _dataset(self, path: str) -> Dataset | None:
        return self.library.get(Path(path).expanduser()) if path else None


def _choices(all_of_them: Any, counted: list[tuple[str, int]]) -> dict[str, Any]:
    named = [(f"{name or '(none)'} ({count:,})", name) for name, count in counted[:MOST_CHOICES]]
    return gr.update(choices=[(all_of_them, EVERY), *named], value=EVERY)
