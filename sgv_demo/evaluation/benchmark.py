"""What a benchmark is: where its questions stand, how they are put, which frames they get, when an answer is right."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sgv_demo.engines.prompts import Wording
from sgv_demo.errors import DatasetError
from sgv_demo.evaluation.frames import Bound
from sgv_demo.evaluation.rules import Rules, Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as far as its answer is judged by it; kept with the answer."""

    task: str
    """As the published results name it."""
    item: str
    """Names the question within its benchmark, such as "action_sequence/12"."""
    number: int
    """0-based place in the published order."""
    video: str
    """Path of the video below the data's root, with slashes."""
    text: str
    """The question as it is put, without what stands around it."""
    gold: str | None = None
    """The right answer in the published form; None where none is known."""
    options: tuple[tuple[str, str], ...] = ()
    """(letter, text), in the file's order."""
    more: Mapping[str, str] = field(default_factory=dict)
    """What only this benchmark knows: aspects, the question behind a caption."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that can be put to a model."""

    asked: Asked
    path: Path
    """The video, or a folder of pictures."""
    bound: Bound | None = None
    """Seconds (start, end) that frames come from; None for the whole."""
    folder: bool = False
    """Whether `path` holds pictures `00001.jpg`, …"""


@dataclass(frozen=True, slots=True)
class Pool:
    """A benchmark as it was found on this disk."""

    questions: tuple[Question, ...]
    """In the published order."""
    totals: Mapping[str, int]
    """Task → questions in its annotation file, those without a video included."""
    missing: tuple[str, ...] = ()
    """One sentence for each annotation file, video or answer that isn't there."""


@dataclass(frozen=True, slots=True)
class Published:
    """A number that somebody published."""

    who: str
    score: float
    """Percent over the whole benchmark."""
    where: str
    second_hand: bool = True
    """Not read in its own paper or table, but in others' notes."""


@dataclass(frozen=True, slots=True)
class Average:
    """A summary over tasks, or over a part of a benchmark that isn't a task."""

    name: str
    percent: float | None
    """None where it has no questions, or where one of its parts has none."""
    about: str
    """How it is made."""
    right: int | None = None
    """Set with `questions` where it counts questions, so that an interval makes sense."""
    questions: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """An answered question and what a rule made of it."""

    asked: Asked
    verdict: Verdict


class Benchmark(Protocol):
    """One benchmark; adding one is one file and one line in `table`."""

    @property
    def name(self) -> str:
        """On the command line."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    @property
    def most_tokens(self) -> int:
        """New tokens of an answer at most."""
        ...

    @property
    def published(self) -> Sequence[Published]:
        """What to put beside a result."""
        ...

    @property
    def rules(self) -> Sequence[Rules]:
        """Which rules it can be scored by without a model."""
        ...

    def read(self, annotations: Path, videos: Path, answers: Path | None) -> Pool:
        """Finds questions and videos.

        Raises:
            DatasetError: there are no annotations at all, or a file is damaged.
        """
        ...

    def wording(self, asked: Asked) -> Wording:
        """What stands around the question in the published prompt."""
        ...

    def put(self, asked: Asked) -> str:
        """The question with its instruction, as it follows the preface."""
        ...

    def indices(self, question: Question, frames: int, fps: float) -> list[int]:
        """Numbers of the frames to look at.

        Args:
            question: may have a bound.
            frames: how many the video (or folder) has.
            fps: the container's average rate.
        """
        ...

    def judge(self, asked: Asked, text: str | None, rules: Rules) -> Verdict:
        """Whether an answer is right.

        Args:
            asked: the question.
            text: begun answer and output; None where the model gave none.
            rules: one of `self.rules`.
        """
        ...

    def averages(self, judged: Sequence[Judged]) -> list[Average]:
        """What is summed up beyond the tasks; the benchmark's own headline first."""
        ...


def read_json(path: Path) -> Any:
    """A JSON file, or a JSONL file as a list.

    Raises:
        DatasetError: it can't be read, or is no JSON.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except OSError as error:
        raise DatasetError(f"{path.name} can't be read; check the path and its permissions.") from error
    except ValueError as error:
        raise DatasetError(f"{path.name} is damaged: it is not JSON; fetch it again.") from error


def first_there(paths: Iterable[Path]) -> Path | None:
    """The first path that exists."""
    return next((path for path in paths if path.exists()), None)


def inside(root: Path, relative: str) -> Path | None:
    """`root / relative`, or None for a name that leads out of `root` or can't be one: annotation files come from
    strangers."""
    if not relative or "\0" in relative:
        return None
    path = Path(relative)
    if path.is_absolute() or ".." in path.parts:
        return None
    return root / path


def percent(right: int, questions: int) -> float | None:
    """100 · right / questions."""
    return 100 * right / questions if questions else None


def micro(judged: Sequence[Judged]) -> tuple[int, int]:
    """(points, questions): every question counts once, a -1 is subtracted."""
    return sum(one.verdict.rating or 0 for one in judged), len(judged)
