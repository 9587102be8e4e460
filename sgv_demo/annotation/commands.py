"""`annotate`: a pool of videos on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sgv_demo.cli.flags import Only, command, positive
from sgv_demo.cli.terminal import loading, printable
from sgv_demo.errors import SettingsError
from sgv_demo.options import AnalysisOptions
from sgv_demo.settings import Settings
from sgv_demo.shards import shard_of

SOME_FAILED = 3
"""Exit code where the run went to its end, but not every video could be annotated."""

Captioning = Annotated[
    Settings,
    Only(("engine", "captioner", "base_url", "remote_model", "quantization", "dtype", "clip_model")),
]


@command
def annotate(
    source: Path | None = None,
    /,
    *,
    out: Path,
    options: AnalysisOptions,
    settings: Captioning,
    shard: str = "1/1",
    limit: Annotated[int | None, Parameter(validator=positive)] = None,
    at_once: Annotated[int | None, Parameter(validator=positive)] = None,
    retry_errors: bool = False,
    status: bool = False,
) -> None:
    """Captions every video of a folder or a list; a run that was stopped goes on where it ended.

    Parameters
    ----------
    source:
        A folder with all below it, a .txt with one path a line, or one video.
    out:
        Folder for annotations.jsonl (the published schema), failures.jsonl and pool.json.
    shard:
        I/N: only the I-th of N parts; their annotations.jsonl are joined by concatenation, in any order.
    limit:
        At most so many videos now.
    at_once:
        Videos under way at the same time; as many as the engine takes where nothing is said.
    retry_errors:
        Also those that failed before.
    status:
        Only say how far the run into --out is, which may be going on elsewhere.
    """
    from sgv_demo.annotation import pool

    if status:
        done, failed = pool.read(out)
        print(f"{len(done)} done, {len(failed)} failed")
        return
    if source is None:
        raise SettingsError("Nothing to annotate; give a folder, a list or a video.")
    from sgv_demo.annotation import run
    from sgv_demo.engines.shelf import engine_of, load_captioner
    from sgv_demo.pipeline import settle

    part, found = run.Part(shard_of(shard), limit, retry_errors), run.videos(source)
    captioner = load_captioner(settings, progress=loading)
    options = settle(options, captioner.info, settings)
    many = at_once or engine_of(settings, "captioner").at_once(settings)
    with pool.Pool(out, pool.made_by(captioner.info, options)) as kept:
        run.annotate(found, kept, captioner, options, settings, part=part, at_once=many, progress=_say)
        print(f"{len(kept.done)} of {len(found)} videos are annotated in {out}", file=sys.stderr)
        if kept.failed:
            print(printable(run.failures(kept)), file=sys.stderr)
            sys.exit(SOME_FAILED)


def _say(progress: object) -> None:
    print(progress, file=sys.stderr, flush=True)
