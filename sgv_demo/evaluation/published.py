"""The two result files that the published evaluation writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sgv_demo.evaluation import mvbench, videobench
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


def write(folder: Path, name: str, rows: Sequence[tuple[Judged, str | None]]) -> list[Path]:
    """Writes what the published evaluation writes: of MVBench and VideoBench its two result files, of TempCompass the
    outputs that TempCompass's own scripts read.

    Args:
        folder: gets the files.
        name: of the benchmark.
        rows: each question with its verdict under the published rule and the judged text, in the published order.
    """
    if name == "tempcompass":
        return [_json(folder / "predictions" / f"{task}.json", found) for task, found in _predictions(rows).items()]
    root, split = (videobench.ROOT, True) if name == "videobench" else (mvbench.ROOT, False)
    counts = accuracies([judged for judged, _ in rows if judged.verdict.rating is not None])
    results = [result(judged.asked, text, root, split) for judged, text in rows]
    return [
        _json(folder / "all_results.json", {"acc_dict": counts, "result_list": results}),
        _json(folder / "upload_leaderboard.json", leaderboard(counts)),
    ]


def _predictions(rows: Sequence[tuple[Judged, str | None]]) -> dict[str, Any]:
    """Task → video → aspect → questions with their predictions."""
    tasks: dict[str, Any] = {}
    for judged, text in rows:
        asked = judged.asked
        video = tasks.setdefault(asked.task, {}).setdefault(asked.video.removesuffix(".mp4"), {})
        entry = {"question": asked.text, "answer": asked.gold, "prediction": text}
        video.setdefault(asked.more["aspect"], []).append(entry)
    return tasks


def _json(path: Path, data: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(data, indent=4, ensure_ascii=False), encoding="utf-8")
    unfinished.replace(path)
    return path
