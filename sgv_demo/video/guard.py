"""A video reader that decodes in a process of its own: a crash, a hang or a memory excess is an error here."""

from __future__ import annotations

import itertools
import json
import logging
import os
import selectors
import subprocess
import sys
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

import sgv_demo
from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, VideoInfo
from sgv_demo.video.wire import Message, header_length, info_from_dict, pack

_LOG = logging.getLogger(__name__)
_OPEN_SECONDS = 20.0
_TIMES_AHEAD = 8

CRASHED = "The decoder crashed on this file, which is probably damaged; export it again as MP4."
HUNG = "Reading this file took too long without a new picture; export it again as MP4 or choose a smaller one."
CLOSED = "The video was closed while it was being read; open it again."
GARBLED = "Reading this file failed; export it again as MP4."


def worker_command() -> list[str]:
    """How the reading process is started: this interpreter, and this package wherever it is."""
    root = str(Path(sgv_demo.__file__).resolve().parent.parent)
    code = f"import sys; sys.path.insert(0, {root!r}); from sgv_demo.video.worker import main; main()"
    return [sys.executable, "-P", "-c", code]


class Process:
    """One reading process and the pipe to it."""

    def __init__(self, path: Path, settings: Settings, backend: str) -> None:
        """Starts it and has it open the file.

        Raises:
            VideoError: the file can't be used.
        """
        self._timeout = settings.read_timeout
        self._pixels = settings.max_pixels
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        self._popen = subprocess.Popen(
            worker_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._kill = weakref.finalize(self, _kill, self._popen)
        assert self._popen.stdout is not None
        self._fd = self._popen.stdout.fileno()
        os.set_blocking(self._fd, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._fd, selectors.EVENT_READ)
        limits = {k: getattr(settings, k) for k in _PASSED_ON}
        self.send({"op": "open", "path": str(path.absolute()), "backend": backend, "settings": limits})
        self.opened = self.receive(min(_OPEN_SECONDS, self._timeout))

    def send(self, message: Message) -> None:
        """Asks for something; raises VideoError when the process is gone."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(pack(message))
            self._popen.stdin.flush()
        except OSError as error:
            self.kill()
            raise VideoError(CRASHED) from error

    def receive(self, seconds: float | None = None) -> Message:
        """The next message; raises VideoError for one that reports an error, a crash, a hang, or nonsense."""
        until = time.monotonic() + (self._timeout if seconds is None else seconds)
        try:
            message = json.loads(self._read(header_length(bytes(self._read(4, until))), until))
            kind = message["kind"]
        except (ValueError, KeyError, TypeError) as error:
            self.kill()
            raise VideoError(GARBLED) from error
        if kind == "error":
            self.kill()
            raise VideoError(str(message["message"]))
        if kind == "broken":
            self.kill()
            _LOG.error("The reading process failed:\n%s", message["traceback"])
            raise VideoError(GARBLED)
        return message

    def picture(self, message: Message) -> Frame:
        """The frame that a "frame" message announces."""
        try:
            width, height, shown_at = int(message["width"]), int(message["height"]), float(message["time"])
        except (KeyError, TypeError, ValueError) as error:
            self.kill()
            raise VideoError(GARBLED) from error
        if width <= 0 or height <= 0 or width * height > self._pixels:
            self.kill()
            raise VideoError(GARBLED)
        image = np.empty((height, width, 3), np.uint8)
        self._fill(image.data.cast("B"), time.monotonic() + self._timeout)
        return Frame(shown_at, image)

    def kill(self) -> None:
        """Ends the process at once."""
        self._selector.close()
        self._kill()

    def _read(self, length: int, until: float) -> bytearray:
        data = bytearray(length)
        self._fill(memoryview(data), until)
        return data

    def _fill(self, view: memoryview, until: float) -> None:
        done = 0
        while done < len(view):
            if not self._kill.alive:
                raise VideoError(CLOSED)
            if not self._selector.select(max(0.0, until - time.monotonic())):
                self.kill()
                raise VideoError(HUNG)
            count = os.readv(self._fd, [view[done:]])
            if count == 0:
                self.kill()
                raise VideoError(CRASHED)
            done += count


_PASSED_ON = ("max_megabytes", "max_seconds", "max_pixels", "reader_memory_mb", "reader_threads", "read_timeout")


class IsolatedReader:
    """See `sgv_demo.video.reader.VideoReader`. Each reading has a process to itself; closing it ends the process."""

    def __init__(self, path: Path, settings: Settings, backend: str) -> None:
        self._path, self._settings, self._backend = path, settings, backend
        self._running: set[Process] = set()
        first = self._start()
        try:
            self.info: VideoInfo = info_from_dict(path, first.opened["info"])
            self._count, self._fps = int(first.opened["count"]), float(first.opened["fps"])
        except (KeyError, TypeError, ValueError) as error:
            first.kill()
            raise VideoError(GARBLED) from error
        self._notes = self.info.notes
        self._plan = "in order"
        self._idle: Process | None = first

    def __enter__(self) -> IsolatedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in tuple(self._running):
            process.kill()
        self._running.clear()

    @property
    def frame_count(self) -> int:
        """See the protocol."""
        return self._count

    @property
    def fps(self) -> float:
        """See the protocol."""
        return self._fps

    @property
    def notes(self) -> tuple[str, ...]:
        """See the protocol."""
        return self._notes

    @property
    def plan(self) -> str:
        """See the protocol."""
        return self._plan

    def frames(self, *, start: float = 0.0, end: float | None = None, long_side: int | None = None) -> Iterator[Frame]:
        """See the protocol."""
        return self._ask({"op": "frames", "start": start, "end": end, "long_side": long_side})

    def near(
        self,
        times: Iterable[float],
        *,
        long_side: int | None = None,
        exact: bool = False,
        tolerance: float | None = None,
        last: bool = False,
    ) -> Iterator[Frame]:
        """See the protocol."""
        request = {"op": "near", "long_side": long_side, "exact": exact, "tolerance": tolerance, "last": last}
        return self._ask(request, times)

    def at_indices(self, indices: Sequence[int]) -> Iterator[Frame]:
        """See the protocol."""
        return self._ask({"op": "at_indices", "indices": [int(i) for i in indices]})

    def _start(self) -> Process:
        process = Process(self._path, self._settings, self._backend)
        self._running.add(process)
        return process

    def _ask(self, request: Message, times: Iterable[float] = ()) -> Iterator[Frame]:
        process, self._idle = self._idle or self._start(), None
        wanted = iter(times)
        finished = False
        try:
            process.send(request)
            while True:
                message = process.receive()
                if message["kind"] == "frame":
                    yield process.picture(message)
                elif message["kind"] == "want":
                    chunk = [float(t) for t in itertools.islice(wanted, _TIMES_AHEAD)]
                    process.send({"op": "times", "times": chunk, "done": len(chunk) < _TIMES_AHEAD})
                elif message["kind"] == "end":
                    notes = tuple(str(note) for note in message.get("notes", ()))
                    self._notes = max(notes, self._notes, key=len)
                    self._plan = str(message.get("plan"))
                    finished = True
                    return
        finally:
            if finished and self._idle is None:
                self._idle = process
            else:
                process.kill()
                self._running.discard(process)


def _kill(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    for pipe in (popen.stdin, popen.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                # A request that was still buffered for a process that is gone.
                continue
    popen.wait()
