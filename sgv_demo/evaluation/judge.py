"""A judge for what rules leave open in TempCompass: answers in no known form, and captions.

The published judge was gpt-3.5-turbo-1106, which answers no more. Any OpenAI-compatible server can stand in; the scores
then belong to that judge. The facts in the prompts (order, headings, the words that are looked for) are TempCompass's,
the sentences round them this project's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sgv_demo.errors import DatasetError
from sgv_demo.evaluation.answers import Answer
from sgv_demo.evaluation.tempcompass import by_caption_judge, by_judge

JUDGEMENTS = "judgements.jsonl"
"""Ratings beside the answers, one line each."""
MOST_REQUESTS = 11
"""Times a judge is asked before the answer counts as wrong, as published."""

HEADINGS = {"multi-choice": "Multi-Choice", "yes_no": "Yes/No", "caption_matching": "Caption Matching"}

Say = Callable[[str], str]
"""Puts a text to the judge and gives its reply."""


def question_for(answer: Answer) -> str:
    """What the judge is asked about one answer."""
    asked = answer.asked
    if asked.task == "captioning":
        return (
            "Choose the option that a video with this caption fits, or say that none is correct. Write two lines:"
            " “Reasoning:” and your reason, then “Answer:” and the whole option with its letter, or “Answer: None of"
            f" the choices are correct”.\nVideo Caption: {answer.output.strip()}\n"
            f"Multi-Choice Question: {asked.more.get('mc_question', '')}"
        )
    heading = f"{HEADINGS[asked.task]} Question"
    return (
        "Compare the prediction with the right answer. Reply with the one word Correct or Incorrect.\n"
        f"{heading}:\n{asked.text}\nGround-Truth Answer: {asked.gold}\nModel Prediction: {answer.output.strip()}"
    )


def rate(answer: Answer, say: Say) -> int:
    """The judge's rating; it is asked again, up to eleven times, while its reply says nothing."""
    for _ in range(MOST_REQUESTS):
        reply = say(question_for(answer))
        if answer.asked.task == "captioning":
            rating = by_caption_judge(reply, answer.asked.more.get("mc_answer", ""))
            if rating >= 0:
                return rating
        elif (word := by_judge(reply)) is not None:
            return word
    return -1 if answer.asked.task == "captioning" else 0


@dataclass(slots=True)
class Judgements:
    """Ratings by item; each belongs to one exact output."""

    ratings: dict[tuple[str, str], int] = field(default_factory=dict)
    """(item, output) → rating."""
    judges: set[str] = field(default_factory=set)
    """Names of the models that judged."""

    @property
    def about(self) -> str:
        """For tables: who judged."""
        return f"{', '.join(sorted(self.judges))}, in this project's words" if self.judges else "none"

    def rating(self, answer: Answer) -> int | None:
        """What was judged of this very output; None where nothing was."""
        return self.ratings.get((answer.asked.item, answer.output))

    @classmethod
    def read(cls, path: Path) -> Judgements:
        """Those kept in a file; none where there is none.

        Raises:
            DatasetError: a line is damaged.
        """
        found = cls()
        if not path.exists():
            return found
        try:
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                found.ratings[str(row["item"]), str(row["output"])] = int(row["rating"])
                found.judges.add(str(row["judge"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path.name} is damaged; remove it and judge again.") from error
        return found


def judge_into(path: Path, answers: list[Answer], name: str, say: Say) -> None:
    """Rates each answer that isn't rated yet, keeping each rating at once."""
    known = Judgements.read(path)
    with path.open("a", encoding="utf-8") as file:
        for answer in answers:
            if known.rating(answer) is None:
                row = {"item": answer.asked.item, "output": answer.output, "rating": rate(answer, say), "judge": name}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
