"""Whole made-up benchmarks through the command line and a small checkpoint: killed, resumed, in shards, compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sgv_demo.cli import main
from sgv_demo.engines import Scene
from sgv_demo.engines.sharegpt4video.engine import ShareGPT4Video, load
from sgv_demo.evaluation import answers
from sgv_demo.evaluation.benchmark import Asked
from sgv_demo.evaluation.plan import Part
from sgv_demo.evaluation.run import Ended, Run
from sgv_demo.evaluation.score import score
from sgv_demo.evaluation.table import BENCHMARKS
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, VideoInfo
from tests.support import made_benchmarks, scripted
from tests.support.made_benchmarks import Made
from tests.support.tiny_llava import make_checkpoint
from tests.support.video_files import numbered

MAKERS: dict[str, Callable[[Path], Made]] = {
    "mvbench": lambda root: made_benchmarks.mvbench(root, each=4),
    "videobench": lambda root: made_benchmarks.videobench(root, each=6),
    "tempcompass": lambda root: made_benchmarks.tempcompass(root, videos=2),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> ShareGPT4Video:
    return load(str(checkpoint), quantization="none", dtype="float32", device="cpu")


@pytest.fixture(scope="module", params=list(MAKERS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def made(name: str, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return MAKERS[name](tmp_path_factory.mktemp(name))


def ask(name: str, made: Made, engine: ShareGPT4Video, out: Path, part: Part | None = None, at_once: int = 1) -> Ended:
    benchmark = BENCHMARKS[name]
    pool = benchmark.read(made.annotations, made.videos, None)
    return Run(benchmark, engine, Settings(), at_once=at_once).into(out, pool, part or Part())


@pytest.fixture(scope="module")
def whole(name: str, made: Made, engine: ShareGPT4Video, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    ended = ask(name, made, engine, out)
    assert ended.asked == len(answers.read(out)) > 0
    assert ended.failed == ()
    return out


def said(out: Path) -> dict[str, str | None]:
    return {item: answer.text for item, answer in answers.read(out).items()}


def lines(out: Path) -> int:
    path = out / answers.NAME
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_killed_run_loses_only_the_question_under_way_and_resumes_to_the_same_result(
    name: str, made: Made, engine: ShareGPT4Video, checkpoint: Path, whole: Path, tmp_path: Path
) -> None:
    places = ["--annotations", made.annotations, "--videos", made.videos, "--out", tmp_path]
    model = ["--answerer", checkpoint, "--quantization", "none", "--dtype", "float32"]
    command = [sys.executable, "-m", "sgv_demo", "evaluate", name, *map(str, [*places, *model])]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ})
    until = time.monotonic() + 120
    while lines(tmp_path) < 2 and running.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.stderr is not None
    told = running.stderr.read().decode()
    running.wait()
    kept = lines(tmp_path)
    assert 2 <= kept < len(said(whole)), told
    with (tmp_path / answers.NAME).open("ab") as file:
        file.write(b'{"benchmark": "mvb')  # as if it had been killed in the middle of a line
    ended = ask(name, made, engine, tmp_path)
    assert (ended.kept, ended.asked) == (kept, len(said(whole)) - kept)
    assert said(tmp_path) == said(whole)
    assert score(tmp_path, "published").record() == score(whole, "published").record()


def test_shards_joined_in_any_order_are_the_whole(
    name: str, made: Made, engine: ShareGPT4Video, whole: Path, tmp_path: Path
) -> None:
    parts = []
    for which in (1, 2, 3):
        out = tmp_path / str(which)
        ask(name, made, engine, out, Part(shard=(which, 3)))
        parts.append((out / answers.NAME).read_bytes())
    joined = tmp_path / "joined"
    joined.mkdir()
    (joined / answers.NAME).write_bytes(b"".join(reversed(parts)))
    (joined / "run.json").write_bytes((tmp_path / "2" / "run.json").read_bytes())
    assert said(joined) == said(whole)
    assert list(said(joined)) == list(said(whole))
    assert score(joined, "published").record() == score(whole, "published").record()


def test_several_at_once_answer_the_same(
    name: str, made: Made, engine: ShareGPT4Video, whole: Path, tmp_path: Path
) -> None:
    ask(name, made, engine, tmp_path, at_once=4)
    assert said(tmp_path) == said(whole)


def test_each_answer_says_what_was_asked_shown_and_by_whom(name: str, whole: Path) -> None:
    for answer in answers.read(whole).values():
        assert answer.engine["name"] == "sharegpt4video"
        assert answer.options["max_new_tokens"] == (128 if name == "tempcompass" else 32)
        assert len(answer.frames) == 16
        assert answer.reader in ("decord", "pictures")
        assert answer.content
        assert not answer.own_form
        assert answer.seconds > 0
        assert (whole / answer.picture).is_file()
        assert "<image>" in answer.prompt
        if name == "tempcompass":
            assert answer.prompt.endswith("<|end_header_id|>\n\n")
            assert answer.text == answer.output.strip()
        else:
            assert answer.prompt.endswith("assistant<|end_header_id|>\n\nBest option:(")
            assert answer.text == f"({answer.output.strip()}"


def test_a_line_is_read_back_as_it_was_written(whole: Path) -> None:
    for answer in answers.read(whole).values():
        assert answers.parse(answers.line(answer)) == answer


def test_the_published_result_files_agree_with_the_scores(
    name: str, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "score", str(whole), "--json", "-"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["rules"] == "published"
    if name == "tempcompass":
        predictions = json.loads((whole / "predictions" / "yes_no.json").read_text(encoding="utf-8"))
        assert set(predictions["100"]["action"][0]) == {"question", "answer", "prediction"}
        return
    results = json.loads((whole / "all_results.json").read_text(encoding="utf-8"))
    board = json.loads((whole / "upload_leaderboard.json").read_text(encoding="utf-8"))
    assert results["acc_dict"] == {task["task"]: [task["right"], task["questions"]] for task in scored["tasks"]}
    assert board["Avg"] == pytest.approx(scored["averages"][0]["percent"])
    assert len(results["result_list"]) == len(said(whole))
    assert results["result_list"][0]["video_path"].startswith("playground/data/")


def test_a_run_is_not_mixed_with_another_engine(
    name: str, made: Made, engine: ShareGPT4Video, whole: Path, tmp_path: Path
) -> None:
    (tmp_path / answers.NAME).write_bytes((whole / answers.NAME).read_bytes().replace(b'"float32"', b'"bfloat16"'))
    with pytest.raises(Exception, match="holds answers of ShareGPT4Video"):
        ask(name, made, engine, tmp_path)


@pytest.mark.parametrize("vision", ["anyres", "published"])
@pytest.mark.parametrize("name", ["mvbench", "tempcompass"])
def test_only_tempcompass_shows_the_grid_as_large_as_it_comes(name: str, vision: str, checkpoint: Path) -> None:
    engine = load(str(checkpoint), quantization="none", dtype="float32", device="cpu", vision=vision)
    benchmark = BENCHMARKS[name]
    frames = tuple(Frame(float(i), numbered(i, (640, 480))) for i in range(16))
    asked = Asked("yes_no", "", 0, "", "Which?")
    scene = Scene(VideoInfo(Path("x.mp4"), 16.0, 1.0, (640, 480), ""), frames, wording=benchmark.wording(asked))
    generation = engine.answer(scene, benchmark.put(asked), (), GenerationOptions(max_new_tokens=1))
    picture = scripted.said(generation)[1].picture
    assert picture is not None
    height, width = picture.shape[:2]
    assert (width, height) == ((2710, 2070) if name == "tempcompass" else (1919, 1466))  # truncated, as published
