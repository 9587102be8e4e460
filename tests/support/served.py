"""`serve-model`'s application over loaded engines, in a thread of this process, on a free port."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from sgv_demo.serving.app import build
from sgv_demo.serving.models import Model
from sgv_demo.settings import Settings


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
