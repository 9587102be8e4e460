"""Where decoding begins is a claim of the container: whatever it says, the picture that was asked for comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from av.packet import Packet

from sgv_demo.settings import Settings
from sgv_demo.video.decoding.pyav import PyavReader
from tests.support.video_files import damage, number_in, remux, without_sync_table, write_clip

COUNT = 96
OPEN_GROUPS = {"x264-params": "open-gop=1:bframes=3:b-adapt=0:keyint=24:min-keyint=24:scenecut=0"}
QUIET = "log-level=error:"
CODECS = [
    ("libx264", {"bf": "3"}),
    ("libx264", OPEN_GROUPS),
    ("libx264", {"x264-params": "intra-refresh=1:bframes=0:keyint=24"}),
    ("libx264", {"x264-params": "keyint=250:min-keyint=250:scenecut=100:bframes=2"}),
    ("libx265", {"x265-params": f"{QUIET}keyint=24:min-keyint=24:open-gop=1:bframes=4"}),
    ("libx265", {"x265-params": f"{QUIET}keyint=24:open-gop=0:bframes=0:intra-refresh=1"}),
    ("mpeg4", {"bf": "2"}),
    ("mpeg2video", {"bf": "2"}),
    ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
]


def all_are_right(path: Path) -> None:
    """Pictures in the middle, each by itself and several on one way; then all of them."""
    reader = PyavReader(path, Settings())
    wanted = list(range(5, COUNT, 9))
    times = [(n + 0.02) / 12.5 for n in wanted]
    assert [number_in(next(iter(reader.near([time], exact=True))).image) for time in times] == wanted
    assert [number_in(frame.image) for frame in reader.near(times, exact=True)] == wanted
    assert [number_in(frame.image) for frame in reader.frames(start=times[4])] == list(range(wanted[4] + 1, COUNT))
    assert [number_in(frame.image) for frame in reader.frames()] == list(range(COUNT))
    assert not [note for note in reader.notes if "damaged" in note]


def clip(path: Path, codec: str, options: dict[str, str]) -> Path:
    return write_clip(path, codec=codec, fps=12.5, count=COUNT, gop=24, options=options, coarse=True)


@pytest.mark.parametrize(("codec", "options"), CODECS)
class TestEveryCodec:
    def test_without_a_sync_table(self, tmp_path: Path, codec: str, options: dict[str, str]) -> None:
        all_are_right(without_sync_table(clip(tmp_path / "a.mp4", codec, options)))

    def test_every_picture_called_a_keyframe(self, tmp_path: Path, codec: str, options: dict[str, str]) -> None:
        def call_all(_: int, packet: Packet) -> None:
            packet.is_keyframe = True

        all_are_right(remux(clip(tmp_path / "a.mp4", codec, options), tmp_path / "b.mkv", call_all))

    def test_some_pictures_called_keyframes(self, tmp_path: Path, codec: str, options: dict[str, str]) -> None:
        def call_some(position: int, packet: Packet) -> None:
            packet.is_keyframe = packet.is_keyframe or position % 7 == 3

        all_are_right(remux(clip(tmp_path / "a.mp4", codec, options), tmp_path / "b.mkv", call_some))


@pytest.mark.parametrize("codec", ["libsvtav1", "libaom-av1"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_av1_in_the_middle(tmp_path: Path, codec: str, suffix: str) -> None:
    options = {"preset": "8", "crf": "20"} if codec == "libsvtav1" else {"cpu-used": "8"}
    try:
        path = clip(tmp_path / f"a.{suffix}", codec, options)
    except ValueError:
        pytest.skip(f"FFmpeg comes without {codec} here")
    all_are_right(path)


@pytest.mark.parametrize("bf", ["0", "2"])
@pytest.mark.parametrize("name", ["a.mpg", "a.vob", "a.ts"])
def test_program_streams_are_known_again_after_a_seek(tmp_path: Path, name: str, bf: str) -> None:
    path = write_clip(tmp_path / name, codec="mpeg2video", fps=25, count=200, gop=15, options={"bf": bf})
    reader = PyavReader(path, Settings())
    wanted = list(range(5, 200, 13))
    found = [next(iter(reader.near([(n + 0.02) / 25], exact=True))) for n in wanted]
    assert [number_in(frame.image) for frame in found] == wanted
    assert [frame.time for frame in found] == pytest.approx([n / 25 for n in wanted], abs=0.001)


def test_damage_far_behind_the_keyframe_is_the_files_own(tmp_path: Path) -> None:
    faststart = {"movflags": "faststart"}
    path = damage(write_clip(tmp_path / "a.mp4", count=96, options={"crf": "1"}, muxer=faststart), 0.5, 0.52)
    reader = PyavReader(path, Settings())
    assert [number_in(frame.image) for frame in reader.near([7.5], exact=True)] == [90]
    assert len(list(reader.frames(start=1.0))) > 60
    assert any("damaged" in note for note in reader.notes)


def test_a_damaged_keyframe_is_told_by_whoever_meets_it(tmp_path: Path) -> None:
    reader = PyavReader(damage(write_clip(tmp_path / "a.mp4", count=96), 0.4, 0.5), Settings())
    assert len(list(reader.near([0, 2, 4, 6], last=True))) == 5
    assert any("damaged" in note for note in reader.notes)
