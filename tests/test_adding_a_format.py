"""A format added to its one table is on every door: the command line, the downloads of the page, the files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = """
    Format("poem", "Poem", ".poem", lambda a, r, _: f"{len(r.edited(a).captions)} verses", "A poem, one verse each"),
"""
LOOK = """
import json, sys
from pathlib import Path
from sgv_demo.cli import build_app, main
from sgv_demo.events import Analysis
from sgv_demo.ui.summary import exporting, view
here = Path.cwd()
flags = build_app()["caption"].assemble_argument_collection()
assert main(["caption", sys.argv[1], "--engine", "measured", "--no-text", "--poem", str(here / "its.poem")]) == 0
made = exporting.write(Analysis(), here / "downloads", here)
print(json.dumps({
    "flag": [a.parameter.help for a in flags if a.name == "--poem"],
    "from the command line": (here / "its.poem").read_text(),
    "from the page": [path.read_text() for label, path in made if label == "Poem"],
    "shown": "Poem" in view.downloads([(label, str(path)) for label, path in made]),
}))
"""


def test_a_format_added_to_the_table_is_on_every_door(clip: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sgv_demo", tmp_path / "sgv_demo", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    place = tmp_path / "sgv_demo" / "formats" / "table.py"
    text = place.read_text(encoding="utf-8")
    before = '    Format("csv", '
    assert text.count(before) == 1
    place.write_text(text.replace(before, f"{ROW}{before}"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(clip)],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("from the command line").endswith(" verses")
    assert found == {
        "flag": ["A poem, one verse each."],
        "from the page": ["0 verses"],
        "shown": True,
    }
