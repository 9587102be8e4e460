"""The reading process: decodes one file for the app over its standard input and output, under hard limits.

Messages in: "open" first; then "frames", "near" or "at_indices", and "times" when this side asked with "want".
Messages out: "opened"; "frame" (raw RGB bytes follow); "want"; "alive"; "end"; "error". Writing blocks until the app
takes a frame, so nothing is decoded far ahead.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.types import Frame
from sgv_demo.video import VideoReader
from sgv_demo.video.decoding import open_here
from sgv_demo.video.wire import MEMORY_EXIT, OUT_OF_MEMORY, Message, info_to_dict, pack, receive

_LOOK = 0.2
"""Seconds between two looks at the memory in use, where the system has no limit for it."""


class Worker:
    """Serves one app process until it hangs up."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._beaten = time.monotonic()

    def run(self) -> None:
        """Opens the file and answers requests; returns never, the process ends when the app hangs up or kills it."""
        threading.Thread(target=self._listen, daemon=True).start()
        opening = self._inbox.get()
        known = {spec.name for spec in fields(Settings)}
        settings = Settings(**{k: v for k, v in opening["settings"].items() if k in known})
        limits = "bounded" if limit(settings) else "watched" if watch_memory(settings) else "none"
        try:
            video = open_here(Path(opening["path"]), settings, opening["backend"], self._beat)
            facts = {"info": info_to_dict(video.info), "count": video.frame_count, "fps": video.fps}
            self._send({"kind": "opened", "limits": limits, **facts})
            while True:
                self._serve(video, self._inbox.get())
        except VideoError as error:
            self._send({"kind": "error", "message": str(error)})
        except MemoryError:
            self._send({"kind": "error", "message": OUT_OF_MEMORY})
        except Exception:
            self._send({"kind": "broken", "traceback": traceback.format_exc()})
            raise

    def _serve(self, video: VideoReader, request: Message) -> None:
        long_side = request.get("long_side")
        if request["op"] == "frames":
            found = video.frames(start=request["start"], end=request["end"], long_side=long_side)
        elif request["op"] == "near":
            found = video.near(
                self._times(),
                long_side=long_side,
                exact=request["exact"],
                tolerance=request["tolerance"],
                last=request["last"],
            )
        else:
            found = video.at_indices(request["indices"])
        for frame in found:
            self._send_frame(frame)
        self._send({"kind": "end", "notes": list(video.notes), "plan": video.plan})

    def _times(self) -> Iterator[float]:
        while True:
            self._send({"kind": "want"})
            answer = self._inbox.get()
            yield from answer["times"]
            if answer["done"]:
                return

    def _send_frame(self, frame: Frame) -> None:
        height, width = frame.image.shape[:2]
        self._sink.write(pack({"kind": "frame", "time": frame.time, "width": width, "height": height}))
        self._sink.write(frame.image.data)
        self._sink.flush()

    def _send(self, message: Message) -> None:
        self._sink.write(pack(message))
        self._sink.flush()

    def _beat(self) -> None:
        """Tells the app about once a second that pictures are coming along, however far the next wanted one is."""
        now = time.monotonic()
        if now - self._beaten >= 1.0:
            self._beaten = now
            self._send({"kind": "alive"})

    def _listen(self) -> None:
        while (message := receive(self._source)) is not None:
            self._inbox.put(message)
        # The app is gone or has hung up: stop at once, whatever the decoder is doing.
        os._exit(0)


def limit(settings: Settings) -> bool:
    """Bounds what this process may take from now on; False where the system can't."""
    try:
        import resource
    except ImportError:
        return False
    memory = settings.reader_memory_mb * 2**20
    # Far more than the longest video takes; a hang is noticed by the app long before.
    seconds = int(600 + 4 * settings.max_seconds)
    # Data counts what is really allocated; the address space also holds mapped libraries and reserved stacks.
    bounds = {
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_AS: memory + 2**30,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    refused = 0
    for kind, most in bounds.items():
        try:
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError):
            # macOS refuses a bound below what the process has mapped already.
            refused += 1
    return not refused


def watch_memory(settings: Settings) -> bool:
    """Has this process end when it holds more than it may; False where its memory can't be read."""
    try:
        import psutil
    except ImportError:
        return False
    process, most = psutil.Process(), settings.reader_memory_mb * 2**20

    def watch() -> None:
        while process.memory_info().rss <= most:
            time.sleep(_LOOK)
        os._exit(MEMORY_EXIT)

    threading.Thread(target=watch, daemon=True).start()
    return True


def main() -> None:
    """Entry point of the reading process."""
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    # Whatever a library prints goes to standard error and not between the messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Worker(sys.stdin.buffer, sink).run()


if __name__ == "__main__":
    main()
