"""The summary, texts written on request, and downloads as HTML: pure."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from sgv_demo.events import Analysis
from sgv_demo.formats.markup import macros
from sgv_demo.ui.parts import PictureUrl, file_name, hint, seen


def summary(analysis: Analysis | None, url: PictureUrl) -> Markup:
    """The summary, finished or streaming, with who wrote it."""
    if analysis is None:
        return hint("Run a video first. Its summary is written here after the last caption.")
    live = analysis.live.text if analysis.live and analysis.live.step == "summary" else ""
    text = live or analysis.summary
    if not text:
        waiting = "The summary follows after the last caption." if not analysis.finished else "There is no summary."
        return hint(waiting)
    levels = "" if analysis.summary_levels < 2 else f" · in {analysis.summary_levels} levels"
    how = {} if live else seen(analysis.summary_trace, url)
    return macros("captions").summary(text, bool(live), f"{analysis.engine.label}{levels}", how)


def text_result(text: str, *, live: bool, by: str, note: str = "") -> Markup:
    """A streamed text that isn't part of the analysis: a clip summary or a re-caption."""
    return macros("captions").text_result(text, live, by, note)


def finished(shown: str) -> str:
    """A rendered text that streams no more."""
    return str(shown).replace(str(macros("parts").caret()), "").replace('aria-busy="true"', 'aria-busy="false"')


def downloads(files: Iterable[tuple[str, str]]) -> Markup:
    """Links to the written exports, given as (format, address)."""
    links = [(label, address, file_name(address)) for label, address in files]
    if not links:
        return hint("JSON, WebVTT, SRT and Markdown can be downloaded here when a run has ended or was stopped.")
    return macros("captions").downloads(links)
