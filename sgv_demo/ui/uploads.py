"""How much one address may send: so many files at once, so many megabytes in an hour.

Gradio writes a file to disk while it comes and knows nothing of who else sends; what the page refuses later lies there
until it is cleaned up. So the door counts.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sgv_demo.settings import Settings
from sgv_demo.ui.guests import address_of

_HOUR = 3600.0
_MEGABYTE = 1 << 20


class Uploads:
    """Middleware that counts what is sent to Gradio's upload address; its state lives in one event loop."""

    def __init__(self, app: ASGIApp, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self.app, self._settings, self._clock = app, settings, clock
        self._under_way: Counter[str] = Counter()
        self._sent: dict[str, deque[tuple[float, int]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/upload"):
            await self.app(scope, receive, send)
            return
        client = scope.get("client")
        address = address_of(client[0] if client else "", Headers(scope=scope), self._settings)
        if fault := self._fault(address):
            await PlainTextResponse(fault, status_code=429)(scope, receive, send)
            return
        self._under_way[address] += 1
        try:
            await self.app(scope, self._counted(address, receive), send)
        finally:
            self._under_way[address] -= 1
            self._under_way += Counter()  # drops what is 0

    def _fault(self, address: str) -> str:
        """Why this address may not send anything now; empty: it may."""
        if not address:
            return ""
        if (count := self._under_way[address]) >= self._settings.max_uploads:
            return f"{count} files from your address are on their way, the most at once; wait for one to arrive."
        self._forget()
        sent = sum(size for _, size in self._sent.get(address, ())) // _MEGABYTE
        if sent >= self._settings.max_upload_megabytes:
            return f"Your address has sent {sent:,} MB within an hour, the most that it may; try again later."
        return ""

    def _counted(self, address: str, receive: Receive) -> Receive:
        """`receive`, with the bytes of what comes counted against the address."""

        async def counted() -> Message:
            message = await receive()
            if address and (size := len(message.get("body", b""))):
                sent, now = self._sent.setdefault(address, deque()), self._clock()
                if sent and now - sent[-1][0] < 1.0:
                    sent[-1] = (sent[-1][0], sent[-1][1] + size)
                else:
                    sent.append((now, size))
            return message

        return counted

    def _forget(self) -> None:
        """Drops what is older than an hour."""
        old = self._clock() - _HOUR
        for address, sent in list(self._sent.items()):
            while sent and sent[0][0] < old:
                sent.popleft()
            if not sent:
                del self._sent[address]
