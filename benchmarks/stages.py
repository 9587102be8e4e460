"""The way before the model, stage by stage, on a minute of 720p with every sample kept: where the time goes.

Run: python -m benchmarks.stages [VIDEO]

Each stage is held against its dear way in the same run: measuring against the fine flow throughout, text against a
search of every whole picture at the reader's own size, all of it against decoding every frame, with which the published
script begins. CPU seconds are those of this process and its threads: a busy machine tells the same ratios.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from sgv_demo.engines.measured.engine import MeasuredCaptioner
from sgv_demo.events import Captioned, Sampled
from sgv_demo.evidence import reading
from sgv_demo.evidence.flow import Flow
from sgv_demo.evidence.look import look
from sgv_demo.evidence.measure import GapMeter
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.pipeline import analyze
from sgv_demo.settings import Settings
from sgv_demo.types import Evidence, Frame, Keyframe
from sgv_demo.video import open_video

EVERY = 2.0
"""Seconds between samples."""
_DETAILED = Path(__file__).parents[1] / "assets" / "examples"
"""Clips full of detail, so that text has to be looked for in every picture that changed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage took."""

    wall: float
    cpu: float

    def over(self, other: Cost) -> str:
        """How many times less than `other`."""
        return f"{other.cpu / max(self.cpu, 1e-6):6.1f}x"


def cost(work: Callable[[], object]) -> Cost:
    """Runs `work` once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def main() -> None:
    """Draws the clip unless one is given, and prints the tables."""
    given = [Path(argument) for argument in sys.argv[1:] if Path(argument).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        if not given:
            from benchmarks.clips import write_clip

            given = [write_clip(Path(folder) / "clip.mp4", 30)]
        for clip in given:
            print(f"{clip.name}\n\n{'':34}{'wall':>9}{'CPU':>9}{'less CPU':>10}")
            stages(clip)
    print(f"\nText in clips full of detail\n\n{'':34}{'wall':>9}{'CPU':>9}{'less CPU':>10}")
    for clip in sorted(_DETAILED.glob("*.mp4")):
        text(clip.name, [frame for i, frame in enumerate(frames(clip)) if i % 4 == 0])


def stages(clip: Path) -> None:
    """One table."""
    decoded = cost(lambda: every_frame(clip))
    row("decoding every frame, as published", decoded)
    shown: list[Frame] = []
    row("reading 4 frames a second", cost(lambda: shown.extend(frames(clip))))
    rate = Settings().measure_rate
    kept = shown[:: max(1, round(EVERY * rate))]
    found: list[list[Evidence]] = []
    fine = cost(lambda: found.append(measure(shown, fine=True)))
    quick = cost(lambda: found.append(measure(shown, fine=False)))
    row("measuring, fine flow throughout", fine)
    row("measuring", quick, fine)
    same = sum(one.camera == other.camera and one.cuts == other.cuts for one, other in zip(*found, strict=True))
    print(f"  {same} of {len(found[0])} gaps have the same camera words and cuts")
    text("text", kept)
    options = AnalysisOptions(SamplingOptions(every=EVERY, keep_all=True))
    first: list[float] = []
    whole = cost(lambda: first.append(first_caption(clip, options)))
    row("all of it, captions and summary", whole)
    print(f"  first caption {first[0]:.2f} s after the first sample; {whole.wall / decoded.wall:.1f} x decoding")


def text(name: str, pictures: Sequence[Frame]) -> None:
    """Two rows: a search of every whole picture, and the way it is done."""
    from rapidocr import RapidOCR

    plain, reader = RapidOCR(params={"Global.log_level": "error"}), reading.text_reader()
    plain(pictures[0].image)
    reader.load()

    def search() -> list[str]:
        found = [plain(np.ascontiguousarray(reading.prepared_for_text(frame.image)[..., ::-1])) for frame in pictures]
        lines = [zip(getattr(f, "txts", None) or (), getattr(f, "scores", None) or (), strict=True) for f in found]
        return ["".join(line for line, score in read if reading.believed(line.strip(), score)) for read in lines]

    def read() -> list[str]:
        remembered = reading.Reading(reader)
        return ["".join(remembered(frame.image)) for frame in pictures]

    told: list[list[str]] = []
    dear = cost(lambda: told.append(search()))
    quick = cost(lambda: told.append(read()))
    row(f"{name}, every picture searched", dear)
    row(name, quick, dear)
    same = sum(one.replace(" ", "") == other.replace(" ", "") for one, other in zip(*told, strict=True))
    print(f"  {same} of {len(pictures)} pictures have the same text")


def row(name: str, took: Cost, before: Cost | None = None) -> None:
    """Prints one row."""
    print(f"{name:<34}{took.wall:7.2f} s{took.cpu:7.2f} s{took.over(before) if before else '':>10}", flush=True)


def every_frame(clip: Path) -> int:
    """Decodes all frames to RGB at their own size."""
    with av.open(str(clip)) as file:
        return sum(np.asarray(frame.to_ndarray(format="rgb24")).shape[0] > 0 for frame in file.decode(video=0))


def frames(clip: Path) -> Iterator[Frame]:
    """Frames at the rate at which they are measured."""
    settings = Settings()
    with open_video(clip, settings) as reader:
        times = [i / settings.measure_rate for i in range(int(reader.info.duration * settings.measure_rate) + 1)]
        yield from reader.near(times, long_side=settings.frame_long_side)


def measure(shown: Sequence[Frame], *, fine: bool) -> list[Evidence]:
    """Evidence between samples `EVERY` seconds apart."""
    meter, found = GapMeter(), []
    if fine:
        flow = Flow()
        flow.coarse = flow.fine
        meter.flow = flow
    step = max(1, round(EVERY * Settings().measure_rate))
    before: Keyframe | None = None
    for number, frame in enumerate(shown):
        meter.feed(frame)
        if number % step == 0:
            after = Keyframe(number // step, frame, None, frame.time, look(frame))
            if before:
                found.append(meter.gap(before, after))
            before = after
    return found


def first_caption(clip: Path, options: AnalysisOptions) -> float:
    """Runs the whole analysis; returns the seconds from the first sample to the first caption."""
    sampled = captioned = 0.0
    for event in analyze(clip, MeasuredCaptioner(), options, Settings()):
        if isinstance(event, Sampled) and not sampled:
            sampled = time.perf_counter()
        elif isinstance(event, Captioned) and not captioned:
            captioned = time.perf_counter()
    return captioned - sampled


if __name__ == "__main__":
    main()
