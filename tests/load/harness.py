"""Many visitors of one page on this machine: a server of models that reads the number in a picture, visitors by API."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from gradio_client import Client, handle_file
from PIL import Image

from tests.support.video_files import number_in, write_clip

WAIT = 180.0
"""Seconds after which a page or a visitor is given up."""


@dataclass
class Reading:
    """A chat-completions server that takes its time and then says the number that its picture spells."""

    seconds: float
    faults: dict[int, list[str]] = field(default_factory=dict)
    """What the next questions about a number meet: 500 · 429 · cut · blank · garbage."""
    asked: int = 0
    url: str = ""
    inside: int = 0
    most: int = 0
    """Requests at once, at most."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any]) -> tuple[str, str]:
        """(what it says, the fault that comes instead)."""
        with self.lock:
            self.asked += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(self.seconds)
        with self.lock:
            self.inside -= 1
        parts = [part for message in body["messages"] for part in message["content"] if isinstance(part, dict)]
        urls = [part["image_url"]["url"] for part in parts if part.get("type") == "image_url"]
        if not urls:
            return "No picture.", ""
        data = base64.b64decode(urls[-1].partition(",")[2])
        number = number_in(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
        with self.lock:
            plan = self.faults.get(number, [])
            return f"The number {number}.", plan.pop(0) if plan else ""


@contextmanager
def reading(seconds: float, faults: dict[int, list[str]] | None = None) -> Iterator[Reading]:
    """The server, on a free port."""
    made = Reading(seconds, faults or {})

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.say({"object": "list", "data": [{"id": "reader", "object": "model"}]})

        def do_POST(self) -> None:
            text, fault = made.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            if fault in ("500", "429"):
                self.say({"error": {"message": "scripted"}}, int(fault))
            elif fault == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"object"')
            elif fault == "garbage":
                self.say("\x00 no completion")
            else:
                message = {"role": "assistant", "content": "" if fault == "blank" else text}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                self.say({"object": "chat.completion", "choices": [choice], "usage": usage})

        def say(self, body: object, status: int = 200) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(data)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that were killed leave in mid-word."""

    server = Server(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Page:
    """A running page in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def readers(self) -> list[psutil.Process]:
        """Its reading processes."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def page(folder: Path, *flags: str, store: Path | None = None, **settings: str) -> Iterator[Page]:
    """`python -m sgv_demo serve` with a log in `folder` and a store there or elsewhere; `settings` as variables."""
    folder.mkdir(exist_ok=True)
    log = folder / "page.log"
    command = [sys.executable, "-m", "sgv_demo", "serve", "--port", "7990", *flags]
    own = {"SGV_STORE_DIR": str(store or folder / "store"), "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | own | settings)
    try:
        until = time.monotonic() + WAIT
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield Page(found[0], process, log)
    finally:
        process.terminate()
        process.wait(30)


def clips(folder: Path, count: int, seconds: float) -> list[Path]:
    """One clip for each visitor, all of whose pictures spell the visitor's number."""
    pictures = round(12 * seconds)
    return [write_clip(folder / f"visitor {n}.mp4", count=pictures, numbers=[n + 1] * pictures) for n in range(count)]


@dataclass(frozen=True)
class Visit:
    """What one visitor got, and when (seconds from the start of all)."""

    number: int
    texts: tuple[str, ...]
    failure: str
    notes: tuple[str, ...]
    first: float
    """When the first caption was there."""
    ended: float


def visit(client: Client, clip: Path, number: int, began: float, **options: Any) -> Visit:
    """Captions a clip and reads along."""
    given = {"video": handle_file(str(clip)), "keep_all": True, "read_text": False, **options}
    job = client.submit(**given, api_name="/caption")
    first = 0.0
    last: Any = {}
    for last in job:
        first = first or (time.monotonic() - began if last.get("captions") else 0.0)
    error = job.exception()
    failure = str(error) if error else str((last.get("failure") or {}).get("message", ""))
    texts = tuple(str(caption["text"]) for caption in last.get("captions", ()))
    notes = tuple(str(note) for note in last.get("notes", ()))
    return Visit(number, texts, failure, notes, first, time.monotonic() - began)


def visits(url: str, films: Sequence[Path], **options: Any) -> list[Visit]:
    """All at once, each by a client of its own that is connected before the start."""
    found: list[Visit] = []
    with ExitStack() as connected:
        clients = []
        for _ in films:
            client = Client(url, verbose=False)
            connected.callback(client.close)
            clients.append(client)
        began = time.monotonic()

        def one(number: int) -> None:
            found.append(visit(clients[number], films[number], number + 1, began, **options))

        side_by_side([lambda number=number: one(number) for number in range(len(films))])
    return sorted(found, key=lambda got: got.number)


def side_by_side(works: Sequence[Callable[[], None]], seconds: float = WAIT) -> None:
    """Runs all in threads and waits for them, so many seconds for each at most."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
