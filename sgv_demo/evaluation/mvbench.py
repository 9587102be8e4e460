"""MVBench: twenty tasks of about two hundred questions each.

Files, folders, prompts and rules: ShareGPT4Video's evaluation at commit 7e02ee6 and MVBench's own notebook. Two layouts
go round: archives unpacked as they come (main branch), and clips cut beforehand (branch `video`), whose bounds must
not be applied again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from sgv_demo.engines.prompts import Wording
from sgv_demo.errors import DatasetError
from sgv_demo.evaluation import options
from sgv_demo.evaluation.benchmark import (
    Asked,
    Average,
    Judged,
    Pool,
    Published,
    Question,
    first_there,
    inside,
    micro,
    percent,
    read_json,
)
from sgv_demo.evaluation.frames import Bound, bounded_indices, folder_indices
from sgv_demo.evaluation.rules import LETTERS, UNKNOWN, Rules, Verdict

ROOT = "playground/data/mvbench"
"""Where the published code has its data; part of the paths in its result files."""


@dataclass(frozen=True, slots=True)
class Task:
    """One of the twenty."""

    name: str
    stem: str
    """Of its annotation file."""
    folder: str
    """Below the data's root."""
    cut: str = ""
    """The folder of the other layout."""
    bound: bool = False
    """Whether questions have a start and an end."""
    pictures: bool = False
    """Whether a video is a folder of pictures."""


TASKS = (
    Task("Action Sequence", "action_sequence", "star/Charades_v1_480", "star/Charades_segment", bound=True),
    Task("Action Prediction", "action_prediction", "star/Charades_v1_480", "star/Charades_segment", bound=True),
    Task("Action Antonym", "action_antonym", "ssv2_video", "ssv2_video_mp4"),
    Task("Fine-grained Action", "fine_grained_action", "Moments_in_Time_Raw/videos"),
    Task("Unexpected Action", "unexpected_action", "FunQA_test/test"),
    Task("Object Existence", "object_existence", "clevrer/video_validation"),
    Task("Object Interaction", "object_interaction", "star/Charades_v1_480", "star/Charades_segment", bound=True),
    Task("Object Shuffle", "object_shuffle", "perception/videos"),
    Task("Moving Direction", "moving_direction", "clevrer/video_validation"),
    Task("Action Localization", "action_localization", "sta/sta_video", "sta/sta_video_segment", bound=True),
    Task("Scene Transition", "scene_transition", "scene_qa/video"),
    Task("Action Count", "action_count", "perception/videos"),
    Task("Moving Count", "moving_count", "clevrer/video_validation"),
    Task("Moving Attribute", "moving_attribute", "clevrer/video_validation"),
    Task("State Change", "state_change", "perception/videos"),
    Task("Fine-grained Pose", "fine_grained_pose", "nturgbd", "nturgbd_convert"),
    Task("Character Order", "character_order", "perception/videos"),
    Task("Egocentric Navigation", "egocentric_navigation", "vlnqa"),
    Task(
        "Episodic Reasoning",
        "episodic_reasoning",
        "tvqa/frames_fps3_hq",
        "tvqa/video_fps3_hq_segment",
        bound=True,
        pictures=True,
    ),
    Task("Counterfactual Inference", "counterfactual_inference", "clevrer/video_validation"),
)
"""In the published order."""

FOLLOWED = LETTERS[:7]
"""Letters of which the published rule wants one."""


def question_text(question: str, candidates: Sequence[str]) -> str:
    """The question and its options, lettered from A; trailing white space is cut off the whole."""
    lines = "".join(f"({letter}) {text}\n" for letter, text in zip(LETTERS, candidates, strict=False))
    return f"Question: {question}\nOptions:\n{lines}".rstrip()


def gold_text(candidates: Sequence[str], answer: str) -> str:
    """The right answer: of equal candidates the last one's letter, and @ where none is equal."""
    found = [letter for letter, text in zip(LETTERS, candidates, strict=False) if text == answer]
    return f"({found[-1] if found else '@'}) {answer}"


@lru_cache(maxsize=256)
def _names(folder: Path) -> dict[str, list[Path]]:
    """Cut clips of a folder by the name of the video that they were cut from."""
    found: dict[str, list[Path]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if named := _CUT.fullmatch(path.stem):
            found.setdefault(named["video"], []).append(path)
    return found


_CUT = re.compile(r"(?P<video>.+)_(?P<start>\d+(?:\.\d*)?)_(?P<end>\d+(?:\.\d*)?)")


def _cut_clip(folder: Path, video: str, bound: Bound) -> Path | None:
    """The clip that was cut out of `video` at these seconds, named `VIDEO_START_END`."""
    name = PurePosixPath(video)
    for path in _names(folder / name.parent).get(name.stem, ()):
        named = _CUT.fullmatch(path.stem)
        if named and all(abs(float(named[k]) - at) < 1e-6 for k, at in zip(("start", "end"), bound, strict=True)):
            return path
    return None


class MVBench:
    """See `benchmark.Benchmark`."""

    name = "mvbench"
    title = "MVBench"
    most_tokens = options.MOST_TOKENS
    rules: Sequence[Rules] = ("published", "original", "strict")
    published = (
        Published("ShareGPT4Video-8B", 51.2, "the paper, through readers' notes; LongVU's table has it too"),
        Published("VideoChat2", 51.1, "MVBench's board"),
        Published("GPT-4V", 43.5, "MVBench's board"),
    )

    def read(self, annotations: Path, videos: Path, answers: Path | None = None) -> Pool:
        """Finds questions and videos in either layout.

        Raises:
            DatasetError: no annotation file is there, or one is damaged.
        """
        questions: list[Question] = []
        totals: dict[str, int] = {}
        missing: list[str] = []
        number = 0
        for task in TASKS:
            file = first_there((annotations / f"{task.stem}.json", annotations / "json" / f"{task.stem}.json"))
            if file is None:
                missing.append(f"{task.name}: the annotation file {task.stem}.json is not there.")
                continue
            for index, row in enumerate(_rows(file)):
                asked = ask(task, index, row, number)
                number += 1
                totals[task.name] = totals.get(task.name, 0) + 1
                found = _find(task, row, asked, videos)
                if found:
                    questions.append(found)
                else:
                    missing.append(f"{task.name}: the video {asked.video} is not there.")
        if not totals:
            raise DatasetError(
                f"There is no annotation file of MVBench in {annotations.name};"
                " name the folder with action_sequence.json."
            )
        return Pool(tuple(questions), totals, tuple(missing))

    def wording(self, asked: Asked) -> Wording:
        return options.WORDING

    def put(self, asked: Asked) -> str:
        return options.put(asked.text)

    def indices(self, question: Question, frames: int, fps: float) -> list[int]:
        if question.folder:
            return folder_indices(frames, question.bound)
        return bounded_indices(frames - 1, fps, question.bound)

    def judge(self, asked: Asked, text: str | None, rules: Rules) -> Verdict:
        if text is None or asked.gold is None:
            return UNKNOWN if asked.gold is None else Verdict(0, False, "There is no answer.")
        if rules == "strict":
            return options.by_strict(asked, text)
        if not asked.gold.partition(" ")[2]:
            return Verdict(None, None, "The right answer is empty: the published rule fails on it.")
        return options.by_letters(asked, text, FOLLOWED if rules == "published" else None)

    def averages(self, judged: Sequence[Judged]) -> list[Average]:
        right, questions = micro(judged)
        tasks = {one.asked.task: [] for one in judged}
        for one in judged:
            tasks[one.asked.task].append(one)
        shares = [percent(*micro(of_task)) or 0.0 for of_task in tasks.values()]
        mean = sum(shares) / len(shares) if len(shares) == len(TASKS) else None
        return [
            Average("Avg", percent(right, questions), "all questions alike, as published", right, questions),
            Average("Mean of 20 tasks", mean, "as MVBench's board; none unless all 20 tasks were asked"),
        ]


def ask(task: Task, index: int, row: dict[str, Any], number: int) -> Asked:
    """One row of an annotation file; unknown fields are ignored.

    Raises:
        DatasetError: a field is missing.
    """
    try:
        candidates, answer = [str(text) for text in row["candidates"]], str(row["answer"])
        question, video = str(row["question"]), str(row["video"])
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"Row {index + 1} of {task.stem}.json lacks a question, its candidates, answer or video; fetch it again."
        ) from error
    return Asked(
        task=task.name,
        item=f"{task.stem}/{index}",
        number=number,
        video=f"{task.folder}/{video}",
        text=question_text(question, candidates),
        gold=gold_text(candidates, answer),
        options=tuple(zip(LETTERS, candidates, strict=False)),
    )


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    found = read_json(file)
    if not isinstance(found, list):
        raise DatasetError(f"{file.name} holds no list of questions; fetch MVBench's own file.")
    yield from found


def _bound(task: Task, row: dict[str, Any]) -> Bound | None:
    try:
        return (float(row["start"]), float(row["end"])) if task.bound else None
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"A row of {task.stem}.json has no start and end in seconds; fetch it again.") from error


def _find(task: Task, row: dict[str, Any], asked: Asked, videos: Path) -> Question | None:
    """The question with its video: as the archives unpack, among the replaced clips, or cut beforehand."""
    bound, name = _bound(task, row), str(row["video"])
    roots = [root for root in (videos, videos / "video") if root.is_dir()]
    for root in roots:
        for folder in (root / task.folder, root / "data0613" / task.folder):
            path = inside(folder, name)
            if path is not None and path.exists():
                return Question(asked, path, bound, folder=task.pictures)
    for folder in [root / task.cut for root in roots if task.cut]:
        path = inside(folder, name)
        if path is None:
            return None
        if path.is_dir() and task.pictures:
            return Question(asked, path, None, folder=True)
        cut = _cut_clip(folder, name, bound) if bound else None
        same = first_there(path.parent / (PurePosixPath(name).name + suffix) for suffix in ("", ".mp4"))
        if found := cut or same or first_there((path.with_suffix(".mp4"),)):
            return Question(asked, found, None)
    return None


BENCHMARK = MVBench()
