"""Annotation files: found again, searched, hostile ones survived, ours read back unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sgv_demo.dataset import index as dataset
from sgv_demo.dataset import record as dataset_record
from sgv_demo.dataset.index import Dataset, Wanted
from sgv_demo.dataset.record import from_entry, to_line
from sgv_demo.errors import DatasetError
from sgv_demo.results.review import NONE
from sgv_demo.types import EngineInfo, Sample
from tests.support.samples import analysis


def _record(number: int, *texts: str, folder: Any = "pexels", **more: Any) -> dict[str, Any]:
    captions = [{"idx": str(i), "content": text} for i, text in enumerate(texts, 1)]
    captions.append({"idx": "-1", "content": f"Whole video {number}."})
    return {
        "video_id": f"id{number}",
        "video_path": f"{folder}/id{number}.mp4",
        "zip_folder": folder,
        "captions": captions,
        **more,
    }


def _file(path: Path, *lines: object) -> Path:
    raw = [x if isinstance(x, bytes) else json.dumps(x, ensure_ascii=False).encode() for x in lines]
    path.write_bytes(b"\n".join(raw))
    return path


@pytest.fixture
def some(tmp_path: Path):
    path = _file(
        tmp_path / "a.jsonl",
        _record(0, "A red Car on a street.", "It pans."),
        _record(1, "The company scar.", folder="panda", timestamp=["0:01", 2.5], keyframe=[0, 3]),
        _record(2, "Ein Straßenschild, café.", "镜头向左移动。", folder="panda"),
    )
    with Dataset(path) as opened:
        yield opened


def test_records_are_found_by_number(some: Dataset) -> None:
    assert len(some) == 3
    assert some[0].captions == (("1", "A red Car on a street."), ("2", "It pans."))
    assert some[0].summary == "Whole video 0."
    assert (some[1].zip_folder, some[1].timestamp, some[1].keyframe) == ("panda", (1.0, 2.5), (0, 3))
    assert some.trouble.lines == 0
    with pytest.raises(IndexError):
        some[3]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("car", [0]),
        ("CAR red", [0]),
        ("car blue", []),
        ("scar", [1]),
        ("pan*", [0]),
        ("pan", []),
        ("*", []),
        ('"red car"', [0]),
        ('"car red"', []),
        ("strassenschild", [2]),
        ("CAFÉ", [2]),
        ("向左", [2]),
        ("id1", [1]),
        ("street.", [0]),
        ("whole", [0, 1, 2]),
        ("", [0, 1, 2]),
        ("zzz", []),
    ],
)
def test_word_search(some: Dataset, words: str, found: list[int]) -> None:
    assert some.search(Wanted(words)) == found


def test_a_word_does_not_run_over_from_one_record_into_the_next(some: Dataset) -> None:
    assert some.search(Wanted('"0. id1"')) == []
    assert some.search(Wanted('"id0"')) == [0]


def test_filters(some: Dataset) -> None:
    assert some.folders() == [("panda", 2), ("pexels", 1)]
    assert some.search(Wanted(folder="panda")) == [1, 2]
    assert some.search(Wanted("whole", folder="panda")) == [1, 2]
    assert some.search(Wanted(folder="nowhere")) == []
    sizes = [some[i].characters for i in range(3)]
    assert some.search(Wanted(shortest=max(sizes))) == [sizes.index(max(sizes))]
    assert some.search(Wanted(longest=min(sizes))) == [sizes.index(min(sizes))]
    assert some.longest() == max(sizes)
    assert (some.engines(), some.ratings()) == ([], [])


def test_filters_by_what_this_program_adds(tmp_path: Path) -> None:
    made = analysis()
    judged = NONE.rate(0, "made up").rate(1, "accurate")
    other = replace(made, engine=EngineInfo("x", "Another engine"))
    lines = [json.loads(to_line(*pair)) for pair in ((made, NONE), (made, judged), (other, NONE.rate(0, "accurate")))]
    hostile = [{"engine": 3, "review": {"verdicts": 1}}, {"engine": {"label": ["x"]}, "review": [3, {"rating": {}}]}, 7]
    odd = [_record(number, "Odd.", sgv_demo=own) for number, own in enumerate(hostile)]
    with Dataset(_file(tmp_path / "a.jsonl", *lines, *odd)) as opened:
        assert opened.engines() == [(made.engine.label, 2), ("Another engine", 1)]
        assert opened.ratings() == [("accurate", 2), ("made up", 1)]
        assert opened.search(Wanted(engine="Another engine")) == [2]
        assert opened.search(Wanted(rating="accurate")) == [1, 2]
        assert opened.search(Wanted(engine=made.engine.label, rating="made up")) == [1]
        assert opened.search(Wanted(engine="nobody")) == []


def test_a_random_record_is_one_of_those_found(some: Dataset) -> None:
    assert {some.anywhere([1, 2]) for _ in range(50)} <= {1, 2}
    assert some.anywhere() in (0, 1, 2)


def test_hostile_lines_are_counted_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "LONGEST_LINE", 5000)
    deep = b'{"captions":' + b"[" * 4000
    path = _file(
        tmp_path / "bad.jsonl",
        b"\xef\xbb\xbf" + json.dumps(_record(0, "First.")).encode(),
        b"not json",
        b"\xff\xfe{}",
        b"[1, 2]",
        deep,
        b'{"captions": "none"}',
        b'{"captions": [1, {"idx": "1"}, {"content": 3}]}',
        b'{"captions": [{"idx": "1", "content": "' + b"x" * 6000 + b'"}]}',
        b"",
        _record(9, "After it all.", folder=["odd"], timestamp="soon", keyframe=[1.5], video_path=None),
    )
    with Dataset(path) as opened:
        assert len(opened) == 2
        assert opened[0].captions == (("1", "First."),)
        last = opened[1]
        assert last.captions == (("1", "After it all."),)
        assert (last.zip_folder, last.timestamp, last.keyframe, last.video_path) == ("", (), (), "")
        assert (opened.trouble.not_json, opened.trouble.no_record, opened.trouble.too_long) == (3, 3, 1)
        assert opened.trouble.sentence() == "7 lines left out (3 no JSON, 3 without captions, 1 too long)."


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello\nworld", b"\x00" * 100])
def test_a_file_without_records_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none.jsonl"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="holds no annotations"):
        Dataset(path)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.jsonl.*can't be read"):
        Dataset(tmp_path / "gone.jsonl")


def test_a_file_that_changed_is_noticed(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.jsonl", _record(0, "Some words."))
    with Dataset(path) as opened:
        with path.open("r+b") as file:
            file.write(b"garbage!")
        with pytest.raises(DatasetError, match="was changed"):
            opened[0]


def test_progress_ends_at_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_PROGRESS_BYTES", 100)
    told: list[float] = []
    Dataset(_file(tmp_path / "a.jsonl", *(_record(i, "x") for i in range(20))), told.append).close()
    assert told[-1] == 1.0
    assert len(told) > 5
    assert told == sorted(told)


def _plain(**changes: object):
    """As `analysis`, but with a video that has a bare name: no path ever gets into a file."""
    from dataclasses import replace

    result = analysis(**changes)
    assert result.video
    return replace(result, video=replace(result.video, path=Path(result.video.path.name)))


def test_an_analysis_comes_back_unchanged() -> None:
    review = NONE.rate(0, "accurate").edit(analysis().captions[1], "Corrected – “so”.").remark(2, "hm").flag(2)
    line = dataset_record.to_line(analysis(), review)
    assert line.count("\n") == 1
    assert "/home" not in line
    assert dataset_record.parse(line) == (_plain(), review)
    assert dataset_record.parse(dataset_record.to_line(analysis())) == (_plain(), NONE)


def test_the_record_is_of_the_published_schema() -> None:
    record = dataset_record.to_record(analysis(), NONE.edit(analysis().captions[0], "Edited."))
    assert record["video_id"] == "my *clip*"
    assert record["captions"][0] == {"idx": "1", "content": "Edited."}
    assert record["captions"][-1] == {"idx": "-1", "content": "A street; a sign appears."}
    assert [c["idx"] for c in record["captions"]] == ["1", "2", "3", "-1"]
    assert record["timestamp"] == [0.0, 2.0, 4.0]
    assert record["keyframe"] == [0, 1, 2]
    assert "summary" not in record["sgv_demo"]
    samples = tuple(Sample(2.0 * i, 0.9, kept=i != 1) for i in range(4))
    assert dataset_record.to_record(analysis(samples=samples))["keyframe"] == [0, 2, 3]


def test_a_text_corrected_in_the_file_is_the_text_that_comes_back() -> None:
    record = dataset_record.to_record(analysis(), NONE.edit(analysis().captions[1], "Mine."))
    record["captions"][0]["content"] = "By hand."
    record["captions"][1]["content"] = "By hand too."
    result, review = dataset_record.parse(json.dumps(record))
    assert result.captions[0].text == "By hand."
    assert result.captions[1].text == analysis().captions[1].text
    assert review.of(1).text == "By hand too."


def test_appended_records_are_found_in_a_file_that_ends_without_a_newline(tmp_path: Path) -> None:
    path = _file(tmp_path / "out.jsonl", _record(0, "Old."))
    dataset_record.append(path, analysis())
    dataset_record.append(path, analysis(summary="Second."))
    with Dataset(path) as opened:
        assert len(opened) == 3
        assert dataset_record.from_entry(opened[1]) == (_plain(), NONE)
        assert opened[2].summary == "Second."
    fresh = tmp_path / "new.jsonl"
    dataset_record.append(fresh, analysis())
    assert fresh.read_text(encoding="utf-8").startswith('{"video_id"')
    dataset_record.append(fresh, analysis(summary="half a pair: \ud83d"))
    assert len(fresh.read_bytes().splitlines()) == 2
    with pytest.raises(DatasetError, match="can't be written") as caught:
        dataset_record.append(tmp_path, analysis())
    assert str(tmp_path) not in str(caught.value)


def test_a_published_record_becomes_cards() -> None:
    result, review = dataset_record.parse(json.dumps(_record(3, "First.", "Then.", "Last.", keyframe=[0, 2, 5])))
    assert review == NONE
    assert [(c.start, c.end) for c in result.captions] == [(0, 0), (0, 4), (4, 10)]
    assert result.video
    assert result.video.path == Path("id3.mp4")
    assert result.summary == "Whole video 3."
    assert result.engine.label == "The dataset's own captions"
    timed, _ = dataset_record.parse(json.dumps(_record(3, "a", "b", timestamp=[1.0, 7.5])))
    assert [(c.start, c.end) for c in timed.captions] == [(1.0, 1.0), (1.0, 7.5)]
    backwards, _ = dataset_record.parse(json.dumps(_record(3, "a", "b", timestamp=[7.5, 1.0])))
    assert [(c.start, c.end) for c in backwards.captions] == [(0, 0), (0, 2)]
    deep, _ = dataset_record.parse(json.dumps(_record(3, "a", video_path="videos/part 1/deep.mp4")))
    assert deep.video
    assert deep.video.path == Path("deep.mp4")


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"captions": 3},
        {"captions": [{"index": "x"}]},
        {"captions": [], "engine": 5},
        {"captions": [], "summary_levels": float("inf")},
        "x",
    ],
)
def test_a_forged_field_of_ours_is_not_believed(own: object) -> None:
    result, _ = dataset_record.parse(json.dumps(_record(1, "One.", sgv_demo=own)))
    assert [c.text for c in result.captions] == ["One."]


@pytest.mark.parametrize("line", ["", "{", "[]", "3", '{"captions": []}', pytest.param('{"a":' * 100_000, id="deep")])
def test_a_line_that_is_no_record(line: str) -> None:
    with pytest.raises(DatasetError):
        dataset_record.parse(line)


def _opened(folder: Path, content: bytes) -> Dataset:
    (folder / "some.jsonl").write_bytes(content)
    return Dataset(folder / "some.jsonl")


def test_two_records_on_one_line_are_two(tmp_path: Path) -> None:
    one, two = (json.dumps({"video_id": name, "captions": [{"idx": "1", "content": f"é {name}"}]}) for name in "ab")
    with _opened(tmp_path, b"\xef\xbb\xbf" + f"{one}{two}\n{one}".encode()) as opened:
        assert [opened[number].video_id for number in range(len(opened))] == ["a", "b", "a"]
        assert opened[1].captions == (("1", "é b"),)


@pytest.mark.parametrize("whole", ["-1", -1, -1.0, "-1.0", " -1 "])
def test_the_whole_is_known_however_its_idx_is_written(tmp_path: Path, whole: object) -> None:
    record = {
        "captions": [{"idx": 2.0, "content": "b"}, {"idx": whole, "content": "All."}, {"idx": "1", "content": "a"}]
    }
    with _opened(tmp_path, json.dumps(record).encode()) as opened:
        assert (opened[0].summary, opened[0].captions) == ("All.", (("1", "a"), ("2", "b")))


def test_shuffled_captions_have_their_own_times(tmp_path: Path) -> None:
    names = ["3", "-1", "1", "4"]
    record = {
        "captions": [{"idx": i, "content": i} for i in names],
        "timestamp": [0, 2, 4, 6],
        "keyframe": [0, 1, 2, 3],
    }
    with _opened(tmp_path, json.dumps(record).encode()) as opened:
        analysis, _ = from_entry(opened[0])
    assert [(c.text, c.end) for c in analysis.captions] == [("1", 0), ("3", 4), ("4", 6)]


def test_two_captions_of_the_whole_are_both_kept(tmp_path: Path) -> None:
    record = {"captions": [{"idx": "-1", "content": "one"}, {"idx": "-1", "content": "two"}]}
    with _opened(tmp_path, json.dumps(record).encode()) as opened:
        assert opened[0].summary == "one\n\ntwo"


def test_lone_surrogates_and_huge_numbers_break_nothing(tmp_path: Path) -> None:
    line = (
        rb'{"video_id":"a","zip_folder":"z\ud800","captions":[{"idx":"1","content":"A dog \ud83d runs."}],'
        rb'"keyframe":[1' + b"0" * 400 + rb'],"timestamp":[1e999],"more":{"k\udc00":["\udc00"]}}'
    )
    with _opened(tmp_path, line) as opened:
        analysis, _ = from_entry(opened[0])
        assert opened[0].extra == {"more": {"k�": ["�"]}}
        assert opened.search(Wanted("runs")) == [0]
    assert to_line(analysis).encode()
    assert analysis.captions[0].text == "A dog � runs."


def test_other_encodings_are_read_or_named(tmp_path: Path) -> None:
    text = '{"captions": [{"idx": "1", "content": "A café."}]}'
    with _opened(tmp_path, text.encode("latin-1")) as opened:
        assert opened[0].captions == (("1", "A café."),)
        assert "Windows-1252" in opened.trouble.sentence()
    with pytest.raises(DatasetError, match="UTF-16"):
        _opened(tmp_path, text.encode("utf-16"))
