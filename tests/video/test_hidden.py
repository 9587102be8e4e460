"""A packet isn't a picture: hidden reference frames, second fields, stills beside animations, transparency."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.stream import VideoStream

from sgv_demo.settings import Settings
from sgv_demo.video.decoding.hidden import _hidden_vp9
from sgv_demo.video.decoding.pyav import PyavReader
from tests.support.video_files import number_in, remux, write_clip

FILES = Path(__file__).parent / "files"
FIELDS = FILES / "fields.ts"
"""Twelve pictures at 25 a second, H.264, each coded as two fields; the last is cut off."""


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_two_fields_are_one_picture(tmp_path: Path, suffix: str) -> None:
    path = FIELDS if suffix == "ts" else remux(FIELDS, tmp_path / f"a.{suffix}", lambda *_: None)
    reader = PyavReader(path, Settings())
    frames = list(reader.frames())
    assert reader.info.fps == pytest.approx(25)
    assert reader.frame_count == len(frames) + 1 == 12
    assert reader.info.duration == pytest.approx(12 / 25, abs=0.001)
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(len(frames))], abs=0.001)


@pytest.mark.parametrize("suffix", ["webm", "mkv"])
def test_hidden_reference_frames_of_vp8_are_no_pictures(tmp_path: Path, suffix: str) -> None:
    options = {"deadline": "realtime", "cpu-used": "8", "error-resilient": "1"}
    plain = write_clip(tmp_path / "plain.webm", codec="libvpx", fps=30, count=90, gop=30, options=options, coarse=True)
    path = tmp_path / f"a.{suffix}"
    with av.open(str(plain)) as given, av.open(str(path), "w") as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.dts is None:
                continue
            data = bytes(packet)
            for content in (bytes([data[0] & ~0x10]) + data[1:], data) if packet.dts % 7 == 3 else (data,):
                # The first of the two is the same frame, marked as not to be shown.
                twin = Packet(content)
                twin.pts, twin.dts, twin.time_base = packet.pts, packet.dts, packet.time_base
                twin.is_keyframe, twin.stream = packet.is_keyframe, copy
                out.mux(twin)
    with av.open(str(path)) as given:
        assert sum(packet.size > 0 for packet in given.demux(video=0)) > 90
    reader = PyavReader(path, Settings())
    assert reader.frame_count == len(list(reader.frames())) == 90
    assert reader.info.fps == pytest.approx(30, rel=0.01)
    assert reader.info.duration == pytest.approx(3.0, abs=0.02)
    assert [number_in(frame.image) for frame in reader.near([1.51, 2.51], exact=True)] == [45, 75]


def write_transparent(path: Path, codec: str, pixels: str) -> Path:
    """Ten pictures: the left half opaque red, the right half transparent blue."""
    image = np.zeros((64, 96, 4), np.uint8)
    image[:, :48], image[:, 48:] = (255, 0, 0, 255), (0, 0, 255, 0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(image, "rgba").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "qtrle", "argb"),
        ("a.mov", "png", "rgba"),
        ("a.apng", "apng", "rgba"),
        ("a.mkv", "ffv1", "yuva420p"),
    ],
)
def test_transparent_parts_are_shown_over_grey(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    is_shown_over_grey(write_transparent(tmp_path / name, codec, pixels))


@pytest.mark.parametrize("name", ["transparent_vp8.webm", "transparent_vp9.webm"])
def test_transparent_webm_is_decoded_with_its_transparency(name: str) -> None:
    is_shown_over_grey(FILES / name)


def is_shown_over_grey(path: Path) -> None:
    reader = PyavReader(path, Settings())
    assert reader.info.notes == ("Transparent parts are shown over grey.",)
    for long_side in (None, 48):
        image = next(iter(reader.near([0.5], exact=True, long_side=long_side))).image
        assert np.abs(image[:, -20:].astype(int) - 128).max() <= 2
        red = image[:, :20].reshape(-1, 3).mean(0)
        assert red[0] > 200
        assert red[1:].max() < 40


@pytest.mark.parametrize(
    ("head", "hidden"),
    [
        (b"\x82\x49\x83", False),  # a keyframe that is shown
        (b"\x84\x00\x00", True),  # an inter frame that isn't
        (b"\x86\x00\x00", False),  # one that is
        (b"\x88\x00\x00", False),  # an order to show a frame that is there already
        (b"\x84\x00\xc1", False),  # a superframe
    ],
)
def test_hidden_reference_frames_of_vp9_are_told_by_their_first_byte(head: bytes, hidden: bool) -> None:
    assert _hidden_vp9(Packet(head)) == hidden


def test_opaque_pictures_of_a_kind_that_could_be_transparent_get_no_note(tmp_path: Path) -> None:
    assert PyavReader(write_clip(tmp_path / "a.gif", codec="gif", pixels="rgb8"), Settings()).info.notes == ()


def test_an_animation_is_read_and_not_the_still_beside_it(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.avif", codec="libsvtav1", count=20, fps=10, options={"preset": "8", "crf": "20"}, coarse=True
    )
    reader = PyavReader(path, Settings())
    assert reader.frame_count == len(list(reader.frames())) == 20
    assert reader.info.duration == pytest.approx(2.0, abs=0.01)
