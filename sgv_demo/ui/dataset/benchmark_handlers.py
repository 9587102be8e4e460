"""What happens under "Benchmarks" in the dataset tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from sgv_demo.engines.compose import shown_grid
from sgv_demo.engines.pictures import scaled
from sgv_demo.errors import SgvError
from sgv_demo.evaluation.browsing import Opened, Shelf, Show, kept_picture, look_at, shown
from sgv_demo.evaluation.rules import Rules
from sgv_demo.evaluation.run import GRID_SIDE
from sgv_demo.evaluation.score import Row
from sgv_demo.settings import Settings
from sgv_demo.types import Picture
from sgv_demo.ui.dataset import benchmark_view
from sgv_demo.ui.dataset import view as dataset_view
from sgv_demo.ui.language import say
from sgv_demo.ui.parts import trouble
from sgv_demo.ui.served import TYPES, video_address
from sgv_demo.ui.video.handlers import Updates


class BenchmarkHandlers:
    """Reading the operator's benchmarks and runs."""

    def __init__(self, settings: Settings, folder: Path | None) -> None:
        """`folder`: the operator's, of benchmarks and runs."""
        self._settings, self._folder, self._shelf = settings, folder, Shelf(folder)

    def open(self, name: str | None, rules: Rules) -> Updates:
        """A run or a benchmark was chosen, or another rule."""
        opened = self._open(name, rules)
        if not isinstance(opened, Opened):
            return opened
        found = list(range(len(opened.rows)))
        others = [other for other in self._shelf.names() if other != name]
        return {
            "benchmark_about": benchmark_view.about(opened, rules),
            "benchmark_task": gr.update(choices=[(say("All tasks"), ""), *opened.tasks], value=""),
            "benchmark_other": gr.update(choices=others, value=None),
            "benchmark_show": "all",
            "benchmark_found": found,
            "benchmark_results": benchmark_view.results(opened.rows, found, 0),
            "benchmark_record": "",
        }

    def find(self, name: str | None, rules: Rules, show: Show, task: str | None, beside: str | None) -> Updates:
        """The filter changed."""
        opened = self._open(name, rules)
        if not isinstance(opened, Opened):
            return opened
        other = self._open(beside, rules) if show == "flipped" and beside else None
        found = shown(opened, show, task or "", other if isinstance(other, Opened) else None)
        return {
            "benchmark_found": found,
            "benchmark_results": benchmark_view.results(opened.rows, found, 0),
            "benchmark_record": "",
        }

    def act(self, event: Any, name: str | None, rules: Rules, found: list[int]) -> Updates:
        """A question, a page of the list or the way back was asked for."""
        opened = self._open(name, rules)
        what = event.what if isinstance(getattr(event, "what", None), dict) else {}
        kind, value = str(what.get("kind")), what.get("value")
        if not isinstance(opened, Opened) or not isinstance(value, int) or not 0 <= value < len(opened.rows):
            return {}
        if kind == "page":
            return {"benchmark_results": benchmark_view.results(opened.rows, found, value)}
        if kind == "close":
            return {"benchmark_record": ""}
        return self._record(opened, opened.rows[value]) if kind == "record" else {}

    def _record(self, opened: Opened, row: Row) -> Updates:
        updates: Updates = {"benchmark_record": benchmark_view.record(row, self._seen(opened, row))}
        question = opened.questions.get(row.answer.asked.item)
        if question is not None and self._folder is not None and question.path.suffix.lower() in TYPES:
            address = video_address(question.path, self._folder, "benchmarks")
            player = dataset_view.player(address, row.answer.asked.item)
            updates |= {"replay": player, "player": gr.update(visible=False)}
        return updates

    def _seen(self, opened: Opened, row: Row) -> Picture | bytes | None:
        """What the run kept, or what a model would see."""
        kept = kept_picture(opened, row)
        if kept is not None:
            return kept
        look = look_at(opened, row, self._settings)
        if look is None or look.scene is None:
            return None
        return scaled(shown_grid([frame.image for frame in look.scene.frames]), GRID_SIDE)

    def _open(self, name: str | None, rules: Rules) -> Opened | Updates:
        """What was chosen, or what to say instead."""
        if not name:
            return {"benchmark_about": "", "benchmark_results": "", "benchmark_record": "", "benchmark_found": []}
        try:
            return self._shelf.open(name, rules)
        except SgvError as error:
            return {"benchmark_about": trouble(str(error)), "benchmark_results": "", "benchmark_record": ""}
