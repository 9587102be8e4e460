"""What a run keeps, what counts as wrong, and how scores and comparisons are told."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sgv_demo.cli import main
from sgv_demo.engines import Scene
from sgv_demo.engines.measured.engine import MeasuredAnswerer
from sgv_demo.engines.prompts import Wording
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.evaluation import answers, mvbench
from sgv_demo.evaluation.answers import Answer
from sgv_demo.evaluation.benchmark import Asked, Question
from sgv_demo.evaluation.compare import compare
from sgv_demo.evaluation.judge import JUDGEMENTS, judge_into
from sgv_demo.evaluation.looking import looks
from sgv_demo.evaluation.plan import Part, chosen
from sgv_demo.evaluation.report import comparison_report, score_report
from sgv_demo.evaluation.rules import strictly
from sgv_demo.evaluation.run import Progress, Run
from sgv_demo.evaluation.score import score
from sgv_demo.evaluation.statistics import mcnemar, wilson
from sgv_demo.evaluation.table import BENCHMARKS
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.types import EngineInfo, Generation, Trace, Turn
from tests.support import made_benchmarks
from tests.support.fault_server import serving
from tests.support.made_benchmarks import Made
from tests.support.video_files import number_in, write_clip

Reply = Callable[[str], str]
FORMS = ("text", "markdown", "csv", "json", "html")


class Says:
    """An engine that begins answers as it is told, or puts questions in its own form."""

    default_frames = 16

    def __init__(self, reply: Reply, name: str = "one", begins: bool = True) -> None:
        self.info = EngineInfo(name, f"Engine {name}")
        self.reply, self.begins = reply, begins
        self.asked: list[str] = []

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        self.asked.append(question)
        wording = scene.wording or Wording()
        prompt = f"{wording.system} {question} {wording.begun}" if self.begins else question
        yield self.reply(question)
        yield Trace(prompt=prompt, seconds=0.5)


def run(
    name: str,
    made: Made,
    out: Path,
    reply: Reply,
    part: Part | None = None,
    engine: Says | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Says:
    benchmark = BENCHMARKS[name]
    engine = engine or Says(reply)
    pool = benchmark.read(made.annotations, made.videos, None)
    Run(benchmark, engine, Settings(), progress=progress).into(out, pool, part or Part())
    return engine


def always(text: str) -> Reply:
    return lambda _: text


def test_an_unreadable_video_is_wrong_in_its_own_task_with_its_reason(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym", "action_sequence"])
    (made.videos / "ssv2_video" / "action_antonym_0.mp4").write_bytes(b"no video")
    run("mvbench", made, tmp_path / "out", always("A) opens the door"))
    found = score(tmp_path / "out", "published")
    tasks = {task.task: task for task in found.tasks}
    assert (tasks["Action Antonym"].right, tasks["Action Antonym"].questions) == (0, 2)
    assert tasks["Action Antonym"].unreadable == 2
    assert (tasks["Action Sequence"].right, tasks["Action Sequence"].questions) == (1, 2)
    assert [item for item, _ in found.unreadable] == ["action_antonym/0", "action_antonym/1"]
    assert all(reason for _, reason in found.unreadable)
    # Under the original rule an empty output is right; a video that wasn't seen never is.
    assert {task.task: task.right for task in score(tmp_path / "out", "original").tasks}["Action Antonym"] == 0


def test_a_bound_beyond_the_end_is_unreadable_as_published(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_sequence"], each=1)
    path = made.annotations / "action_sequence.json"
    (row,) = json.loads(path.read_text(encoding="utf-8"))
    made_benchmarks.write_json(path, [{**row, "start": 100.0, "end": 120.0}])
    run("mvbench", made, tmp_path / "out", always("A"))
    ((_, reason),) = score(tmp_path / "out", "published").unreadable
    assert "pictures" in reason


def test_frames_of_a_video_are_read_once_for_its_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sgv_demo.evaluation import looking

    opened: list[Path] = []
    open_video = looking.open_video

    def counted(path: Path, *args: object, **kwargs: object) -> object:
        opened.append(path)
        return open_video(path, *args, **kwargs)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(looking, "open_video", counted)
    made = made_benchmarks.tempcompass(tmp_path / "made", videos=2)
    run("tempcompass", made, tmp_path / "out", always("A"))
    assert len(answers.read(tmp_path / "out")) == 16
    assert len(opened) == 2


def test_an_engine_that_fails_once_loses_that_question_and_a_later_run_asks_it(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"], each=4)

    def reply(question: str) -> str:
        if "Antonym 1" in question:
            raise EngineError("The server is away; start it.")
        return "A"

    run("mvbench", made, tmp_path / "out", reply)
    assert list(answers.read(tmp_path / "out")) == ["action_antonym/0", "action_antonym/2", "action_antonym/3"]
    again = run("mvbench", made, tmp_path / "out", always("B"))
    assert len(again.asked) == 1
    assert list(answers.read(tmp_path / "out")) == [f"action_antonym/{i}" for i in range(4)]


def test_an_engine_that_keeps_failing_ends_the_run(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"], each=8)

    def reply(question: str) -> str:
        raise EngineError("The server is away; start it.")

    engine = Says(reply)
    with pytest.raises(EngineError, match="away"):
        run("mvbench", made, tmp_path / "out", reply, engine=engine)
    assert len(engine.asked) < 8


def test_a_question_that_changed_is_asked_again(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"])
    run("mvbench", made, tmp_path / "out", always("A"))
    path = made.annotations / "action_antonym.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    made_benchmarks.write_json(path, [{**rows[0], "question": "Another?"}, rows[1]])
    again = run("mvbench", made, tmp_path / "out", always("B"))
    assert len(again.asked) == 1
    assert answers.read(tmp_path / "out")["action_antonym/0"].text == "(B"


def test_fresh_starts_over_and_keeps_the_old_file(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"])
    run("mvbench", made, tmp_path / "out", always("A"))
    benchmark, other = mvbench.BENCHMARK, Says(always("B"), "two")
    pool = benchmark.read(made.annotations, made.videos)
    with pytest.raises(SettingsError, match="holds answers of Engine one"):
        Run(benchmark, other, Settings()).into(tmp_path / "out", pool, Part())
    Run(benchmark, other, Settings()).into(tmp_path / "out", pool, Part(), fresh=True)
    assert {answer.text for answer in answers.read(tmp_path / "out").values()} == {"(B"}
    assert (tmp_path / "out" / "answers.jsonl.old").exists()


def test_parts_are_chosen_by_task_limit_seed_and_shard(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", each=6)
    pool = mvbench.BENCHMARK.read(made.annotations, made.videos)

    def items(**part: object) -> list[str]:
        return [question.asked.item for question in chosen(pool, Part(**part))]  # pyright: ignore[reportArgumentType]

    assert items(tasks=("Action Antonym",), limit=2) == ["action_antonym/0", "action_antonym/1"]
    assert items(tasks=("Action Antonym",), limit=3, seed=7) != items(tasks=("Action Antonym",), limit=3)
    assert set(items(limit=2, seed=7)) <= set(items(limit=4, seed=7))
    shards = [items(shard=(i, 4)) for i in range(1, 5)]
    assert sorted(item for shard in shards for item in shard) == sorted(items())
    with pytest.raises(SettingsError, match="no task"):
        items(tasks=("Nothing",))
    with pytest.raises(SettingsError, match="no shard"):
        items(shard=(5, 4))


def test_progress_tells_rate_and_time_left(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"])
    told: list[Progress] = []
    run("mvbench", made, tmp_path / "out", always("A"), progress=told.append)
    assert [(one.done, one.total) for one in told] == [(1, 2), (2, 2)]
    assert told[0].left > 0 == told[1].left
    assert all(one.rate > 0 for one in told)


def test_another_engine_is_asked_in_its_own_form_and_the_table_says_so(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"])
    run("mvbench", made, tmp_path / "out", always("(A) opens"), engine=Says(always("(A) opens"), begins=False))
    assert {answer.text for answer in answers.read(tmp_path / "out").values()} == {"(A) opens"}
    found = score(tmp_path / "out", "published")
    assert found.tasks[0].right == 1
    assert all("own form" in score_report(found, form) for form in ("text", "markdown", "html"))
    assert found.record()["own_form"]


def test_an_engine_that_looks_at_no_frames_is_refused() -> None:
    with pytest.raises(SettingsError, match="looks at no frames"):
        Run(mvbench.BENCHMARK, MeasuredAnswerer(), Settings())


def test_without_right_answers_nothing_is_scored(tmp_path: Path) -> None:
    made = made_benchmarks.videobench(tmp_path / "made", answers=False)
    run("videobench", made, tmp_path / "out", always("A"))
    found = score(tmp_path / "out", "published")
    assert [(task.questions, task.percent, task.unscored) for task in found.tasks] == [(0, None, 2), (0, None, 2)]
    assert found.averages[0].percent is None


def test_a_part_is_no_result_of_the_whole(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"], each=4)
    run("mvbench", made, tmp_path / "out", always("A"), Part(limit=1))
    found = score(tmp_path / "out", "published")
    assert found.tasks[0].coverage == 0.25
    assert "no result of the whole benchmark" in score_report(found, "text")
    (tmp_path / "out" / "run.json").unlink()
    assert "not known" in score_report(score(tmp_path / "out", "published"), "text")


@pytest.mark.parametrize("form", FORMS)
def test_the_rule_is_named_in_every_form(form: str, tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"])
    run("mvbench", made, tmp_path / "out", always("A"))
    text = score_report(score(tmp_path / "out", "strict"), form)  # pyright: ignore[reportArgumentType]
    assert "strict" in text
    assert "51.2" in text or form == "csv"
    assert form in ("csv", "json") or "second-hand" in text
    both = compare(tmp_path / "out", tmp_path / "out", "strict")
    assert "strict" in comparison_report(both, form)  # pyright: ignore[reportArgumentType]


def test_every_row_of_the_csv_carries_rule_judge_and_engine(tmp_path: Path) -> None:
    made = made_benchmarks.tempcompass(tmp_path / "made")
    run("tempcompass", made, tmp_path / "out", always("A"))
    rows = list(csv.DictReader(io.StringIO(score_report(score(tmp_path / "out", "published"), "csv"))))
    assert {(row["Benchmark"], row["Rules"], row["Judge"], row["Engine"]) for row in rows} == {
        ("TempCompass", "published", "none", "Engine one")
    }


def test_html_escapes_what_files_and_models_say_and_needs_nothing_else(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym"])
    run("mvbench", made, tmp_path / "one", always("A <script>alert(1)</script>"))
    run("mvbench", made, tmp_path / "two", always("B"), engine=Says(always("B"), "two"))
    page = comparison_report(compare(tmp_path / "one", tmp_path / "two", "published"), "html")
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_captions_are_scored_only_with_a_judge_and_the_table_says_so(tmp_path: Path) -> None:
    made = made_benchmarks.tempcompass(tmp_path / "made", videos=1)
    out = tmp_path / "out"
    run("tempcompass", made, out, lambda question: "yes" if "yes or no" in question else "He runs.")
    without = score(out, "published")
    assert {task.task: task.questions for task in without.tasks}["captioning"] == 0
    assert "Without a judge" in score_report(without, "text")
    captions = [answer for answer in answers.read(out).values() if answer.asked.task == "captioning"]
    replies = iter(["Answer: A. runs", *["no idea"] * 3, "Answer: B. sits"])
    judge_into(out / JUDGEMENTS, captions, "a judge", lambda _: next(replies))
    judged = score(out, "published", judge=True)
    tasks = {task.task: (task.right, task.questions) for task in judged.tasks}
    assert tasks["captioning"] == (1, 2)
    assert judged.judge.startswith("a judge")
    assert "a judge" in score_report(judged, "text")


def test_a_caption_that_no_judge_rates_is_subtracted_as_published(tmp_path: Path) -> None:
    asked = Asked("captioning", "captioning/1/action/0", 0, "1.mp4", "Write.", "A. runs", (), {"mc_answer": "A. runs"})
    replies: list[str] = []

    def say(_: str) -> str:
        replies.append("")
        return ""

    judge_into(tmp_path / JUDGEMENTS, [Answer("tempcompass", asked, output="He sits.")], "judge", say)
    assert len(replies) == 11
    assert json.loads((tmp_path / JUDGEMENTS).read_text(encoding="utf-8"))["rating"] == -1


def test_two_runs_are_compared_over_the_questions_they_share(tmp_path: Path) -> None:
    made = made_benchmarks.mvbench(tmp_path / "made", tasks=["action_antonym", "action_sequence"], each=4)
    run("mvbench", made, tmp_path / "one", always("A"))
    run(
        "mvbench", made, tmp_path / "two", always("B"), Part(tasks=("Action Antonym",)), engine=Says(always("B"), "two")
    )
    found = compare(tmp_path / "one", tmp_path / "two", "published")
    assert [(task.task, task.questions, task.only_first, task.only_second) for task in found.tasks] == [
        ("Action Antonym", 4, 1, 1),
        ("All", 4, 1, 1),
    ]
    assert [flip.first.answer.asked.item for flip in found.flips] == ["action_antonym/0", "action_antonym/1"]
    assert (
        main(["evaluate", "compare", str(tmp_path / "one"), str(tmp_path / "two"), "--html", str(tmp_path / "x.html")])
        == 0
    )


def test_runs_of_different_benchmarks_are_not_compared(tmp_path: Path) -> None:
    run("mvbench", made_benchmarks.mvbench(tmp_path / "m", tasks=["action_antonym"]), tmp_path / "one", always("A"))
    run("tempcompass", made_benchmarks.tempcompass(tmp_path / "t"), tmp_path / "two", always("A"))
    with pytest.raises(SettingsError, match="compare two of the same"):
        compare(tmp_path / "one", tmp_path / "two", "published")


def test_a_folder_without_answers_is_one_error_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "score", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: There is no answers.jsonl")


def test_wilson_and_mcnemar_give_known_values() -> None:
    low, high = wilson(8, 10) or (0.0, 0.0)
    assert (low, high) == pytest.approx((49.016, 94.331), abs=1e-3)
    assert wilson(0, 0) is None
    low, high = wilson(0, 20) or (1.0, 0.0)
    assert (low, high) == pytest.approx((0.0, 16.113), abs=1e-3)
    assert mcnemar(10, 2) == pytest.approx(2 * (1 + 12 + 66) / 4096)
    assert mcnemar(0, 0) == mcnemar(5, 5) == 1.0


@pytest.mark.parametrize(
    ("text", "right", "rating", "matched"),
    [
        ("(B) turns left", "B", 1, True),
        ("(B: turns", "B", 1, True),
        ("B", "B", 1, True),
        ("(A) no, (B)", "A", 0, True),
        ("(because", "B", 0, False),
        ("(A man runs", "A", 0, False),
        ("(", "A", 0, False),
        ("(E) x", "E", 0, False),
        ("", "A", 0, False),
    ],
)
def test_the_strict_rule_wants_one_option_named_at_the_start(text: str, right: str, rating: int, matched: bool) -> None:
    verdict = strictly(text, right, "ABCD")
    assert (verdict.rating, verdict.matched) == (rating, matched)


def test_a_server_answers_in_its_own_form_several_at_once_and_judges_what_rules_leave_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = made_benchmarks.tempcompass(tmp_path / "made", videos=1)
    places = ["--annotations", made.annotations, "--videos", made.videos, "--out", tmp_path / "out"]
    said = [{"choices": [{"index": 0, "delta": {"content": "Correct"}, "finish_reason": "stop"}]}]
    with serving(json.dumps(said)) as server:
        options = ["--engine", "remote", "--base-url", server.url, "--judge", "remote", "--at-once", "4", "--json", "-"]
        assert main(["evaluate", "tempcompass", *map(str, [*places, *options])]) == 0
    printed = capsys.readouterr()
    assert "8 of 8" in printed.err
    scored = json.loads(printed.out)
    assert scored["own_form"]
    assert scored["judge"].startswith("tiny")
    tasks = {task["task"]: (task["right"], task["questions"]) for task in scored["tasks"]}
    assert tasks == {"multi-choice": (2, 2), "yes_no": (2, 2), "caption_matching": (2, 2), "captioning": (0, 2)}
    first = server.requests[0]["messages"][-1]["content"]
    assert any("Which" in str(part) or "Question:" in str(part) for part in first)


def test_what_the_published_reader_gets_wrong_or_cannot_open_is_read_by_the_other_one(tmp_path: Path) -> None:
    write_clip(tmp_path / "wrong.avi", count=40, fps=10, size=(64, 48), codec="mpeg4")
    (tmp_path / "no.mp4").write_bytes(b"no video")
    write_clip(tmp_path / "right.mp4", count=40, fps=10, size=(64, 48))
    asked = Asked("MSVD", "MSVD/0", 0, "x", "?")
    found = {}
    for name in ("wrong.avi", "no.mp4", "right.mp4"):
        (look,) = looks(BENCHMARKS["videobench"], [Question(asked, tmp_path / name)], Settings())
        found[name] = (look.reader, [number_in(frame.image) for frame in look.scene.frames] if look.scene else None)
    assert found["right.mp4"][0] == "decord"
    assert found["wrong.avi"] == ("pyav", found["right.mp4"][1])
    assert found["no.mp4"] == ("", None)
