"""What may be imported by what: the road must stay light, and models must stay behind their engine."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sgv_demo

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
    known = {
        "clean",
        "errors",
        "events",
        "evidence",
        "fields",
        "formats",
        "keyframes",
        "languages",
        "lanes",
        "options",
        "results",
        "settings",
        "times",
        "types",
    }
    assert stations <= known


STATIONS = (
    *(
        "errors",
        "clean",
        "times",
        "lanes",
        "lines",
        "shards",
        "fields",
        "settings",
        "languages",
        "options",
        "types",
        "events",
    ),
    *("video", "keyframes", "evidence", "watch", "engines", "results", "dataset", "formats"),
    *("steps", "pipeline", "asking", "annotation", "evaluation", "serving", "ui", "cli"),
)
"""The way that imports go: each may import what stands before it."""


def station(module: str) -> str:
    """A module's place on the way; a station's `commands` are a part of the command line, and the watcher, which finds
    keyframes and has them measured, stands behind both."""
    parts = module.split(".")
    if parts[1:3] == ["keyframes", "watch"]:
        return "watch"
    return "cli" if parts[-1] == "commands" or parts[1:2] == ["__main__"] else parts[1] if len(parts) > 1 else ""


def imports() -> Iterator[tuple[str, str]]:
    """(importing module, imported module or name) of everything in the package, lazy imports too."""
    root = Path(sgv_demo.__file__).parent
    for path in sorted(root.rglob("*.py")):
        module = ".".join(("sgv_demo", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sgv_demo"):
                for alias in node.names:
                    yield module, f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Import):
                yield from ((module, alias.name) for alias in node.names if alias.name.startswith("sgv_demo."))


def test_imports_go_one_way() -> None:
    back = [
        f"{importer} imports {imported}"
        for importer, imported in imports()
        if station(imported) in STATIONS and STATIONS.index(station(imported)) > STATIONS.index(station(importer))
    ]
    assert back == []


def test_every_module_has_a_station() -> None:
    assert {station(importer) for importer, _ in imports()} <= {*STATIONS, ""}


def test_only_the_worker_touches_what_decodes() -> None:
    """A stranger's file is opened behind the process boundary, and nowhere else."""
    root = Path(sgv_demo.__file__).parent
    outside = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[:2] == ("video", "decoding") or place == Path("video/worker.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{a.name}" for a in node.names]
            forbidden = ("av.", "decord.", "sgv_demo.video.decoding.")
            outside += [f"{place}: {name}" for name in names if f"{name}.".startswith(forbidden)]
    assert outside == []
