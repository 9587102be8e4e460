"""Which frames the published evaluation looks at, and how large their grid is.

Three rules with three results: they must not be mixed. Rounding is Python's (half to even); `int` cuts towards 0.
"""

from __future__ import annotations

import math

from sgv_demo.engines.compose import BAND, GRID_LONG_SIDE

COUNT = 16
"""Frames of one question in all three benchmarks."""
FOLDER_FPS = 3.0
"""Pictures a second in MVBench's folders of pictures."""
GIF_FPS = 25.0
"""What the published code takes any GIF for."""
EVERYTHING = (-100_000.0, 100_000.0)
"""Seconds that stand for "no bound" in the published code."""

Bound = tuple[float, float]


def bounded_indices(
    last: int, fps: float, bound: Bound | None = None, *, count: int = COUNT, first: int = 0
) -> list[int]:
    """MVBench and VideoBench: middles of `count` segments of a stretch.

    A start beyond the end gives numbers that run backwards and lie beyond `last`, as in the published code.

    Args:
        last: number of the last frame.
        fps: frames a second, the container's average.
        bound: seconds (start, end); None for the whole.
        count: how many frames.
        first: number of the first frame: 0 in a video, 1 in a folder.
    """
    start, end = bound or EVERYTHING
    begin = max(first, round(start * fps))
    finish = min(round(end * fps), last)
    segment = (finish - begin) / count
    return [int(begin + segment / 2 + round(segment * i)) for i in range(count)]


def folder_indices(entries: int, bound: Bound | None = None, *, count: int = COUNT) -> list[int]:
    """A folder of pictures `00001.jpg`, …: numbers of the files. `entries` counts everything in it, as published."""
    return bounded_indices(entries, FOLDER_FPS, bound, count=count, first=1)


def gif_indices(frames: int, bound: Bound | None = None, *, count: int = COUNT) -> list[int]:
    """A GIF: each wanted frame once, in order; too few are repeated from their start, not stretched."""
    wanted = set(bounded_indices(frames - 1, GIF_FPS, bound, count=count))
    found = [index for index in range(frames) if index in wanted]
    return [found[i % len(found)] for i in range(count)] if found else []


def tempcompass_indices(frames: int, *, count: int = COUNT) -> list[int]:
    """TempCompass: middles between rounded borders, over the whole video."""
    segment = (frames - 1) / count
    borders = [round(segment * i) for i in range(count + 1)]
    return [(borders[i] + borders[i + 1]) // 2 for i in range(count)]


def grid_size(size: tuple[int, int], count: int) -> tuple[int, int]:
    """(width, height) of the grid of `count` frames of `size` (width, height); see `compose.grid`."""
    side = math.ceil(math.sqrt(count))
    bands = BAND * (side - 1)
    return side * size[0] + bands, side * size[1] + bands


def shown_size(grid: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a grid after the limit of 1920 pixels that MVBench and VideoBench put on its longer side."""
    longer = max(grid)
    if longer <= GRID_LONG_SIDE:
        return grid
    scale = GRID_LONG_SIDE / longer
    return int(grid[0] * scale), int(grid[1] * scale)
