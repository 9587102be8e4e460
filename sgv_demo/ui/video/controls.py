"""The values of the page's controls as the pipeline takes them: pure."""

from __future__ import annotations

from dataclasses import dataclass

from sgv_demo.types import OWN_THRESHOLDS as THRESHOLDS
from sgv_demo.types import AnalysisOptions, GenerationOptions, SamplingOptions


@dataclass(frozen=True, slots=True)
class Controls:
    """One field for each control, in the order in which the page hands them over."""

    engine: str = "measured"
    mode: str = "sliding"
    """"sliding" or "fast"."""
    every: float | None = 2.0
    """Seconds."""
    similarity: str = "histogram"
    threshold: float | None = None
    start: float | None = None
    """Seconds; None is the beginning."""
    end: float | None = None
    """Seconds; None or 0 is the end of the video."""
    maximum: float | None = None
    keep_all: bool = False
    read_text: bool = True
    decoding: str = "stream"
    """"stream" (greedy, token by token) or "published" (3 beams, whole captions)."""
    max_new_tokens: float | None = 1024

    def options(self) -> AnalysisOptions:
        """As the pipeline takes them."""
        own = THRESHOLDS.get(self.similarity)
        sampling = SamplingOptions(
            every=float(self.every or 0),
            similarity="clip" if self.similarity == "clip" else "histogram",
            threshold=None if self.threshold in (None, own) else float(self.threshold or 0),
            start=max(0.0, float(self.start or 0)),
            end=float(self.end) if self.end else None,
            maximum=max(1, int(self.maximum)) if self.maximum else None,
            keep_all=bool(self.keep_all),
            read_text=bool(self.read_text),
        )
        generation = GenerationOptions(
            beams=3 if self.decoding == "published" else 1, max_new_tokens=int(self.max_new_tokens or 1024)
        )
        return AnalysisOptions(sampling, "fast" if self.mode == "fast" else "sliding", generation)

    def drawn_threshold(self) -> float:
        """The threshold in force."""
        return THRESHOLDS.get(self.similarity, 0.87) if self.threshold is None else float(self.threshold)
