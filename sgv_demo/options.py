"""Every option of a run, once: its type, default, bounds, unit and sentence; and the presets.

The command line, the API, the page, the checks, comparisons, tables and reports are made from these fields (see
`sgv_demo.fields`): an option that is added here is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from sgv_demo.fields import Option, values
from sgv_demo.languages import Language

OWN_THRESHOLDS = {"histogram": 0.87, "clip": 0.93}
"""Each similarity's own threshold (see `sgv_demo.keyframes.similarity`)."""
OFFLINE_SIMILARITY = "histogram"
"""The one that needs no weights."""
_ENDLESS = 1_000_000
"""Seconds: eleven days, later than the end of any video."""


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """Which frames become keyframes."""

    every: Annotated[
        float, Option(label="Sampling interval", least="min_every", most=86_400, unit="s", column="every_s", place=1)
    ] = 2.0
    """Seconds between samples."""
    similarity: Annotated[
        Literal["auto", "histogram", "clip"], Option(label="Similarity by", column="similarity_by", place=10)
    ] = "auto"
    """What samples are compared by: colour histograms, or CLIP, as published, which needs its weights; auto: CLIP where
    they are at hand (loaded as the answerer's tower, or kept on a machine with a GPU)."""
    threshold: Annotated[
        float | None,
        Option(
            least=0,
            most=1,
            none="the similarity's own, " + " or ".join(f"{value} ({name})" for name, value in OWN_THRESHOLDS.items()),
            place=2,
        ),
    ] = None
    """Keep a sample less similar than this to the last kept."""
    start: Annotated[
        float,
        Option(label="Start of the range", least=0, most=_ENDLESS, unit="s", column="range_start_s", place=3, ask=1),
    ] = 0.0
    """Seconds where the range begins."""
    end: Annotated[
        float | None,
        Option(
            label="End of the range",
            above=0,
            most=_ENDLESS,
            unit="s",
            none="the end of the video",
            column="range_end_s",
            place=4,
            ask=2,
        ),
    ] = None
    """Seconds where the range ends."""
    maximum: Annotated[
        int | None,
        Option(label="Number of keyframes", least=1, most="max_keyframes", none="no limit", flag="max", place=5),
    ] = None
    """Keyframes at most; the most different ones stay."""
    keep_all: Annotated[bool, Option(label="Every sample kept", flag="all", place=6)] = False
    """Every sample becomes a keyframe."""
    published: Annotated[
        bool, Option(label="Published sampling", flag="sampling", words=("times", "published"), place=15, ask=8)
    ] = False
    """Take the frame numbers of the published code, at native size: 0, step, 2·step with step = max(1, int(2·fps)) for
    captions, without a closing frame."""
    measure: Annotated[bool, Option(label="Evidence measured", place=16)] = True
    """Measure evidence between keyframes."""
    read_text: Annotated[bool, Option(label="Text read", flag="text", place=11)] = True
    """Read text in the pictures; only where evidence is measured."""

    @property
    def threshold_in_force(self) -> float:
        """The threshold, or the similarity's own where none was chosen; a histogram's while that is still open."""
        own = OWN_THRESHOLDS[OFFLINE_SIMILARITY if self.similarity == "auto" else self.similarity]
        return own if self.threshold is None else self.threshold

    @staticmethod
    def older(record: Mapping[str, Any]) -> dict[str, Any]:
        """A stored record as it was meant: before a run could leave its similarity open, one that named none meant the
        one that needs no weights."""
        return {"similarity": OFFLINE_SIMILARITY} | dict(record)

    def plain(self) -> SamplingOptions:
        """The same with the similarity's own threshold left to it: the form in which equal options are equal."""
        own = OWN_THRESHOLDS.values() if self.similarity == "auto" else (OWN_THRESHOLDS[self.similarity],)
        return replace(self, threshold=None) if self.threshold in own else self


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How an engine decodes. Engines ignore what they can't do and say so in their `Trace`."""

    beams: Annotated[int, Option(label="Number of beams", least=1, most=8, place=12)] = 1
    """1 streams word by word; 3 is the published decoding and arrives whole. Beams multiply memory and time."""
    max_new_tokens: Annotated[
        int, Option(label="Longest text", least=1, most=16_384, unit="tokens", place=9, ask=7)
    ] = 1024
    """Tokens at most for one text."""
    temperature: Annotated[float, Option(least=0, most=2, place=13, ask=4)] = 0.0
    """0 always takes the likeliest word; more draws more freely."""
    top_p: Annotated[float, Option(label="Top-p", above=0, most=1, place=14, ask=6)] = 1.0
    """Share of the likeliest words to draw from; only with a temperature."""
    language: Annotated[Language, Option(label="Language of what is measured")] = "en"
    """Of sentences written from measurements, and of headings in files; a model's text stays its own."""


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """Everything the user chose for one run; part of a stored result's key."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    mode: Annotated[Literal["sliding", "fast", "sheet"], Option(label="Captions", place=7)] = "sliding"
    """sliding: a caption for each pair of keyframes; fast: one for all; sheet: one for all, laid out in one picture, by
    an engine that otherwise takes several."""
    generation: GenerationOptions = field(default_factory=GenerationOptions)
    summarize: Annotated[bool, Option(label="Summary written", flag="summary", place=17)] = True
    """Sum the captions up."""

    @property
    def at_once(self) -> bool:
        """Whether there is one caption for all keyframes."""
        return self.mode != "sliding"

    def in_force(self) -> dict[str, Any]:
        """Every option by name, with the similarity's own threshold where none was chosen."""
        return values(self) | {"threshold": self.sampling.threshold_in_force}


@dataclass(frozen=True, slots=True)
class QuestionOptions:
    """What shapes an answer; of the two groups only the options with a place in `ask`."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    frames: Annotated[int, Option(label="Number of pictures", least=1, most=64, ask=3)] = 16
    """Pictures to look at; an engine that measures has no use for it."""
    generation: GenerationOptions = field(default_factory=GenerationOptions)


PUBLISHED_CAPTIONS = GenerationOptions(beams=3, max_new_tokens=2048)
"""How the published captioning code decodes (captioner/app.py of ShareGPT4Video)."""
PUBLISHED_ANSWERS = QuestionOptions(
    frames=16, generation=GenerationOptions(temperature=0.1, top_p=0.9, max_new_tokens=1024)
)
"""How the published page answers (app.py of ShareGPT4Video)."""
