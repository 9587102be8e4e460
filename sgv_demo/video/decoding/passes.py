"""One walk through a file: the open container, its decoder, and the clock that people see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from av import VideoFrame
from av.error import FFmpegError
from av.packet import Packet

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.video.decoding.container import choose_stream, open_container, packets


def _silent() -> None:
    """Nobody waits for a sign of life."""


class Pass:
    """An open container with its decoder. Damage is counted and passed over, never raised."""

    def __init__(self, path: Path, settings: Settings, beat: Callable[[], None] = _silent) -> None:
        """Opens `path`; `beat` is called for every picture that comes out. Raises VideoError."""
        self._path, self._settings, self._beat = path, settings, beat
        self.lost: set[int] = set()
        """Times of packets that could not be decoded, each once however often it is met."""
        self.flawed: set[int] = set()
        """Times of pictures that were decoded from damaged data and may look wrong."""
        self._open()

    def _open(self) -> None:
        self.container = open_container(self._path)
        try:
            self.stream = choose_stream(self.container, self._settings)
        except VideoError:
            self.container.close()
            raise

    def reopen(self) -> None:
        """Back to the very beginning, for a file where seeking can't be relied on."""
        self.container.close()
        self._open()

    def close(self) -> None:
        """Frees the decoder and the file."""
        self.container.close()

    def decode(self, packet: Packet | None) -> list[VideoFrame]:
        """Pictures that come out after `packet` went in; None empties the decoder.

        Raises:
            MemoryError: a picture needs more than the process may have.
        """
        try:
            frames = self.stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            self.lost.add(_key(packet, len(self.lost)))
            return []
        for frame in frames:
            if frame.is_corrupt:
                self.flawed.add(_key(frame, len(self.flawed)))
            self._beat()
        return frames

    def pictures(self) -> Iterator[VideoFrame]:
        """Every picture from where the container stands, in display order."""
        for packet in packets(self.container, self.stream):
            yield from self.decode(packet)


def _key(damaged: Packet | VideoFrame | None, otherwise: int) -> int:
    return otherwise if damaged is None or damaged.pts is None else damaged.pts


class Clock:
    """Seconds since the container's start, going on from the last time where the file's clock jumps back."""

    def __init__(self, time_base: float, origin: int, step: float) -> None:
        """`origin` in ticks of `time_base` seconds; `step` is the usual time between pictures, in seconds."""
        self._base, self._origin, self._step = time_base, origin, step
        self._shift = 0.0
        self._last: float | None = None

    def of(self, frame: VideoFrame) -> float:
        """The time of the next picture in display order."""
        if frame.pts is None:
            now = 0.0 if self._last is None else self._last + self._step
        else:
            now = (frame.pts - self._origin) * self._base + self._shift
            if self._last is not None and now <= self._last:
                self._shift += self._last + self._step - now
                now = self._last + self._step
        self._last = now
        return now
