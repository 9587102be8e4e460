"""The reader on clips made on the spot: the right picture at the right time, the right shape, clear refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError
from av.packet import Packet

from sgv_demo.errors import VideoError
from sgv_demo.settings import Settings
from sgv_demo.video import Backend, VideoReader, check_file
from sgv_demo.video.decoding import container, open_here
from sgv_demo.video.decoding.pyav import PyavReader
from sgv_demo.video.decoding.seeking import Strategy
from tests.support.video_files import (
    cut,
    damage,
    number_in,
    numbered,
    write_clip,
    write_cover_art,
    write_picture,
    write_sound,
)

SETTINGS = Settings()


def read(path: Path, settings: Settings = SETTINGS, backend: Backend = "pyav") -> VideoReader:
    check_file(path, settings)
    return open_here(path, settings, backend)


def numbers(reader: VideoReader, *times: float, exact: bool = True, last: bool = False) -> list[int]:
    return [number_in(frame.image) for frame in reader.near(times, exact=exact, last=last)]


def test_both_readers_give_the_same_pixels(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", size=(130, 98))
    ours = list(read(path).at_indices([0, 13, 47]))
    theirs = list(read(path, backend="decord").at_indices([0, 13, 47]))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(ours, theirs, strict=True))


KINDS = [
    ("clip.mp4", "libx264", "yuv420p", 12),
    ("clip.mkv", "libx264", "yuv420p", 12),
    ("clip.ts", "libx264", "yuv420p", 12),
    ("clip.m2ts", "libx264", "yuv420p", 12),
    ("clip.mov", "prores_ks", "yuv422p10le", 12),
    ("clip.webm", "libvpx-vp9", "yuv420p", 12),
    ("clip.webm", "libvpx", "yuv420p", 12),
    ("clip.mp4", "libsvtav1", "yuv420p", 12),
    ("clip.avi", "mpeg4", "yuv420p", 12),
    ("clip.avi", "mjpeg", "yuvj420p", 12),
    ("clip.wmv", "wmv2", "yuv420p", 12),
    ("clip.flv", "flv", "yuv420p", 12),
    ("clip.3gp", "mpeg4", "yuv420p", 12),
    ("clip.gif", "gif", "rgb8", 12),
    ("clip.apng", "apng", "rgb24", 12),
    ("clip.y4m", "wrapped_avframe", "yuv420p", 12),
    ("clip.mpg", "mpeg2video", "yuv420p", 25),
    ("clip.m2v", "mpeg2video", "yuv420p", 25),
    ("clip.mxf", "mpeg2video", "yuv422p", 25),
]


@pytest.mark.parametrize(("name", "codec", "pixels", "fps"), KINDS)
def test_kinds_of_files(tmp_path: Path, name: str, codec: str, pixels: str, fps: int) -> None:
    reader = read(write_clip(tmp_path / name, codec=codec, pixels=pixels, fps=fps, count=48))
    wanted = [0, 7, 13, 24, 30, 47]
    found = numbers(reader, *(n / fps + 0.02 for n in wanted))
    assert all(abs(a - b) <= 1 for a, b in zip(found, wanted, strict=True)), found
    assert reader.info.duration == pytest.approx(48 / fps, abs=1 / fps)
    assert reader.info.fps == pytest.approx(fps, rel=0.01)


@pytest.mark.parametrize("strategy", ["auto", "in order", "seek"])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_every_strategy_finds_the_same_pictures(tmp_path: Path, strategy: Strategy, name: str) -> None:
    path = write_clip(tmp_path / name, count=240, gop=24, options={"bf": "3"})
    reader = PyavReader(path, SETTINGS, strategy=strategy)
    wanted = [0, 1, 2, 9, 24, 25, 47, 48, 50, 71, 95, 96, 170, 193, 239]
    assert numbers(reader, *(n / 12 + 0.01 for n in wanted)) == wanted
    assert (reader.plan != "in order") == (strategy != "in order")


def test_open_groups_of_pictures(tmp_path: Path) -> None:
    options = {"x264-params": "open-gop=1:bframes=3:b-adapt=0:keyint=12:scenecut=0"}
    reader = read(write_clip(tmp_path / "clip.mp4", count=96, options=options))
    for number in range(96):
        assert numbers(reader, number / 12) == [number]


def test_turned_pictures_stand_upright(tmp_path: Path) -> None:
    for degrees, upright in ((90, 1), (180, 2), (270, 3)):
        reader = read(write_clip(tmp_path / f"{degrees}.mp4", rotation=degrees, size=(128, 64)))
        assert reader.info.size == ((64, 128) if degrees != 180 else (128, 64))
        image = next(iter(reader.near([2.0], exact=True))).image
        assert number_in(np.rot90(image, -upright)) == 24


def test_pixel_aspect_is_applied(tmp_path: Path) -> None:
    reader = read(write_clip(tmp_path / "clip.mp4", size=(144, 96), aspect=Fraction(4, 3)))
    assert reader.info.size == (192, 96)
    assert next(iter(reader.frames(long_side=96))).image.shape == (48, 96, 3)


def test_varying_frame_rate(tmp_path: Path) -> None:
    times = [i / 24 for i in range(24)] + [1 + i / 4 for i in range(12)]
    for name in ("clip.mkv", "clip.mp4"):
        reader = read(write_clip(tmp_path / name, times=times, fps=24))
        assert numbers(reader, 0.5, 0.99, 1.2, 2.6, 3.9) == [12, 23, 24, 30, 35]
        assert reader.info.duration == pytest.approx(4.0, abs=0.26)
        assert reader.info.fps == pytest.approx(9, rel=0.1)
        assert "varies" in reader.notes[0]


def test_pictures_that_start_late(tmp_path: Path) -> None:
    reader = read(write_clip(tmp_path / "clip.mkv", times=[3 + i / 12 for i in range(24)], sound=5))
    first = next(iter(reader.frames()))
    assert first.time == reader.info.start == pytest.approx(3.0, abs=0.05)
    assert reader.info.duration == pytest.approx(2.0, abs=0.09)
    assert reader.info.has_audio
    assert numbers(reader, 0.0, 3.5) == [0, 6]
    assert numbers(reader, 4.9) == [22]


def test_edit_list_hides_what_is_before_it(tmp_path: Path) -> None:
    def earlier(packet: Packet) -> None:
        assert packet.pts is not None
        assert packet.dts is not None
        packet.pts, packet.dts = packet.pts - 12000, packet.dts - 12000

    keep = {"avoid_negative_ts": "disabled"}
    reader = read(write_clip(tmp_path / "clip.mp4", alter=earlier, options={"bf": "0"}, muxer=keep))
    assert reader.info.duration == pytest.approx(3.0, abs=0.09)
    assert reader.frame_count == 36
    assert numbers(reader, 0, 0.5, 2.9) == [12, 18, 46]


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.ts", "libx264")])
def test_a_whole_clip_cut_out_of_a_longer_one_is_not_called_short(tmp_path: Path, name: str, codec: str) -> None:
    reader = read(write_clip(tmp_path / name, codec=codec, times=[5 + i / 12 for i in range(48)]))
    assert reader.info.start == pytest.approx(0.0, abs=0.1)
    assert reader.info.duration == pytest.approx(4.0, abs=0.1)
    assert reader.notes == ()


def test_a_clock_that_starts_again_goes_on(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "first.ts", count=24)
    second = write_clip(tmp_path / "second.ts", count=24, numbers=range(24, 48))
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    reader = read(both)
    times = [frame.time for frame in reader.frames()]
    assert times == sorted(set(times))
    assert reader.info.duration == pytest.approx(4.0, abs=0.1)
    assert numbers(reader, 0.5, 3.5) == [6, 42]


def test_a_size_that_changes_is_fitted_into_the_first(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "first.ts", count=24, size=(128, 96))
    second = write_clip(tmp_path / "second.ts", count=24, size=(64, 64), numbers=range(24, 48))
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames = list(read(both).frames())
    assert {frame.image.shape for frame in frames} == {(96, 128, 3)}
    later = frames[-1].image
    assert not later[:, :12].any()
    assert number_in(later[:, 16:112]) == 47


def test_without_times_pictures_are_counted(tmp_path: Path) -> None:
    reader = read(write_clip(tmp_path / "clip.h264", fps=25, count=50))
    assert reader.info.fps == 25
    assert reader.info.duration == pytest.approx(2.0)
    assert numbers(reader, 0, 1.0, 1.9) == [0, 25, 47]


def test_a_single_picture_without_a_length(tmp_path: Path) -> None:
    reader = read(write_clip(tmp_path / "clip.ts", count=1))
    assert 0.01 < reader.info.duration <= 1
    assert 1 <= reader.info.fps <= 100
    assert numbers(reader, 0) == [0]


def test_damage_is_passed_over_and_told(tmp_path: Path) -> None:
    options = {"crf": "1"}
    reader = read(damage(write_clip(tmp_path / "clip.mp4", count=96, options=options), 0.4, 0.5))
    times = [frame.time for frame in reader.frames()]
    assert 48 < len(times) < 96
    assert any("damaged" in note for note in reader.notes)
    assert numbers(reader, 0, 7.9) == [0, 94]


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    for name, muxer in (("clip.mp4", {"movflags": "faststart"}), ("clip.mkv", {})):
        path = cut(write_clip(tmp_path / name, count=96, muxer=muxer, options={"crf": "1"}), 0.6)
        reader = read(path)
        assert reader.info.duration == pytest.approx(8.0, abs=0.1)
        assert "cut short" in reader.notes[0]
        # The last good picture stays on display.
        assert len(numbers(reader, 0, 1, 7.9)) == 3


def test_a_tolerance_takes_the_keyframe_nearby(tmp_path: Path) -> None:
    reader = read(write_clip(tmp_path / "clip.mp4", gop=12, options={"sc_threshold": "0"}))
    found = reader.near([1.1, 2.5], tolerance=0.2)
    assert [number_in(frame.image) for frame in found] == [12, 30]


def test_seeks_that_land_late_start_earlier(tmp_path: Path) -> None:
    reader = PyavReader(write_clip(tmp_path / "clip.ts", count=96), SETTINGS)
    # Decoding times that are a second off lead every seek to a keyframe behind the wanted picture.
    reader._facts = replace(reader._facts, index=replace(reader._index, dts=reader._index.dts + 90_000))
    assert numbers(reader, 0, 3.0, 5.5) == [0, 36, 66]


class TestRefusals:
    """Each kind of file that is no video gets its own clear sentence."""

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda p: p.write_bytes(b""), "empty"),
            (lambda p: p.write_bytes(b"x"), "text file"),
            (lambda p: p.write_bytes(bytes(range(256)) * 64), "not a video"),
            (lambda p: p.write_text("Dear diary, today I saw a film.\n" * 40), "text file"),
            (lambda p: p.write_text("<!DOCTYPE html><html><body>404</body></html>"), "web page"),
            (lambda p: p.write_text('{"error": "not found"}'), "text file"),
            (lambda p: p.write_text("#EXTM3U\n#EXTINF:2,\nclip.ts\n"), "playlist"),
            (lambda p: p.write_text("ffconcat version 1.0\nfile clip.mp4\n"), "playlist"),
            (lambda p: p.write_text('<?xml version="1.0"?>\n<MPD><Period/></MPD>'), "playlist or manifest"),
            (lambda p: p.write_text("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n"), "playlist or manifest"),
            (write_picture, "still picture"),
            (lambda p: write_picture(p, "JPEG"), "still picture"),
            (lambda p: write_picture(p, "GIF"), "still picture"),
            (write_sound, "no video track"),
            (write_cover_art, "cover art"),
            (lambda p: cut(write_clip(p), 0.5), "cut off"),
        ],
    )
    def test_says_what_the_file_is(self, tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
        path = tmp_path / "upload.mp4"
        made = make(path)
        with pytest.raises(VideoError, match=words):
            read(made if isinstance(made, Path) else path)

    def test_nothing_decodable(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "clip.mp4", muxer={"movflags": "faststart"})
        data = path.read_bytes()
        path.write_bytes(data[: data.index(b"mdat") + 40])
        with pytest.raises(VideoError, match="No picture"):
            read(path)

    def test_a_folder_and_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(VideoError, match="folder"):
            check_file(tmp_path, SETTINGS)
        with pytest.raises(VideoError, match="does not exist"):
            check_file(tmp_path / "none.mp4", SETTINGS)

    def test_limits(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "clip.mp4")
        with pytest.raises(VideoError, match="over the limit"):
            read(path, Settings(max_megabytes=0))
        with pytest.raises(VideoError, match="over the limit"):
            read(path, Settings(max_seconds=2))
        with pytest.raises(VideoError, match="over the limit"):
            read(path, Settings(max_pixels=1000))

    def test_a_playlist_behind_other_bytes_is_not_followed(self, tmp_path: Path) -> None:
        write_clip(tmp_path / "secret.ts")
        path = tmp_path / "upload.mp4"
        path.write_bytes(b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nsecret.ts\n#EXT-X-ENDLIST\n\0\0\0")
        with pytest.raises(VideoError):
            read(path)
        with pytest.raises(FFmpegError):
            av.open(f"file:{path}", options=container._OPTIONS)


AWKWARD = [
    "-dash first.mp4",
    "quotes ' and \".mp4",
    "$(touch x) `id` ; & |.mp4",
    "视频 ñ 🎬.mp4",
    "percent%03d 100%.mp4",
    "clip:1 http:x.mp4",
    "hash#frag?query=1.mp4",
    "no_extension",
    ".hidden.mp4",
    "x" * 196 + ".mp4",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "clip.mp4", count=12).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert numbers(read(Path(name)), 0.5) == [6]


def test_the_numbers_can_be_read_back() -> None:
    assert [number_in(numbered(n)) for n in (0, 1, 128, 200, 255)] == [0, 1, 128, 200, 255]
