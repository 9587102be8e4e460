"""What annotating a pool would take, from a count and a few videos that are annotated into nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from random import Random

from sgv_demo.annotation.inputs import Video, at_hand
from sgv_demo.annotation.run import Part, annotated
from sgv_demo.engines import Captioner
from sgv_demo.errors import SgvError
from sgv_demo.options import AnalysisOptions
from sgv_demo.settings import Settings
from sgv_demo.shards import in_shard
from sgv_demo.times import counted, length
from sgv_demo.video import open_video

_PROBED, _MEASURED = 100, 3


def forecast(
    found: Iterator[Video],
    part: Part,
    captioner: Captioner,
    options: AnalysisOptions,
    settings: Settings,
    *,
    at_once: int,
) -> str:
    """Videos, seconds of video and hours, in words; the videos that are looked at are drawn, the same every time."""
    count, size, unknown, drawn = 0, 0, 0, list[Video]()
    random = Random(0)
    for video in found:
        if not in_shard(video.name, part.shard) or (part.limit is not None and count >= part.limit):
            continue
        count, size, unknown = count + 1, size + (video.size or 0), unknown + (video.size is None)
        if len(drawn) < _PROBED:
            drawn.append(video)
        elif (place := random.randrange(count)) < _PROBED:
            drawn[place] = video
    random.shuffle(drawn)
    lengths = [seconds for video in drawn if (seconds := _seconds(video, settings)) is not None]
    seconds = sum(lengths) / len(lengths) * count if lengths else 0.0
    took, shown, tokens = _measured(drawn, captioner, options, settings)
    about = "about " if count > len(drawn) or len(lengths) < len(drawn) else ""
    told = f"{counted(count, 'video')}, {size >> 20:,} MB" + (f" and {unknown:,} of unknown size" if unknown else "")
    told += f", {about}{length(seconds)} of video"
    if len(lengths) < len(drawn):
        told += f"; {len(drawn) - len(lengths)} of {len(drawn)} looked at can't be read"
    if not shown:
        return f"{told}\nNone of the videos tried could be annotated; nothing can be said of the time."
    told += f"\nMeasured on a few with {captioner.info.label}: {took / shown:.2f} s for each second of video"
    told += f", {tokens / took:.0f} tokens a second" if tokens else ""
    told += f"\nAll of them: about {length(took / shown * seconds)} one after the other on this machine"
    return told + (f"; {at_once} side by side take less" if at_once > 1 else "")


def _seconds(video: Video, settings: Settings) -> float | None:
    """How long it is; None where it can't be read."""
    try:
        with at_hand(video, settings.max_megabytes << 20) as path, open_video(path, settings) as reader:
            end = reader.info.duration if video.end is None else min(video.end, reader.info.duration)
            return max(0.0, end - video.start)
    except SgvError:
        return None


def _measured(
    drawn: Sequence[Video], captioner: Captioner, options: AnalysisOptions, settings: Settings
) -> tuple[float, float, int]:
    """(seconds taken, seconds of video, tokens) of a few videos, those that fail left out."""
    took = shown = 0.0
    tokens = tried = 0
    for video in drawn:
        began = time.monotonic()
        outcome = annotated(video, captioner, options, settings)
        if not outcome.reason:
            took, shown = took + time.monotonic() - began, shown + outcome.video_seconds
            tokens, tried = tokens + outcome.tokens, tried + 1
        if tried == _MEASURED:
            break
    return took, shown, tokens
