"""Headers of every answer, and the hosts that are answered at all.

Gradio's page needs inline scripts: those that come with the page carry a word made for one answer, the page's own are
named by their hashes, so that a script which got into the page in any other way is not run.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SPACES = "https://huggingface.co https://*.hf.space"


def allowed_hosts(setting: str, listens_at: str) -> tuple[str, ...]:
    """Names that a request may ask for; empty: any.

    A page that only this machine can reach answers to this machine's names alone, unless others are set: otherwise a
    stranger's web page, whose name is made to point here, could read it (DNS rebinding).
    """
    named = tuple(name.strip().lower() for name in setting.split(",") if name.strip())
    if named:
        return () if "*" in named else named
    return _LOOPBACK if listens_at in ("localhost", "127.0.0.1", "::1") else ()


def policy(head: str, framing: str, space: bool) -> str:
    """The content security policy, with `{nonce}` where the word of one answer goes.

    Args:
        head: the page's own scripts, as HTML.
        framing: addresses that may show the page in a frame.
        space: whether this is a Hugging Face Space, which shows it in one.
    """
    own = " ".join(f"'sha256-{_hash(script)}'" for script in _SCRIPT.findall(head))
    frames = framing or (_SPACES if space else "")
    return "; ".join(
        (
            "default-src 'self'",
            # Gradio makes functions out of js_on_load, and modules out of blobs.
            f"script-src 'self' blob: 'nonce-{{nonce}}' {own} 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors 'self' {frames}".rstrip(),
        )
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


class Guarded:
    """Middleware: refuses foreign hosts, adds headers, gives the page's scripts their word."""

    def __init__(self, app: ASGIApp, csp: str, hosts: Iterable[str] = ()) -> None:
        """`csp`: see `policy`; `hosts`: see `allowed_hosts`."""
        self.app, self.csp, self.hosts = app, csp, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        host = re.sub(r":\d+$", "", Headers(scope=scope).get("host", "")).lower()
        if self.hosts and host not in self.hosts:
            told = "This page doesn't answer to that name; set SGV_ALLOWED_HOSTS to the names that it has.\n"
            await PlainTextResponse(told, status_code=421)(scope, receive, send)
            return
        await self.app(scope, receive, _Answer(send, self.csp))


class _Answer:
    """The sending of one answer; a page is held until it is whole, because its scripts are changed."""

    def __init__(self, send: Send, csp: str) -> None:
        self.send, self.csp, self.nonce = send, csp, secrets.token_urlsafe(16)
        self.start: Message | None = None
        self.page = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
            headers["content-security-policy"] = self.csp.replace("{nonce}", self.nonce)
            if headers.get("content-type", "").startswith("text/html"):
                self.start = message
                return
        elif self.start is not None:
            self.page += message.get("body", b"")
            if message.get("more_body"):
                return
            start, self.start = self.start, None
            body = self.page.replace(b"<script", f'<script nonce="{self.nonce}"'.encode())
            MutableHeaders(scope=start)["content-length"] = str(len(body))
            await self.send(start)
            message = {"type": "http.response.body", "body": body}
        await self.send(message)
