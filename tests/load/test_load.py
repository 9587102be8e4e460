"""The short form of `make load`: visitors run side by side, and each gets its own video's captions."""

from __future__ import annotations

from pathlib import Path

from tests.load.harness import clips, page, reading, visits

VISITORS = 6


def test_visitors_of_a_server_run_side_by_side_and_nothing_is_mixed(tmp_path: Path) -> None:
    films = clips(tmp_path, VISITORS, 4)
    with reading(0.5) as server, page(tmp_path, "--engine", "remote", "--base-url", server.url) as served:
        found = visits(served.url, films)
    assert [got.failure for got in found] == [""] * VISITORS
    assert [set(got.texts) for got in found] == [{f"The number {got.number}."} for got in found]
    assert len(found) == VISITORS
    assert server.most > 2, "one after the other"
    assert "Traceback" not in served.log.read_text()
