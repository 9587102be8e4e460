"""What a person reads in the terminal when the page is up."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from sgv_demo.settings import Settings
from sgv_demo.ui.serve import greeting


def test_the_terminal_says_who_writes_and_why_where_the_page_is_and_where_results_lie(tmp_path: Path) -> None:
    settings = Settings(engine="measured", host="0.0.0.0", port=7860, store_dir=tmp_path, store_megabytes=2048)
    why, page, results = greeting(settings, 7861).splitlines()
    assert why == "Measured, no language model: as the settings say."
    assert page.startswith("The page: http://127.0.0.1:7861/ (port 7860 was taken)")
    assert "SGV_PORT" in page
    assert str(tmp_path) in results
    assert "2 GB" in results
    assert "was taken" not in greeting(settings, 7860)


def _seconds(code: str) -> float:
    """CPU time that a fresh interpreter takes for it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, "-c", code], check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def test_the_page_starts_nearly_as_fast_as_a_bare_gradio_page() -> None:
    bare = _seconds("import gradio")
    ours = _seconds("import sgv_demo.ui.serve")
    print(f"imports: {bare:.1f} s of gradio alone, {ours:.1f} s with the page")
    assert ours <= 1.2 * bare
