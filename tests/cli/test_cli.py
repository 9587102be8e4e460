"""The command line as a contract: what it prints where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App
from PIL import Image

from sgv_demo.cli import COMMANDS, build_app, main
from sgv_demo.cli.flags import command
from sgv_demo.errors import SettingsError
from sgv_demo.formats.table import FORMATS
from sgv_demo.options import AnalysisOptions, GenerationOptions, QuestionOptions, SamplingOptions
from sgv_demo.settings import Settings


def sgv(*args: object) -> subprocess.CompletedProcess[str]:
    """Runs the program as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "sgv_demo", *map(str, args)], capture_output=True, text=True, timeout=120
    )


def test_frames_writes_pictures_and_prints_which(clip: Path, tmp_path: Path) -> None:
    done = sgv("frames", clip, "--at", "0,1.5,5", "--out", tmp_path / "new" / "folder", "--exact", "--long-side", "160")
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert [row["wanted"] for row in rows] == [0.0, 1.5, 5.0]
    assert [row["time"] for row in rows] == pytest.approx([0.0, 1.5, 5.0], abs=0.09)
    for row in rows:
        with Image.open(row["file"]) as picture:
            assert picture.size == (160, 96)


def test_frames_after_the_end_are_an_error(clip: Path, tmp_path: Path) -> None:
    done = sgv("frames", clip, "--at", "100", "--out", tmp_path, "--exact")
    assert done.returncode == 1
    assert done.stderr.startswith("error: The video has no picture at these times")


def test_frames_of_nothing_leave_no_folder(tmp_path: Path) -> None:
    assert main(["frames", str(tmp_path / "missing.mp4"), "--at", "0", "--out", str(tmp_path / "new")]) == 1
    assert list(tmp_path.iterdir()) == []


def test_keyframes_prints_json_with_one_gap_less_than_keyframes(clip: Path) -> None:
    done = sgv("keyframes", clip, "--every", "2", "--all", "--no-text", "--json", "-")
    assert done.returncode == 0
    record = json.loads(done.stdout)
    assert {"video", "engine", "settings", "keyframes", "evidence"} <= record.keys()
    assert "captions" not in record
    assert [k["index"] for k in record["keyframes"]] == [0, 1, 2, 3, 4]
    assert [(g["start"], g["end"]) for g in record["evidence"]] == [
        (a["time"], b["time"]) for a, b in zip(record["keyframes"], record["keyframes"][1:], strict=False)
    ]
    assert [g["cuts"] for g in record["evidence"]] == [[], [4.0], [], []]
    assert record["video"]["file"] == clip.name


def test_caption_streams_texts_to_stdout_and_progress_to_stderr(clip: Path, tmp_path: Path) -> None:
    paths = {kind: tmp_path / f"out.{kind}" for kind in ("json", "vtt", "srt", "markdown")}
    options = [part for kind, path in paths.items() for part in (f"--{kind}", path)]
    done = sgv("caption", clip, "--no-text", *options)
    assert done.returncode == 0, done.stderr
    assert "[Measured, no language model]" in done.stdout
    assert "At 0:04 a cut brings a new shot" in done.stdout
    assert "Summary" in done.stdout
    assert "keyframe 1 at 4.00 s" in done.stderr
    record = json.loads(paths["json"].read_text())
    assert record["engine"]["name"] == "measured"
    assert len(record["captions"]) == len(record["keyframes"]) == 3
    assert record["summary"] in done.stdout
    assert paths["vtt"].read_text().startswith("WEBVTT")
    assert "00:00:00,000 -->" in paths["srt"].read_text()
    assert "## Summary" in paths["markdown"].read_text()


def test_json_on_stdout_is_json_alone(clip: Path) -> None:
    done = sgv("caption", clip, "--mode", "fast", "--no-text", "--json", "-")
    record = json.loads(done.stdout)
    assert len(record["captions"]) == 1
    assert record["captions"][0]["start"] == 0.0


def test_summarize_reads_subtitles_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clip.srt"
    file.write_text("1\n00:00:00,000 --> 00:00:02,000\nA red ball.\n\n2\n00:00:0x,000 --> 00:00:04,000\nLost.\n")
    assert main(["summarize", str(file), "--engine", "measured"]) == 0
    said = capsys.readouterr()
    assert "A red ball." in said.out
    assert "note: 1 cue can't be read and was left out." in said.err


def test_summarize_reads_what_caption_wrote(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = tmp_path / "analysis.json"
    assert main(["caption", str(clip), "--no-text", "--json", str(saved)]) == 0
    capsys.readouterr()
    assert main(["summarize", str(saved)]) == 0
    assert json.loads(saved.read_text())["summary"] in capsys.readouterr().out


def test_ask_answers_with_the_frames_and_the_engine(clip: Path) -> None:
    done = sgv("ask", clip, "How many shots are there?", "--json", "-")
    record = json.loads(done.stdout)
    assert record["answer"].startswith("2 shots: the shot changes at 0:04.")
    assert {"answer", "token_ids", "frames", "prompt", "engine"} <= record.keys()
    assert [frame["index"] for frame in record["frames"]] == [0, 48, 95]


def test_chat_keeps_going_until_its_input_ends(clip: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sgv_demo", "chat", str(clip)],
        input="How many shots?\n\n/retry\n/undo\n/clear\nHow long is it?\n",
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.count("2 shots") == 2
    assert "0:08" in done.stdout


def test_recaption_and_engines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recaption", "a boat"]) == 0
    assert "2 words" in capsys.readouterr().out
    assert main(["engines"]) == 0
    assert "Measured, no language model" in capsys.readouterr().out


@pytest.mark.parametrize(
    "args",
    [
        ("caption", "missing.mp4"),
        ("frames", "missing.mp4", "--at", "0", "--out", "x"),
        ("keyframes", "TEXT"),
        ("summarize", "CLIP"),
        ("summarize", "missing.json"),
        ("recaption", "  "),
        ("ask", "CLIP", ""),
        ("keyframes", "CLIP", "--start", "99"),
        ("caption", "CLIP", "--engine", "nonsense"),
        ("caption", "CLIP", "--json", "no/such/folder/x.json", "--no-text"),
        ("caption", "CLIP", "--srt", "-", "--json", "-"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_1(args: tuple[str, ...], clip: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    done = sgv(*({"CLIP": clip, "TEXT": text}.get(a, a) for a in args))
    assert done.returncode == 1
    assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "args", [(), ("nonsense",), ("frames", "a.mp4"), ("keyframes", "a.mp4", "--every", "0"), ("frames", "--at", "x")]
)
def test_wrong_usage_is_exit_code_2(args: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage:")


def test_control_characters_never_reach_the_terminal() -> None:
    from sgv_demo.cli.terminal import printable

    assert printable("a\x1b[31mred\x07\tb\n视频") == "a�[31mred�\tb\n视频"


def test_an_interrupted_run_resumes(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SGV_STORE_DIR", str(tmp_path))
    out = tmp_path / "a.json"
    for _ in range(2):
        assert main(["caption", str(clip), "--no-text", "--resume", "--json", str(out)]) == 0
    assert len(list((tmp_path / "results").iterdir())) == 1
    assert json.loads(out.read_text())["finished"]


def test_a_result_can_go_to_standard_output_alone(clip: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sgv_demo", "caption", str(clip), "--no-text", "--srt", "-"],
        capture_output=True, text=True, timeout=120, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1\n00:00:00,000 --> ")
    assert "[Measured" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--json", "--srt", "--html", "--dataset"])
@pytest.mark.parametrize("name", ["no/x", "."])
def test_what_cannot_be_written_is_said_before_the_work(
    option: str,
    name: str,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sgv_demo.engines.shelf.load_captioner", lambda *_, **__: pytest.fail("the work began"))
    assert main(["caption", str(clip), option, str(tmp_path / name)]) == 1
    assert re.search("There is no folder “.*” for “x”; make it first|is a folder", capsys.readouterr().err)


@pytest.mark.parametrize("name", [name for name, (place, _) in COMMANDS.items() if "cli.commands:" in place])
def test_every_flag_says_what_it_is_and_what_it_is_without_one(name: str) -> None:
    collection = [a for a in build_app()[name].assemble_argument_collection() if a.name != "*"]
    assert [a.name for a in collection if not a.parameter.help] == []
    outputs = {form.name for form in FORMATS}
    for argument in collection:
        switch = argument.hint is bool or argument.name.removeprefix("--") in outputs
        if argument.name.startswith("--") and not argument.required and not switch:
            assert re.search("default: |empty: ", str(argument.parameter.help)), argument.name


@pytest.mark.parametrize("cls", [SamplingOptions, AnalysisOptions, GenerationOptions, QuestionOptions])
def test_the_flags_hold_the_defaults_of_the_options(cls: type) -> None:
    def taken(options: cls) -> None:  # pyright: ignore[reportInvalidTypeForm]
        found.append(options)

    found: list[object] = []
    taken.__annotations__ = {"options": cls}
    app = App(result_action="return_value")
    app.default(command(taken))
    app([], exit_on_error=False)
    assert found == [cls()]


@pytest.mark.parametrize(
    ("flag", "value", "sentence"),
    [
        ("--every", "0", "Sampling interval can't be 0; choose a number from 0.05 to 86,400 s."),
        ("--every", "nan", "Sampling interval can't be nan; choose a number from 0.05 to 86,400 s."),
        ("--end", "1e308", "End of the range can't be 1e+308; choose a number above 0 s, up to 1,000,000 s."),
        ("--start", "-1", "Start of the range can't be -1; choose a number from 0 to 1,000,000 s."),
        ("--beams", "9", "Number of beams can't be 9; choose a whole number from 1 to 8."),
        ("--port", "0", "Port can't be 0; choose a whole number from 1 to 65,535."),
    ],
)
def test_what_is_out_of_bounds_is_wrong_usage_in_one_sentence(
    flag: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["serve"] if flag == "--port" else ["caption", "a.mp4"]
    with pytest.raises(SystemExit) as caught:
        main([*words, flag, value])
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {sentence}"


def test_help_comes_at_once() -> None:
    took = []
    for _ in range(3):
        before = os.times()
        assert sgv("--help").returncode == 0
        after = os.times()
        # Processor time, so that a busy machine doesn't count.
        took.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(took) < 0.5


def test_a_port_past_the_last_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from sgv_demo.ui.serve import LAST_PORT, free_port

    with pytest.raises(SettingsError, match="There is no port 99999; choose one from 1 to 65535"):
        free_port(Settings(port=99999))
    assert free_port(Settings(port=LAST_PORT)) == LAST_PORT


def test_a_text_that_is_too_long_is_one_sentence_before_anything_is_loaded(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for what, arguments in (("prompt", ["recaption"]), ("question", ["ask", str(clip)])):
        assert main([*arguments, "x" * 8001]) == 1
        assert capsys.readouterr().err == f"error: This {what} has 8,001 characters; write 8,000 at most.\n"
