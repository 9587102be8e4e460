"""`python app.py` as a person starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(port: int, store: Path) -> Iterator[str]:
    """The page's address while the app runs on the measured engine, with its results in `store`."""
    env = {**os.environ, "SGV_PORT": str(port), "SGV_STORE_DIR": str(store), "SGV_ENGINE": "measured"}
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=env)
    url, started = f"http://127.0.0.1:{port}/", time.monotonic()
    try:
        while True:
            assert process.poll() is None, "python app.py ended"
            try:
                urllib.request.urlopen(url, timeout=5).read()
                break
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() - started < 60, "no page within a minute"
                time.sleep(0.05)
        print(f"first page {time.monotonic() - started:.1f} s after python app.py")
        yield url
    finally:
        process.terminate()
        process.wait(20)
