"""An engine stands in one place, the table, and is found on every way into the program."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import sgv_demo
from sgv_demo.cli import main
from sgv_demo.engines import ENGINES
from sgv_demo.engines.entry import ROLES, Engine, Order
from sgv_demo.engines.shelf import load_answerer, load_captioner
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.engines.rows import engine_rows
from sgv_demo.ui.layout import build_app
from sgv_demo.ui.serve import choices
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner


@pytest.fixture
def scripted(monkeypatch) -> Engine:
    def load(order: Order) -> object:
        return ScriptedCaptioner(Script()) if order.role == "captioner" else ScriptedAnswerer(Script())

    engine = Engine("scripted", "Scripted, for tests", "Says what it is told.", "--engine scripted", ROLES, load)
    monkeypatch.setitem(ENGINES, engine.name, engine)
    return engine


def test_the_command_line_lists_it_and_writes_with_it(scripted, capsys) -> None:
    assert main(["engines"]) == 0
    assert scripted.label in capsys.readouterr().out
    assert main(["recaption", "a boat", "--engine", scripted.name]) == 0
    assert capsys.readouterr().out.strip()


def test_the_page_and_the_api_offer_it(scripted, tmp_path: Path) -> None:
    settings = Settings(engine=scripted.name, store_dir=tmp_path)
    row = next(row for row in engine_rows(settings) if row.engine == scripted.name)
    assert (row.label, row.roles, row.state, row.chosen) == (scripted.label, ROLES, "available", True)
    app = build_app(Desk(settings, choices(settings), Store(tmp_path, 10)))
    assert json.dumps([scripted.label, scripted.name]) in json.dumps(app.config["components"], default=str)
    assert scripted.name in json.dumps(app.get_api_info())


def test_its_name_stands_with_what_it_wrote(scripted) -> None:
    settings = Settings(engine=scripted.name)
    assert load_captioner(settings).info.name == load_answerer(settings).info.name == scripted.name


def test_an_engines_name_is_written_once() -> None:
    """As a string: everywhere else it is the entry's."""
    names = ENGINES.keys() - {"remote", "measured"}  # these mean something else, too: a device, a column
    found: dict[str, list[str]] = {name: [] for name in names}
    root = Path(sgv_demo.__file__).parent
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and node.value in names:
                found[node.value].append(f"{file.relative_to(root)}:{node.lineno}")
    assert {name: places for name, places in found.items() if len(places) != 1} == {}
