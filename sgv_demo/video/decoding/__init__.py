"""Decoding a stranger's file: the security boundary. Only the reading process imports what lies here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sgv_demo.settings import Settings
from sgv_demo.video import Backend, VideoReader

WITHOUT_DECORD = "decord isn't installed here, so PyAV took the pictures of the published sampling; they are the same."


def open_here(path: Path, settings: Settings, backend: Backend, beat: Callable[[], None] = lambda: None) -> VideoReader:
    """A reader in this very process, calling `beat` for every decoded picture; raises VideoError."""
    from sgv_demo.video.decoding.pyav import PyavReader

    if backend == "pyav":
        return PyavReader(path, settings, beat=beat)
    try:
        from sgv_demo.video.decoding.decord import DecordReader
    except ImportError:
        # There is no build of it for ARM processors.
        return PyavReader(path, settings, beat=beat, notes=(WITHOUT_DECORD,))
    return DecordReader(path, settings)
