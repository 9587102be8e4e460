"""What every reader must do on a file known to be good: PyAV's and decord's, here and in a process of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.video import Backend, VideoReader, open_video
from sgv_demo.video.decoding import open_here
from tests.support.video_files import number_in, write_clip


def numbers(reader: VideoReader, *times: float, exact: bool = True, last: bool = False) -> list[int]:
    return [number_in(frame.image) for frame in reader.near(times, exact=exact, last=last)]


@pytest.mark.parametrize("backend", ["pyav", "decord"])
@pytest.mark.parametrize("place", ["here", "process"])
class TestEveryReader:
    @pytest.fixture
    def reader(self, tmp_path: Path, backend: Backend, place: str) -> Iterator[VideoReader]:
        path = write_clip(tmp_path / "clip.mp4", count=48, fps=12, size=(128, 96))
        if place == "here":
            yield open_here(path, Settings(), backend)
            return
        with open_video(path, Settings(), backend=backend) as reader:
            yield reader

    def test_says_what_the_file_is(self, reader: VideoReader) -> None:
        assert reader.info.duration == pytest.approx(4.0, abs=0.001)
        assert reader.info.size == (128, 96)
        assert reader.fps == reader.info.fps == 12
        assert reader.frame_count == 48

    def test_reads_every_picture_in_order(self, reader: VideoReader) -> None:
        frames = list(reader.frames())
        assert [number_in(frame.image) for frame in frames] == list(range(48))
        assert [frame.time for frame in frames] == pytest.approx([i / 12 for i in range(48)], abs=0.001)

    def test_reads_a_span(self, reader: VideoReader) -> None:
        frames = list(reader.frames(start=1.5, end=2.0))
        assert [number_in(frame.image) for frame in frames] == [18, 19, 20, 21, 22, 23]

    def test_exact_is_the_picture_on_display(self, reader: VideoReader) -> None:
        assert numbers(reader, 0, 0.08, 0.09, 1.0, 1.99, 3.95) == [0, 0, 1, 12, 23, 47]

    def test_exact_answers_every_time(self, reader: VideoReader) -> None:
        assert numbers(reader, 0.5, 0.51, 0.52) == [6, 6, 6]

    def test_otherwise_the_closest_picture_once(self, reader: VideoReader) -> None:
        assert numbers(reader, 0.47, 0.51, 0.55, exact=False) == [6, 7]

    def test_unending_times_stop_at_the_end(self, reader: VideoReader) -> None:
        found = [number_in(frame.image) for frame in reader.near(itertools.count(0, 1.5))]
        assert found == [0, 18, 36]

    def test_closes_with_the_last_picture_once(self, reader: VideoReader) -> None:
        assert numbers(reader, 0, 2, exact=False, last=True) == [0, 24, 47]
        assert numbers(reader, 0, 47 / 12, exact=False, last=True) == [0, 47]

    def test_scales_down_never_up(self, reader: VideoReader) -> None:
        assert next(iter(reader.frames(long_side=64))).image.shape == (48, 64, 3)
        assert next(iter(reader.frames(long_side=1000))).image.shape == (96, 128, 3)

    def test_pictures_by_number_in_any_order(self, reader: VideoReader) -> None:
        assert [number_in(f.image) for f in reader.at_indices([0, 24, 24, 47, 5])] == [0, 24, 24, 47, 5]

    def test_refuses_a_number_that_is_not_there(self, reader: VideoReader) -> None:
        with pytest.raises(VideoError, match="48 pictures"):
            list(reader.at_indices([48]))

    def test_a_second_reading_begins_anew(self, reader: VideoReader) -> None:
        frames = iter(reader.frames())
        next(frames)
        assert numbers(reader, 1.0) == [12]
        assert number_in(next(frames).image) == 1
