"""Which questions are asked, and what is written about it beside the answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.evaluation.benchmark import Pool, Question
from sgv_demo.shards import checked, in_shard, number_of

NAME = "run.json"
"""What was to be asked: without it a score can't tell its coverage."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which questions are asked."""

    tasks: tuple[str, ...] = ()
    """Only these; empty: all."""
    limit: int | None = None
    """At most so many of each task."""
    seed: int | None = None
    """With a limit: draws them instead of taking the first."""
    shard: tuple[int, int] = (1, 1)
    """(which, of how many), counted from 1: chosen by a hash of the item, so that shards don't depend on each other."""


def chosen(pool: Pool, part: Part) -> list[Question]:
    """The questions of a part, in the published order.

    Raises:
        SettingsError: there is no such task or shard, or there is nothing to ask.
    """
    unknown = [task for task in part.tasks if task not in pool.totals]
    if unknown:
        raise SettingsError(f"There is no task {', '.join(unknown)}; choose from {', '.join(pool.totals)}.")
    shard = checked(*part.shard)
    questions = [one for one in pool.questions if not part.tasks or one.asked.task in part.tasks]
    if part.limit is not None:
        questions = _limited(questions, part.limit, part.seed)
    if not questions:
        raise SettingsError("There is no question to ask: check where the videos are, the tasks and the limit.")
    return [one for one in questions if in_shard(one.asked.item, shard)]


def _limited(questions: Sequence[Question], limit: int, seed: int | None) -> list[Question]:
    """At most `limit` of each task; drawn by a hash, so that a larger limit holds the smaller one's questions."""
    by_task: dict[str, list[Question]] = {}
    for question in questions:
        by_task.setdefault(question.asked.task, []).append(question)
    taken: set[str] = set()
    for of_task in by_task.values():
        if seed is not None:
            of_task.sort(key=lambda one: number_of(f"{seed} {one.asked.item}"))
        taken |= {one.asked.item for one in of_task[:limit]}
    return [one for one in questions if one.asked.item in taken]


def write(out: Path, benchmark: str, pool: Pool, part: Part) -> None:
    """Writes what there is to ask: the same in every shard."""
    everything = chosen(pool, replace(part, shard=(1, 1)))
    planned: dict[str, int] = {}
    for question in everything:
        planned[question.asked.task] = planned.get(question.asked.task, 0) + 1
    facts = {
        "benchmark": benchmark,
        "totals": dict(pool.totals),
        "planned": planned,
        "tasks": list(part.tasks),
        "limit": part.limit,
        "seed": part.seed,
        "missing": list(pool.missing),
    }
    path = out / NAME
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(facts, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)


def read(folder: Path) -> dict[str, Any]:
    """What `write` wrote; empty where it isn't there.

    Raises:
        DatasetError: it is damaged.
    """
    try:
        return json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{NAME} in “{folder.name}” is damaged; run the benchmark again, it keeps its answers."
        ) from error
