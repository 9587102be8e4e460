"""From a video to what an answerer looks at: frames over a range, or measurements."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from sgv_demo.engines import Answerer, Scene
from sgv_demo.engines.compose import published_indices
from sgv_demo.errors import SettingsError
from sgv_demo.events import Analysis, Event, Opened, Working
from sgv_demo.fields import check, specs
from sgv_demo.keyframes.watch import Step, watch
from sgv_demo.options import QuestionOptions, SamplingOptions
from sgv_demo.results.store import content_hash
from sgv_demo.settings import Settings
from sgv_demo.types import Frame
from sgv_demo.video import VideoReader, open_video


def prepare_scene(
    path: Path,
    answerer: Answerer,
    settings: Settings,
    sampling: SamplingOptions,
    *,
    frames: int | None = None,
    analysis: Analysis | None = None,
) -> Generator[Event | Scene, None, None]:
    """Collects what `answerer` looks at; yields events while it does, and at the end the scene.

    Args:
        path: the video.
        answerer: decides whether pictures or measurements are wanted.
        sampling: `start`, `end` and `published` choose the range and the rule; the rest matters for measurements.
        frames: pictures to look at, 1 to 64; None takes the engine's own number.
        analysis: measurements that are there already, used when they cover the same range.

    Raises:
        SettingsError: a number of frames out of range, or an empty range.
        VideoError: the file can't be read.
    """
    count = answerer.default_frames if frames is None else frames
    if fault := "" if answerer.info.needs_evidence else specs(QuestionOptions)["frames"].fault(count, settings):
        raise SettingsError(fault)
    check(sampling, settings)
    if answerer.info.needs_evidence:
        yield from _measured_scene(path, settings, sampling, analysis)
        return
    backend = "decord" if sampling.published else "pyav"
    with open_video(path, settings, backend=backend) as reader:
        yield Opened(reader.info)
        yield Working(f"Reading {count} pictures")
        chosen = list(_published(reader, count) if sampling.published else _spread(reader, sampling, settings, count))
    if not chosen:
        raise SettingsError("No picture lies in the chosen range; widen it.")
    indices, pictures = zip(*chosen, strict=True)
    facts = [content_hash(path), list(indices), [f.time for f in pictures], pictures[0].image.shape]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    yield Scene(reader.info, tuple(pictures), indices=tuple(indices), key=key)


def looked_at(scene: Scene) -> list[tuple[int, float]]:
    """(frame number, seconds) of the pictures behind an answer: those looked at, or those that were measured."""
    if scene.frames:
        return [(index, frame.time) for index, frame in zip(scene.indices, scene.frames, strict=True)]
    return [(round((mark.time - scene.video.start) * scene.video.fps), mark.time) for mark in scene.keyframes]


def _published(reader: VideoReader, count: int) -> Iterator[tuple[int, Frame]]:
    """The published rule over all frames; a frame's time is index / fps, as the published code states it."""
    indices = published_indices(reader.frame_count, count)
    for index, frame in zip(indices, reader.at_indices(indices), strict=True):
        yield index, Frame(index / reader.fps, frame.image)


def _spread(
    reader: VideoReader, sampling: SamplingOptions, settings: Settings, count: int
) -> Iterator[tuple[int, Frame]]:
    """The same rule over the chosen range by time: exact on constant rates, and evenly spread on variable ones."""
    info = reader.info
    start = max(sampling.start, info.start)
    end = info.start + info.duration if sampling.end is None else min(sampling.end, info.start + info.duration)
    if end <= start:
        raise SettingsError("No picture lies in the chosen range; widen it.")
    total = max(1, round((end - start) * info.fps))
    indices = published_indices(total, count)
    first = round((start - info.start) * info.fps)
    times = [start + (index + 0.5) / info.fps for index in indices]
    found = reader.near(times, long_side=settings.frame_long_side, exact=True)
    for index, frame in zip(indices, found, strict=False):
        yield first + index, frame


def _measured_scene(
    path: Path, settings: Settings, sampling: SamplingOptions, analysis: Analysis | None
) -> Iterator[Event | Scene]:
    usable = analysis is not None and analysis.finished and _same_range(analysis.options.sampling, sampling)
    if not usable or analysis is None or not any(mark.look for mark in analysis.keyframes):
        analysis = Analysis()
        for item in watch(path, replace(sampling, measure=True, published=False), settings):
            if not isinstance(item, Step):
                analysis = analysis.apply(item)
                yield item
    assert analysis.video is not None
    facts = [content_hash(path), asdict(sampling), [mark.time for mark in analysis.keyframes]]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    yield Scene(analysis.video, keyframes=analysis.keyframes, evidence=analysis.evidence, key=key)


def _same_range(a: SamplingOptions, b: SamplingOptions) -> bool:
    return (a.start, a.end) == (b.start, b.end)
