"""Every rule against what the published functions made of the same inputs (a small copy of their outputs)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sgv_demo.cli import main
from sgv_demo.errors import DatasetError
from sgv_demo.evaluation.cases import checked

GOLDEN = Path(__file__).parent / "golden"


def _computed(file: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything in a checked file that got an `ours`."""
    if "ours" in file:
        return [file]
    return [case for part in file.values() if isinstance(part, list) for case in part if "ours" in case]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_ours_equals_what_the_published_functions_gave(path: Path) -> None:
    cases = _computed(checked(json.loads(path.read_text(encoding="utf-8"))))
    assert cases
    for case in cases:
        assert case["ours"]
        assert case["ours"] == {name: case[name] for name in case["ours"]}, case.get("id")


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("mvbench_answers", {"formatted_question", "gt", "correct", "follows_instructions"}),
        ("videobench_answers", {"formatted_question", "correct", "follows_instructions"}),
        ("tempcompass_answers", {"rating", "match_success"}),
        ("frames", {"indices"}),
        ("prompts", {"prompt"}),
        ("grids", {"grid_width", "grid_height", "shown_width", "shown_height"}),
        ("semantic_filter", {"kept"}),
        ("mvbench_files", {"acc_dict", "upload_leaderboard"}),
        ("videobench_files", {"acc_dict", "upload_leaderboard"}),
        ("tempcompass_files", {"overall"}),
    ],
)
def test_the_command_prints_the_same_json_with_ours_in_each_case(
    file: str, wanted: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = GOLDEN / f"{file}.json"
    assert main(["evaluate", "rules", "--cases", str(path), "--json", "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(_computed(printed)[0]["ours"]) == wanted
    for case in _computed(printed):
        del case["ours"]
    assert printed == json.loads(path.read_text(encoding="utf-8"))


def test_cases_are_computed_from_their_inputs_alone() -> None:
    case = {"question": "Q?", "candidates": ["x", "y"], "answer": "y", "raw_output": "B"}
    (computed,) = checked({"cases": [case]})["cases"]
    assert computed["ours"] == {
        "formatted_question": "Question: Q?\nOptions:\n(A) x\n(B) y",
        "gt": "(B) y",
        "correct": True,
        "follows_instructions": True,
    }


def test_a_file_without_known_cases_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no cases"):
        checked({"other": []})
    with pytest.raises(DatasetError, match="lacks an input"):
        checked({"cases": [{"question": "?"}]})
