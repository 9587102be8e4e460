"""A small chat-completions server that answers, or fails in the way that a test asks for."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Faults:
    """What the next requests meet; the last one stays. And what was seen."""

    plan: list[str] = field(default_factory=lambda: ["ok"])
    """A name of an action, a status, a stream's events as a JSON list, or a whole answer as a JSON object.

    ok · 500 · 503 · 429 · 400 · 401 · 404 · hang · cut · drop · json · html · endless · empty · slow · redirect."""
    models: list[str] = field(default_factory=lambda: ["tiny"])
    listing: Any = None
    """What GET answers instead of the list of `models`."""
    path: str = ""
    """Where alone it answers; empty: everywhere."""
    retry_after: str = "0.1"
    location: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a client closed its connection before the end."""
    url: str = ""

    def next(self) -> str:
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]


@contextmanager
def serving(*plan: str) -> Iterator[Faults]:
    """A running server on a free port."""
    faults = Faults(list(plan) or ["ok"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(faults))
    server.daemon_threads = True
    faults.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()


def chunk(text: str, finish: str | None = None) -> bytes:
    """One piece of a streamed chat completion."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
    body = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


def _handler(faults: Faults) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            faults.keys.append(self.headers.get("authorization", ""))
            names = [{"id": name, "object": "model"} for name in faults.models]
            listing = {"object": "list", "data": names} if faults.listing is None else faults.listing
            self.answer(*((200, listing) if self.path.startswith(faults.path) else (404, {"detail": "Not Found"})))

        def do_POST(self) -> None:
            faults.keys.append(self.headers.get("authorization", ""))
            body = self.rfile.read(int(self.headers["content-length"]))
            faults.requests.append(json.loads(body))
            what = faults.next() if self.path.startswith(faults.path) else "404"
            try:
                if what.startswith("["):
                    self.script(json.loads(what))
                elif what.startswith("{"):
                    self.answer(**json.loads(what))
                elif what.isdigit():
                    self.refuse(int(what))
                elif what == "redirect":
                    self.answer(307, {}, {"Location": faults.location})
                else:
                    actions[what](self)
            except (BrokenPipeError, ConnectionResetError):
                faults.gone.set()

        def refuse(self, code: int) -> None:
            message = f"refused with {self.headers.get('authorization', '')}\nsecond line"
            extra = {"Retry-After": faults.retry_after} if code == 429 else {}
            self.answer(code, {"error": {"message": message}}, extra)

        def answer(self, code: int, body: object, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def begin(self, kind: str = "text/event-stream") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def send(self, data: bytes) -> None:
            self.wfile.write(data)
            self.wfile.flush()

        def ok(self) -> None:
            self.begin()
            for word in ("A ", "small ", "dog."):
                self.send(chunk(word))
            self.send(chunk("", "stop"))
            usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
            body = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "t", "choices": []}
            self.send(f"data: {json.dumps(body | {'usage': usage})}\n\ndata: [DONE]\n\n".encode())

        def script(self, events: list[Any]) -> None:
            self.begin()
            for event in events:
                data = event if isinstance(event, str) else json.dumps(event)
                self.send(f"data: {data}\n\n".encode())

        def drip(self) -> None:
            self.begin()
            while True:
                self.send(b": still here\n\n")
                time.sleep(0.02)

        def crawl(self) -> None:
            self.begin()
            while True:
                self.send(chunk("a"))
                time.sleep(0.1)

        def long_line(self) -> None:
            self.begin()
            self.send(b"data: ")
            while True:
                self.send(b"x" * 65_536)

        def bomb(self) -> None:
            self.begin_zipped()
            packed = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            for _ in range(4096):  # 1 GiB of line ends
                self.send(packed.compress(b"\n" * 262_144))

        def zipped(self) -> None:
            self.begin_zipped()
            self.send(gzip.compress(chunk("A dog.") + chunk("", "stop") + b"data: [DONE]\n\n"))

        def begin_zipped(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()

        def hang(self) -> None:
            # Nothing comes; when the client closes, its end of the connection becomes readable.
            self.connection.settimeout(30)
            if not self.connection.recv(1):
                faults.gone.set()

        def cut(self) -> None:
            self.begin()
            self.send(chunk("A half "))

        def drop(self) -> None:
            self.connection.close()

        def json(self) -> None:
            self.begin()
            self.send(b"data: {broken\n\n")

        def late_json(self) -> None:
            self.begin()
            self.send(chunk("A ") + b"data: {broken\n\n")

        def html(self) -> None:
            self.begin("text/html")
            self.send(b"<html>Welcome</html>")

        def empty(self) -> None:
            self.begin()
            self.send(chunk("", "stop") + b"data: [DONE]\n\n")

        def endless(self) -> None:
            self.begin()
            while True:
                self.send(chunk("word " * 50))
                time.sleep(0.001)

        def slow(self) -> None:
            self.begin()
            for _ in range(600):
                self.send(chunk("tick "))
                time.sleep(0.05)

    actions: dict[str, Callable[[Handler], None]] = {
        name: getattr(Handler, name)
        for name in (
            *("ok", "hang", "cut", "drop", "json", "late_json", "html", "empty", "endless", "slow"),
            *("drip", "crawl", "long_line", "bomb", "zipped"),
        )
    }
    return Handler
