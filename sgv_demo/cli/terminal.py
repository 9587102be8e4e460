"""Events and results as text for a terminal and as files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sgv_demo.errors import EngineError
from sgv_demo.events import (
    Analysis,
    Captioned,
    Delta,
    Event,
    Failed,
    Kept,
    Measured,
    Noted,
    Opened,
    Sampled,
    Summarized,
    Working,
)
from sgv_demo.formats.exports import evidence_phrases
from sgv_demo.steps import whole
from sgv_demo.times import clock
from sgv_demo.types import Generation, Trace


def printable(text: str) -> str:
    """Untrusted text without control characters, so that it can't steer the terminal."""
    return "".join(c if c in "\n\t" or c.isprintable() else "�" for c in text)


def write_json(data: object, target: str | None) -> None:
    """Writes JSON to a path, or to standard output for "-"; does nothing for None."""
    if target is None:
        return
    text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text, encoding="utf-8")


class Terminal:
    """Prints events: texts on standard output as they come, progress on standard error."""

    def __init__(self, *, quiet: bool = False, label: str = "") -> None:
        """`quiet` keeps standard output free, for JSON; `label` names the engine above its first text."""
        self.quiet = quiet
        self.label = label
        self._open: int | str | None = None
        self._progress = sys.stderr.isatty()

    def fold(self, events: Iterable[Event], analysis: Analysis | None = None) -> Analysis:
        """Prints every event and returns the state after the last, on from `analysis` where there is one.

        Raises:
            EngineError: a step failed; what was finished before has been printed.
        """
        analysis = analysis or Analysis()
        for event in events:
            analysis = analysis.apply(event)
            self.show(event, analysis)
        self.end()
        return analysis

    def show(self, event: Event, analysis: Analysis) -> None:
        """Prints one event; `analysis` is the state after it."""
        match event:
            case Opened(info):
                width, height = info.size
                self.progress(f"{info.name}: {info.duration:.2f} s, {width}x{height}, {info.fps:.5g} fps")
            case Sampled(sample):
                self.progress(f"sampled {clock(sample.time)}, {len(analysis.keyframes)} keyframes", passing=True)
            case Kept(mark):
                self.progress(f"keyframe {mark.index} at {mark.time:.2f} s")
            case Measured(evidence):
                self.progress(f"  {evidence.start:.2f} → {evidence.end:.2f} s: {', '.join(evidence_phrases(evidence))}")
            case Working(text):
                self.progress(text, passing=True)
            case Noted(text):
                self.progress(f"note: {text}")
            case Delta(step, text, start, end):
                self.stream(step, text, start, end)
            case Captioned(caption, from_store):
                if from_store or self._open != caption.index:
                    self.stream(caption.index, caption.text, caption.start, caption.end)
                self.end()
            case Summarized(text):
                if self._open != "summary":
                    self.stream("summary", text)
                self.end()
            case Failed(failure):
                self.end()
                raise EngineError(failure.message)
            case _:
                pass

    def stream(self, step: int | str, text: str, start: float = 0.0, end: float = 0.0) -> None:
        """Prints a piece of a step's text, after a heading when the step is new."""
        if self.quiet:
            return
        if self._open != step:
            self.end()
            if self.label:
                print(f"[{self.label}]")
                self.label = ""
            span = clock(start) if end <= start else f"{clock(start)} → {clock(end)}"
            print(f"\n{'Summary' if step == 'summary' else span}", flush=True)
            self._open = step
        print(printable(text), end="", flush=True)

    def end(self) -> None:
        """Ends the line of a step that was streaming."""
        if self._open is not None:
            print(flush=True)
            self._open = None

    def progress(self, text: str, *, passing: bool = False) -> None:
        """One line on standard error; a `passing` one only where a person looks at it."""
        if not passing or self._progress:
            print(printable(text), file=sys.stderr, flush=True)


def json_for(analysis: Analysis, *, captions: bool = True) -> dict[str, Any]:
    """The documented JSON; without captions for `keyframes`."""
    from sgv_demo.results.record import to_record

    record = to_record(analysis)
    if not captions:
        del record["captions"]
    return record


def print_generation(generation: Generation, *, quiet: bool) -> tuple[str, Trace]:
    """Prints a text as it comes; returns it and its trace."""
    if quiet:
        return whole(generation)
    said = whole(generation, lambda piece: print(printable(piece), end="", flush=True))
    print()
    return said


def loading(text: str, fraction: float | None) -> None:
    """Progress of a load, on standard error."""
    share = "" if fraction is None else f" {fraction:.0%}"
    print(f"{text}{share}", file=sys.stderr, flush=True)
