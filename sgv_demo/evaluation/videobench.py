"""VideoBench (Video-Bench): thirteen sets, some of them about what one must know beforehand or decide.

Its published files hold no answers any more: they come from a file of the user's, or none are scored. Prompts and the
published rule: ShareGPT4Video's evaluation at commit 7e02ee6, which reads a private conversion of those files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
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
from sgv_demo.evaluation.frames import bounded_indices
from sgv_demo.evaluation.rules import LETTERS, UNKNOWN, Rules, Verdict

ROOT = "playground/data/vbench"
"""Where the published code has its data; part of the paths in its result files."""

SETS = (
    "ActivityNet",
    "Driving-decision-making",
    "Driving-exam",
    "MOT",
    "MSRVTT",
    "MSVD",
    "MV",
    "NBA",
    "SQA3D",
    "TGIF",
    "TVQA",
    "Ucfcrime",
    "Youcook2",
)
"""In the published order."""

GROUPS: Mapping[str, Mapping[str, float]] = {
    "Avg. Video-Exclusive": {
        "ActivityNet": 1,
        "MSVD": 1,
        "MSRVTT": 1,
        "TGIF": 1,
        "Youcook2": 1,
        "Ucfcrime": 1,
        "MOT": 0.5,
    },
    "Avg. Prior-Knowledge QA": {"TVQA": 1, "MV": 1, "NBA": 1},
    "Avg. Decision-Making": {"Driving-exam": 0.5, "Driving-decision-making": 1, "SQA3D": 1},
}
"""Video-Bench's own groups: set → weight in its group's mean."""

FOLLOWED = LETTERS[:8]
"""Letters of which the published rule wants one."""


def question_text(question: str, choices: str) -> str:
    """The question and its options, after a blank; trailing white space is cut off the whole."""
    return f"Question: {question}\nOptions:\n {choices}".rstrip()


def choices_text(choices: Sequence[tuple[str, str]]) -> str:
    """Options one a line, this project's choice: how the published conversion wrote them is unknown."""
    return "\n".join(f"({letter}) {text}" for letter, text in choices)


def letters_in(choices: str) -> str:
    """Letters that begin an option of a string, however it writes them: "(A) x", "A. x", "A: x"; all eight if none."""
    found = (letter for letter in FOLLOWED if re.search(rf"(?:^|\s)\(?{letter}[).:]", choices))
    return "".join(found) or FOLLOWED


def group_averages(accuracies: Mapping[str, float]) -> dict[str, float]:
    """Video-Bench's own table from the accuracy of each set: all sets must be there."""
    groups = {
        name: sum(accuracies[one] * weight for one, weight in weights.items()) / sum(weights.values())
        for name, weights in GROUPS.items()
    }
    return {"Avg. All": sum(groups.values()) / len(groups), **groups}


class VideoBench:
    """See `benchmark.Benchmark`."""

    name = "videobench"
    title = "VideoBench"
    most_tokens = options.MOST_TOKENS
    rules: Sequence[Rules] = ("published", "strict")
    published = (
        Published("ShareGPT4Video-8B", 41.2, "the paper, through readers' notes; which average it is, is unknown"),
        Published("Video-ChatGPT", 38.52, "Video-Bench's board, Avg. All"),
        Published("random", 28.45, "Video-Bench's board, Avg. All"),
    )

    def read(self, annotations: Path, videos: Path, answers: Path | None = None) -> Pool:
        """Finds questions and videos, of the published object files or of lists as the published evaluation reads them.

        Raises:
            DatasetError: no annotation file is there, or one is damaged.
        """
        known = read_json(answers) if answers else {}
        questions: list[Question] = []
        totals: dict[str, int] = {}
        missing: list[str] = []
        number = without = 0
        for name in SETS:
            file = first_there(annotations / f"{name}_QA_new{suffix}" for suffix in (".json", ".jsonl"))
            if file is None:
                missing.append(f"{name}: the annotation file {name}_QA_new.json is not there.")
                continue
            for key, row in _rows(file):
                asked = ask(name, key, row, number, _answer(known, name, key))
                number += 1
                without += asked.gold is None
                totals[asked.task] = totals.get(asked.task, 0) + 1
                path = first_there(_places(videos, asked.video))
                if path:
                    questions.append(Question(asked, path))
                else:
                    missing.append(f"{asked.task}: the video {asked.video} is not there.")
        if not totals:
            raise DatasetError(
                f"There is no annotation file of VideoBench in {annotations.name};"
                " name the folder with ActivityNet_QA_new.json."
            )
        if without:
            missing.append(f"{without} of {number} questions have no right answer: they are asked and not scored.")
        return Pool(tuple(questions), totals, tuple(missing))

    def wording(self, asked: Asked) -> Wording:
        return options.WORDING

    def put(self, asked: Asked) -> str:
        return options.put(asked.text)

    def indices(self, question: Question, frames: int, fps: float) -> list[int]:
        return bounded_indices(frames - 1, fps, question.bound)

    def judge(self, asked: Asked, text: str | None, rules: Rules) -> Verdict:
        if asked.gold is None:
            return UNKNOWN
        if text is None:
            return Verdict(0, False, "There is no answer.")
        return options.by_strict(asked, text) if rules == "strict" else options.by_letters(asked, text, FOLLOWED)

    def averages(self, judged: Sequence[Judged]) -> list[Average]:
        """Both averages, in percent: over all questions, and Video-Bench's own over its groups."""
        known = [one for one in judged if one.asked.gold is not None]
        right, questions = micro(known)
        shares = {
            name: right / count
            for name in SETS
            for right, count in [micro([one for one in known if one.asked.task == name])]
            if count
        }
        micro_about = "all questions alike, as ShareGPT4Video's scripts"
        averages = [Average("Avg", percent(right, questions), micro_about, right, questions)]
        groups = group_averages(shares) if len(shares) == len(SETS) else dict.fromkeys(("Avg. All", *GROUPS))
        about = "Video-Bench's own mean; none unless all 13 sets were asked"
        return averages + [
            Average(name, None if share is None else 100 * share, about) for name, share in groups.items()
        ]


def ask(name: str, key: str, row: Mapping[str, Any], number: int, answer: str | None = None) -> Asked:
    """One row of an annotation file of either form.

    Args:
        name: of the set.
        key: names the row within it.
        row: as it stands in the file.
        number: place in the whole.
        answer: from a file of the user's; the row's own comes first.

    Raises:
        DatasetError: a field is missing.
    """
    try:
        question = str(row["question"])
        video = str(row["video_path"] if "video_path" in row else row["vid_path"])
        listed = row["options"] if "options" in row else row["choices"]
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"The row {key} of {name} lacks a question, its options or its video; fetch it again."
        ) from error
    answer = str(row["answer"]) if row.get("answer") not in (None, "") else answer
    if isinstance(listed, Mapping):
        choices = tuple((str(letter), str(text)) for letter, text in listed.items())
        text, gold = choices_text(choices), _gold(dict(choices), answer)
    else:
        text, gold = str(listed), answer
        choices = tuple((letter, "") for letter in letters_in(text))
    return Asked(
        task=str(row.get("task_split") or name),
        item=f"{name}/{key}",
        number=number,
        video=video,
        text=question_text(question, text),
        gold=gold,
        options=choices,
    )


def _gold(choices: Mapping[str, str], answer: str | None) -> str | None:
    """A bare letter becomes "(A) text": by the published rule the letter alone is met by any word that contains it."""
    if answer is None:
        return None
    return f"({answer}) {choices[answer]}" if answer in choices else answer


def _answer(known: Any, name: str, key: str) -> str | None:
    """The user's answer: set → id → a letter, or an object with `answer`."""
    of_set = known.get(name, known.get(f"{name}_QA_new.json", {})) if isinstance(known, Mapping) else {}
    found = of_set.get(key) if isinstance(of_set, Mapping) else None
    if isinstance(found, Mapping):
        found = found.get("answer")
    return None if found is None else str(found)


def _rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found = read_json(file)
    pairs = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, row in pairs:
        if not isinstance(row, Mapping):
            raise DatasetError(f"{file.name} holds something that is not a question; fetch it again.")
        yield str(key), row


def _places(videos: Path, video: str) -> Iterator[Path]:
    """Where a video may lie: with the archive's own folder or without it."""
    for relative in (video, video.removeprefix("Eval_video/"), f"Eval_video/{video}"):
        if path := inside(videos, relative):
            yield path


BENCHMARK = VideoBench()
