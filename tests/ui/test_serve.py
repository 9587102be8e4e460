"""What a person reads in the terminal when the page is up."""

from __future__ import annotations

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
