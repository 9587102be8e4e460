"""One escaping rule, one drawing for each icon."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from sgv_demo.evidence import KINDS, camera
from sgv_demo.formats.markup import ASSETS, clean, macros
from sgv_demo.formats.report import to_html
from sgv_demo.ui import parts
from tests.support.said import ROOT
from tests.support.samples import EVIDENCE, analysis

TAG = re.compile(r"</?[a-z][a-z0-9]*[ >]")


def test_whatever_a_template_prints_is_escaped_and_loses_what_no_page_may_hold() -> None:
    shown = parts.trouble("<b>\x00\x1b[31m\u202e\x9b and \ud800</b>")
    assert "&lt;b&gt;[31m and &lt;/b&gt;" in shown
    assert clean("a\tb\nc\u200dd\xa0e\u3000字") == "a\tb\nc\u200dd\xa0e\u3000字"


def test_finished_html_is_not_escaped_again() -> None:
    assert str(macros("ask").frames(1, [], "0:01", parts.hint("<"))).count('<p class="hint">&lt;</p>') == 1


def test_no_python_of_the_page_writes_tags() -> None:
    files = [*(ROOT / "ui").rglob("*.py"), ROOT / "formats" / "report.py"]
    for name in ("theme.py", "headers.py"):  # drawings in the stylesheet; reads the tags that gradio writes
        files.remove(ROOT / "ui" / name)
    lines = [f"{file.name}: {line.strip()}" for file in files for line in file.read_text("utf-8").splitlines()]
    assert [line for line in lines if TAG.search(line) and 'html_template="' not in line] == []


def test_a_report_has_no_control_characters() -> None:
    run = analysis()
    assert "\x07" not in to_html(run.__class__(run.engine, run.options, run.video, summary="a\x07b"))


@pytest.mark.parametrize("folder", ["templates", "."])
def test_every_icon_that_is_used_is_drawn(folder: str) -> None:
    drawn = json.loads((ASSETS / "icons.json").read_text("utf-8"))
    files = [*(ASSETS / folder).glob("*.html"), *(ASSETS / folder).glob("*.js")]
    used = {name for file in files for name in re.findall(r"""\bicon\(["']([\w-]+)["']\)""", file.read_text("utf-8"))}
    assert used
    assert used <= drawn.keys()
    measured = [*camera._ICONS, "unknown"]  # pyright: ignore[reportPrivateUsage]
    for kind in KINDS:
        seen = replace(EVIDENCE, camera=tuple(measured), light=-0.3)
        assert {phrase.icon for phrase in kind.phrases(seen)} <= drawn.keys()
