"""A dataset's search results and records as HTML: pure."""

from __future__ import annotations

from collections.abc import Sequence

from sgv_demo.dataset.index import Dataset, Entry
from sgv_demo.dataset.record import from_entry
from sgv_demo.results.review import NONE
from sgv_demo.ui.captions.view import esc, hint, linked, span

PAGE = 20
"""Records in one list."""


def welcome() -> str:
    """What to give."""
    return hint(
        "Open an annotation file of ShareGPT4Video (one JSON record a line, such as sharegpt4video_40k.jsonl) to "
        "search its captions and to read them beside a result. Results of this page can be written in the same schema: "
        "“Dataset record” among the downloads of a run."
    )


def about(dataset: Dataset) -> str:
    """How much there is, and what had to be left out."""
    folders = dataset.folders()
    places = f"{len(folders)} source folder{'' if len(folders) == 1 else 's'}"
    trouble = dataset.trouble.sentence()
    more = f' <span class="missing">{esc(trouble)}</span>' if trouble else ""
    name = f"<b><bdi>{esc(dataset.path.name)}</bdi></b>"
    return f'<p class="estimate">{name}: {len(dataset):,} records in {places}.{more}</p>'


def indexing(share: float) -> str:
    """While the file is read."""
    return (
        f'<div class="progress"><p>Reading the file: {share:.0%}</p>'
        f'<progress value="{share:.3f}" max="1" aria-label="Reading the file"></progress></div>'
    )


def results(dataset: Dataset, found: Sequence[int], start: int, seconds: float | None = None) -> str:
    """One page of a search's results (`seconds`: how long it took), with buttons for the pages beside it."""
    if not found:
        return hint("Nothing found. Words are whole words; pan* also finds pans and panning.")
    shown = found[start : start + PAGE]
    rows = "".join(_line(number, dataset[number]) for number in shown)
    back = f'<button class="quiet" data-page="{max(0, start - PAGE)}">← Earlier</button>' if start else ""
    more = start + PAGE < len(found)
    ahead = f'<button class="quiet" data-page="{start + PAGE}">Later →</button>' if more else ""
    where = f"{start + 1:,} to {start + len(shown):,} of {len(found):,} found" + (
        "" if seconds is None else f" in {seconds:.2f} s"
    )
    return f'<p class="estimate" role="status">{where} {back} {ahead}</p><ul class="records">{rows}</ul>'


def _line(number: int, entry: Entry) -> str:
    text = entry.summary or (entry.captions[0][1] if entry.captions else "")
    short = text[:160] + ("…" if len(text) > 160 else "")
    captions = f"{len(entry.captions)} caption{'' if len(entry.captions) == 1 else 's'}"
    name = f"<bdi>{esc(entry.video_id)}</bdi>" if entry.video_id else f"record {number + 1}"
    return (
        f'<li><button data-record="{number}"><b>{name}</b> '
        f"<small><bdi>{esc(entry.zip_folder)}</bdi> · {captions} · {entry.characters:,} characters</small>"
        f'<span dir="auto">{esc(short)}</span></button></li>'
    )


def record(number: int, entry: Entry, *, playable: bool) -> str:
    """One record's captions as cards."""
    analysis, review = from_entry(entry)
    edited = review.edited(analysis)
    cards = "".join(
        f'<article class="plain"><button class="span" data-seek="{c.start:.3f}">{span(c.start, c.end)}</button>'
        f'<p class="text" dir="auto">{linked(c.text)}</p></article>'
        for c in edited.captions
    )
    whole = (
        f'<p class="text summary" dir="auto">{linked(entry.summary)}</p>'
        if entry.summary
        else hint("No whole-video caption.")
    )
    stated = "" if entry.timestamp or entry.keyframe or review is not NONE else " · times are counted 2 s apart"
    play = "" if playable else " · its video isn't on this server"
    places = f"<bdi>{esc(entry.video_path)}</bdi> · <bdi>{esc(entry.zip_folder)}</bdi>"
    facts = f"record {number + 1:,} · {places}{stated}{play}"
    name = f"<bdi>{esc(entry.video_id)}</bdi>" if entry.video_id else f"Record {number + 1}"
    return (
        f'<section class="record"><h3>{name}</h3><p class="sim">{facts}</p>'
        f'<p class="suggestions"><button class="suggestion" data-close="0">← Back to the list</button>'
        f'<button class="suggestion" data-compare="{number}">Compare with a result</button></p>'
        f"{whole}{cards}</section>"
    )
