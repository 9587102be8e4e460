"""What goes over the pipes between the app and the reading process: a length, a JSON header, raw bytes. No pickle."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from sgv_demo.types import VideoInfo

Message: TypeAlias = dict[str, Any]

_LENGTH = struct.Struct("<I")
MOST_HEADER_BYTES = 1 << 20

OUT_OF_MEMORY = "Reading this file needs more memory than is allowed; scale the video down or shorten it."
MEMORY_EXIT = 3
"""Exit status of a reading process that found itself over its memory."""


def pack(message: Message) -> bytes:
    """Header bytes with their length in front."""
    header = json.dumps(message).encode("ascii")
    return _LENGTH.pack(len(header)) + header


def header_length(raw: bytes) -> int:
    """Bytes of the header that follows these first four.

    Raises:
        ValueError: longer than any real header.
    """
    (length,) = _LENGTH.unpack(raw)
    if length > MOST_HEADER_BYTES:
        raise ValueError("header too long")
    return length


def receive(stream: BinaryIO) -> Message | None:
    """The next message from a blocking stream, or None at its end."""
    raw = stream.read(_LENGTH.size)
    if len(raw) < _LENGTH.size:
        return None
    body = stream.read(header_length(raw))
    return json.loads(body) if body else None


def info_to_dict(info: VideoInfo) -> Message:
    """Everything but the path, which the app knows."""
    return {
        "duration": info.duration,
        "fps": info.fps,
        "size": list(info.size),
        "codec": info.codec,
        "has_audio": info.has_audio,
        "start": info.start,
        "notes": list(info.notes),
    }


def info_from_dict(path: Path, found: Message) -> VideoInfo:
    """Rebuilds the facts, each forced to its type since they come from a process that may have been taken over."""
    width, height = found["size"]
    return VideoInfo(
        path=path,
        duration=float(found["duration"]),
        fps=float(found["fps"]),
        size=(int(width), int(height)),
        codec=str(found["codec"]),
        has_audio=bool(found["has_audio"]),
        start=float(found["start"]),
        notes=tuple(str(note) for note in found["notes"]),
    )
