"""What an input means: folders, lists, tables, tars, object stores, parts of videos."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import fsspec
import pytest

from sgv_demo.annotation.inputs import Video, at_hand, manifest, videos, write_manifest
from sgv_demo.annotation.run import annotated
from sgv_demo.errors import SettingsError, VideoError
from sgv_demo.options import AnalysisOptions, SamplingOptions
from sgv_demo.settings import Settings
from tests.support.scripted import Script, ScriptedCaptioner
from tests.support.video_files import write_clip

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, one of them in a folder below, and a tar with both."""
    root = tmp_path_factory.mktemp("inputs")
    (root / "deep").mkdir()
    write_clip(root / "a b.mp4", count=48, numbers=[1] * 24 + [2] * 24)
    write_clip(root / "deep" / "视频.webm", codec="libvpx", count=12, numbers=[3] * 12)
    with tarfile.open(root / "shard.tar", "w") as archive:
        for name in ("a b.mp4", "deep/视频.webm"):
            archive.add(root / name, f"./{name}")
        archive.add(ROOT / "README.md", "a b.txt")
    (root / "notes.md").write_text("no video")
    return root


def names(source: Path | str, column: str = "") -> list[str]:
    return [video.name for video in videos(source, column)]


def test_a_folder_with_all_below_it_tars_included(folder: Path) -> None:
    expected = ["a b.mp4", "deep/视频.webm", "shard.tar/a b.mp4", "shard.tar/deep/视频.webm"]
    assert names(folder) == expected
    for video in videos(folder):
        with at_hand(video, 1 << 30) as path:
            assert path.read_bytes() == (folder / video.name.removeprefix("shard.tar/")).read_bytes()
            assert path.suffix == Path(video.name).suffix
            assert video.size == path.stat().st_size
    assert names(folder / "shard.tar") == expected[2:]
    assert names(folder / "a b.mp4") == ["a b.mp4"]


def test_a_key_tells_contents_apart_and_not_places(folder: Path, tmp_path: Path) -> None:
    (first,) = videos(folder / "a b.mp4")
    copy = Path(shutil.copy(folder / "a b.mp4", tmp_path / "other.mp4"))
    assert next(videos(copy)).key == first.key
    with copy.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    assert next(videos(copy)).key != first.key


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "a b.mp4\n\ndeep/视频.webm\n"),
        ("list.csv", "number,video_path\n1,a b.mp4\n2,deep/视频.webm\n"),
        ("list.tsv", "path\tnumber\na b.mp4\t1\ndeep/视频.webm\t2\n"),
        ("list.jsonl", '{"file_name": "a b.mp4"}\n{"file_name": "deep/视频.webm"}\n'),
        ("bom.csv", "\ufeffvideo\r\na b.mp4\r\ndeep/视频.webm\r\n"),
    ],
)
def test_lists_and_tables_name_paths_beside_them(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    found = list(videos(folder / name))
    (folder / name).unlink()
    assert [video.name for video in found] == ["a b.mp4", "deep/视频.webm"]
    assert [video.address for video in found] == [str(folder / "a b.mp4"), str(folder / "deep/视频.webm")]
    assert all(video.size and video.key for video in found)


def test_a_parquet_with_a_column_and_parts(folder: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [
        {"clip": str(folder / "a b.mp4"), "start": 1.5, "end": 3.0},
        {"clip": "gone.mp4", "start": None, "end": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    found = list(videos(tmp_path / "t.parquet", "clip"))
    assert [(video.start, video.end) for video in found] == [(1.5, 3.0), (0.0, None)]
    assert found[0].name == f"{folder / 'a b.mp4'}#t=1.5,3"
    assert (found[1].name, found[1].size) == ("gone.mp4", None)
    with pytest.raises(SettingsError, match=r"Row 1 of “t.parquet” has none of the columns video, .*\(it has clip"):
        names(tmp_path / "t.parquet")
    (tmp_path / "no.parquet").write_text("no table")
    with pytest.raises(SettingsError, match="is no Parquet file"):
        names(tmp_path / "no.parquet")


def test_a_part_of_a_video_is_annotated_alone(folder: Path) -> None:
    (whole,) = videos(folder / "a b.mp4")
    part = Video("a b.mp4#t=2,4", whole.address, start=2.0, end=4.0)
    options = AnalysisOptions(SamplingOptions(every=1, keep_all=True, read_text=False))
    outcome = annotated(part, ScriptedCaptioner(Script()), options, Settings())
    assert outcome.reason == ""
    assert outcome.video_seconds == 2.0
    assert outcome.record["video_path"] == "a b.mp4#t=2,4"
    assert outcome.record["timestamp"][0] == 2.0
    assert outcome.record["sgv_demo"]["source"] == {"size": None, "key": ""}
    assert len(outcome.record["sgv_demo"]["prompts_hash"]) == 16


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("x.jsonl", "no json\n", r"Line 1 of “x\.jsonl” is no JSON object"),
        ("x.csv", "video,start\na b.mp4,soon\n", "'soon' is no time; give start and end in seconds"),
        ("x.csv", "video\n", "There is no video in"),
        ("x.tar", "no tar", "can't be listed"),
        ("x.txt", b"\xff\xfe\xff", "can't be listed"),
        ("gone.txt", None, "There is no “"),
    ],
)
def test_what_is_no_input_is_one_sentence(tmp_path: Path, name: str, text: str | bytes | None, told: str) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=told):
        names(tmp_path / name)


def test_other_places_by_their_addresses(folder: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/pool/deep/c.mp4", (folder / "a b.mp4").read_bytes())
    memory.pipe("/pool/list.jsonl", b'{"video": "deep/c.mp4"}\n{"video": "memory://pool/deep/c.mp4"}\n')
    (found,) = videos("memory://pool")
    assert (found.name, found.address) == ("deep/c.mp4", "memory:///pool/deep/c.mp4")
    assert names("memory://pool/list.jsonl") == ["deep/c.mp4", "memory://pool/deep/c.mp4"]
    with at_hand(found, 1 << 30) as path:
        assert path.read_bytes() == (folder / "a b.mp4").read_bytes()
    assert not path.exists()
    with pytest.raises(VideoError, match="are the most; leave it out"), at_hand(found, 10):
        pass
    memory.rm("/pool", recursive=True)
    with pytest.raises(VideoError, match="can't be fetched"), at_hand(found, 1 << 30):
        pass
    with pytest.raises(SettingsError, match=r"^nowhere:// can't be read here"):
        names("nowhere://x")


def test_a_bucket_of_a_real_s3_server(folder: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    shutil.copy(folder / "a b.mp4", pool)
    packages = [part for name in ("s3fs", "moto[server,s3]", "fsspec") for part in ("--with", name)]
    uv = [str(Path(sys.executable).with_name("uv")), "run", "--no-project", "--isolated", "--python", sys.executable]
    tried = subprocess.run([*uv, *packages, "python", "-c", "import s3fs, moto"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"no S3 server can be installed here: {tried.stderr.decode()[-200:]}")
    command = [*uv, *packages, "python", str(Path(__file__).with_name("s3_scene.py")), str(pool)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {
        "names": ["a b.mp4", "shard.tar/a b.mp4"],
        "same": [True, True],
        "listed": ["clips/a b.mp4"],
    }


def test_the_manifest_holds_each_name_once_whatever_bytes_it_has(tmp_path: Path) -> None:
    odd = Video("clip\ufffd.mp4", os.fsdecode(b"/x/clip\xff.mp4"), 5, 6, "k", 1.0, 2.0)
    assert write_manifest(iter([odd, odd, Video("b", "/b")]), tmp_path) == 2
    assert list(manifest(tmp_path)) == [odd, Video("b", "/b")]
