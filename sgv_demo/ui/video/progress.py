"""Where a run is, in words: what the line under the player says and what the button does. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from sgv_demo.events import Analysis
from sgv_demo.formats.markup import counted, macros
from sgv_demo.times import clock, length
from sgv_demo.ui.parts import between, trouble
from sgv_demo.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class Buttons:
    """The one main button and the two beside it."""

    main: str
    """Its words."""
    can_run: bool
    can_stop: bool
    can_restart: bool
    """Whether a stored result may be thrown away and computed anew."""
    urgent: bool = True
    """Whether the main button is what one does next."""


def buttons(visit: Visit, estimate: tuple[float, float] | None = None) -> Buttons:
    """What can be done in this state; `estimate` (from so many seconds to so many) is said on the button."""
    about = f"  ≈ {between(*estimate)}" if estimate else ""
    match visit.phase:
        case "running" | "waiting":
            return Buttons("Running…" if visit.phase == "running" else "Waiting…", False, True, False)
        case "stopped":
            return Buttons("Continue", True, False, True)
        case "failed":
            return Buttons(retry_words(visit.analysis), True, False, True)
        case "done":
            return Buttons("Run again", True, False, True, urgent=False)
        case "ready":
            return Buttons(f"Run{about}", True, False, False)
        case _:
            return Buttons("Run", False, False, False)


def captions_tab(visit: Visit) -> str:
    """Label of the captions tab: a count, and a dot while working."""
    count = len(visit.analysis.captions) if visit.analysis else 0
    working = " ●" if visit.phase == "running" else ""
    return f"2 Captions ({count}){working}" if count or working else "2 Captions"


def retry_words(analysis: Analysis | None) -> str:
    """Names the step that a retry starts from."""
    if analysis is None or analysis.failure is None:
        return "Retry"
    return f"Retry from {analysis.failure.step}"


def fraction(analysis: Analysis) -> float:
    """Share of the run that is done, 0 to 1: how far along the video the last step or sample is."""
    if analysis.finished:
        return 1.0
    info, sampling = analysis.video, analysis.options.sampling
    if info is None:
        return 0.0
    end = min(info.start + info.duration, sampling.end if sampling.end is not None else float("inf"))
    first = max(info.start, sampling.start)
    written = max((c.end for c in analysis.captions), default=first)
    seen = max((s.time for s in analysis.samples), default=first)
    reached = max(written, seen)
    if sampling.maximum and not analysis.options.at_once:
        reached = (written + seen) / 2  # nothing is written until all was seen
    return min(0.97, max(0.0, (reached - first) / max(end - first, 0.001)) * 0.95)


def progress(visit: Visit, loading: tuple[str, float | None] | None = None, left: float | None = None) -> Markup:
    """The line under the player: which step, how long still; a sentence when the run has ended.

    `loading` is the stage of an engine that is being loaded; `left` is how long the run will still take, seconds.
    """
    match visit.phase:
        case "empty" | "ready":
            return Markup()
        case "unusable":
            return trouble(visit.problem)
        case "waiting":
            return _bar("Waiting for the engine; another visitor's step goes first", None, kind=" waiting")
        case "running":
            return _bar(*loading, kind=" running") if loading else _running(visit, left)
        case "stopped":
            words = f"{_kept(visit.analysis)}. Continue goes on from there."
            return macros("video").line(_stopped(visit), words, (), False)
        case "failed":
            failure = visit.analysis.failure if visit.analysis else None
            message = failure.message if failure else visit.problem
            where = f"At {failure.step}: " if failure and failure.step not in message else ""
            return trouble(where + message, kept=_kept(visit.analysis) + "." if visit.analysis else "")
        case "done":
            return _done(visit)


def looking() -> Markup:
    """While a file is being probed."""
    return _bar("Looking at the file", None)


def _running(visit: Visit, left: float | None) -> Markup:
    analysis = visit.analysis
    if analysis is None or analysis.video is None:
        return _bar((analysis and analysis.working) or "Opening the video", None, kind=" running")
    words = doing(analysis) + (f" · about {length(left)} left" if left is not None else "")
    return _bar(words, fraction(analysis), kind=" running")


def doing(analysis: Analysis) -> str:
    """The step at hand."""
    if analysis.live and analysis.live.step == "summary":
        return "Writing the summary"
    if analysis.live:
        number = int(analysis.live.step) + 1
        return f"Writing caption {number}, {clock(analysis.live.start)} → {clock(analysis.live.end)}"
    if analysis.working:
        return analysis.working
    if analysis.samples:
        count = len(analysis.captions)
        so_far = f" · {counted(count, 'caption')} so far" if count else ""
        return f"Looking at {clock(analysis.samples[-1].time)}{so_far}"
    return "Opening the video"


def _done(visit: Visit) -> Markup:
    analysis = visit.analysis
    if analysis is None:
        return Markup()
    words = f"{counted(len(analysis.keyframes), 'keyframe')}, {counted(len(analysis.captions), 'caption')}"
    took = "computed earlier" if analysis.from_store else f"{analysis.seconds:.1f} s"
    return macros("video").line("Done", f"{words} · {took}", analysis.notes, _is_thin(analysis))


def _is_thin(analysis: Analysis) -> bool:
    """Whether there is one pair or none though there were more samples to make pairs of."""
    options, captions = analysis.options, len(analysis.captions)
    return not options.at_once and not options.sampling.keep_all and captions <= 2 < len(analysis.samples)


def _stopped(visit: Visit) -> str:
    if not visit.interrupted or visit.path is None or visit.analysis is None:
        return "Stopped"
    reached = max((c.end for c in visit.analysis.captions), default=0.0)
    return f"A run of {visit.path.name} was interrupted at {clock(reached)}"


def _kept(analysis: Analysis | None) -> str:
    count = len(analysis.captions) if analysis else 0
    return counted(count, "caption is kept", "captions are kept") if count else "No caption was finished yet"


def _bar(words: str, part: float | None, *, kind: str = "") -> Markup:
    return macros("video").bar(words, part, kind)
