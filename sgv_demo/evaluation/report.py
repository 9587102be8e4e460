"""Scores and comparisons as text, Markdown, CSV, JSON and one HTML file that needs nothing else.

The rule's name stands in every one of them; tables of different rules are never joined.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from sgv_demo.evaluation.benchmark import Average
from sgv_demo.evaluation.compare import Comparison, Flip
from sgv_demo.evaluation.score import Score, interval_of
from sgv_demo.formats.markup import ASSETS, macros

Form = Literal["text", "markdown", "csv", "json", "html"]

Rows = Sequence[Sequence[str]]

HEAD = ("Task", "Right", "Scored", "%", "95 %", "Unmatched", "Ambiguous", "Unreadable", "Not scored", "Coverage")
DIFFERENCE_HEAD = ("Task", "Questions", "First %", "Second %", "Difference", "Only first", "Only second", "p (McNemar)")


FEW = 20
"""Missing things named in a table; `run.json` names all."""


def number(value: float | None) -> str:
    """A percentage with one decimal; a dash where there is none."""
    return "–" if value is None else f"{value:.1f}"


def span(interval: tuple[float, float] | None) -> str:
    """An interval in percent."""
    return "–" if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}"


def task_rows(score: Score) -> Rows:
    """One row a task, under `HEAD`."""
    return [
        (
            task.task,
            str(task.right),
            str(task.questions),
            number(task.percent),
            span(task.interval),
            str(task.unmatched),
            str(task.ambiguous),
            str(task.unreadable),
            str(task.unscored),
            "unknown" if task.coverage is None else f"{task.coverage:.1%}",
        )
        for task in score.tasks
    ]


def average_rows(averages: Sequence[Average]) -> Rows:
    """Name, percent, interval, how it is made."""
    return [(one.name, number(one.percent), span(interval_of(one)), one.about) for one in averages]


def published_rows(score: Score) -> Rows:
    """Who, percent, where it stands."""
    return [
        (one.who, f"{one.score:g}", f"{'second-hand: ' if one.second_hand else ''}{one.where}")
        for one in score.published
    ]


def headline(score: Score) -> str:
    """What was scored, by which rule, of which engine."""
    judge = f", judge: {score.judge}" if score.benchmark == "tempcompass" else ""
    return f"{score.title} · rules: {score.rules}{judge} · {maker(score.engine)}"


def maker(engine: object) -> str:
    """An engine's label, model and weights in words."""
    facts = dict(engine) if isinstance(engine, dict) else {}
    weights = [facts[name] for name in ("quantization", "dtype") if facts.get(name) not in (None, "", "none")]
    named = [facts.get("label") or "unknown engine", *([facts["model"]] if facts.get("model") else []), *weights]
    return ", ".join(named)


def remarks(score: Score) -> list[str]:
    """What must be known to read the numbers."""
    found = [f"Scores under other rules than “{score.rules}” are not comparable with these."]
    if score.own_form:
        found.append("The engine put the questions in its own form: this is not the published prompt.")
    elif score.options.get("vision") == "published":
        found.append("The model saw the whole view alone, as in the published demo (--vision published).")
    if score.benchmark == "tempcompass" and score.judge == "none":
        found.append("Without a judge captions are not scored, and answers in no known form count as wrong.")
    if any(task.coverage is not None and task.coverage < 1 for task in score.tasks):
        found.append("Not every question was scored; a part is no result of the whole benchmark.")
    if any(task.coverage is None for task in score.tasks):
        found.append("How many questions there are is not known here: run.json is missing.")
    found += [f"Frames of {count} questions were read by {name}." for name, count in score.readers.items()]
    return found


def few(sentences: Sequence[str]) -> list[str]:
    """At most `FEW`, and how many more there are."""
    more = len(sentences) - FEW
    return [*sentences[:FEW], *([f"{more} more, all of them in run.json."] if more > 0 else [])]


def score_report(score: Score, form: Form) -> str:
    """The whole report."""
    return _SCORES[form](score)


def comparison_report(comparison: Comparison, form: Form, folders: tuple[Path, Path] | None = None) -> str:
    """The whole comparison; with `folders` its HTML shows what the model saw at each question that flipped."""
    if form == "html":
        return _comparison_html(comparison, folders)
    return _COMPARISONS[form](comparison)


def _text_table(head: Sequence[str], rows: Rows) -> str:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = []
    for row in (head, *rows):
        name, *rest = row
        lines.append("  ".join([name.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]))
    return "\n".join(line.rstrip() for line in lines)


def _markdown_table(head: Sequence[str], rows: Rows) -> str:
    def cells(row: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"

    ruler = "| " + " | ".join("---" if i == 0 else "---:" for i in range(len(head))) + " |"
    return "\n".join([cells(head), ruler, *map(cells, rows)])


def _csv_table(head: Sequence[str], rows: Rows) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([head, *rows])
    return out.getvalue()


_AVERAGES = ("Average", "%", "95 %", "How it is made")
_PUBLISHED = ("Published", "%", "Where")


def _score_text(score: Score) -> str:
    averages, published = average_rows(score.averages), published_rows(score)
    parts = [
        headline(score),
        _text_table(HEAD, task_rows(score)),
        "\n".join(f"{name}: {share} % ({between})  {about}" for name, share, between, about in averages),
        "\n".join(f"published: {who} {share} %  ({where})" for who, share, where in published),
        "\n".join(f"note: {remark}" for remark in remarks(score)),
        "\n".join(f"unreadable: {item}: {reason}" for item, reason in score.unreadable),
        "\n".join(f"missing: {what}" for what in few(score.missing)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _score_markdown(score: Score) -> str:
    lists = [
        *(f"- {remark}" for remark in remarks(score)),
        *(f"- unreadable: {item}: {reason}" for item, reason in score.unreadable),
        *(f"- missing: {what}" for what in few(score.missing)),
    ]
    parts = [
        f"## {headline(score)}",
        _markdown_table(HEAD, task_rows(score)),
        _markdown_table(_AVERAGES, average_rows(score.averages)),
        _markdown_table(_PUBLISHED, published_rows(score)),
        "\n".join(lists),
    ]
    return "\n\n".join(parts) + "\n"


def _score_csv(score: Score) -> str:
    """One table: the rule, the judge and the engine stand in every row."""
    facts = (score.title, score.rules, score.judge, maker(score.engine))
    rows = [(*facts, *row) for row in task_rows(score)]
    for one in score.averages:
        counts = ["" if value is None else str(value) for value in (one.right, one.questions)]
        rows.append((*facts, one.name, *counts, number(one.percent), span(interval_of(one)), *[""] * 5))
    return _csv_table(("Benchmark", "Rules", "Judge", "Engine", *HEAD), rows)


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _score_html(score: Score) -> str:
    overall = next((one.score for one in score.published if one.who.startswith("ShareGPT4Video")), None)
    body = macros("evaluation").score(
        score,
        headline(score),
        HEAD,
        list(zip(score.tasks, task_rows(score), strict=True)),
        average_rows(score.averages),
        published_rows(score),
        overall,
        remarks(score),
        few(score.missing),
    )
    return _page(f"{score.title}, rules: {score.rules}", body)


def _page(name: str, body: Markup) -> str:
    style = Markup((ASSETS / "report.css").read_text(encoding="utf-8"))  # our own file
    return str(macros("evaluation").page(name, style, body)).lstrip()


_SCORES: dict[Form, Callable[[Score], str]] = {
    "text": _score_text,
    "markdown": _score_markdown,
    "csv": _score_csv,
    "json": lambda score: _json(score.record()),
    "html": _score_html,
}


def difference_rows(comparison: Comparison) -> Rows:
    """One row a task, under `DIFFERENCE_HEAD`; the whole last."""
    return [
        (
            task.task,
            str(task.questions),
            number(task.first),
            number(task.second),
            "–" if task.difference is None else f"{task.difference:+.1f}",
            str(task.only_first),
            str(task.only_second),
            f"{task.p:.3g}",
        )
        for task in comparison.tasks
    ]


def _versus(comparison: Comparison) -> str:
    first, second = (
        f"{name} ({maker(engine)})" for name, engine in zip(comparison.names, comparison.engines, strict=True)
    )
    return f"{comparison.title} · rules: {comparison.rules} · {first} against {second}"


def _flip_rows(comparison: Comparison) -> Rows:
    return [
        (
            flip.first.answer.asked.task,
            flip.first.answer.asked.item,
            flip.first.answer.asked.gold or "",
            *(f"{row.answer.text or ''} {'✓' if row.verdict.right else '✗'}" for row in (flip.first, flip.second)),
        )
        for flip in comparison.flips
    ]


_FLIP_HEAD = ("Task", "Question", "Right answer", "First", "Second")

_COMPARISONS: dict[Form, Callable[[Comparison], str]] = {
    "text": lambda one: (
        "\n\n".join(
            [_versus(one), _text_table(DIFFERENCE_HEAD, difference_rows(one)), _text_table(_FLIP_HEAD, _flip_rows(one))]
        )
        + "\n"
    ),
    "markdown": lambda one: (
        "\n\n".join(
            [
                f"## {_versus(one)}",
                _markdown_table(DIFFERENCE_HEAD, difference_rows(one)),
                _markdown_table(_FLIP_HEAD, _flip_rows(one)),
            ]
        )
        + "\n"
    ),
    "csv": lambda one: _csv_table(
        ("Benchmark", "Rules", *DIFFERENCE_HEAD), [(one.title, one.rules, *row) for row in difference_rows(one)]
    ),
    "json": lambda one: _json(one.record()),
}


def _comparison_html(comparison: Comparison, folders: tuple[Path, Path] | None) -> str:
    flips = [(flip, _seen(flip, folders)) for flip in comparison.flips]
    body = macros("evaluation").comparison(
        comparison, _versus(comparison), DIFFERENCE_HEAD, difference_rows(comparison), flips
    )
    return _page(f"{comparison.title}, rules: {comparison.rules}", body)


def _seen(flip: Flip, folders: tuple[Path, Path] | None) -> list[str]:
    """What the models saw, as data URIs; once where both saw the same."""
    uris: dict[str, None] = {}
    for folder, row in zip(folders or (), (flip.first, flip.second), strict=False):
        path = folder / row.answer.picture
        if row.answer.picture and path.is_file():
            uris[f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"] = None
    return list(uris)
