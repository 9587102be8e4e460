"""Two runs of one benchmark, question by question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sgv_demo.errors import SettingsError
from sgv_demo.evaluation.answers import read
from sgv_demo.evaluation.rules import Rules
from sgv_demo.evaluation.score import Row, judged_rows
from sgv_demo.evaluation.statistics import mcnemar


@dataclass(frozen=True, slots=True)
class TaskDifference:
    """One task, over the questions that both runs have."""

    task: str
    questions: int
    first: float | None
    """Percent right."""
    second: float | None
    only_first: int
    """Right in the first alone."""
    only_second: int
    p: float
    """McNemar's exact test, two-sided."""

    @property
    def difference(self) -> float | None:
        """Points of percent, second less first."""
        return None if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True, slots=True)
class Flip:
    """A question that one run has right and the other wrong."""

    first: Row
    second: Row


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two runs differ in."""

    title: str
    rules: Rules
    names: tuple[str, str]
    engines: tuple[Mapping[str, str], Mapping[str, str]]
    tasks: tuple[TaskDifference, ...]
    """The whole last."""
    flips: tuple[Flip, ...]

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "benchmark": self.title,
            "rules": self.rules,
            "runs": [
                {"name": name, "engine": dict(engine)} for name, engine in zip(self.names, self.engines, strict=True)
            ],
            "tasks": [{**asdict(task), "difference": task.difference} for task in self.tasks],
            "flips": [_flip(flip) for flip in self.flips],
        }


def compare(first: Path, second: Path, rules: Rules) -> Comparison:
    """Compares over the shared questions that both have scored.

    Raises:
        DatasetError: a folder has no answers.
        SettingsError: they are of different benchmarks.
    """
    folders = (first, second)
    found = [judged_rows(read(folder), rules) for folder in folders]
    if found[0][0].name != found[1][0].name:
        raise SettingsError(f"These are runs of {found[0][0].title} and {found[1][0].title}; compare two of the same.")
    others = {row.answer.asked.item: row for row in found[1][1]}
    pairs = [
        Flip(row, others[row.answer.asked.item])
        for row in found[0][1]
        if row.answer.asked.item in others
        and row.verdict.rating is not None
        and others[row.answer.asked.item].verdict.rating is not None
    ]
    tasks = dict.fromkeys(pair.first.answer.asked.task for pair in pairs)
    by_task = [_task(task, [pair for pair in pairs if pair.first.answer.asked.task == task]) for task in tasks]
    return Comparison(
        title=found[0][0].title,
        rules=rules,
        names=(first.name, second.name),
        engines=(found[0][1][0].answer.engine, found[1][1][0].answer.engine),
        tasks=(*by_task, _task("All", pairs)),
        flips=tuple(pair for pair in pairs if pair.first.verdict.right != pair.second.verdict.right),
    )


def _task(task: str, pairs: Sequence[Flip]) -> TaskDifference:
    count = len(pairs)
    first = sum(pair.first.verdict.right is True for pair in pairs)
    second = sum(pair.second.verdict.right is True for pair in pairs)
    both = sum(pair.first.verdict.right is True and pair.second.verdict.right is True for pair in pairs)
    return TaskDifference(
        task=task,
        questions=count,
        first=100 * first / count if count else None,
        second=100 * second / count if count else None,
        only_first=first - both,
        only_second=second - both,
        p=mcnemar(first - both, second - both),
    )


def _flip(flip: Flip) -> dict[str, Any]:
    asked = flip.first.answer.asked
    return {
        "task": asked.task,
        "item": asked.item,
        "video": asked.video,
        "question": asked.text,
        "gold": asked.gold,
        **{which: _said(row) for which, row in (("first", flip.first), ("second", flip.second))},
    }


def _said(row: Row) -> dict[str, Any]:
    return {"answer": row.answer.text, "right": row.verdict.right, "why": row.verdict.why}
