"""An option that is added to its one place is on every door: the command line, the API, the page and the exports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIELD = '''
    patience: Annotated[int, Option(label="Patience with doubt", least=2, most=9)] = 4
    """How often a doubt is looked at again."""
'''
LOOK = """
import json, tempfile
from pathlib import Path
from sgv_demo.cli import build_app as program
from sgv_demo.formats.spreadsheet import COLUMNS
from sgv_demo.settings import Settings
from sgv_demo.ui.layout import build_app
from sgv_demo.ui.serve import make_desk
page = build_app(make_desk(Settings(engine="measured", store_dir=Path(tempfile.mkdtemp()))))
flags = program()["caption"].assemble_argument_collection()
parameters = page.get_api_info()["named_endpoints"]["/caption"]["parameters"]
print(json.dumps({
    "flag": [a.parameter.help for a in flags if a.name == "--patience"],
    "parameter": [p["parameter_default"] for p in parameters if p["parameter_name"] == "patience"],
    "control": [b.value for b in page.blocks.values() if "Patience with doubt" in str(getattr(b, "label", ""))],
    "column": "patience" in COLUMNS,
}))
"""


def test_an_option_added_to_its_field_is_on_every_door(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sgv_demo", tmp_path / "sgv_demo", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    place = tmp_path / "sgv_demo" / "options.py"
    text = place.read_text(encoding="utf-8")
    before = "    summarize: Annotated[bool"
    assert text.count(before) == 1
    place.write_text(text.replace(before, f"{FIELD.lstrip(chr(10))}{before}"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        "flag": ["How often a doubt is looked at again. (2 to 9; default: 4)"],
        "parameter": [4],
        "control": [4],
        "column": True,
    }
