"""`make load`: what many visitors cost each other and what they survive, in figures; ROWS="native full" picks rows."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.load import crowd, mixed, steady, trouble

ROWS = (
    crowd.remote,
    crowd.offline,
    crowd.native,
    mixed.mixed,
    trouble.faults,
    trouble.killed,
    trouble.reader,
    trouble.two_pages,
    trouble.full,
    trouble.ended,
    steady.analyses,
    steady.sessions,
)


def main() -> None:
    """All rows, or those that are named."""
    wanted = sys.argv[1:] or [row.__name__ for row in ROWS]
    for row in ROWS:
        if row.__name__ in wanted:
            with tempfile.TemporaryDirectory() as folder:
                row(Path(folder))


main()
