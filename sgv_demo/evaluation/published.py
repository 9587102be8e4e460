"""The two result files that the published evaluation writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sgv_demo.evaluation.benchmark import Asked, Judged


def accuracies(judged: Sequence[Judged]) -> dict[str, list[int]]:
    """Task → [right, all], in the order in which tasks were first met."""
    counts: dict[str, list[int]] = {}
    for one in judged:
        of_task = counts.setdefault(one.asked.task, [0, 0])
        of_task[0] += one.verdict.right is True
        of_task[1] += 1
    return counts


def leaderboard(counts: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Task → percent, and `Avg` over all questions."""
    board = {task: right / questions * 100 for task, (right, questions) in counts.items()}
    questions = sum(of_task[1] for of_task in counts.values())
    if questions:
        board["Avg"] = sum(of_task[0] for of_task in counts.values()) / questions * 100
    return board


def result(asked: Asked, text: str | None, root: str, split: bool) -> dict[str, Any]:
    """One entry of `result_list`.

    Args:
        asked: the question.
        text: the judged text; None where the video couldn't be read.
        root: of the published code's data, as it stands in its paths.
        split: VideoBench's entries name their split a second time.
    """
    entry: dict[str, Any] = {"pred": text or "", "gt": asked.gold, "task_type": asked.task}
    if split:
        entry["task_split"] = asked.task
    return {**entry, "video_path": f"{root}/{asked.video}", "question": asked.text}
