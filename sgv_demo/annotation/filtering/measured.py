"""The published filters of length and shots, and further ones, all from what was measured when a pool was annotated."""

from __future__ import annotations

from dataclasses import dataclass

from sgv_demo.events import Analysis


@dataclass(frozen=True, slots=True)
class Measured:
    """What of a video's evidence filters look at; None where it wasn't measured."""

    seconds: float | None = None
    cuts: int | None = None
    motion: float | None = None
    """The strongest movement of the camera or of a thing: frame widths a second."""
    light: float | None = None
    """Mean luma of the keyframes, 0 to 1."""
    text: int | None = None
    """Most lines of text read in one keyframe."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a video must have; None: anything."""

    min_seconds: float | None = None
    max_seconds: float | None = 120.0
    max_cuts: int | None = None
    min_motion: float | None = None
    min_light: float | None = None
    max_text: int | None = None

    def fault(self, found: Measured) -> str:
        """The first bound that a video breaks, such as "too long"; empty: none. What wasn't measured breaks none."""
        for said, value, least, most in (
            ("too short", found.seconds, self.min_seconds, None),
            ("too long", found.seconds, None, self.max_seconds),
            ("too many cuts", found.cuts, None, self.max_cuts),
            ("too little motion", found.motion, self.min_motion, None),
            ("too dark", found.light, self.min_light, None),
            ("too much text", found.text, None, self.max_text),
        ):
            if value is not None and ((least is not None and value < least) or (most is not None and value > most)):
                return said
        return ""

    def unmeasured(self, found: Measured) -> bool:
        """Whether a bound is set for something that nobody measured."""
        return any(
            value is None and bound is not None
            for value, bound in (
                (found.seconds, self.min_seconds if self.min_seconds is not None else self.max_seconds),
                (found.cuts, self.max_cuts),
                (found.motion, self.min_motion),
                (found.light, self.min_light),
                (found.text, self.max_text),
            )
        )


def measured(analysis: Analysis) -> Measured:
    """What the evidence of an analysis says."""
    seconds = analysis.video.duration if analysis.video and analysis.video.duration else None
    sampling = analysis.options.sampling
    if seconds is not None and sampling.end is not None:
        seconds = min(seconds, sampling.end) - sampling.start
    looks = [mark.look for mark in analysis.keyframes if mark.look]
    light = sum(look.light for look in looks) / len(looks) if looks else None
    if not analysis.evidence:
        return Measured(seconds, light=light)
    speeds = [moving.speed for gap in analysis.evidence for moving in gap.moving]
    speeds += [
        abs(move.amount) / (move.end - move.start)
        for gap in analysis.evidence
        for move in gap.moves
        if move.unit in ("frame widths", "frame heights") and move.end > move.start
    ]
    return Measured(
        seconds,
        sum(len(gap.cuts) for gap in analysis.evidence),
        max(speeds, default=0.0),
        light,
        max((len(look.text) for look in looks), default=0) if sampling.read_text else None,
    )
