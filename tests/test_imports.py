"""What may be imported by what: the road must stay light, and models must stay behind their engine."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "gradio", "bitsandbytes", "decord")


@pytest.mark.parametrize(
    "module",
    [
        "sgv_demo.pipeline",
        "sgv_demo.asking",
        "sgv_demo.formats.exports",
        "sgv_demo.results.store",
        "sgv_demo.engines.shelf",
        "sgv_demo.engines.measured.engine",
        "sgv_demo.cli",
        "sgv_demo.video.worker",
    ],
)
def test_light_modules_import_no_model_library_and_no_page(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_exports_see_no_engine_no_video_and_no_page() -> None:
    code = "import sys, sgv_demo.formats.exports; print(sorted(m for m in sys.modules if m.startswith('sgv_demo.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    stations = {name.removeprefix("sgv_demo.").split(".")[0] for name in ast.literal_eval(done.stdout)}
    known = {"errors", "events", "evidence", "formats", "keyframes", "options", "results", "settings", "times", "types"}
    assert stations <= known
