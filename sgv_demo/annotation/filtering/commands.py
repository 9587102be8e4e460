"""`filter`: a pool's choice on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sgv_demo.cli.flags import Only, command, positive
from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings
from sgv_demo.times import counted

Looking = Annotated[Settings, Only(("clip_model",))]


@command
def filter(
    source: Path,
    /,
    *,
    out: Path,
    settings: Looking,
    encoder: Literal["tfidf", "bert", "minilm", "clip"] = "tfidf",
    model: str = "",
    threshold: float | None = None,
    keep: Annotated[int | None, Parameter(validator=positive)] = None,
    order: Literal["given", "shuffled"] = "given",
    seed: int = 0,
    field: Literal["summary", "captions", "fast", "first-sentence"] = "first-sentence",
    column: str = "",
    seconds_column: str = "",
    min_seconds: float | None = None,
    max_seconds: float = 120.0,
    max_cuts: int | None = None,
    min_motion: float | None = None,
    min_light: float | None = None,
    max_text: int | None = None,
    pictures: bool = False,
    report: Path | None = None,
) -> None:
    """Leaves out what a pool has already: taken one after another, a video stays if it is unlike all that stay before.

    Parameters
    ----------
    source:
        A pool that `annotate` wrote, or any .jsonl, .csv or .parquet with captions.
    out:
        Folder for kept.jsonl, dropped.jsonl (with the reason, the nearest kept one and the similarity) and filter.json.
    encoder:
        What captions are compared by. tfidf: wording, not meaning; bert: the class token of bert-base-uncased; minilm:
        a small sentence model; clip: the pictures instead of the captions.
    model:
        The encoder's folder or Hub id, where it isn't the usual one.
    threshold:
        A video stays below this similarity; the encoder's own where nothing is said.
    keep:
        So many at most, by the highest threshold that does it.
    order:
        given, or shuffled with --seed; of two alike the first stays.
    seed:
        Of whatever is drawn.
    field:
        Of a pool's records: what is compared.
    column:
        Of a table: where its captions are; text, caption or summary where nothing is said.
    seconds_column:
        Of a table: where its lengths are; duration, seconds or length where nothing is said.
    min_seconds:
        Shorter videos go.
    max_seconds:
        Longer videos go.
    max_cuts:
        Videos with more hard cuts go.
    min_motion:
        Videos in which neither the camera nor a thing moves as fast go; frame widths a second.
    min_light:
        Darker videos go; mean luma, 0 to 1.
    max_text:
        Videos with more lines of text in a keyframe go.
    pictures:
        Near copies go, too, whatever their captions say: by hashes of 8 pictures of each.
    report:
        An HTML page of what was done.
    """
    from sgv_demo.annotation.filtering.measured import Bounds
    from sgv_demo.annotation.filtering.report import report as page
    from sgv_demo.annotation.filtering.rows import Columns
    from sgv_demo.annotation.filtering.run import How, filter_pool
    from sgv_demo.annotation.inputs import MANIFEST, manifest
    from sgv_demo.annotation.layouts.wording import Wording
    from sgv_demo.annotation.layouts.write import videos_of

    if threshold is not None and keep is not None:
        raise SettingsError("Either a threshold or how many to keep; give one of --threshold and --keep.")
    bounds = Bounds(min_seconds, max_seconds, max_cuts, min_motion, min_light, max_text)
    columns, wording = Columns(column, seconds_column), Wording(field)
    how = How(encoder, model, threshold, keep, order, seed, bounds, pictures, columns, wording)
    folder = source if source.is_dir() else source.parent
    listed = manifest(folder) if (folder / MANIFEST).is_file() else ()
    videos = videos_of(folder, listed) if pictures or report or encoder == "clip" else {}
    found = filter_pool(source, out, how, videos, settings, _say)
    if report is not None:
        report.write_text(page(source, how, found, videos, settings), encoding="utf-8")
    left = "".join(f"; {count:,} {reason}" for reason, count in found.counts().items())
    print(
        f"{found.kept:,} of {counted(len(found.names), 'video')} stay (threshold {found.threshold:.4g}){left}",
        file=sys.stderr,
    )
    if found.unmeasured:
        print(f"note: {found.unmeasured:,} stay though something wasn't measured in them", file=sys.stderr)


def _say(told: str) -> None:
    print(told, file=sys.stderr, flush=True)
