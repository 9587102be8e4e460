"""One result's log: an event a line, numbered and summed, so that whatever happens to the file is noticed.

A line is `number checksum json`: the number counts from 0, the checksum is the CRC-32 of the result's key, the number
and the JSON. Everything before the first line that isn't as it was written is kept; a last line that was torn by a
crash is no damage and is dropped. Lines of older versions are JSON alone and come before any numbered one.
"""

from __future__ import annotations

import errno
import io
import os
import zlib
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from sgv_demo.errors import StoreError
from sgv_demo.events import Begun, Captioned, Event, Finished, Kept, Noted, Opened, Summarized
from sgv_demo.results.record import event_from_line, event_to_line
from sgv_demo.types import Picture, TraceMark

NAME = "events.jsonl"
"""The log's file inside a result's folder."""
_PICTURES = {".jpg": "JPEG", ".png": "PNG"}


@dataclass(frozen=True, slots=True)
class Read:
    """What a log holds."""

    events: tuple[Event, ...] = ()
    lines: int = 0
    """Numbered lines."""
    size: int = 0
    """Bytes up to the end of the last whole line."""
    damaged: bool = False
    """Whether what follows was once whole."""

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return any(isinstance(event, Finished) for event in self.events)


def read(key: str, data: bytes) -> Read:
    """The events of the log of a result, up to the first line that isn't whole."""
    events: list[Event] = []
    number = size = 0
    while (end := data.find(b"\n", size)) >= 0:
        line = data[size:end].decode("utf-8", errors="replace")
        if number or line[:1].isdigit():
            count, _, rest = line.partition(" ")
            checksum, _, text = rest.partition(" ")
            if count != str(number) or checksum != _checksum(key, number, text):
                return Read(tuple(events), number, size, damaged=True)
            number, line = number + 1, text
        event = event_from_line(line)
        if event is not None:
            events.append(event)
        size = end + 1
    return Read(tuple(events), number, size)


def numbered(key: str, number: int, text: str) -> bytes:
    """A line of the log of a result."""
    return f"{number} {_checksum(key, number, text)} {text}\n".encode()


def _checksum(key: str, number: int, text: str) -> str:
    return f"{zlib.crc32(f'{key} {number} {text}'.encode()):08x}"


class Log:
    """A sink of events: writes each with its pictures, or says once why it can't and lets the rest pass."""

    def __init__(self, key: str, folder: Path, earlier: Read) -> None:
        """`earlier` is what an earlier run left in `folder`. Nothing is written before `open`."""
        self.key, self.folder, self.earlier = key, folder, earlier
        self.troubles: list[StoreError] = []
        """What the user should know and hasn't been told yet."""
        if earlier.damaged:
            what = "The stored result was damaged on disk; what was whole of it is kept, the rest is made anew."
            self.troubles.append(StoreError(what))
        self._file: io.FileIO | None = None
        self._lines, self._size = earlier.lines, earlier.size
        self._written: set[str] = set()
        self._pictures = True
        """Whether there was no trouble with them yet."""

    def open(self) -> None:
        """Opens the file behind its last whole line, for its only writer.

        Raises:
            OSError: the disk is full or not writable.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in self.folder.rglob("*.part"):  # a crash left it
            part.unlink(missing_ok=True)
        self._file = (self.folder / NAME).open("ab", buffering=0)  # so that nothing is left to fail at closing
        self._file.truncate(self._size)
        self._written = {line for event in self.earlier.events if (line := event_to_line(event))}

    def close(self) -> bool:
        """Ends writing; returns whether there was any."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()
        return file is not None

    def record(self, events: Generator[Event, None, None]) -> Generator[Event, None, None]:
        """Passes events on, each once it and its pictures are on disk."""
        with closing(events):
            for event in events:
                yield self._kept(event)
                while self.troubles:
                    error = self.troubles.pop(0)
                    yield Noted(str(error))

    def _kept(self, event: Event) -> Event:
        if self._file is None:
            return event
        try:
            if self._pictures:
                event = self._without_pixels(event)
        except OSError as error:
            self._pictures = False
            self.troubles.append(trouble(error))
        try:
            self._append(event)
        except OSError as error:
            self.close()
            self.troubles.append(trouble(error))
        return event

    def _append(self, event: Event) -> None:
        """Writes an event, unless it has been written; a log begins once.

        Raises:
            OSError: the disk is full or not writable, or somebody removed the result.
        """
        if isinstance(event, Opened):  # a file's name belongs to whoever has the file
            event = Opened(replace(event.info, path=Path("video")))
        line = event_to_line(event)
        if self._file is None or line is None or line in self._written:
            return
        if isinstance(event, Begun) and any(isinstance(earlier, Begun) for earlier in self.earlier.events):
            return
        data = numbered(self.key, self._lines, line)
        if not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with suppress(OSError):
                self._file.truncate(self._size)  # half a line would be in the next run's way
            raise
        self._lines, self._size = self._lines + 1, self._size + len(data)
        self._written.add(line)

    def _without_pixels(self, event: Event) -> Event:
        """The event with names of pictures in place of their pixels.

        Raises:
            OSError: a picture can't be written.
        """
        match event:
            case Kept(mark, frame) if frame is not None:
                return Kept(replace(mark, picture=self._picture(f"keyframes/{mark.index:04d}.jpg", frame.image)))
            case Captioned(caption, from_store, picture) if picture is not None and caption.trace is not None:
                trace = self._saw(caption.trace, f"{caption.index:04d}", picture)
                return Captioned(replace(caption, trace=trace), from_store)
            case Summarized(text, levels, trace, picture) if picture is not None and trace is not None:
                return Summarized(text, levels, self._saw(trace, "summary", picture))
        return event

    def _saw(self, trace: TraceMark, name: str, picture: Picture) -> TraceMark:
        return replace(trace, picture=self._picture(f"saw/{name}.png", picture))

    def _picture(self, name: str, image: Picture) -> str:
        target, data = self.folder / name, io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(data, _PICTURES[target.suffix], quality=88)
        if not self.folder.is_dir():
            raise FileNotFoundError
        target.parent.mkdir(exist_ok=True)
        write_whole(target, data.getvalue())
        return name


def write_whole(target: Path, data: bytes) -> None:
    """Writes a file that is there as a whole or, after trouble, as it was before.

    Raises:
        OSError: the disk is full or not writable.
    """
    part = target.with_name(f"{target.name}.{os.urandom(6).hex()}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def trouble(error: OSError) -> StoreError:
    """What a user is told when something of a result can't be written."""
    if isinstance(error, FileNotFoundError):
        return StoreError("This result was deleted meanwhile; run the video again to keep it.")
    return StoreError(f"Results can't be stored ({error.strerror}); free some disk space or set SGV_STORE_DIR.")
