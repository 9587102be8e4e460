"""The page's start beside that of a bare gradio page: CPU time of the imports, each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import psutil

RUNS = 3


def main() -> None:
    """Prints both and their ratio; the goal is at most 1.2."""
    bare, ours = (min(_seconds(code) for _ in range(RUNS)) for code in ("import gradio", "import sgv_demo.ui.serve"))
    print(f"imports: {bare:.1f} s of gradio alone, {ours:.1f} s with the page: {ours / bare:.2f} times")


def _seconds(code: str) -> float:
    """CPU seconds that a fresh interpreter takes for it."""
    before = psutil.Process().cpu_times().children_user
    subprocess.run([sys.executable, "-c", code], check=True)
    return psutil.Process().cpu_times().children_user - before
