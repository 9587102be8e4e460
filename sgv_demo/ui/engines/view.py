"""The engine panel's table as HTML. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from sgv_demo.formats.markup import macros
from sgv_demo.times import gigabytes
from sgv_demo.ui.engines.rows import EngineRow

_WORDS = {
    "available": "Not loaded",
    "to download": "Not loaded",
    "too large": "Too large here",
    "failed": "Failed",
    "not set up": "Not set up",
}


def table(rows: Iterable[EngineRow], why: str, facts: dict[str, str], problem: str = "") -> Markup:
    """Why these engines were chosen, then every engine: what it is, memory, download, state.

    Args:
        rows: see `engine_rows`.
        why: one sentence.
        facts: row key to device, model and number type of an engine that is loaded.
        problem: what went wrong just now; empty: nothing.
    """
    cells = [(row, memory(row), download(row), state(row, facts.get(row.key, ""))) for row in rows]
    return macros("engines").table(problem, why, cells)


def memory(row: EngineRow) -> Markup:
    """What it needs against what is there, and what it took."""
    cell = macros("engines").cell
    if not row.needed:
        return cell("hardly any" if row.place == "memory" else "–")
    there = f"of {gigabytes(row.there)} free" if row.there else ""
    place = "" if row.place == "memory" else f"({row.place})"
    took = f"took {gigabytes(row.taken)}" if row.taken else ""
    return cell(gigabytes(row.needed), " ".join(part for part in (there, place, took) if part))


def download(row: EngineRow) -> str:
    """What is still to be fetched."""
    if row.download:
        return gigabytes(row.download)
    return "none" if row.place != "server" else "–"


def state(row: EngineRow, facts: str) -> Markup:
    """One or two words, then the detail."""
    cell = macros("engines").cell
    if row.state == "ready":
        return cell(f"Loaded · {facts}" if facts else "Ready", row.detail)
    if row.state in ("downloading", "loading"):
        return cell(row.detail, share=_share(row.detail))
    # The column beside it says what there is to download.
    return cell(_WORDS[row.state], "" if row.state == "to download" else row.detail)


def _share(text: str) -> str:
    """What a text that ends in a share, such as "Downloading 40%", ends in; else nothing."""
    share = text.rpartition(" ")[2].removesuffix("%")
    return share if text.endswith("%") and share.isdigit() else ""
