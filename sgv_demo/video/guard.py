"""A video reader that decodes in a process of its own: a crash, a hang or a memory excess is an error here."""

from __future__ import annotations

import functools
import itertools
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

import numpy as np

import sgv_demo
from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, VideoInfo
from sgv_demo.video.wire import MEMORY_EXIT, OUT_OF_MEMORY, Message, header_length, info_from_dict, pack

_LOG = logging.getLogger(__name__)
_OPEN_SECONDS = 20.0
_TIMES_AHEAD = 8
_FRAMES_AHEAD = 1

CRASHED = "The decoder crashed on this file, which is probably damaged; export it again as MP4."
HUNG = "Reading this file took too long without a new picture; export it again as MP4 or choose a smaller one."
CLOSED = "The video was closed while it was being read; open it again."
GARBLED = "Reading this file failed; export it again as MP4."


def worker_command() -> list[str]:
    """How the reading process is started: this interpreter, and this package wherever it is."""
    root = str(Path(sgv_demo.__file__).resolve().parent.parent)
    code = f"import sys; sys.path.insert(0, {root!r}); from sgv_demo.video.worker import main; main()"
    return [sys.executable, "-P", "-c", code]


class _Arrival(NamedTuple):
    """A message from the reading process, with the picture that it announces."""

    message: Message
    frame: Frame | None


class Process:
    """One reading process and the pipes to it."""

    def __init__(self, path: Path, settings: Settings, backend: str) -> None:
        """Starts it and has it open the file.

        Raises:
            VideoError: the file can't be used.
        """
        self._timeout = settings.read_timeout
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        self._popen = subprocess.Popen(
            worker_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )
        self._inbox = _Inbox(self._popen, settings.max_pixels)
        self._kill = weakref.finalize(self, _kill, self._popen, self._inbox)
        limits = {k: getattr(settings, k) for k in _PASSED_ON}
        self.send({"op": "open", "path": str(path.absolute()), "backend": backend, "settings": limits})
        self.opened = self.receive(min(_OPEN_SECONDS, self._timeout)).message
        if self.opened.get("limits") in _LIMITS:
            _tell(self.opened["limits"])

    def send(self, message: Message) -> None:
        """Asks for something; raises VideoError when the process is gone."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(pack(message))
        except (OSError, ValueError) as error:
            raise VideoError(self._fate()) from error

    def receive(self, seconds: float | None = None) -> _Arrival:
        """What comes next; raises VideoError for a reported error, a crash, a hang, or nonsense."""
        arrival = self._inbox.next(self._timeout if seconds is None else seconds)
        if not self._kill.alive:
            raise VideoError(CLOSED)
        if isinstance(arrival, str):
            fate = self._fate() if arrival == CRASHED else arrival
            self.kill()
            raise VideoError(fate)
        kind = arrival.message["kind"]
        if kind == "error":
            self.kill()
            raise VideoError(str(arrival.message["message"]))
        if kind == "broken":
            self.kill()
            _LOG.error("The reading process failed:\n%s", arrival.message.get("traceback"))
            raise VideoError(GARBLED)
        return arrival

    def kill(self) -> None:
        """Ends the process at once, whatever it is doing."""
        self._kill()

    def _fate(self) -> str:
        """Why a process that hung up did so."""
        if not self._kill.alive:
            return CLOSED
        try:
            status = self._popen.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            status = None
        self.kill()
        return OUT_OF_MEMORY if status == MEMORY_EXIT else CRASHED


class _Inbox:
    """What a reading process sends, taken off its pipe by a thread, a picture ahead at most.

    A thread because nothing else waits for a pipe with a time limit on every system.
    """

    def __init__(self, popen: subprocess.Popen[bytes], most_pixels: int) -> None:
        assert popen.stdout is not None
        self._arrived: queue.Queue[_Arrival | str] = queue.Queue(_FRAMES_AHEAD)
        self._closed = threading.Event()
        take = functools.partial(_take, popen.stdout, most_pixels)
        self._thread = threading.Thread(
            target=_fill, args=(take, popen.stdout, self._arrived, self._closed), daemon=True
        )
        self._thread.start()

    def next(self, seconds: float) -> _Arrival | str:
        """The next arrival, or the sentence that ends the reading."""
        try:
            return CLOSED if self._closed.is_set() else self._arrived.get(timeout=seconds)
        except queue.Empty:
            return HUNG

    def close(self) -> None:
        """Wakes whoever waits at either end; the pipe's other end must be gone already."""
        self._closed.set()
        while True:
            try:
                self._arrived.put_nowait(CLOSED)
                break
            except queue.Full:
                # Something must lie there for a reader that is about to wait: this sentence, and nothing older.
                self._drop()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=1.0)

    def _drop(self) -> None:
        try:
            self._arrived.get_nowait()
        except queue.Empty:
            return


def _fill(
    take: Callable[[], _Arrival | str], pipe: IO[bytes], arrived: queue.Queue[_Arrival | str], closed: threading.Event
) -> None:
    """The thread: waits for room before it takes the next, so that nothing is decoded far ahead."""
    with pipe:
        while not closed.is_set():
            arrival = take()
            while not closed.is_set():
                try:
                    arrived.put(arrival, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if isinstance(arrival, str):
                return


def _take(pipe: IO[bytes], most_pixels: int) -> _Arrival | str:
    """The next message on the pipe with its picture, or the sentence that ends the reading."""
    try:
        head = _read(pipe, 4)
        body = head and _read(pipe, header_length(head))
        if not body:
            return CRASHED
        message = json.loads(body)
        if message["kind"] != "frame":
            return _Arrival(message, None)
        width, height, shown_at = int(message["width"]), int(message["height"]), float(message["time"])
    except (ValueError, KeyError, TypeError):
        return GARBLED
    if width <= 0 or height <= 0 or width * height > most_pixels:
        return GARBLED
    image = np.empty((height, width, 3), np.uint8)
    return _Arrival(message, Frame(shown_at, image)) if _read_into(pipe, image.data.cast("B")) else CRASHED


def _read(pipe: IO[bytes], length: int) -> bytes:
    data = bytearray(length)
    return bytes(data) if _read_into(pipe, memoryview(data)) else b""


def _read_into(pipe: IO[bytes], view: memoryview) -> bool:
    """Fills the buffer; False where the pipe ends before."""
    done = 0
    while done < len(view):
        try:
            count = pipe.readinto(view[done:])  # pyright: ignore[reportAttributeAccessIssue]
        except OSError:
            return False
        if not count:
            return False
        done += count
    return True


_LIMITS = {
    "watched": "This system can't bound a process; the memory of those that read videos is watched instead.",
    "none": "This system can neither bound a process nor watch its memory; those that read videos have no limit.",
}


@functools.cache
def _tell(limits: str) -> None:
    _LOG.warning(_LIMITS[limits])


_PASSED_ON = ("max_megabytes", "max_seconds", "max_pixels", "reader_memory_mb", "reader_threads", "read_timeout")


class IsolatedReader:
    """See `sgv_demo.video.VideoReader`. Each reading has a process to itself; closing it ends the process."""

    def __init__(self, path: Path, settings: Settings, backend: str) -> None:
        self._path, self._settings, self._backend = path, settings, backend
        self._running: set[Process] = set()
        self._closed = False
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
        self.close()

    def close(self) -> None:
        """See the protocol."""
        self._closed = True
        for process in self._running.copy():
            process.kill()

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
        if self._closed:
            # While it opened the file.
            process.kill()
            raise VideoError(CLOSED)
        return process

    def _ask(self, request: Message, times: Iterable[float] = ()) -> Iterator[Frame]:
        process, self._idle = self._idle or self._start(), None
        wanted = iter(times)
        finished = False
        try:
            process.send(request)
            while True:
                message, frame = process.receive()
                if frame is not None:
                    yield frame
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


def _kill(popen: subprocess.Popen[bytes], inbox: _Inbox) -> None:
    popen.kill()
    popen.wait()
    if popen.stdin is not None:
        popen.stdin.close()
    inbox.close()
