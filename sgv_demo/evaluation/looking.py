"""The pictures that the model gets: read once for all questions that look at the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from sgv_demo.engines import Scene
from sgv_demo.errors import VideoError
from sgv_demo.evaluation.benchmark import Benchmark, Question
from sgv_demo.evaluation.frames import FOLDER_FPS
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, VideoInfo
from sgv_demo.video import Backend, VideoReader, open_video

WRONG_IN_DECORD = (".avi",)
"""Suffixes whose pictures the published reader gets wrong: the same numbers are read by the other one."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one question gets to see."""

    question: Question
    scene: Scene | None
    """None where the video can't be read."""
    reader: str = ""
    """decord, pyav or pictures."""
    error: str = ""
    """Why there is no scene."""


def looks(benchmark: Benchmark, questions: Sequence[Question], settings: Settings) -> Iterator[Look]:
    """Each question with its pictures, video by video; of a video, equal choices of frames are read once."""
    order = {path: place for place, path in enumerate(dict.fromkeys(question.path for question in questions))}
    by_video = sorted(questions, key=lambda question: order[question.path])
    for path, group in groupby(by_video, key=lambda question: question.path):
        yield from _video(benchmark, path, tuple(group), settings)


def _video(benchmark: Benchmark, path: Path, questions: Sequence[Question], settings: Settings) -> Iterator[Look]:
    if questions[0].folder:
        yield from _folder(benchmark, path, questions, settings)
        return
    problem = ""
    for backend in _readers(path):
        try:
            with open_video(path, settings, backend=backend) as reader:
                for chosen, group in _alike(benchmark, questions, reader.frame_count, reader.fps):
                    scene, error = _read(reader, chosen)
                    yield from (Look(question, scene, backend, error) for question in group)
                return
        except VideoError as error:
            problem = str(error)  # of opening: `_read` keeps the errors of reading
    yield from (Look(question, None, "", problem) for question in questions)


def _readers(path: Path) -> tuple[Backend, ...]:
    """The published reader first; the other one where that is known to be wrong, and where it can't open a file."""
    return ("pyav",) if path.suffix.lower() in WRONG_IN_DECORD else ("decord", "pyav")


def _alike(
    benchmark: Benchmark, questions: Sequence[Question], frames: int, fps: float
) -> Iterator[tuple[tuple[int, ...], list[Question]]]:
    """Questions by the frames that they look at."""
    groups: dict[tuple[int, ...], list[Question]] = {}
    for question in questions:
        groups.setdefault(tuple(benchmark.indices(question, frames, fps)), []).append(question)
    yield from groups.items()


def _read(reader: VideoReader, indices: tuple[int, ...]) -> tuple[Scene | None, str]:
    try:
        frames = [
            Frame(index / reader.fps, frame.image)
            for index, frame in zip(indices, reader.at_indices(indices), strict=True)
        ]
    except VideoError as error:
        return None, str(error)
    except ValueError:
        return None, "The video ended before the last of its frames came."
    return _scene(reader.info, frames, indices), ""


def _scene(info: VideoInfo, frames: Sequence[Frame], indices: tuple[int, ...]) -> Scene:
    digest = hashlib.blake2b(digest_size=16)
    for frame in frames:
        digest.update(repr(frame.image.shape).encode())
        digest.update(frame.image.tobytes())
    return Scene(info, tuple(frames), indices, key=digest.hexdigest())


def _folder(benchmark: Benchmark, path: Path, questions: Sequence[Question], settings: Settings) -> Iterator[Look]:
    """Pictures 00001.jpg, … at three a second; every entry of the folder counts, as published."""
    try:
        entries = len(list(path.iterdir()))
    except OSError as error:
        reason = f"The folder can't be read: {error.strerror}."
        yield from (Look(question, None, "pictures", reason) for question in questions)
        return
    for chosen, group in _alike(benchmark, questions, entries, FOLDER_FPS):
        try:
            frames = [Frame(index / FOLDER_FPS, _picture(path / f"{index:05d}.jpg", settings)) for index in chosen]
            height, width = frames[0].image.shape[:2]
            info = VideoInfo(path, entries / FOLDER_FPS, FOLDER_FPS, (width, height), "mjpeg")
            scene, error = _scene(info, frames, chosen), ""
        except VideoError as problem:
            scene, error = None, str(problem)
        yield from (Look(question, scene, "pictures", error) for question in group)


def _picture(path: Path, settings: Settings) -> np.ndarray:
    try:
        with Image.open(path, formats=("JPEG",)) as image:
            if image.width * image.height > settings.max_pixels:
                raise VideoError(f"The picture {path.name} is larger than the limit; scale it down.")
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise VideoError(f"The picture {path.name} is missing or damaged; unpack its archive again.") from error
