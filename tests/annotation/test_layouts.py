"""Captions handed over: every layout from every other, what trainers' own loaders read, whose words they are."""

from __future__ import annotations

import csv
import json
import os
import tarfile
from pathlib import Path

import pytest

from sgv_demo.annotation.inputs import MANIFEST, videos, write_manifest
from sgv_demo.annotation.layouts.read import plain, records
from sgv_demo.annotation.layouts.table import LAYOUTS, convert
from sgv_demo.annotation.layouts.wording import Field, Wording, counter
from sgv_demo.annotation.pool import RECORDS, read
from sgv_demo.cli import main
from sgv_demo.dataset.index import Entry, entry_from_record
from sgv_demo.dataset.record import parse, to_record
from sgv_demo.errors import DatasetError, SettingsError
from sgv_demo.results.review import NONE
from tests.support.samples import analysis
from tests.support.video_files import write_clip

CLIPS = ("a b.mp4", "deep/视频.mp4")
TOKENIZER = Path(__file__).parents[1] / "golden" / "sharegpt4video" / "tiny-sharegpt4video"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A pool's folder of two clips that lie elsewhere, as `annotate` leaves it."""
    clips, folder = tmp_path / "clips", tmp_path / "pool"
    (clips / "deep").mkdir(parents=True)
    folder.mkdir()
    for name in CLIPS:
        write_clip(clips / name, count=4)
    write_manifest(videos(clips), folder)
    lines = [to_record(analysis()) | {"video_id": Path(name).stem, "video_path": name} for name in CLIPS]
    (folder / RECORDS).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    (folder / "pool.json").write_text("{}")
    return folder


def texts(source: Path) -> dict[str, str]:
    return {entry.video_path: entry.summary for _, entry in records(source)}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_every_layout_comes_back(pool: Path, tmp_path: Path, layout: str) -> None:
    out = tmp_path / "out"
    assert convert(pool, layout, out, Wording()).written == 2
    expected = texts(pool)
    assert all(expected.values())
    if layout == "sidecar":  # without the clips beside them nobody knows the suffix
        expected = {str(Path(name).with_suffix(".txt")): text for name, text in expected.items()}
        with pytest.raises(DatasetError, match="holds no captions"):
            texts(out)
        for name in CLIPS:
            (out / name).write_bytes(b"")
        expected = texts(pool)
    assert texts(out) == expected
    if layout in ("dataset", "parquet", "webdataset"):  # these keep the whole record
        assert [record for record, _ in records(out)] == [record for record, _ in records(pool)]
    for again in LAYOUTS:
        assert convert(out, again, tmp_path / f"again {again}", Wording()).written == 2


def test_hugging_faces_loader_reads_the_parquet(pool: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    convert(pool, "parquet", tmp_path / "out", Wording("captions", prefix="In this clip: "))
    found = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "out" / "captions.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    whole = analysis()
    assert found["video_path"][:] == list(CLIPS)
    assert found[0]["text"] == "In this clip: " + "\n".join(caption.text for caption in whole.captions)
    assert [caption["end"] for caption in found[1]["captions"]] == [caption.end for caption in whole.captions]
    assert json.loads(found[1]["record"])["video_path"] == CLIPS[1]
    assert found[0]["engine"] == whole.engine.name


def test_webdatasets_loader_reads_the_tars(pool: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    convert(pool, "webdataset", tmp_path / "out", Wording())
    (shard,) = (tmp_path / "out").iterdir()
    samples = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    assert [sample["txt"].decode() for sample in samples] == list(texts(pool).values())
    for sample, name in zip(samples, CLIPS, strict=True):
        assert sample["mp4"] == (tmp_path / "clips" / name).read_bytes()
        assert json.loads(sample["json"])["video_path"] == name


def test_sidecars_stand_beside_the_clips_and_replace_nothing_unasked(pool: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "clips" / "a b.txt"
    theirs.write_text("written by hand")
    handed = convert(pool, "sidecar", None, Wording())
    assert handed.written == 1
    assert handed.left_out == {"sidecars that are there already; --overwrite replaces them": 1}
    assert theirs.read_text() == "written by hand"
    summary = analysis().summary
    assert (tmp_path / "clips" / "deep" / "视频.txt").read_text(encoding="utf-8") == f"{summary}\n"
    assert convert(pool, "sidecar", None, Wording(), overwrite=True).written == 2
    assert theirs.read_text(encoding="utf-8") == f"{summary}\n"
    (tmp_path / "clips" / "a b.mp4").unlink()
    assert convert(pool, "sidecar", None, Wording(), overwrite=True).written == 1


def test_metadata_as_json_lines_and_as_a_table(pool: Path, tmp_path: Path) -> None:
    convert(pool, "metadata", tmp_path / "out", Wording())
    rows = [json.loads(line) for line in (tmp_path / "out" / "metadata.jsonl").read_text().splitlines()]
    assert rows == [{"file_name": name, "text": text} for name, text in texts(pool).items()]
    convert(pool, "metadata", tmp_path / "table.csv", Wording())
    with (tmp_path / "table.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == rows


def test_what_was_corrected_on_the_page_is_handed_over(pool: Path, tmp_path: Path) -> None:
    whole = analysis()
    review = NONE.edit(whole.captions[0], "A heron lands.").rate(1, "made up")
    edited = to_record(whole, review) | {"video_id": "a b", "video_path": "a b.mp4"}
    (tmp_path / "edits.jsonl").write_text(json.dumps(edited))
    convert(pool, "parquet", tmp_path / "out", Wording("captions"), tmp_path / "edits.jsonl")
    first, second = (record for record, _ in records(tmp_path / "out"))
    assert first["captions"][0]["content"] == "A heron lands."
    assert second["captions"][0]["content"] == whole.captions[0].text
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(tmp_path / "out" / "captions.parquet").to_pylist()
    assert rows[0]["text"].startswith("A heron lands.\n")
    assert [row["ratings"] for row in rows] == [["made up"], []]
    assert parse(rows[0]["record"])[1] == review


SENTENCES = "A dog runs. “Stop!” It sits down by the door. 它很累。睡了。"


@pytest.mark.parametrize(
    ("most", "text"),
    [
        (100, SENTENCES),
        (8, "A dog runs. “Stop!”"),
        (4, "A dog runs. “Stop!”"),
        (3, "A dog runs."),
        (2, "A dog"),
        (0, ""),
    ],
)
def test_a_text_is_cut_where_a_sentence_ends_else_a_word(most: int, text: str) -> None:
    entry = _of(plain("a.mp4", SENTENCES))
    assert Wording(max_tokens=most).of(entry) == text


def test_tokens_are_those_of_the_named_tokenizer_with_prefix_and_suffix(tmp_path: Path) -> None:
    count = counter(str(TOKENIZER))
    entry = _of(plain("a.mp4", "One two three. Four five six. Seven eight nine."))
    text = Wording(max_tokens=count("video: One two three. Four five six. (end)"), count=count, prefix="video: ",
                   suffix=" (end)").of(entry)  # fmt: skip
    assert text == "video: One two three. Four five six. (end)"
    with pytest.raises(SettingsError, match="There is no tokenizer “no/such”"):
        counter("no/such")


@pytest.mark.parametrize(
    ("field", "mode", "text"),
    [
        ("summary", "sliding", "The whole. It ends."),
        ("captions", "sliding", "First. More.\nSecond."),
        ("fast", "sliding", ""),
        ("fast", "fast", "First. More."),
        ("first-sentence", "sliding", "The whole."),
    ],
)
def test_fields(field: Field, mode: str, text: str) -> None:
    captions = [("1", "First. More."), ("2", "Second."), ("-1", "The whole. It ends.")]
    record = plain("a.mp4", "") | {
        "captions": [{"idx": index, "content": content} for index, content in captions],
        "sgv_demo": {"settings": {"mode": mode}},
    }
    entry = _of(record)
    assert Wording(field).of(entry) == text


def _of(record: dict[str, object]) -> Entry:
    entry = entry_from_record(record)
    assert entry is not None
    return entry


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps(plain("../../etc/passwd.mp4", "text")))
    with pytest.raises(SettingsError, match="leads out of the folder"):
        convert(tmp_path / "x.jsonl", "sidecar", tmp_path / "out", Wording())
    assert not (tmp_path / "etc").exists()


def test_the_command(pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(pool), "--layout", "metadata"]) == 1
    assert "The layout metadata needs a place; give --out." in capsys.readouterr().err
    out = str(tmp_path / "m.csv")
    assert main(["convert", str(pool), "--layout", "metadata", "--out", out, "--field", "fast"]) == 0
    told = capsys.readouterr().err
    assert told == "0 videos in the layout metadata\nnote: left out 2 records without that text\n"
    assert main(["convert", str(tmp_path / "clips"), "--layout", "dataset", "--out", out]) == 1
    assert "holds no captions" in capsys.readouterr().err
    assert read(pool)[0] == set(CLIPS)


def test_a_shard_ends_after_so_many_samples(pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sgv_demo.annotation.layouts.write._SHARD_SAMPLES", 1)
    convert(pool, "webdataset", tmp_path / "out", Wording())
    assert sorted(os.listdir(tmp_path / "out")) == ["00000.tar", "00001.tar"]
    with tarfile.open(tmp_path / "out" / "00001.tar") as archive:
        assert archive.getnames() == ["000000001.mp4", "000000001.txt", "000000001.json"]
    (pool / MANIFEST).unlink()
    handed = convert(pool, "webdataset", tmp_path / "without", Wording())
    assert handed.left_out == {"clips that aren't at hand; their texts are there": 2}
