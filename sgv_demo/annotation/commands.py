"""`annotate` and `convert`: a pool of videos on the command line."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sgv_demo.cli.flags import Only, command, positive
from sgv_demo.cli.terminal import loading, printable
from sgv_demo.errors import SettingsError
from sgv_demo.options import AnalysisOptions
from sgv_demo.settings import Settings
from sgv_demo.shards import shard_of
from sgv_demo.times import counted

SOME_FAILED = 3
"""Exit code where the run went to its end, but not every video could be annotated."""

Layout = Literal["dataset", "parquet", "sidecar", "metadata", "webdataset"]
Captioning = Annotated[
    Settings,
    Only(("engine", "captioner", "base_url", "remote_model", "quantization", "dtype", "clip_model")),
]


@command
def annotate(
    source: str = "",
    /,
    *,
    out: Path,
    options: AnalysisOptions,
    settings: Captioning,
    column: str = "",
    shard: str = "1/1",
    limit: Annotated[int | None, Parameter(validator=positive)] = None,
    at_once: Annotated[int | None, Parameter(validator=positive)] = None,
    retry_errors: bool = False,
    ray: str = "",
    actors: Annotated[int | None, Parameter(validator=positive)] = None,
    gpus: float = 1.0,
    layout: Layout = "dataset",
    dry_run: bool = False,
    status: bool = False,
) -> None:
    """Captions every video of a folder, a list or an object store; a run that was stopped goes on where it ended.

    Parameters
    ----------
    source:
        A folder with all below it (WebDataset's .tar included), a list (.txt, .csv, .tsv, .jsonl, .parquet; columns
        `start` and `end` in seconds take a part of a video), a .tar, one video, or an address of any of these that
        fsspec knows (s3://, gs://, hf://, https://).
    out:
        Folder for annotations.jsonl (the published schema), failures.jsonl, manifest.jsonl and pool.json.
    column:
        Of a table: where its videos' paths or addresses are; the first of video, video_path, file_name, path, file,
        url where nothing is said.
    shard:
        I/N: only the I-th of N parts; their annotations.jsonl are joined by concatenation, in any order.
    limit:
        At most so many videos now.
    at_once:
        Videos under way at the same time (with --ray, in each worker); as many as the engine takes where nothing is
        said.
    retry_errors:
        Also those that failed before.
    ray:
        Works on a Ray cluster: auto (one on this machine, or the one that runs here) or its address.
    actors:
        Ray workers, each with the model loaded; one for each share of a GPU where nothing is said.
    gpus:
        Share of a GPU that a Ray worker takes, such as 0.5.
    layout:
        Hands the summaries over in this form, too, once all is done; `convert` has more to choose from.
    dry_run:
        Counts, and annotates three videos into nothing to say how long all would take.
    status:
        Only say how far the run into --out is, which may be going on elsewhere.
    """
    from sgv_demo.annotation import inputs, pool

    if status:
        print(pool.status(out))
        return
    if not source:
        raise SettingsError("Nothing to annotate; give a folder, a list or a video.")
    if dry_run and ray:
        raise SettingsError("A dry run measures on this machine alone; leave out --ray or --dry-run.")
    from sgv_demo.annotation import run
    from sgv_demo.engines.shelf import engine_of, load_captioner
    from sgv_demo.pipeline import settle

    part = run.Part(shard_of(shard), limit, retry_errors)
    many = at_once or engine_of(settings, "captioner").at_once(settings)
    workers: run.Workers
    if ray:
        from sgv_demo.annotation.on_ray import Cluster

        workers = Cluster(ray, settings, options, actors=actors or 0, gpus=gpus, each=many)
        info, options = workers.info, workers.options
    else:
        captioner = load_captioner(settings, progress=loading)
        info, options = captioner.info, settle(options, captioner.info, settings)
        if dry_run:
            from sgv_demo.annotation.forecast import forecast

            print(forecast(inputs.videos(source, column), part, captioner, options, settings, at_once=many))
            return
        workers = run.Threads(captioner, options, settings, many)
    with pool.Pool(out, pool.made_by(info, options)) as kept:
        count = inputs.write_manifest(inputs.videos(source, column), out)
        total = sum(1 for _ in part.of(inputs.manifest(out), kept))
        run.annotate(part.of(inputs.manifest(out), kept), total, kept, workers, progress=_say)
        print(f"{len(kept.done)} of {count} videos are annotated in {out}", file=sys.stderr)
        if layout != "dataset":
            from sgv_demo.annotation.layouts.table import convert as run_convert
            from sgv_demo.annotation.layouts.wording import Wording

            beside = layout == "sidecar"
            _handed(run_convert(out, layout, None if beside else out, Wording()), layout)
        if kept.failed:
            print(printable(run.failures(kept)), file=sys.stderr)
            sys.exit(SOME_FAILED)


@command
def convert(
    source: Path,
    /,
    *,
    layout: Layout,
    out: Path | None = None,
    field: Literal["summary", "captions", "fast", "first-sentence"] = "summary",
    max_tokens: Annotated[int | None, Parameter(validator=positive)] = None,
    tokenizer: str = "",
    prefix: str = "",
    suffix: str = "",
    edits: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Hands captions over in the form that a trainer takes; from any of the layouts to any other.

    Parameters
    ----------
    source:
        What `annotate` or this command wrote: a pool, a .jsonl, .parquet, metadata.csv or .tar, or a folder of these
        or of sidecars.
    layout:
        dataset: annotations.jsonl in the published schema; parquet: one file that `datasets` loads; sidecar: clip.txt
        beside each clip; metadata: metadata.jsonl with file_name and text, or the .csv that --out names; webdataset:
        tars with clips, texts and records.
    out:
        A folder, or a file where the layout is one; sidecars stand beside the clips without it.
    field:
        summary; captions: all differential captions; fast: the one of --mode fast; first-sentence.
    max_tokens:
        Longer texts are cut at the end of a sentence that fits, else of a word.
    tokenizer:
        Whose tokens --max-tokens counts: a folder or a Hub id in the cache; words where nothing is said.
    prefix:
        Stands before each text.
    suffix:
        Stands behind each text.
    edits:
        Records that stand in place of those of the same video: the page's download "Dataset record", with what was
        corrected and rated.
    overwrite:
        Replaces sidecars that stand beside clips already.
    """
    from sgv_demo.annotation.layouts.table import convert as run
    from sgv_demo.annotation.layouts.wording import Wording, counter

    wording = Wording(field, max_tokens, prefix=prefix, suffix=suffix)
    if tokenizer:
        wording = replace(wording, count=counter(tokenizer))
    handed = run(source, layout, out, wording, edits, overwrite=overwrite)
    _handed(handed, layout)


def _handed(handed: Any, layout: str) -> None:
    print(f"{counted(handed.written, 'video')} in the layout {layout}", file=sys.stderr)
    for reason, count in handed.left_out.items():
        print(f"note: left out {count} {reason}", file=sys.stderr)


def _say(progress: object) -> None:
    print(progress, file=sys.stderr, flush=True)
