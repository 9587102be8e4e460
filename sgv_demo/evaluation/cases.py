"""Rules, frames, prompts, grids and scores over a file of cases: anybody can check them against another program.

From the inputs of each case alone an object `ours` is computed and put beside what the file already says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sgv_demo.annotation.filtering import semantic
from sgv_demo.engines.compose import published_indices
from sgv_demo.engines.prompts import answerer_prompt
from sgv_demo.errors import DatasetError
from sgv_demo.evaluation import mvbench, options, tempcompass, videobench
from sgv_demo.evaluation.benchmark import Asked, Benchmark, Judged
from sgv_demo.evaluation.frames import (
    bounded_indices,
    folder_indices,
    gif_indices,
    grid_size,
    shown_size,
    tempcompass_indices,
)
from sgv_demo.evaluation.published import accuracies, leaderboard
from sgv_demo.evaluation.rules import Verdict

Case = dict[str, Any]


def checked(file: Mapping[str, Any]) -> dict[str, Any]:
    """The same file with `ours` in each case, or at the top where it is a whole annotation set.

    Raises:
        DatasetError: no known kind of cases, or a case lacks an input.
    """
    try:
        if "annotations" in file and "items" in file:
            return {**file, "ours": _whole_options(file)}
        if "questions" in file and "outputs" in file:
            return {**file, "ours": _whole_tempcompass(file)}
        parts = {name: work for name, work in _PARTS.items() if isinstance(file.get(name), list)}
        if not parts:
            raise DatasetError(f"The file holds no cases that are known here: {', '.join(_PARTS)} or a whole set.")
        return {name: _each(value, parts[name]) if name in parts else value for name, value in file.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"A case lacks an input or holds one of another kind ({error}); correct the file."
        ) from error


def _each(cases: Sequence[Case], work: Callable[[Case], Case]) -> list[Case]:
    return [{**case, "ours": work(case)} for case in cases]


def _answer(case: Case) -> Case:
    if "task" in case:
        return _tempcompass_answer(case)
    if "candidates" in case:
        gold = mvbench.gold_text(case["candidates"], case["answer"])
        text = mvbench.question_text(case["question"], case["candidates"])
        judged = _option_verdict(mvbench.BENCHMARK, text, gold, case["raw_output"])
        return {"formatted_question": text, "gt": gold, **judged}
    text = videobench.question_text(case["question"], case["options"])
    return {
        "formatted_question": text,
        **_option_verdict(videobench.BENCHMARK, text, case["answer"], case["raw_output"]),
    }


def _option_verdict(benchmark: Benchmark, text: str, gold: str, output: str) -> Case:
    verdict = benchmark.judge(Asked("", "", 0, "", text, gold), f"({output.strip()}", "published")
    return {"correct": verdict.right, "follows_instructions": verdict.matched}


def _tempcompass_answer(case: Case) -> Case:
    try:
        verdict = tempcompass.by_rule(case["task"], case["question"], case["answer"], case["output"])
    except IndexError:
        return {"rating": None, "match_success": None}
    return {"rating": verdict.rating, "match_success": verdict.matched}


def _judge(case: Case) -> Case:
    """A reply that says neither is asked for again; the same reply eleven times over counts 0."""
    return {"rating": tempcompass.by_judge(case["reply"]) or 0}


def _caption_judge(case: Case) -> Case:
    return {"rating": tempcompass.by_caption_judge(case["reply"], case["mc_answer"])}


def _frames(case: Case) -> Case:
    bound = None if case["bound"] is None else (case["bound"][0], case["bound"][1])
    count = case["count"]
    if case["kind"] == "frame":
        return {"indices": folder_indices(case["frames"], bound, count=count)}
    if case["kind"] == "gif":
        return {"indices": gif_indices(case["frames"], bound, count=count)}
    return {"indices": bounded_indices(case["frames"] - 1, case["fps"], bound, count=count)}


def _tempcompass_frames(case: Case) -> Case:
    return {"indices": tempcompass_indices(case["frames"], count=case["count"])}


def _trial_frames(case: Case) -> Case:
    return {"indices": published_indices(case["frames"], case["count"])}


def _prompt(case: Case) -> Case:
    if case["benchmark"] == "tempcompass":
        asked = Asked(case["task"], "", 0, "", case["question"])
        return {"prompt": _llama_prompt(tempcompass.BENCHMARK, asked)}
    if case["benchmark"] == "mvbench":
        benchmark, text = mvbench.BENCHMARK, mvbench.question_text(case["question"], case["candidates"])
    else:
        benchmark, text = videobench.BENCHMARK, videobench.question_text(case["question"], case["options"])
    if case["conversation"].endswith("_llama3"):
        return {"prompt": _llama_prompt(benchmark, Asked("", "", 0, "", text))}
    return {"prompt": options.vicuna_prompt(text)}


def _llama_prompt(benchmark: Benchmark, asked: Asked) -> str:
    pieces = answerer_prompt(benchmark.put(asked), (), True, benchmark.wording(asked))
    return "".join(piece.text for piece in pieces)


def _grid(case: Case) -> Case:
    grid = grid_size((case["width"], case["height"]), case["count"])
    shown = shown_size(grid)
    return {"grid_width": grid[0], "grid_height": grid[1], "shown_width": shown[0], "shown_height": shown[1]}


def _filter_run(case: Case) -> Case:
    choices = semantic.choose(
        case["vectors"], case["seconds"], threshold=case["threshold"], longest_seconds=case["longest_seconds"]
    )
    return {"kept": semantic.kept(choices)}


_PARTS: Mapping[str, Callable[[Case], Case]] = {
    "cases": _answer,
    "judge": _judge,
    "captioning_judge": _caption_judge,
    "mvbench_videobench": _frames,
    "tempcompass": _tempcompass_frames,
    "trial": _trial_frames,
    "prompts": _prompt,
    "grids": _grid,
    "runs": _filter_run,
}
"""List in a file → what is computed for each of its cases."""


def _whole_options(file: Mapping[str, Any]) -> Case:
    """MVBench or VideoBench: `annotations` by file name, outputs in the published order in `items`."""
    annotations: Mapping[str, Sequence[Case]] = file["annotations"]
    asked: list[Asked] = []
    for task in mvbench.TASKS:
        for index, row in enumerate(annotations.get(f"{task.stem}.json", ())):
            asked.append(mvbench.ask(task, index, row, len(asked)))
    benchmark: Benchmark = mvbench.BENCHMARK
    if not asked:
        benchmark = videobench.BENCHMARK
        for name in videobench.SETS:
            for index, row in enumerate(annotations.get(f"{name}_QA_new.json", ())):
                asked.append(videobench.ask(name, str(index), row, len(asked)))
    if len(asked) != len(file["items"]):
        raise DatasetError(f"There are {len(asked)} questions and {len(file['items'])} items; they must be as many.")
    judged = [
        Judged(one, benchmark.judge(one, f"({item['raw_output'].strip()}", "published"))
        for one, item in zip(asked, file["items"], strict=True)
    ]
    counts = accuracies(judged)
    return {"acc_dict": counts, "upload_leaderboard": leaderboard(counts)}


def _whole_tempcompass(file: Mapping[str, Any]) -> Case:
    """All four tasks; captions by the judge's reply that the file has for each caption."""
    judged: list[Judged] = []
    choices: dict[tuple[str, str], tuple[str, str]] = {}
    for task in tempcompass.SUFFIXES:
        for video, aspects in file["questions"].get(task, {}).items():
            for aspect, rows in aspects.items():
                for index, row in enumerate(rows):
                    if task == "multi-choice":
                        choices.setdefault((video, aspect), (row["question"], row["answer"]))
                    one = tempcompass.ask(task, video, aspect, index, row, len(judged), None, choices)
                    output = file["outputs"][task][video][aspect][index]
                    judged.append(Judged(one, _tempcompass_verdict(one, output, file.get("judge_replies", {}))))
    points = sum(one.verdict.rating or 0 for one in judged)
    accuracy = 100 * points / len(judged) if judged else None
    return {"overall": {"correct": points, "questions": len(judged), "accuracy": accuracy}}


def _tempcompass_verdict(asked: Asked, output: str | None, replies: Mapping[str, str]) -> Verdict:
    if asked.task != "captioning":
        return tempcompass.BENCHMARK.judge(asked, output, "published")
    rating = tempcompass.by_caption_judge(replies.get(output or "", ""), asked.more["mc_answer"])
    return Verdict(rating, None, "as the judge said")
