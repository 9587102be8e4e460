"""From kept answers to scores under one rule. Needs no model and no video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.evaluation import plan
from sgv_demo.evaluation.answers import Answer, read, same_maker
from sgv_demo.evaluation.benchmark import Average, Benchmark, Judged, Published
from sgv_demo.evaluation.judge import JUDGEMENTS, Judgements
from sgv_demo.evaluation.rules import Rules, Verdict
from sgv_demo.evaluation.statistics import wilson
from sgv_demo.evaluation.table import benchmark


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One task."""

    task: str
    right: int
    """Points: a -1 of TempCompass's caption judge is subtracted."""
    questions: int
    """Scored ones: the denominator."""
    percent: float | None
    interval: tuple[float, float] | None
    """95 %, in percent."""
    unmatched: int
    """Answers that the rule could not read as an option: wrong."""
    ambiguous: int
    """Answers that would have counted for more than one option."""
    unreadable: int
    """Videos that couldn't be read: wrong."""
    unscored: int
    """Answers that the rule can't rate: not in the denominator."""
    total: int | None
    """Questions in the annotation file; None where it isn't known."""

    @property
    def coverage(self) -> float | None:
        """Share of all questions of the task that is scored, 0 to 1."""
        return self.questions / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Score:
    """A whole result under one rule."""

    benchmark: str
    title: str
    rules: Rules
    judge: str
    """"none", or what judged what rules can't."""
    engine: Mapping[str, str]
    options: Mapping[str, Any]
    own_form: bool
    """The engine put the questions in its own form: not the published prompt."""
    readers: Mapping[str, int]
    """What read the frames → questions."""
    tasks: tuple[TaskScore, ...]
    averages: tuple[Average, ...]
    published: tuple[Published, ...]
    missing: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    """(item, reason)."""

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        made = asdict(self)
        for row, task in zip(made["tasks"], self.tasks, strict=True):
            row["coverage"] = task.coverage
        for row, average in zip(made["averages"], self.averages, strict=True):
            row["interval"] = interval_of(average)
        return made


@dataclass(frozen=True, slots=True)
class Row:
    """A kept answer with what the rule made of it."""

    answer: Answer
    verdict: Verdict

    @property
    def judged(self) -> Judged:
        return Judged(self.answer.asked, self.verdict)


def interval_of(average: Average) -> tuple[float, float] | None:
    """95 % interval in percent, of an average that counts questions."""
    if average.right is None or average.questions is None:
        return None
    return wilson(average.right, average.questions)


def judged_rows(
    answers: Mapping[str, Answer], rules: Rules, judgements: Judgements | None = None
) -> tuple[Benchmark, list[Row]]:
    """Every answer with its verdict, in the published order.

    Args:
        answers: of one benchmark.
        rules: which.
        judgements: a judge's ratings, for what rules leave open; None scores without a judge.

    Raises:
        DatasetError: there is no answer.
        SettingsError: the benchmark has no such rule.
    """
    first = next(iter(answers.values()), None)
    if first is None:
        raise DatasetError("There is no answer to score yet; run the benchmark first.")
    found = benchmark(first.benchmark)
    if rules not in found.rules:
        raise SettingsError(f"{found.title} has no rule {rules!r} here; choose one of {', '.join(found.rules)}.")
    return found, [Row(answer, _verdict(found, answer, rules, judgements)) for answer in answers.values()]


def _verdict(found: Benchmark, answer: Answer, rules: Rules, judgements: Judgements | None) -> Verdict:
    verdict = found.judge(answer.asked, answer.text, rules)
    if answer.error:
        unscored = verdict.rating is None
        return Verdict(None if unscored else 0, None, f"The video could not be read: {answer.error}")
    rating = judgements.rating(answer) if judgements and not verdict.matched else None
    return verdict if rating is None else Verdict(rating, verdict.matched, "The judge decided.")


def score(folder: Path, rules: Rules, judge: bool = False) -> Score:
    """Scores what is in a run's folder.

    Args:
        folder: holds `answers.jsonl`, and `run.json` where coverage is to be told.
        rules: which; never mixed.
        judge: use the judgements that are kept there, where there are any.

    Raises:
        DatasetError: no answers, or damaged ones.
        SettingsError: answers of several engines in one file, or no such rule.
    """
    answers = read(folder)
    maker = same_maker(answer for answer in answers.values() if not answer.error)
    judgements = Judgements.read(folder / JUDGEMENTS) if judge else None
    found, rows = judged_rows(answers, rules, judgements)
    facts = plan.read(folder)
    tasks = list(dict.fromkeys([*facts.get("planned", {}), *(row.answer.asked.task for row in rows)]))
    readers: dict[str, int] = {}
    for row in rows:
        if row.answer.reader:
            readers[row.answer.reader] = readers.get(row.answer.reader, 0) + 1
    scored = [row.judged for row in rows if row.verdict.rating is not None]
    return Score(
        benchmark=found.name,
        title=found.title,
        rules=rules,
        judge=judgements.about if judgements else "none",
        engine=maker.engine if maker else {},
        options=maker.options if maker else {},
        own_form=any(row.answer.own_form for row in rows),
        readers=readers,
        tasks=tuple(_task(task, rows, facts.get("totals", {}).get(task)) for task in tasks),
        averages=tuple(found.averages(scored)),
        published=tuple(found.published),
        missing=tuple(facts.get("missing", ())),
        unreadable=tuple((row.answer.asked.item, row.answer.error) for row in rows if row.answer.error),
    )


def _task(task: str, rows: Sequence[Row], total: int | None) -> TaskScore:
    of_task = [row for row in rows if row.answer.asked.task == task]
    scored = [row for row in of_task if row.verdict.rating is not None]
    right = sum(row.verdict.rating or 0 for row in scored)
    return TaskScore(
        task=task,
        right=right,
        questions=len(scored),
        percent=100 * right / len(scored) if scored else None,
        interval=wilson(right, len(scored)),
        unmatched=sum(row.verdict.matched is False and not row.answer.error for row in scored),
        ambiguous=sum(row.verdict.ambiguous for row in scored),
        unreadable=sum(bool(row.answer.error) for row in of_task),
        unscored=len(of_task) - len(scored),
        total=total,
    )
