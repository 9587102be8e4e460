"""Real servers on free ports: `serve-model`'s application in a thread of this process, and `transformers serve`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from sgv_demo.serving.app import build
from sgv_demo.serving.models import Model
from sgv_demo.settings import Settings

STARTUP = 120


@contextmanager
def serving_models(models: Sequence[Model], settings: Settings | None = None) -> Iterator[str]:
    """Its address, without /v1."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    app = build(models, settings or Settings())
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


@contextmanager
def transformers_serve(folder: Path, root: Path) -> Iterator[str]:
    """Its address with /v1, for the model in `folder`; log and cache lie in `root`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32")
    command = (sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), *where)
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(root / "home"), "OMP_NUM_THREADS": "2"}
    with (root / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=quiet)
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/models", server, root / "log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTUP
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.3)
        else:
            return
    pytest.fail(f"transformers serve did not start: {log.read_text()[-2000:]}")
