"""Finding a benchmark's questions and videos in the layouts that go round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sgv_demo.errors import DatasetError
from sgv_demo.evaluation import mvbench, tempcompass, videobench
from sgv_demo.evaluation.benchmark import Benchmark
from sgv_demo.evaluation.table import BENCHMARKS
from tests.support import made_benchmarks
from tests.support.made_benchmarks import WORDS, write_json, write_pictures, write_video


def test_archives_unpacked_as_they_come_are_found(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path)
    for places in ((made.annotations, made.videos), (tmp_path, tmp_path)):
        pool = mvbench.BENCHMARK.read(*places)
        assert [question.bound for question in pool.questions] == [(0.5, 2.5)] * 2 + [None] * 2 + [(0.5, 2.5)] * 2
        assert [question.folder for question in pool.questions] == [False] * 4 + [True] * 2
        assert pool.totals == {"Action Sequence": 2, "Action Antonym": 2, "Episodic Reasoning": 2}


def test_replaced_clips_are_found_where_their_archive_puts_them(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path, tasks=["action_sequence"])
    moved = made.videos / "data0613" / "star"
    moved.parent.mkdir()
    (made.videos / "star").rename(moved)
    (question, _) = mvbench.BENCHMARK.read(made.annotations, made.videos).questions
    assert "data0613" in question.path.parts
    assert question.bound == (0.5, 2.5)


def test_bounds_are_not_applied_again_to_clips_that_were_cut(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path, tasks=["action_sequence", "episodic_reasoning", "action_antonym"])
    for folder in ("star", "tvqa", "ssv2_video"):
        (made.videos / folder).rename(tmp_path / folder)
    cut = tmp_path / "cut"
    write_video(cut / "star/Charades_segment/action_sequence_0_0.5_2.5.mp4")
    write_video(cut / "star/Charades_segment/action_sequence_0_3.5_9.0.mp4")
    write_video(cut / "tvqa/video_fps3_hq_segment/episodic_reasoning_0_0.5_2.5.mp4")
    write_video(cut / "ssv2_video_mp4/action_antonym_0.mp4")
    pool = mvbench.BENCHMARK.read(made.annotations, cut)
    assert pool.missing[:1] == ("Action Prediction: the annotation file action_prediction.json is not there.",)
    assert [question.bound for question in pool.questions] == [None] * 6
    assert not any(question.folder for question in pool.questions)
    assert {question.path.name for question in pool.questions} == {
        "action_sequence_0_0.5_2.5.mp4",
        "action_antonym_0.mp4",
        "episodic_reasoning_0_0.5_2.5.mp4",
    }


def test_the_same_file_name_in_two_folders_stays_two_videos(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path, tasks=["object_existence", "object_shuffle"], each=1)
    rows = [{"video": "video_0.mp4", "question": "?", "candidates": list(WORDS), "answer": WORDS[0]}]
    for stem, folder in (("object_existence", "clevrer/video_validation"), ("object_shuffle", "perception/videos")):
        write_json(made.annotations / f"{stem}.json", rows)
        write_video(made.videos / folder / "video_0.mp4")
    first, second = mvbench.BENCHMARK.read(made.annotations, made.videos).questions
    assert first.path != second.path


def test_what_is_missing_is_named_and_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path, tasks=["action_antonym", "action_sequence"])
    (made.videos / "ssv2_video" / "action_antonym_0.mp4").unlink()
    pool = mvbench.BENCHMARK.read(made.annotations, made.videos)
    assert len(pool.questions) == 2
    assert pool.totals["Action Antonym"] == 2
    assert sum("ssv2_video/action_antonym_0.mp4 is not there" in sentence for sentence in pool.missing) == 2
    assert sum("annotation file" in sentence for sentence in pool.missing) == 18


@pytest.mark.parametrize("name", ["../secret.mp4", "/etc/passwd", "a\0b", ""])
def test_a_name_that_leads_out_of_the_folder_is_no_video(name: str, tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path, tasks=["action_antonym"], each=1)
    write_video(made.videos / "secret.mp4")
    rows = [{"video": name, "question": "?", "candidates": list(WORDS), "answer": WORDS[0]}]
    write_json(made.annotations / "action_antonym.json", rows)
    pool = mvbench.BENCHMARK.read(made.annotations, made.videos)
    assert not pool.questions


def test_published_object_files_have_answers_only_from_the_users_file(tmp_path: Path) -> None:
    made = made_benchmarks.videobench(tmp_path, answers=False)
    pool = videobench.BENCHMARK.read(made.annotations, made.videos)
    assert [question.asked.gold for question in pool.questions] == [None] * 4
    assert pool.missing[-1] == "4 of 4 questions have no right answer: they are asked and not scored."
    answers = write_json(
        tmp_path / "answers.json", {"ActivityNet": {"ActivityNet_0": "A", "ActivityNet_1": {"answer": "D"}}}
    )
    golds = [
        question.asked.gold for question in videobench.BENCHMARK.read(made.annotations, made.videos, answers).questions
    ]
    assert golds == ["(A) opens the door", "(D) waves", None, None]


def test_options_of_an_object_stand_one_a_line_in_the_files_order(tmp_path: Path) -> None:
    row = {"question": "Q?", "vid_path": "x.mp4", "choices": {"A": "a", "B": "b", "D": "d", "C": "c"}, "answer": "C"}
    asked = videobench.ask("MSVD", "1", row, 0)
    assert asked.text == "Question: Q?\nOptions:\n (A) a\n(B) b\n(D) d\n(C) c"
    assert asked.gold == "(C) c"
    assert [letter for letter, _ in asked.options] == ["A", "B", "D", "C"]


def test_videobench_lists_are_read_as_the_published_evaluation_reads_them(tmp_path: Path) -> None:
    write_video(tmp_path / "videos/Eval_video/MOT/0.mp4")
    row = {
        "video_path": "Eval_video/MOT/0.mp4",
        "question": "Q?",
        "options": "(A) x\n(B) y",
        "answer": "(B) y",
        "task_split": "Split",
    }
    write_json(tmp_path / "MOT_QA_new.json", [row])
    pool = videobench.BENCHMARK.read(tmp_path, tmp_path / "videos")
    (question,) = pool.questions
    assert (question.asked.task, question.asked.gold) == ("Split", "(B) y")
    assert pool.totals == {"Split": 1}


def test_the_hubs_flat_files_say_the_same_as_tempcompass_own(tmp_path: Path) -> None:
    own = made_benchmarks.tempcompass(tmp_path / "own")
    flat = made_benchmarks.tempcompass(tmp_path / "flat", flat=True)
    first, second = (tempcompass.BENCHMARK.read(made.annotations, made.videos) for made in (own, flat))
    assert [question.asked for question in first.questions] == [question.asked for question in second.questions]
    assert len(first.questions) == 16


def test_a_caption_is_judged_by_the_first_multiple_choice_of_its_video_and_aspect(tmp_path: Path) -> None:
    made = made_benchmarks.tempcompass(tmp_path)
    captions = [q.asked for q in tempcompass.BENCHMARK.read(made.annotations, made.videos).questions][-4:]
    assert {caption.task for caption in captions} == {"captioning"}
    assert captions[0].more["mc_question"] == "What action?\nA. runs\nB. sits"
    assert captions[0].more["mc_answer"] == "A. runs"
    assert [caption.more["fine"] for caption in captions] == ["fine-grained action", "order"] * 2


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=lambda one: one.name)
def test_an_empty_folder_is_no_benchmark(benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no annotation file"):
        benchmark.read(tmp_path, tmp_path, None)


def test_a_damaged_annotation_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "action_antonym.json").write_text("[{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"action_antonym\.json is damaged"):
        mvbench.BENCHMARK.read(tmp_path, tmp_path)
    write_json(tmp_path / "action_antonym.json", [{"video": "x"}])
    with pytest.raises(DatasetError, match=r"Row 1 of action_antonym\.json"):
        mvbench.BENCHMARK.read(tmp_path, tmp_path)


def test_a_stray_file_in_a_folder_of_pictures_counts_as_published(tmp_path: Path) -> None:
    write_pictures(tmp_path / "folder", count=12)
    (tmp_path / "folder" / "Thumbs.db").touch()
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["episodic_reasoning"], each=1)
    (question,) = mvbench.BENCHMARK.read(made.annotations, made.videos).questions
    assert max(mvbench.BENCHMARK.indices(question, 13, 3.0)) >= max(mvbench.BENCHMARK.indices(question, 12, 3.0))
    assert json.loads((made.annotations / "episodic_reasoning.json").read_text())[0]["start"] == 0.5
