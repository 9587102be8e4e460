"""The published sampling's own reader, for files known to be good. Runs inside the reading process only.

decord aborts its process on some damaged files and gives wrong frames for others, so uploads never reach it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from av import VideoFrame
from decord import DECORDError, VideoReader, cpu

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, VideoInfo
from sgv_demo.video.decoding.picture import Renderer, fitted

_NEAR_ENOUGH = 0.0006


class DecordReader:
    """See `sgv_demo.video.VideoReader`."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Raises VideoError when decord can't read the file."""
        try:
            self._video = VideoReader(str(path.absolute()), ctx=cpu(0), num_threads=max(1, settings.reader_threads))
            spans = self._video.get_frame_timestamp(np.arange(len(self._video)))
            height, width = self._video[0].shape[:2]
        except (DECORDError, IndexError, RuntimeError) as error:
            raise VideoError(
                "The reader of the published sampling can't read this file; choose the other one."
            ) from error
        self._starts = [float(start) for start in spans[:, 0]]
        self._end = float(spans[-1, 1])
        self.fps = float(self._video.get_avg_fps())
        self.frame_count = len(self._video)
        self.notes: tuple[str, ...] = ()
        self.plan = "by number"
        self.info = VideoInfo(
            path, self._end, self.fps, (int(width), int(height)), codec="", has_audio=False, start=self._starts[0]
        )

    def frames(self, *, start: float = 0.0, end: float | None = None, long_side: int | None = None) -> Iterator[Frame]:
        """See the protocol."""
        first = bisect_left(self._starts, start - _NEAR_ENOUGH)
        until = len(self._starts) if end is None else bisect_left(self._starts, end)
        return (self._frame(i, long_side) for i in range(first, until))

    def near(
        self,
        times: Iterable[float],
        *,
        long_side: int | None = None,
        exact: bool = False,
        tolerance: float | None = None,
        last: bool = False,
    ) -> Iterator[Frame]:
        """See the protocol; every picture costs the same here, so a tolerance changes nothing."""
        latest = -1
        for wanted in times:
            if wanted > self._end + 1 / self.fps:
                break
            number = max(latest, self._on_display(wanted) if exact else self._nearest(wanted))
            if exact or number != latest:
                yield self._frame(number, long_side)
            latest = number
        if last and latest != self.frame_count - 1:
            yield self._frame(self.frame_count - 1, long_side)

    def at_indices(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See the protocol."""
        if any(not 0 <= i < self.frame_count for i in indices):
            raise VideoError(f"The video has {self.frame_count} pictures; choose numbers below that.")
        return (self._frame(i, None) for i in indices)

    def close(self) -> None:
        """See the protocol; a reading in this very process ends when its iterator is closed."""

    def _on_display(self, wanted: float) -> int:
        return max(0, bisect_right(self._starts, wanted + _NEAR_ENOUGH) - 1)

    def _nearest(self, wanted: float) -> int:
        after = bisect_left(self._starts, wanted)
        around = range(max(0, after - 1), min(after + 1, self.frame_count))
        return min(around, key=lambda i: abs(self._starts[i] - wanted))

    def _frame(self, number: int, long_side: int | None) -> Frame:
        try:
            image = self._video[number].asnumpy()
        except DECORDError as error:
            raise VideoError("A picture of this file can't be decoded; choose the other reader.") from error
        canvas = fitted(self.info.size, long_side)
        if canvas != self.info.size:
            image = Renderer(canvas, None).render(VideoFrame.from_ndarray(image, format="rgb24"))
        return Frame(self._starts[number], image)
