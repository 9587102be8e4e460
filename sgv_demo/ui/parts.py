"""What several tabs show: hints, errors, frames, addresses and amounts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from markupsafe import Markup

from sgv_demo.formats.markup import macros
from sgv_demo.settings import Settings
from sgv_demo.times import length
from sgv_demo.types import TraceMark, VideoInfo

PictureUrl = Callable[[str | None], str]
"""From a file name inside the result's folder to an address, or "" when there is no such picture."""


def file_url(path: Path | str) -> str:
    """Address under which gradio serves an upload; relative, so that it works behind a proxy."""
    return f"gradio_api/file={quote(str(path))}"


def file_name(address: str) -> str:
    """The name under which what is at an address is saved."""
    return unquote(address.rpartition("/")[2])


def amount(megabytes: float) -> str:
    """ "800 MB", "2 GB"."""
    return f"{megabytes / 1024:.3g} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"


def between(least: float, most: float) -> str:
    """ "20–60 s", "50 s–2 min"; one length where both round to the same."""
    one, other = length(least), length(most)
    same_unit = one.split()[1] == other.split()[1]
    return other if one == other else f"{one.split()[0]}–{other}" if same_unit else f"{one}–{other}"


def limits(settings: Settings) -> str:
    """What a file may be."""
    return f"up to {length(settings.max_seconds)} and {amount(settings.max_megabytes)}"


def hint(text: str, *, kind: str = "hint") -> Markup:
    """A quiet paragraph: what to do, or why there is nothing yet."""
    return macros("parts").hint(text, kind)


def trouble(message: str, *, kept: str = "") -> Markup:
    """An error a user sees: the sentence, and what is kept."""
    return macros("parts").trouble(message, kept)


def linked(text: str) -> Markup:
    """Text whose times ("0:12", "12 seconds") are buttons that seek the player."""
    return macros("parts").linked(text)


def picture(url: str, time: float, label: str, video: VideoInfo | None = None) -> Markup:
    """A frame that seeks the player when clicked; `video` tells its shape before it is there, so that nothing jumps."""
    return macros("parts").picture(url, time, label, video.size if video else None)


def seen(trace: TraceMark | None, url: PictureUrl) -> dict[str, object]:
    """What went into the model and what it cost, for the macro `saw`; empty for an engine that has no prompt."""
    if trace is None or not (trace.prompt or trace.picture or trace.new_tokens or trace.note):
        return {}
    numbers = []
    if trace.new_tokens:
        numbers.append(f"{trace.prompt_tokens} tokens in, {trace.new_tokens} out")
    if trace.seconds:
        numbers.append(f"{trace.seconds:.1f} s")
    if trace.finish == "length":
        numbers.append("cut off at the longest length allowed")
    return {
        "note": trace.note,
        "numbers": numbers,
        "prompt": trace.prompt,
        "url": url(trace.picture),
        "tiles": trace.tiles or (1, 1),
    }
