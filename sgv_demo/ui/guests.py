"""How much one visitor may have under way at once, so that nobody takes every place."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gradio.context import LocalContext

from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings


class Guests:
    """Counts what is under way, by visitor and by address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Counts a run, a question or a text, for a block, against whoever asked for it.

        Raises:
            SettingsError: the visitor, or the address, has as many as it may.
        """
        who = self._who(LocalContext.request.get(None))
        with self._lock:
            for kind, name in who:
                self._check(kind, self._counts[kind, name])
            self._counts.update(who)
        try:
            yield
        finally:
            with self._lock:
                self._counts.subtract(who)
                self._counts += Counter()  # drops what is 0

    def _check(self, kind: str, count: int) -> None:
        if kind == "visitor" and count >= self._settings.max_own_runs:
            raise SettingsError(
                f"You have {count} runs or questions under way, the most at once; wait for one to end, or stop one."
            )
        if kind == "address" and count >= self._settings.max_address_runs:
            raise SettingsError(
                f"From your address {count} runs or questions are under way, the most at once; try again in a minute."
            )

    def _who(self, request: Any) -> list[tuple[str, str]]:
        """What a request counts against; nothing where there is none, as in the program's own runs."""
        if request is None:
            return []
        who = [("visitor", str(request.session_hash))] if getattr(request, "session_hash", None) else []
        client = getattr(request, "client", None)
        address = address_of(str(client.host) if client else "", request.headers, self._settings)
        return [*who, ("address", address)] if address else who


def address_of(client: str, headers: Mapping[str, str], settings: Settings) -> str:
    """The address that a request counts against; empty where it comes from this machine, which isn't counted."""
    if settings.space:  # there everybody comes through one proxy, which names them
        client = str(headers.get("x-forwarded-for", client)).split(",")[0].strip()
    return "" if _is_this_machine(client) else client


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
