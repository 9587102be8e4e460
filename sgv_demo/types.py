"""The nouns: what a video, a keyframe, a measurement and a caption are.

Times are seconds as floats, sizes are pixels as (width, height), pictures are (h, w, 3) uint8 RGB arrays.
Nothing here imports a model library, a video library or the page.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sgv_demo.clean import clean

Picture: TypeAlias = NDArray[np.uint8]

CAMERA_WORDS = (
    "static",
    "pan left",
    "pan right",
    "tilt up",
    "tilt down",
    "zoom in",
    "zoom out",
    "roll",
    "shake",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a probe tells about a file."""

    path: Path
    """The file itself."""
    duration: float
    """Seconds from the first to the end of the last picture."""
    fps: float
    """Pictures a second: the container's average where it is believable, otherwise measured."""
    size: tuple[int, int]
    """Displayed (width, height): rotation and pixel aspect applied."""
    codec: str
    """FFmpeg's name of the video codec, such as "h264"."""
    has_audio: bool = False
    """Whether there is a sound track."""
    start: float = 0.0
    """Time of the first picture (3.0 where sound runs for 3 s before any picture)."""
    notes: tuple[str, ...] = ()
    """Sentences for the user: variable frame rate, cut short, damaged pictures skipped, …"""

    @property
    def name(self) -> str:
        """The file's name in one line, fit to be kept and shown: names may hold any bytes."""
        return clean(self.path.name).replace("\n", " ").replace("\t", " ")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture at its own time."""

    time: float
    """Seconds on the video's own clock."""
    image: Picture
    """(h, w, 3) uint8 RGB, upright, square pixels."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was measured in one still picture."""

    light: float
    """Mean luma, 0 (black) to 1 (white)."""
    contrast: float
    """Standard deviation of the luma, 0 to 0.5."""
    sharpness: float
    """Variance of the Laplacian of the 320 px wide grey picture; below about 60 looks soft."""
    colours: tuple[tuple[str, float], ...]
    """Named colours with the share of the picture each covers, largest first."""
    detail: str
    """Where most edges are: "left", "upper right", "centre", …, "everywhere", or "nowhere" in a flat picture."""
    text: tuple[str, ...] = ()
    """Lines of text read, gated by score, in reading order."""


@dataclass(frozen=True, slots=True)
class CameraMove:
    """One camera movement inside a gap between keyframes."""

    word: str
    """One of `CAMERA_WORDS`."""
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    amount: float
    """Size of the movement over its span, in `unit`."""
    unit: Literal["frame widths", "frame heights", "times", "degrees"]
    """pan: frame widths · tilt: frame heights · zoom: times larger · roll, shake: degrees or frame widths."""


@dataclass(frozen=True, slots=True)
class Moving:
    """Something that moves against the background after the camera is taken out."""

    place: str
    """Where in the later picture: "left", "upper right", "centre", …"""
    direction: str
    """"left", "right", "up", "down", "up and left", …, or "in place"."""
    speed: float
    """Frame widths a second that it gets on; near 0 for what moves in place."""
    area: float
    """Share of the picture, 0 to 1."""
    start: float | None = None
    """Seconds: when it was first seen to move; None in results of older versions."""
    end: float | None = None
    """Seconds: when it was last seen to move."""


@dataclass(frozen=True, slots=True)
class ColourChange:
    """The dominant colour changed between two keyframes."""

    before: str
    """Name of the colour that lost most area."""
    after: str
    """Name of the colour that gained most area."""
    amount: float
    """Bhattacharyya distance of the two colour histograms, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured in the gap between two neighbouring keyframes; never guessed."""

    start: float
    """Seconds: time of the earlier keyframe."""
    end: float
    """Seconds: time of the later keyframe."""
    camera: tuple[str, ...]
    """Camera words in order; ("unknown",) when it can't be told; across a cut ("static",) or ("cut",), see `moves`."""
    moves: tuple[CameraMove, ...] = ()
    """The same movements with their spans and sizes."""
    cuts: tuple[float, ...] = ()
    """Times of hard cuts in (start, end]: the first picture of the new shot."""
    light: float = 0.0
    """Change of the mean luma, as a share of full scale: +0.12 is 12 % brighter."""
    colour: ColourChange | None = None
    """Set when the colours changed clearly."""
    moving: tuple[Moving, ...] = ()
    """Things that move on their own, largest first."""
    text_appeared: tuple[str, ...] = ()
    """Lines of text that the later keyframe has and the earlier one hasn't."""
    text_gone: tuple[str, ...] = ()
    """Lines of text that the earlier keyframe has and the later one hasn't."""
    similarity: float | None = None
    """Similarity of the two keyframes by the embedder that chose them."""
    more: dict[str, float | str] = field(default_factory=dict)
    """What further kinds of evidence measured, each under a name of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """A frame kept for captioning."""

    index: int
    """0-based among the kept."""
    frame: Frame
    """Its picture."""
    similarity: float | None
    """To the previous keyframe; None for the first."""
    stated_time: float
    """Seconds written into prompts: the real time, or 2 x index under published sampling."""
    look: Look | None = None
    """Its measurements, when measuring is on."""

    @property
    def time(self) -> float:
        """Seconds on the video's own clock."""
        return self.frame.time

    def mark(self) -> KeyframeMark:
        """The same without pixels."""
        return KeyframeMark(self.index, self.time, self.similarity, self.stated_time, self.look)


@dataclass(frozen=True, slots=True)
class KeyframeMark:
    """A keyframe without its pixels: what an `Analysis` keeps."""

    index: int
    time: float
    similarity: float | None
    stated_time: float
    look: Look | None = None
    picture: str | None = None
    """File name of its picture inside the result's folder, or None when nothing is stored."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sampled time on the similarity curve."""

    time: float
    """Seconds."""
    similarity: float | None
    """To the last kept frame; None for the first and for skipped blank ones."""
    kept: bool
    """Whether it became a keyframe."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """How one piece of text came about: the last item of a `Generation`."""

    prompt: str = ""
    """The exact prompt; empty for an engine that has none."""
    token_ids: tuple[int, ...] = ()
    """New tokens only."""
    prompt_tokens: int = 0
    """Positions before the first new token, pictures included."""
    seconds: float = 0.0
    """Wall time of the step."""
    finish: Literal["stop", "length"] = "stop"
    """"length": cut off at `max_new_tokens`."""
    picture: Picture | None = None
    """The picture that the model saw, as it was handed over (composed, resized, padded)."""
    tiles: tuple[int, int] | None = None
    """How many tiles (across, down) that picture was cut into."""
    note: str = ""
    """What the user should know about this step, such as a retry with a smaller picture."""
    text: str = ""
    """The whole text, where it isn't what was streamed: what a model said turned out to be its thoughts."""


Generation: TypeAlias = Generator[str | Trace, None, None]
"""Pieces of a text as they come, empty ones while there is nothing new, and at the end its trace. Closing it stops the
engine."""
"""Text piece by piece; its return value (`trace = yield from …`) says how it was made. Closing it stops the engine."""


@dataclass(frozen=True, slots=True)
class TraceMark:
    """A `Trace` without its pixels: what an `Analysis` keeps."""

    prompt: str = ""
    new_tokens: int = 0
    prompt_tokens: int = 0
    seconds: float = 0.0
    finish: Literal["stop", "length"] = "stop"
    tiles: tuple[int, int] | None = None
    note: str = ""
    picture: str | None = None
    """File name, inside the result's folder, of the picture that the model saw."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption: of the first keyframe (start == end), of a pair, or of a whole range (fast mode)."""

    index: int
    """0-based; in sliding mode caption i belongs to keyframes i-1 and i."""
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    text: str
    evidence: Evidence | None = None
    """None for the first keyframe and where nothing was measured."""
    stated_time: float = 0.0
    """Seconds written into the summary prompt for this caption (see `Keyframe.stated_time`)."""
    look: Look | None = None
    """Measurements of the later (or only) keyframe."""
    trace: TraceMark | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer."""

    question: str
    answer: str
    token_ids: tuple[int, ...] = ()
    """The answer's generated tokens, so that a cached prefix can be reused exactly."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Who wrote a text: shown with every result."""

    name: str
    """Registry name, such as "measured" or "sharecaptioner"."""
    label: str
    """For people: "Measured, no language model"."""
    device: str = "CPU"
    model: str = ""
    """Hub id or folder name (never a full local path)."""
    quantization: str = "none"
    dtype: str = ""
    licence: str = ""
    fingerprint: str = ""
    """Changes when the weights change; part of a stored result's key."""
    needs_evidence: bool = False
    """True when the engine writes from measurements and is useless without them."""
    sees_several: bool = False
    """True when it takes several pictures at once, so that one sheet of them all is another way to ask."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that didn't work; everything before it is kept."""

    step: str
    """"caption 7", "summary", …"""
    message: str
    """Cause and remedy, one sentence."""
    index: int | None = None
    """Caption index to retry from, or None for the summary."""
