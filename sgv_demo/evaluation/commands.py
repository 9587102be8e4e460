"""`evaluate`: the benchmarks on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from sgv_demo.cli.terminal import write_json

app = App(name="evaluate", help="The paper's three benchmarks, run and scored.", help_format="plaintext")


@app.command
def rules(*, cases: Path, json_: Annotated[str, Parameter(name="--json", allow_leading_hyphen=True)] = "-") -> None:
    """Compute rules, frames, prompts, grids and scores over a file of cases.

    Parameters
    ----------
    cases:
        A JSON file of cases: answers, frames, prompts, grids, runs of the semantic filter, or a whole annotation set.
    json_:
        Where the same JSON goes, with an object `ours` in each case; - is standard output.
    """
    from sgv_demo.evaluation.benchmark import read_json
    from sgv_demo.evaluation.cases import checked

    write_json(checked(read_json(cases)), json_)
