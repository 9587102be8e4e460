"""One walk through a file: the open container and its decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from av import VideoFrame
from av.error import FFmpegError
from av.packet import Packet

from sgv_demo.settings import Settings
from sgv_demo.video.decoding.container import choose_stream, open_container, open_decoder, packets


def _silent() -> None:
    """Nobody waits for a sign of life."""


class Pass:
    """An open container with its decoder. Damage is counted and passed over, never raised."""

    def __init__(self, path: Path, settings: Settings, beat: Callable[[], None] = _silent) -> None:
        """Opens `path`; `beat` is called for every picture that comes out. Raises VideoError."""
        self._path, self._settings, self._beat = path, settings, beat
        self.lost: set[int] = set()
        """Positions of packets that could not be decoded, each once however often it is met."""
        self.flawed: set[int] = set()
        """Numbers of pictures that were decoded from damaged data and may look wrong."""
        self._open()

    def _open(self) -> None:
        self.container = open_container(self._path)
        try:
            self.stream = choose_stream(self.container, self._settings)
            self.decoder = open_decoder(self.stream, self._settings)
        except BaseException:
            self.container.close()
            raise

    def reopen(self) -> None:
        """Back to the very beginning."""
        self.container.close()
        self._open()

    def close(self) -> None:
        """Frees the decoder and the file."""
        self.container.close()

    def packets(self) -> Iterator[Packet]:
        """The packets from where the container stands, in decoding order, without the empty ones."""
        return (packet for packet in packets(self.container, self.stream) if packet.size)

    def seek(self, tick: int) -> None:
        """Has the container go to a keyframe at or before `tick`, and the decoder forget what it knew."""
        self.container.seek(tick, stream=self.stream, backward=True)
        self.decoder.flush_buffers()

    def decode(self, packet: Packet | None, position: int) -> list[VideoFrame]:
        """Pictures that come out after `packet` went in; None empties the decoder.

        Raises:
            MemoryError: a picture needs more than the process may have.
        """
        try:
            frames = self.decoder.decode(packet)
        except MemoryError:
            raise
        except (FFmpegError, ValueError):
            self.lost.add(position)
            return []
        for frame in frames:
            if frame.is_corrupt:
                self.flawed.add(position if frame.pts is None else frame.pts)
            self._beat()
        return frames
