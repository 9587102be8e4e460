"""Real servers on free ports: `serve-model`'s application in a thread of this process, others in their own."""

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
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import uvicorn

from sgv_demo.serving.app import build
from sgv_demo.serving.models import Model
from sgv_demo.settings import Settings

STARTUP = 120
VLLM = Path(__file__).resolve().parents[2] / ".venv-vllm" / "bin" / "python"


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


class Served:
    """A server in a process of its own, which can be killed and started again.

    Attributes:
        url: what answers once it runs.
    """

    def __init__(self, command: Sequence[str], url: str, log: Path, **variables: str) -> None:
        self.url = url
        self._command, self._log, self._env = command, log, {**os.environ, **variables}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = STARTUP) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, env=self._env)
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
            except urllib.error.HTTPError:
                return  # it answers
            except OSError:
                time.sleep(0.3)
            else:
                return
        pytest.fail(f"{self._command[0]} did not start: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """It and the processes that it began, in mid-word."""
        if self._process is None:
            return
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children(recursive=True):
                child.kill()
        self._process.kill()
        self._process.wait()
        self._process = None


@contextmanager
def transformers_serve(folder: Path, root: Path) -> Iterator[str]:
    """Its address with /v1, for the model in `folder`; log and cache lie in `root`."""
    port = free_port()
    where = ("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32")
    command = (sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), *where)
    home = str(root / "home")
    url = f"http://127.0.0.1:{port}/v1"
    server = Served(command, f"{url}/models", root / "log", HF_HUB_OFFLINE="1", HF_HOME=home, OMP_NUM_THREADS="2")
    try:
        server.start()
        yield url
    finally:
        server.kill()


def vllm(folder: Path, root: Path, name: str) -> Served:
    """vLLM's build for CPUs from `.venv-vllm` (see the Makefile), with the model in `folder` under its `name`.

    Its torchvision may be the one for CUDA, whose own operators don't load then. Nothing here calls them, but the
    import insists on two; `absent/` declares them.
    """
    port = free_port()
    where = ("--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager")
    module = "vllm.entrypoints.openai.api_server"  # the command `vllm` looks for a distribution of that name
    command = (str(VLLM), "-m", module, "--model", str(folder), "--served-model-name", name, *where)
    variables = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "OMP_NUM_THREADS": "1",
    }
    if subprocess.run([str(VLLM), "-c", "import torchvision"], capture_output=True, check=False).returncode:
        variables["PYTHONPATH"] = str(Path(__file__).with_name("absent"))
    return Served(command, f"http://127.0.0.1:{port}/v1/models", root / f"vllm {port}.log", **variables)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
