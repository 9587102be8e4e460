"""`evaluate`: the benchmarks on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import App, Parameter

from sgv_demo.cli.flags import Only, command
from sgv_demo.cli.terminal import loading, write_json
from sgv_demo.errors import SgvError
from sgv_demo.evaluation.rules import Rules
from sgv_demo.evaluation.table import BENCHMARKS
from sgv_demo.settings import Settings
from sgv_demo.shards import shard_of
from sgv_demo.times import clock

Answering: TypeAlias = Annotated[
    Settings,
    Only(("engine", "answerer", "base_url", "remote_model", "quantization", "dtype", "prompts", "vision")),
]
"""What may be said of the engine."""
Target: TypeAlias = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
"""A path, or - for standard output."""

app = App(name="evaluate", help="The paper's three benchmarks, run and scored.", help_format="plaintext")


@app.command
def rules(*, cases: Path, json: Target = "-") -> None:
    """Compute rules, frames, prompts, grids and scores over a file of cases.

    Parameters
    ----------
    cases:
        A JSON file of cases: answers, frames, prompts, grids, runs of the semantic filter, or a whole annotation set.
    json:
        Where the same JSON goes, with an object `ours` in each case; - is standard output.
    """
    from sgv_demo.evaluation.benchmark import read_json
    from sgv_demo.evaluation.cases import checked

    write_json(checked(read_json(cases)), json)


@app.command
def score(
    out: Path,
    *,
    rules: Rules = "published",
    judge: bool = False,
    json: Target = None,
    markdown: Target = None,
    csv: Target = None,
    html: Target = None,
) -> None:
    """Score the answers of a run; needs no model.

    Parameters
    ----------
    out:
        The run's folder, or one with the joined answers.jsonl of several shards.
    rules:
        When an answer counts as right: as ShareGPT4Video's scripts, as the benchmark's own authors, or strictly.
    judge:
        Use the judgements that a run with --judge left there.
    json:
        Write the scores as JSON; - is standard output.
    markdown:
        Write them as Markdown tables.
    csv:
        Write them as one table.
    html:
        Write them as one page that needs nothing else.
    """
    from sgv_demo.evaluation.report import score_report
    from sgv_demo.evaluation.score import score as scored

    found = scored(out, rules, judge)
    _published_files(out)
    _write({"json": json, "markdown": markdown, "csv": csv, "html": html}, lambda form: score_report(found, form))


@app.command
def compare(
    first: Path,
    second: Path,
    *,
    rules: Rules = "published",
    json: Target = None,
    markdown: Target = None,
    csv: Target = None,
    html: Target = None,
) -> None:
    """Compare two runs of one benchmark over the questions that both have.

    Parameters
    ----------
    first:
        A run's folder.
    second:
        Another's.
    rules:
        When an answer counts as right, in both.
    json:
        Write the comparison as JSON; - is standard output.
    markdown:
        Write it as Markdown tables.
    csv:
        Write the tasks as a table.
    html:
        Write it as one page, with what the model saw at each question that flipped.
    """
    from sgv_demo.evaluation.compare import compare as compared
    from sgv_demo.evaluation.report import comparison_report

    found = compared(first, second, rules)
    targets = {"json": json, "markdown": markdown, "csv": csv, "html": html}
    _write(targets, lambda form: comparison_report(found, form, (first, second)))


def _asking(name: str) -> Callable[..., None]:
    """The command that runs one benchmark."""

    def run(
        *,
        annotations: Path,
        videos: Path,
        out: Path,
        tasks: str = "",
        limit: int | None = None,
        seed: int | None = None,
        shard: str = "1/1",
        answers: Path | None = None,
        rules: Rules = "published",
        judge: Literal["none", "remote"] = "none",
        judge_url: str = "",
        judge_model: str = "",
        at_once: int = 1,
        pictures: Annotated[bool, Parameter(negative="--no-pictures")] = True,
        fresh: Annotated[bool, Parameter(negative="--resume")] = False,
        json: Target = None,
        settings: Answering,
    ) -> None:
        """Ask a benchmark's questions and score the answers.

        Parameters
        ----------
        annotations:
            Folder with the benchmark's annotation files.
        videos:
            Folder with its videos, as the archives unpack.
        out:
            Folder for answers and results; a run that was stopped goes on there.
        tasks:
            Only these tasks, separated by commas.
        limit:
            At most so many questions of each task.
        seed:
            With --limit: draw them instead of taking the first.
        shard:
            I/N: only the I-th of N parts; their answers.jsonl are joined by concatenation, in any order.
        answers:
            VideoBench: a JSON file with the right answers, set → id → letter.
        rules:
            When an answer counts as right.
        judge:
            TempCompass: who rates captions and what rules leave open.
        judge_url:
            Server of the judge; the engine's own when empty.
        judge_model:
            What it calls the judge.
        at_once:
            Questions under way at the same time.
        pictures:
            Keep a small copy of what the model saw.
        fresh:
            Forget earlier answers in this folder.
        json:
            Write the scores as JSON; - is standard output. `score` writes more forms.
        """
        from sgv_demo.engines.shelf import load_answerer
        from sgv_demo.evaluation.plan import Part
        from sgv_demo.evaluation.report import few
        from sgv_demo.evaluation.run import Run

        benchmark = BENCHMARKS[name]
        part = Part(tuple(filter(None, tasks.split(","))), limit, seed, shard_of(shard))
        pool = benchmark.read(annotations, videos, answers)
        for sentence in few(pool.missing):
            print(f"missing: {sentence}", file=sys.stderr)
        answering = load_answerer(settings, progress=loading)
        asked = Run(benchmark, answering, settings, at_once=at_once, pictures=pictures, progress=_progress)
        failed = asked.into(out, pool, part, fresh=fresh).failed
        if judge == "remote":
            judged = replace(settings, base_url=judge_url or settings.base_url)
            _judge(out, replace(judged, remote_model=judge_model or settings.remote_model))
        if failed:
            raise SgvError(f"{len(failed)} questions failed, the first: {failed[0]} Run again to ask them.")
        score(out, rules=rules, judge=judge == "remote", json=json)

    return run


for _name, _benchmark in BENCHMARKS.items():
    app.command(
        command(_asking(_name)), name=_name, help=f"Ask the questions of {_benchmark.title} and score the answers."
    )


def _progress(progress: object) -> None:
    from sgv_demo.evaluation.run import Progress

    assert isinstance(progress, Progress)
    print(
        f"{progress.done} of {progress.total} · {progress.rate:.1f} questions a minute · "
        f"{clock(progress.left)} left · {progress.task}",
        file=sys.stderr,
        flush=True,
    )


def _judge(out: Path, settings: Settings) -> None:
    """Has a server rate what rules leave open."""
    from sgv_demo.engines import Scene
    from sgv_demo.engines.remote import engine as remote
    from sgv_demo.evaluation.answers import read
    from sgv_demo.evaluation.judge import JUDGEMENTS, judge_into
    from sgv_demo.evaluation.score import judged_rows
    from sgv_demo.options import GenerationOptions
    from sgv_demo.steps import whole
    from sgv_demo.types import VideoInfo

    model = remote.load(settings)
    nothing = Scene(VideoInfo(Path(), 0.0, 0.0, (0, 0), ""))
    options = GenerationOptions(max_new_tokens=128, temperature=1.0)
    _, rows = judged_rows(read(out), "published")
    open_ = [row.answer for row in rows if row.answer.text is not None and not row.verdict.matched]
    judge_into(
        out / JUDGEMENTS, open_, model.info.model, lambda text: whole(model.answer(nothing, text, (), options))[0]
    )


def _published_files(out: Path) -> None:
    """The result files of the published scripts, always under the published rule: they have no place for its name."""
    from sgv_demo.evaluation import published
    from sgv_demo.evaluation.answers import read
    from sgv_demo.evaluation.score import judged_rows

    found, rows = judged_rows(read(out), "published")
    published.write(out, found.name, [(row.judged, row.answer.text) for row in rows])


def _write(targets: dict[str, str | None], made: Callable[..., str]) -> None:
    """Each form to its place, and the text table to standard output unless something else goes there."""
    for form, target in targets.items():
        if target == "-":
            sys.stdout.write(made(form))
        elif target is not None:
            Path(target).write_text(made(form), encoding="utf-8", newline="")
    if "-" not in targets.values():
        sys.stdout.write(made("text"))
