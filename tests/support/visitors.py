"""A visitor's request, as gradio hands it to whatever it calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from gradio.context import LocalContext


@contextmanager
def asking(session: str, address: str, forwarded: str = "") -> Iterator[None]:
    """For a block: the session and the address that asked, and whom a proxy names."""
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = SimpleNamespace(session_hash=session, client=SimpleNamespace(host=address), headers=headers)
    token = LocalContext.request.set(request)  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        LocalContext.request.reset(token)
