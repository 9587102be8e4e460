"""A dataset's search results and records as HTML: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from sgv_demo.dataset.index import Dataset, Entry
from sgv_demo.dataset.record import from_entry
from sgv_demo.formats.markup import clean, counted, macros
from sgv_demo.results.review import NONE
from sgv_demo.ui.parts import hint

FAILURES = 50
"""Videos without annotation that are named."""
PAGE = 20
"""Records in one list."""


def welcome() -> Markup:
    """What to give."""
    return hint(
        "Open an annotation file of ShareGPT4Video (one JSON record a line, such as sharegpt4video_40k.jsonl) to "
        "search its captions and to read them beside a result. Results of this page can be written in the same schema: "
        "“Dataset record” among the downloads of a run."
    )


def about(dataset: Dataset) -> Markup:
    """How much there is, and what had to be left out."""
    places = counted(len(dataset.folders()), "source folder")
    return macros("dataset").about(dataset.path.name, f"{len(dataset):,}", places, dataset.trouble.sentence())


def pool(done: int, failed: Mapping[str, str], listed: int | None) -> Markup:
    """How far the annotating of a pool is, and what failed."""
    left = None if listed is None else max(0, listed - done - len(failed))
    first = [(clean(name), clean(reason)) for name, reason in sorted(failed.items())[:FAILURES]]
    return macros("dataset").pool(f"{done:,}", f"{len(failed):,}", left, done, listed, first)


def indexing(share: float) -> Markup:
    """While the file is read."""
    return macros("dataset").indexing(share)


def results(dataset: Dataset, found: Sequence[int], start: int, seconds: float | None = None) -> Markup:
    """One page of a search's results (`seconds`: how long it took), with buttons for the pages beside it."""
    if not found:
        return hint("Nothing found. Words are whole words; pan* also finds pans and panning.")
    shown = found[start : start + PAGE]
    took = "" if seconds is None else f" in {seconds:.2f} s"
    where = f"{start + 1:,} to {start + len(shown):,} of {len(found):,} found{took}"
    back = max(0, start - PAGE) if start else None
    ahead = start + PAGE if start + PAGE < len(found) else None
    return macros("dataset").results(where, back, ahead, [_line(number, dataset[number]) for number in shown])


def _line(number: int, entry: Entry) -> tuple[int, Entry, str, str]:
    text = entry.summary or (entry.captions[0][1] if entry.captions else "")
    short = text[:160] + ("…" if len(text) > 160 else "")
    return number, entry, counted(len(entry.captions), "caption"), short


def record(number: int, entry: Entry, *, playable: bool) -> Markup:
    """One record's captions as cards."""
    analysis, review = from_entry(entry)
    edited = review.edited(analysis)
    stated = "" if entry.timestamp or entry.keyframe or review is not NONE else " · times are counted 2 s apart"
    play = "" if playable else " · its video isn't on this server"
    return macros("dataset").record(number, entry, edited.captions, f"{stated}{play}")


def player(url: str, name: str) -> Markup:
    """The video of a record."""
    return macros("parts").replayed(url, name, "Back to a video of your own")
