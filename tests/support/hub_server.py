"""A model hub of one repository on a free port, with the faults of real ones."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What it holds and what goes wrong."""

    repository: str
    files: dict[str, bytes]
    url: str = ""
    break_after: int | None = None
    """Bytes of a large file after which the connection is closed."""
    flip: bool = False
    """A large file's last byte is wrong."""
    portal: bool = False
    """A network's log-in page answers instead."""
    sent: list[tuple[str, int]] = field(default_factory=list)
    """(file, first byte) of each answer."""


@contextmanager
def serving_hub(folder: Path, repository: str) -> Iterator[Hub]:
    """Serves a folder."""
    found = Hub(repository, {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


def is_large(name: str) -> bool:
    """Whether a file is kept as a large one, named by its SHA-256."""
    return name.endswith(".safetensors")


def blob_id(data: bytes) -> str:
    """Git's name of a small file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _handler(found: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if found.portal:
                self.answer(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})
                return
            if self.path.startswith(f"/api/models/{found.repository}"):
                self.tree() if "/tree/" in self.path else self.listing()
                return
            if self.path.startswith("/api/models/"):
                self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                return
            name = self.path.partition("?")[0].rpartition("/")[2]
            if name not in found.files:
                self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            self.file(name)

        def listing(self) -> None:
            siblings = [
                {"rfilename": name, "size": len(data), "blobId": blob_id(data)} for name, data in found.files.items()
            ]
            body = {"id": found.repository, "modelId": found.repository, "sha": COMMIT, "siblings": siblings}
            self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

        def tree(self) -> None:
            entries = []
            for name, data in found.files.items():
                entry = {"type": "file", "path": name, "size": len(data), "oid": blob_id(data)}
                if is_large(name):
                    entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
                entries.append(entry)
            self.answer(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

        def file(self, name: str) -> None:
            data = found.files[name]
            tag = hashlib.sha256(data).hexdigest() if is_large(name) else blob_id(data)
            headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if self.command == "HEAD":
                self.answer(200, data, headers)
                return
            begin = self.headers.get("range", "bytes=0-").partition("=")[2].partition("-")[0]
            first = int(begin or 0)
            if found.flip and is_large(name):
                data = data[:-1] + bytes([data[-1] ^ 1])
            found.sent.append((name, first))
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self.answer(206 if "range" in self.headers else 200, data[first:], headers, large=is_large(name))

        def answer(self, code: int, data: bytes, headers: dict[str, str], *, large: bool = False) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if large and found.break_after is not None:
                self.wfile.write(data[: found.break_after])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(data)

    return Handler
