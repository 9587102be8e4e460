"""The benchmarks in the dataset tab, without a browser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sgv_demo.evaluation.browsing import Shelf, shown
from sgv_demo.settings import Settings
from sgv_demo.ui.dataset.benchmark_handlers import BenchmarkHandlers
from tests.support import made_benchmarks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_benchmarks.with_runs(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture
def handlers(folder: Path) -> BenchmarkHandlers:
    return BenchmarkHandlers(Settings(), folder)


def _act(handlers: BenchmarkHandlers, kind: str, value: object, name: str = "run A") -> Any:
    event = SimpleNamespace(what={"kind": kind, "value": value})
    return handlers.act(event, name, "published", [0, 1, 2, 3])


def test_runs_and_benchmarks_of_the_operators_folder_are_offered_and_nothing_else(folder: Path) -> None:
    assert Shelf(folder).names() == ["mvbench", "run A", "run B"]
    assert Shelf(None).names() == Shelf(folder / "nowhere").names() == []


def test_a_run_opens_with_its_rule_and_engine_named(handlers: BenchmarkHandlers) -> None:
    updates = handlers.open("run A", "published")
    assert "rules: published" in updates["benchmark_about"]
    assert "Engine &lt;one&gt;" in updates["benchmark_about"]
    assert updates["benchmark_found"] == [0, 1, 2, 3]
    assert updates["benchmark_results"].count("data-record") == 4


@pytest.mark.parametrize("name", ["private", "../private", "/etc", "nothing", "mvbench/annotations"])
def test_no_other_place_can_be_opened(handlers: BenchmarkHandlers, name: str) -> None:
    assert "no such run" in handlers.open(name, "published")["benchmark_about"]


@pytest.mark.parametrize(
    ("show", "items"),
    [
        ("all", ["action_sequence/0", "action_sequence/1", "action_antonym/0", "action_antonym/1"]),
        ("right", ["action_antonym/0"]),
        ("wrong", ["action_sequence/0", "action_sequence/1", "action_antonym/1"]),
        ("unmatched", []),
        ("unreadable", ["action_sequence/0", "action_sequence/1"]),
        ("flipped", ["action_antonym/0"]),
    ],
)
def test_questions_are_filtered(folder: Path, show: Any, items: list[str]) -> None:
    shelf = Shelf(folder)
    opened, other = (shelf.open(name, "published") for name in ("run A", "run B"))
    assert [opened.rows[i].answer.asked.item for i in shown(opened, show, other=other)] == items


def test_a_question_shows_its_video_what_the_model_saw_its_answer_and_why(handlers: BenchmarkHandlers) -> None:
    updates = _act(handlers, "record", 2)
    record = updates["benchmark_record"]
    assert "data:image/jpeg;base64," in record
    assert "&lt;b&gt;opens&lt;/b&gt;" in record
    assert "Right answer: <bdi>(A) opens the door</bdi>" in record
    assert "The first word “(a)” meets “(a)”." in record
    assert "action_antonym_0.mp4" in updates["replay"]


def test_an_unreadable_video_says_why(handlers: BenchmarkHandlers) -> None:
    assert "unreadable" in handlers.open("run A", "published")["benchmark_results"]
    assert 'class="missing"' in _act(handlers, "record", 0)["benchmark_record"]


def test_a_benchmark_without_a_run_shows_the_frames_that_a_model_would_see(handlers: BenchmarkHandlers) -> None:
    assert "rules:" not in handlers.open("mvbench", "published")["benchmark_about"]
    record = _act(handlers, "record", 2, "mvbench")["benchmark_record"]
    assert "data:image/jpeg;base64," in record
    assert "(A) opens the door" in record


def test_a_task_is_chosen_and_the_list_goes_on(handlers: BenchmarkHandlers) -> None:
    updates = handlers.find("run A", "published", "all", "Action Antonym", None)
    assert updates["benchmark_found"] == [2, 3]
    assert _act(handlers, "close", 0) == {"benchmark_record": ""}
    assert "3 to 4 of 4" in _act(handlers, "page", 2)["benchmark_results"]


@pytest.mark.parametrize(
    "what", [None, {}, {"kind": "record"}, {"kind": "record", "value": 9}, {"kind": "x", "value": 1}]
)
def test_foreign_acts_do_nothing(handlers: BenchmarkHandlers, what: object) -> None:
    assert handlers.act(SimpleNamespace(what=what), "run A", "published", []) == {}
