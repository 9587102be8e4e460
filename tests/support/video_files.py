"""Small video files made on the spot, each picture carrying its number, for the tests of the reader."""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from sgv_demo.types import Picture

BITS = 8
TICKS = Fraction(1, 12000)


def numbered(number: int, size: tuple[int, int] = (128, 96)) -> Picture:
    """A picture of `size` (width, height) whose columns spell `number` in black and white, highest bit left."""
    width, height = size
    image = np.full((height, width, 3), 16, np.uint8)
    cell = width / BITS
    for i in range(BITS):
        if number >> (BITS - 1 - i) & 1:
            image[:, round(i * cell) : round((i + 1) * cell)] = 235
    return image


def number_in(image: Picture) -> int:
    """The number that `numbered` drew, whatever the picture's size now."""
    cell = image.shape[1] / BITS
    middle = image[image.shape[0] // 3 : image.shape[0] // 3 * 2].mean(axis=(0, 2))
    bits = [middle[int((i + 0.5) * cell)] > 128 for i in range(BITS)]
    return int("".join("1" if bit else "0" for bit in bits), 2)


def write_clip(
    path: Path,
    *,
    count: int = 48,
    fps: float = 12,
    size: tuple[int, int] = (128, 96),
    codec: str = "libx264",
    gop: int = 12,
    times: Iterable[float] | None = None,
    rotation: int | None = None,
    aspect: Fraction | None = None,
    sound: float = 0.0,
    numbers: Iterable[int] | None = None,
    alter: Callable[[Packet], None] | None = None,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    coarse: bool = False,
    draw: Callable[[int, tuple[int, int]], Picture] = numbered,
) -> Path:
    """Writes a clip of numbered pictures.

    Args:
        path: its suffix names the container.
        count: pictures.
        fps: pictures a second, where `times` doesn't say otherwise.
        size: stored (width, height).
        codec: FFmpeg's name of an encoder.
        gop: pictures from one keyframe to the next.
        times: presentation time of each picture in seconds.
        rotation: degrees of the display matrix.
        aspect: width over height of a pixel.
        sound: seconds of silence beside the pictures, from time 0.
        numbers: what to draw instead of 0, 1, 2, …
        alter: changes each packet before it is written.
        options: for the encoder.
        muxer: for the container.
        pixels: pixel format.
        coarse: a clock of one tick a picture, which some encoders have anyway.
        draw: what a number looks like.
    """
    shown = list(times) if times is not None else [i / fps for i in range(count)]
    drawn = list(numbers) if numbers is not None else list(range(len(shown)))
    with av.open(str(path), "w", options=muxer or {}) as out:
        rate = Fraction(fps).limit_denominator(1001)
        stream = out.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        coarse = coarse or codec in (
            "mpeg4",
            "mpeg2video",
            "wmv2",
            "gif",
            "flv",
            "mjpeg",
            "apng",
            "libtheora",
            "wrapped_avframe",
        )
        stream.codec_context.time_base = 1 / rate if coarse else TICKS
        stream.codec_context.gop_size = gop
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if sound:
            silence = out.add_stream("pcm_s16le", rate=8000, layout="mono")
            assert isinstance(silence, AudioStream)
            quiet = av.AudioFrame.from_ndarray(np.zeros((1, round(8000 * sound)), np.int16), "s16", "mono")
            quiet.sample_rate, quiet.pts = 8000, 0
            out.mux(silence.encode(quiet))
            out.mux(silence.encode(None))
        base = stream.codec_context.time_base
        for number, time in zip(drawn, shown, strict=True):
            frame = av.VideoFrame.from_ndarray(draw(number, size), "rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = round(time / base), base
            _mux(out, stream.encode(frame), alter)
        _mux(out, stream.encode(None), alter)
    return path


def _mux(out: OutputContainer, packets: list[Packet], alter: Callable[[Packet], None] | None) -> None:
    for packet in packets:
        if alter:
            alter(packet)
        out.mux(packet)


def write_sound(path: Path) -> Path:
    """A second of silence as WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return path


def write_cover_art(path: Path) -> Path:
    """A sound file whose only picture is its cover."""
    with av.open(str(path), "w", format="mp3") as out:
        sound = out.add_stream("libmp3lame", rate=8000, layout="mono")
        cover = out.add_stream("mjpeg", rate=1)
        assert isinstance(cover, VideoStream)
        assert isinstance(sound, AudioStream)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        quiet = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16p", "mono")
        quiet.sample_rate, quiet.pts = 8000, 0
        art = av.VideoFrame.from_ndarray(numbered(1, (64, 64)), "rgb24").reformat(format="yuvj420p")
        out.mux(cover.encode(art))
        out.mux(cover.encode(None))
        out.mux(sound.encode(quiet))
        out.mux(sound.encode(None))
    return path


def write_picture(path: Path, kind: str = "PNG") -> Path:
    """A still picture, whatever the name says."""
    Image.fromarray(numbered(5)).save(path, kind)
    return path


def damage(path: Path, start: float, end: float) -> Path:
    """Overwrites the part of the file between two shares of its length with zeros."""
    data = bytearray(path.read_bytes())
    first, last = round(len(data) * start), round(len(data) * end)
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path


def cut(path: Path, share: float) -> Path:
    """Keeps only the first `share` of the file."""
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def remux(source: Path, target: Path, alter: Callable[[int, Packet], None]) -> Path:
    """Copies the pictures' packets into another container; `alter` is given each packet's position and the packet."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for position, packet in enumerate(p for p in given.demux(stream) if p.dts is not None):
            alter(position, packet)
            packet.stream = copy
            out.mux(packet)
    return target


def without_sync_table(path: Path) -> Path:
    """Takes from an MP4 the list of its keyframes, which then means that every picture is one."""
    data = path.read_bytes()
    assert data.count(b"stss") == 1
    path.write_bytes(data.replace(b"stss", b"free"))
    return path


def with_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Gives an MP4 this display matrix: a stored point (x, y) is shown at (a·x + c·y, b·x + d·y)."""
    data = path.read_bytes()
    at = data.index(b"tkhd") + 44
    fixed = [round(part * 65536) for part in (a, b, 0, c, d, 0, 0, 0)]
    path.write_bytes(data[:at] + struct.pack(">9i", *fixed, 1 << 30) + data[at + 36 :])
    return path


def with_edits(path: Path, *edits: tuple[int, int], fps: int = 10) -> Path:
    """Gives an MP4 that was just written (its index behind its pictures) edits of (first picture, pictures)."""
    with av.open(str(path)) as given:
        ticks = round(1 / fps / (given.streams.video[0].time_base or 1))
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") - 4
    size, media_start = struct.unpack(">I", data[at : at + 4])[0], struct.unpack(">i", data[at + 20 : at + 24])[0]
    rows = b"".join(struct.pack(">IiI", 1000 * n // fps, media_start + first * ticks, 0x10000) for first, n in edits)
    data[at : at + size] = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(edits)) + rows
    for box in (b"moov", b"trak", b"edts"):
        place = data.index(box) - 4
        (length,) = struct.unpack(">I", data[place : place + 4])
        data[place : place + 4] = struct.pack(">I", length + 16 + len(rows) - size)
    path.write_bytes(data)
    return path
