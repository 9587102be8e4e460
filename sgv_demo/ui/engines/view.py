"""The engine panel's table as HTML. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sgv_demo.engines.offers import gigabytes
from sgv_demo.ui.captions.view import esc, trouble
from sgv_demo.ui.engines.rows import EngineRow

_WORDS = {
    "available": "Not loaded",
    "to download": "Not loaded",
    "too large": "Too large here",
    "failed": "Failed",
    "not set up": "Not set up",
}


def table(rows: Iterable[EngineRow], why: str, facts: dict[str, str], problem: str = "") -> str:
    """Why these engines were chosen, then every engine: what it is, memory, download, state.

    Args:
        rows: see `engine_rows`.
        why: one sentence.
        facts: row key to device, model and number type of an engine that is loaded.
        problem: what went wrong just now; empty: nothing.
    """
    body = "".join(_row(row, facts.get(row.key, "")) for row in rows)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Engine", "Memory", "Download", "State"))
    return (
        f'{trouble(problem) if problem else ""}<p class="why">{esc(why)}</p>'
        f'<table class="engine-rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _row(row: EngineRow, facts: str) -> str:
    chosen = "<em>chosen</em>" if row.chosen else ""
    licence = f'<span class="licence">Licence: {esc(row.licence)}</span>' if row.licence else ""
    return (
        f'<tr class="{row.state.replace(" ", "-")}"><th scope="row">{esc(row.label)} {chosen}'
        f"<small>{esc(row.about)} {licence}</small></th>"
        f'<td data-name="Memory">{memory(row)}</td><td data-name="Download">{download(row)}</td>'
        f'<td data-name="State" role="status">{state(row, facts)}</td></tr>'
    )


def memory(row: EngineRow) -> str:
    """What it needs against what is there, and what it took."""
    if not row.needed:
        return "hardly any" if row.place == "memory" else "–"
    there = f"of {gigabytes(row.there)} free" if row.there else ""
    place = "" if row.place == "memory" else f"({row.place})"
    took = f"took {gigabytes(row.taken)}" if row.taken else ""
    small = " ".join(part for part in (there, place, took) if part)
    return f"{gigabytes(row.needed)}<small>{esc(small)}</small>"


def download(row: EngineRow) -> str:
    """What is still to be fetched."""
    if row.download:
        return gigabytes(row.download)
    return "none" if row.place != "server" else "–"


def state(row: EngineRow, facts: str) -> str:
    """One or two words, then the detail."""
    if row.state == "ready":
        word = "Loaded" if facts else "Ready"
        return f"{word} · {esc(facts)}" if facts else word
    if row.state in ("downloading", "loading"):
        return f"{esc(row.detail)}{_bar(row.detail)}"
    # The column beside it says what there is to download.
    detail = "" if row.state == "to download" else row.detail
    return _WORDS[row.state] + (f"<small>{esc(detail)}</small>" if detail else "")


def _bar(text: str) -> str:
    """A bar for a text that ends in a share, such as "Downloading 40%"."""
    share = text.rpartition(" ")[2].removesuffix("%")
    return f'<progress max="100" value="{share}"></progress>' if text.endswith("%") and share.isdigit() else ""
