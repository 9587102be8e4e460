"""Clocks that jump: one rule for all containers, and the same times whatever the file claims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from av.packet import Packet

from sgv_demo.settings import Settings
from sgv_demo.video.decoding.clock import Jumps, lay_out, spread
from sgv_demo.video.decoding.pyav import PyavReader
from tests.support.video_files import number_in, with_edits, write_clip

B_FRAMES = {"bf": "3"}


def read(path: Path) -> PyavReader:
    return PyavReader(path, Settings())


def shown(reader: PyavReader) -> list[int]:
    return [number_in(frame.image) for frame in reader.frames()]


def alone(reader: PyavReader, fps: float, order: list[int]) -> list[int]:
    """Every fifth picture, each asked for by itself."""
    times = [(i + 0.02) / fps for i in range(0, len(order), 5)]
    return [number_in(next(iter(reader.near([time], exact=True))).image) for time in times]


def parts(packets: list[tuple[int, int, bool]], *, broadcast: bool = False) -> list[int]:
    """Which part each (pts, dts, keyframe) belongs to, at ten ticks a second."""
    jumps = Jumps(0.1, broadcast=broadcast)
    return [jumps.part(*packet) for packet in packets]


class TestTheRule:
    def test_reordered_pictures_are_no_jump(self) -> None:
        assert parts([(0, -2, True), (3, -1, False), (1, 0, False), (2, 1, False), (6, 2, True)]) == [0] * 5

    def test_a_keyframe_that_begins_anew_is_one(self) -> None:
        assert parts([(0, 0, True), (1, 1, False), (0, 0, True), (1, 1, False)]) == [0, 0, 1, 1]

    def test_a_small_step_back_before_an_open_group_is_none(self) -> None:
        assert parts([(0, 0, True), (3, 3, True), (2, 2, False), (5, 5, False)]) == [0] * 4

    def test_a_leap_is_one_only_on_a_broadcast_clock(self) -> None:
        leap = [(0, 0, True), (1, 1, False), (600, 600, True)]
        assert parts(leap) == [0, 0, 0]
        assert parts(leap, broadcast=True) == [0, 0, 1]

    def test_a_guessed_decoding_time_behind_a_leap_is_not_held_against_the_next(self) -> None:
        assert parts([(0, 0, True), (1, 1, False), (600, 2, True), (601, 601, False)], broadcast=True) == [0, 0, 1, 1]

    def test_parts_are_laid_end_to_end(self) -> None:
        ticks, lengths = np.array([5, 7, 6, 1, 2, 3]), np.ones(6, np.int64)
        line = lay_out(ticks, np.array([0, 0, 0, 1, 1, 1]), lengths, believe_lengths=True)
        assert line.order.tolist() == [0, 2, 1, 3, 4, 5]
        assert line.ticks.tolist() == [5, 6, 7, 8, 9, 10]
        assert line.end == 11

    def test_pictures_that_share_a_time_are_spread(self) -> None:
        assert spread(np.array([0.0, 0.0, 1.0, 2.0, 2.0]), 3.0).tolist() == [0, 0.5, 1, 2, 2.5]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (30, 0), (3, 0), (0, 40), (0, 10_000)])
@pytest.mark.parametrize(("suffix", "codec", "fps"), [("ts", "libx264", 10), ("mpg", "mpeg2video", 25)])
def test_recordings_that_were_appended(
    tmp_path: Path, suffix: str, codec: str, fps: int, first: float, second: float
) -> None:
    both = b""
    for start, numbers in ((first, range(60)), (second, range(60, 120))):
        made = tmp_path / f"part.{suffix}"
        times = [start + i / fps for i in range(60)]
        write_clip(made, codec=codec, fps=fps, times=times, numbers=numbers, gop=15, options=B_FRAMES)
        both += made.read_bytes()
    path = tmp_path / f"both.{suffix}"
    path.write_bytes(both)
    reader, order = read(path), list(range(120))
    assert shown(reader) == order
    assert reader.info.duration == pytest.approx(120 / fps, abs=0.11)
    assert reader.info.fps == pytest.approx(fps, rel=0.02)
    assert alone(reader, fps, order) == order[::5]


def test_matroska_clusters_that_were_appended(tmp_path: Path) -> None:
    cluster = b"\x1f\x43\xb6\x75"
    first = write_clip(tmp_path / "first.mkv", fps=10, count=40, options=B_FRAMES).read_bytes()
    second = write_clip(tmp_path / "second.mkv", fps=10, numbers=range(40, 80), count=40, options=B_FRAMES)
    path = tmp_path / "both.mkv"
    # Behind the last cluster stands the table of keyframes.
    path.write_bytes(
        first[: first.rindex(b"\x1c\x53\xbb\x6b")] + second.read_bytes()[second.read_bytes().index(cluster) :]
    )
    reader, order = read(path), list(range(80))
    assert shown(reader) == order
    assert reader.info.fps == pytest.approx(10, rel=0.02)
    assert alone(reader, 10, order) == order[::5]


@pytest.mark.parametrize(
    ("edits", "order"),
    [
        (((0, 20), (40, 20)), [*range(20), *range(40, 60)]),
        (((60, 20), (10, 20)), [*range(60, 80), *range(10, 30)]),
        (((24, 10), (24, 10), (24, 10)), [*range(24, 34)] * 3),
        (((35, 30),), [*range(35, 65)]),
    ],
)
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_edit_lists_that_skip_go_back_or_repeat(
    tmp_path: Path, codec: str, edits: tuple[tuple[int, int], ...], order: list[int]
) -> None:
    options = {"bf": "2"} if codec == "mpeg4" else B_FRAMES
    reader = read(with_edits(write_clip(tmp_path / "a.mp4", codec=codec, fps=10, count=100, options=options), *edits))
    assert shown(reader) == order
    assert reader.info.duration == pytest.approx(len(order) / 10, abs=0.11)
    assert alone(reader, 10, order) == order[::5]


def test_a_long_picture_is_a_real_one_where_the_container_holds_it(tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 30, 30.1]
    for name in ("a.mp4", "a.mkv"):
        reader = read(write_clip(tmp_path / name, times=times, fps=10))
        assert [round(frame.time, 1) for frame in reader.frames()] == times


@pytest.mark.parametrize(("codec", "gop"), [("libx264", 24), ("mpeg4", 24)])
def test_avi_with_reordered_pictures_is_counted(tmp_path: Path, codec: str, gop: int) -> None:
    path = write_clip(tmp_path / "a.avi", codec=codec, gop=gop, fps=10, count=60, options={"bf": "2"}, coarse=True)
    reader, order = read(path), list(range(60))
    assert reader.info.fps == pytest.approx(10, rel=0.01)
    assert reader.info.duration == pytest.approx(6, abs=0.05)
    assert shown(reader) == order
    assert alone(reader, 10, order) == order[::5]


def test_decoding_times_in_place_of_presentation_times(tmp_path: Path) -> None:
    def as_decoded(packet: Packet) -> None:
        assert packet.dts is not None
        packet.pts = packet.dts = packet.dts + 4000

    path = write_clip(tmp_path / "a.mp4", fps=10, count=60, options=B_FRAMES, alter=as_decoded)
    assert shown(read(path)) == list(range(60))
    assert alone(read(path), 10, list(range(60))) == list(range(60))[::5]
