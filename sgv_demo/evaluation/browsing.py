"""Runs and benchmarks in the operator's folder, for the page: a visitor chooses by name, never by path.

In the folder, each subfolder is either a run (it holds `answers.jsonl`) or a benchmark: named as it is on the command
line, with `annotations` and `videos` in it. A run's questions find their videos in their benchmark's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from sgv_demo.errors import DatasetError
from sgv_demo.evaluation import answers
from sgv_demo.evaluation.answers import Answer
from sgv_demo.evaluation.benchmark import Benchmark, Question
from sgv_demo.evaluation.looking import Look, looks
from sgv_demo.evaluation.rules import Rules, Verdict
from sgv_demo.evaluation.score import Row, judged_rows
from sgv_demo.evaluation.table import BENCHMARKS
from sgv_demo.settings import Settings

Show = Literal["all", "right", "wrong", "unmatched", "unreadable", "flipped"]

NOT_ASKED = Verdict(None, None, "It was not asked.")


@dataclass(frozen=True, slots=True)
class Opened:
    """A run, or a benchmark without answers, as a list of questions."""

    name: str
    benchmark: Benchmark
    rows: tuple[Row, ...]
    questions: Mapping[str, Question]
    """Item → question with its video, where the benchmark's own folder is there."""
    folder: Path
    run: bool
    """Whether there are answers."""

    @property
    def tasks(self) -> list[str]:
        """In the order of the questions."""
        return list(dict.fromkeys(row.answer.asked.task for row in self.rows))


class Shelf:
    """What an operator's folder holds."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: None where the operator names none."""
        self._folder = folder

    def names(self) -> list[str]:
        """Runs and benchmarks, by name."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if _is_run(path) or _is_benchmark(path))

    def open(self, name: str, rules: Rules) -> Opened:
        """One of `names`.

        Raises:
            DatasetError: there is none of that name, or its files are damaged.
            SettingsError: the benchmark has no such rule.
        """
        if self._folder is None or name not in self.names():
            raise DatasetError("There is no such run or benchmark here any more; choose another.")
        folder = self._folder / name
        changed = max(path.stat().st_mtime_ns for path in (folder, *folder.glob("*.jsonl")))
        return _opened(self._folder, name, rules, changed)


@lru_cache(maxsize=8)
def _opened(root: Path, name: str, rules: Rules, _changed: int) -> Opened:
    folder = root / name
    if _is_run(folder):
        benchmark, rows = judged_rows(answers.read(folder), rules)
        return Opened(name, benchmark, tuple(rows), _questions(root / benchmark.name), folder, run=True)
    benchmark, questions = BENCHMARKS[name], _questions(folder)
    rows = tuple(Row(Answer(benchmark.name, question.asked), NOT_ASKED) for question in questions.values())
    return Opened(name, benchmark, rows, questions, folder, run=False)


@lru_cache(maxsize=4)
def _questions(folder: Path) -> Mapping[str, Question]:
    if not _is_benchmark(folder):
        return {}
    pool = BENCHMARKS[folder.name].read(folder / "annotations", folder / "videos", None)
    return {question.asked.item: question for question in pool.questions}


def _is_run(path: Path) -> bool:
    return (path / answers.NAME).is_file()


def _is_benchmark(path: Path) -> bool:
    return path.name in BENCHMARKS and (path / "annotations").is_dir()


def shown(opened: Opened, show: Show, task: str = "", other: Opened | None = None) -> list[int]:
    """Numbers of the rows that a filter leaves.

    Args:
        opened: a run.
        show: which; "flipped" are those that one of two runs alone has right.
        task: only this; empty for all.
        other: another run, for "flipped".
    """
    others = {row.answer.asked.item: row.verdict.right for row in other.rows} if other else {}

    def wanted(row: Row) -> bool:
        right = row.verdict.right
        if task and row.answer.asked.task != task:
            return False
        beside = others.get(row.answer.asked.item)
        return {
            "all": True,
            "right": right is True,
            "wrong": right is False,
            "unmatched": row.verdict.matched is False,
            "unreadable": bool(row.answer.error),
            "flipped": right is not None and beside is not None and beside != right,
        }[show]

    return [number for number, row in enumerate(opened.rows) if wanted(row)]


def look_at(opened: Opened, row: Row, settings: Settings) -> Look | None:
    """The frames that a model would see, read now; None where the question's video isn't here."""
    question = opened.questions.get(row.answer.asked.item)
    return next(looks(opened.benchmark, [question], settings)) if question else None


def kept_picture(opened: Opened, row: Row) -> bytes | None:
    """What the model saw (JPEG), if the run kept it; names in `answers.jsonl` come from anybody."""
    path = (opened.folder / row.answer.picture).resolve()
    if not row.answer.picture or not path.is_relative_to(opened.folder / "grids") or not path.is_file():
        return None
    return path.read_bytes()
