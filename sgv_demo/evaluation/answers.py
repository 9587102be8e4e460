"""What was answered: `answers.jsonl`, one line a question, written at once and readable by itself.

Files of several shards are joined by concatenation, in any order; a question that stands there twice counts as it was
answered last.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.evaluation.benchmark import Asked
from sgv_demo.lines import mend, sole_writer

NAME = "answers.jsonl"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered question, or one whose video couldn't be read."""

    benchmark: str
    asked: Asked
    text: str | None = None
    """What is judged: the bracket of a begun answer, and the output; None without an answer."""
    output: str = ""
    """As the model wrote it."""
    error: str = ""
    """Why the video couldn't be read: it counts as wrong."""
    content: str = ""
    """Names the pictures that were shown and the question: the same again, the same content."""
    engine: Mapping[str, str] = field(default_factory=dict)
    """Who answered: name, label, model, quantization, number format."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """How it was decoded and what the model saw."""
    prompt: str = ""
    """The exact prompt."""
    own_form: bool = False
    """Whether the engine put the question in its own form, not in the published one."""
    frames: tuple[int, ...] = ()
    """Numbers of the frames that were shown."""
    picture: str = ""
    """File, below the run's folder, of the picture that the model saw, made smaller; empty where none is kept."""
    reader: str = ""
    """What read them: decord, pyav or pictures."""
    seconds: float = 0.0
    """Wall time of the answer."""
    finish: str = ""
    """"length" where the answer was cut off."""

    @property
    def made_by(self) -> tuple[Mapping[str, str], Mapping[str, Any]]:
        """What must be equal in all answers of one result."""
        return self.engine, self.options


def line(answer: Answer) -> str:
    """One line of the file, flat: the question's fields beside the answer's."""
    made = asdict(answer)
    asked = made.pop("asked")
    return json.dumps({"benchmark": made.pop("benchmark"), **asked, **_named(made)}, ensure_ascii=False)


def _named(made: dict[str, Any]) -> dict[str, Any]:
    return {("judged" if name == "text" else name): value for name, value in made.items() if name != "options"} | {
        "generation": made["options"]
    }


def parse(text: str) -> Answer:
    """A line read back.

    Raises:
        DatasetError: it isn't one.
    """
    try:
        row = json.loads(text)
        asked = Asked(
            task=row["task"],
            item=row["item"],
            number=int(row["number"]),
            video=row["video"],
            text=row["text"],
            gold=row["gold"],
            options=tuple((letter, option) for letter, option in row["options"]),
            more=row["more"],
        )
        return Answer(
            benchmark=row["benchmark"],
            asked=asked,
            text=row["judged"],
            options=row["generation"],
            frames=tuple(row["frames"]),
            **{name: row[name] for name in _PLAIN},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError("A line of answers.jsonl is damaged; remove it and answer its question again.") from error


_PLAIN = ("output", "error", "content", "engine", "prompt", "own_form", "picture", "reader", "seconds", "finish")


def read(folder: Path) -> dict[str, Answer]:
    """Item → answer, in the published order, whatever the order of lines; a half-written last line is left out.

    Raises:
        DatasetError: there are no answers, a line is damaged, or there are several benchmarks' in one file.
    """
    path = folder / NAME
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"There is no {NAME} in “{folder.name}”; run the benchmark into it first.") from error
    whole, _, _ = data.rpartition(b"\n")
    answers = [parse(text) for text in whole.decode("utf-8").splitlines() if text.strip()]
    if len({answer.benchmark for answer in answers}) > 1:
        raise DatasetError(f"{NAME} holds answers to several benchmarks; keep each in a folder of its own.")
    latest = {answer.asked.item: answer for answer in answers}
    return {answer.asked.item: answer for answer in sorted(latest.values(), key=lambda one: one.asked.number)}


def same_maker(answers: Iterable[Answer]) -> Answer | None:
    """Any of the answers, once it is sure that one engine with one set of options made them all; None without any.

    Raises:
        SettingsError: they differ.
    """
    first: Answer | None = None
    for answer in answers:
        first = first or answer
        if answer.made_by != first.made_by:
            raise SettingsError(
                f"{NAME} mixes answers of {_maker(first)} and of {_maker(answer)}; keep each in a folder of its own."
            )
    return first


def _maker(answer: Answer) -> str:
    return " ".join([*filter(None, answer.engine.values()), json.dumps(answer.options)])


class Book:
    """`answers.jsonl` open for writing; one process at a time, any number of its threads."""

    def __init__(self, folder: Path, *, fresh: bool) -> None:
        """Opens it, cutting off what a killed run left half written.

        Args:
            folder: made when needed.
            fresh: forget earlier answers; the file is kept as `answers.jsonl.old`.

        Raises:
            SettingsError: another run writes into this folder.
            DatasetError: it holds something else than answers.
        """
        self._file_lock = sole_writer(folder, ".answers.lock")
        self.folder = folder
        self._lock = threading.Lock()
        path = folder / NAME
        if fresh and path.exists():
            path.replace(path.with_suffix(".jsonl.old"))
        mend(path)
        self.answers = read(folder) if path.exists() else {}
        """Item → answer."""
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> Book:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._file_lock.release()

    def add(self, answer: Answer) -> None:
        """Writes an answer, in one piece and at once: a killed process loses none that it was given."""
        with self._lock:
            self._file.write(f"{line(answer)}\n".encode())
            self.answers[answer.asked.item] = answer


def content_of(asked: Asked, pictures: str) -> str:
    """Digest of a question and of the pictures shown with it."""
    facts = [asked.text, asked.gold, [list(option) for option in asked.options], pictures]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()[:32]
