"""The remote engine against a real server: `transformers serve` with a tiny random checkpoint."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sgv_demo.engines import Scene
from sgv_demo.engines.remote import engine as remote
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Frame, Generation, Keyframe, Trace, Turn, VideoInfo
from tests.support import tiny_served
from tests.support.scripted import said

STARTUP = 120


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[remote.Remote]:
    root = tmp_path_factory.mktemp("served")
    folder = tiny_served.make(root / "tiny")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ("--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32")
    command = (sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), *where)
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(root / "home"), "OMP_NUM_THREADS": "2"}
    with (root / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=quiet)
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", server, root / "log")
        url = f"http://127.0.0.1:{port}/v1"
        yield remote.load(Settings(base_url=url, remote_model=str(folder), hub_timeout=20))
    finally:
        server.kill()
        server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
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


def run(generation: Generation) -> tuple[list[str], Trace]:
    pieces, trace = said(generation)
    return list(filter(None, pieces)), trace


def frame(seconds: float) -> Frame:
    return Frame(seconds, np.full((90, 160, 3), int(40 * seconds) % 256, np.uint8))


def test_captions_and_answers_stream(engine) -> None:
    options = GenerationOptions(max_new_tokens=10)
    pieces, trace = run(engine.describe(Keyframe(0, frame(0), None, 0), options))
    assert len(pieces) > 3
    assert "".join(pieces).isalpha()
    assert trace.finish == "length"
    assert trace.prompt_tokens > 20
    assert engine.info.model == "tiny"
    both = engine.difference(Keyframe(0, frame(0), None, 0), Keyframe(1, frame(2), None, 2), None, "A dog.", options)
    assert run(both)[0]
    scene = Scene(VideoInfo(Path("clip.mp4"), 9, 25, (160, 90), "h264"), (frame(0), frame(4)))
    pieces, trace = run(engine.answer(scene, "Where?", [Turn("What?", "A dog.")], options))
    assert pieces
    assert trace.prompt.endswith("assistant: A dog.\nuser: Where?")


def test_a_stopped_step_frees_the_server(engine) -> None:
    generation = engine.recaption("a dog", GenerationOptions(max_new_tokens=3500))
    while not next(generation):
        pass
    began = time.monotonic()
    generation.close()
    assert time.monotonic() - began < 5
    assert run(engine.recaption("a cat", GenerationOptions(max_new_tokens=4)))[0]
