"""OpenAI-compatible servers: which one is asked next, how one is asked, what can go wrong.

A call runs in a thread with its own event loop, because only there can it be cancelled in every phase, even while the
server is still silent; cancelling closes the connection, and the server stops generating.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Generator, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import openai

from sgv_demo.engines.local.streaming import TICK
from sgv_demo.engines.remote.addresses import OutsideOnly, checked
from sgv_demo.errors import EngineError, SettingsError

log = logging.getLogger(__name__)

ATTEMPTS = 4
"""Times that a step is tried before its first word."""
FIRST_WAIT = 0.5
"""Seconds before the second attempt; doubled for each further one, a quarter more or less."""
LONGEST_WAIT = 30.0
"""Seconds at most, also where a server asks for more."""
REST = 30.0
"""Seconds for which a server that failed is asked last."""
CONNECT = 10.0
"""Seconds to wait for a connection."""
LETTERS_PER_TOKEN = 40
"""A text longer than this for each token asked for is cut: the server ignores `max_tokens`."""


@dataclass(slots=True)
class Server:
    """One base URL."""

    url: str
    running: int = 0
    rests_until: float = 0.0

    @property
    def name(self) -> str:
        """host:port, for people; no path, no credentials."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


class Fleet:
    """Spreads work: the server with least to do, those that just failed last."""

    def __init__(self, urls: str) -> None:
        """
        Args:
            urls: one or several base URLs, separated by commas.

        Raises:
            SettingsError: none, or one that is no web address.
        """
        self.servers = [Server(checked(url.strip())) for url in urls.split(",") if url.strip()]
        if not self.servers:
            raise SettingsError("No server is named; give one with --base-url, such as http://127.0.0.1:8000/v1.")
        self._lock = threading.Lock()
        self._turn = 0

    def take(self) -> Server:
        """The server to ask next; give it back afterwards."""
        with self._lock:
            self._turn += 1
            ordered = [self.servers[(self._turn + i) % len(self.servers)] for i in range(len(self.servers))]
            now = time.monotonic()
            server = min(ordered, key=lambda s: (s.rests_until > now, s.running))
            server.running += 1
            return server

    def give_back(self, server: Server, *, failed: bool = False) -> None:
        """Ends what `take` began."""
        with self._lock:
            server.running -= 1
            server.rests_until = time.monotonic() + REST if failed else 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a server is asked."""

    model: str
    messages: Sequence[dict[str, Any]]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0


@dataclass(slots=True)
class Ending:
    """How an answer ended."""

    finish: Literal["stop", "length"] = "stop"
    prompt_tokens: int = 0
    new_tokens: int = 0
    server: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Access:
    """How servers are reached."""

    api_key: str = field(default="", repr=False)
    timeout: float = 60.0
    """Seconds without a word."""
    outside_only: bool = False
    """Whether only public addresses may be connected to."""

    def client(self, server: Server) -> openai.AsyncOpenAI:
        """A client; the caller closes it. It takes nothing from the environment but what is given here."""
        limits = httpx2.Timeout(self.timeout, connect=min(CONNECT, self.timeout))
        transport = OutsideOnly() if self.outside_only else None
        http = httpx2.AsyncClient(
            timeout=limits, transport=transport, follow_redirects=False, trust_env=not self.outside_only
        )
        # An empty key would make the client look for OPENAI_API_KEY and send that to this server.
        return openai.AsyncOpenAI(
            api_key=self.api_key or "none", base_url=server.url, max_retries=0, http_client=http, timeout=limits
        )

    def hidden(self, text: str) -> str:
        """The first line of a server's words, short, without the key."""
        line = (text.strip() or "no reason given").splitlines()[0][:200].rstrip(".")
        return line.replace(self.api_key, "***") if self.api_key else line


class RetryableError(Exception):
    """A failure before the first word that another attempt may mend."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def call(fleet: Fleet, access: Access, request: Request) -> Generator[str, None, Ending]:
    """Streams an answer; empty pieces say "still at it". Closing it closes the connection.

    Raises:
        EngineError: cause and remedy; retries were made where they could help.
    """
    before = ""
    for attempt in range(ATTEMPTS):
        server = fleet.take()
        failed = True
        try:
            ending = yield from _threaded(_stream(access, server, request))
            failed = False
        except RetryableError as problem:
            if attempt + 1 == ATTEMPTS:
                raise EngineError(
                    f"The server {server.name} {problem}, {ATTEMPTS} times; wait a while, or add a server."
                ) from problem
            log.warning("Server %s %s; attempt %d", server.name, problem, attempt + 2)
            wait, before = pause(attempt, problem.wait), str(problem)
        except GeneratorExit:
            failed = False
            raise
        else:
            if attempt:
                ending.notes.append(f"Attempt {attempt + 1}: before, a server {before}.")
            return ending
        finally:
            fleet.give_back(server, failed=failed)
        until = time.monotonic() + (0.0 if len(fleet.servers) > attempt + 1 else wait)
        while time.monotonic() < until:
            yield ""
            time.sleep(min(TICK, max(until - time.monotonic(), 0)))
    raise AssertionError("every attempt returns or raises")


def pause(attempt: int, wanted: float | None) -> float:
    """Seconds before the next attempt: what the server asks for, otherwise doubling, with some scatter."""
    if wanted is not None:
        return min(max(wanted, 0.0), LONGEST_WAIT)
    return min(FIRST_WAIT * 2**attempt, LONGEST_WAIT) * random.uniform(0.75, 1.25)


async def _stream(access: Access, server: Server, request: Request) -> AsyncIterator[str | Ending]:
    """One attempt: pieces, then the ending."""
    began, letters, ending, ended = False, 0, Ending(server=server.name), False
    try:
        async with access.client(server) as client:
            body: dict[str, Any] = {
                "model": request.model,
                "messages": list(request.messages),
                "max_tokens": request.max_tokens,
                "temperature": request.temperature,
                "top_p": request.top_p,
            }
            stream = await client.chat.completions.create(**body, stream=True)
            async with stream:
                async for chunk in stream:
                    if chunk.usage:
                        ending.prompt_tokens, ending.new_tokens = (
                            chunk.usage.prompt_tokens,
                            chunk.usage.completion_tokens,
                        )
                    for choice in (chunk.choices or [])[:1]:
                        if choice.delta and choice.delta.content:
                            began = True
                            letters += len(choice.delta.content)
                            yield choice.delta.content
                        if choice.finish_reason:
                            ended = True
                            ending.finish = "length" if choice.finish_reason == "length" else "stop"
                    if letters > LETTERS_PER_TOKEN * request.max_tokens:
                        ended, ending.finish = True, "length"
                        ending.notes.append("The server went on past the limit and was cut off.")
                        break
    except (openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError, OSError) as error:
        raise explained(error, access, server, began) from error
    if not ended:
        if not began:
            raise RetryableError("ended without an answer")
        raise EngineError(f"The answer of {server.name} broke off in the middle; retry this step.")
    yield ending


def explained(error: Exception, access: Access, server: Server, began: bool) -> Exception:
    """What went wrong, as `RetryableError` where another attempt may help, otherwise as `EngineError`."""
    name = server.name
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, EngineError):
            return cause  # from the transport that connects to public addresses alone
        cause = cause.__cause__
    if isinstance(error, openai.APIStatusError) and not began:
        return _status(error, access, name)
    reason = _reason(error, access)
    if began:
        return EngineError(f"The server {name} {reason} in the middle of its answer; retry this step.")
    return RetryableError(reason)


def _reason(error: Exception, access: Access) -> str:
    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException)):
        return f"said nothing for {access.timeout:g} s (SGV_REMOTE_TIMEOUT)"
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, openai.APIResponseValidationError)):
        return "sent something that is not JSON"
    if isinstance(error, (openai.APIConnectionError, httpx2.ConnectError)):
        return "can't be reached"
    if isinstance(error, (httpx2.HTTPError, OSError)):
        return "closed the connection"
    if isinstance(error, openai.OpenAIError):
        return f"failed ({access.hidden(str(error))})"
    return "sent something that is not a chat completion"


def _status(error: openai.APIStatusError, access: Access, name: str) -> Exception:
    code = error.status_code
    said = access.hidden(_message(error))
    if code == 429 or code >= 500 or code == 408:
        asked = error.response.headers.get("retry-after", "")
        words = "is busy (429)" if code == 429 else f"failed ({code}: {said})"
        return RetryableError(words, float(asked) if re.fullmatch(r"\d+(\.\d+)?", asked) else None)
    if code in (401, 403):
        return EngineError(f"The server {name} refused the key; set SGV_API_KEY to a valid one.")
    if code == 404:
        return EngineError(f"The server {name} does not know this model ({said}); name one of its own with --model.")
    return EngineError(
        f"The server {name} refused the request ({code}: {said}); use fewer frames, or a model that reads pictures."
    )


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        found = inner.get("message") if isinstance(inner, dict) else inner
        return str(found or body.get("detail") or error.message)
    return str(body or error.message)


def _threaded(pieces: AsyncIterator[str | Ending]) -> Generator[str, None, Ending]:
    """Runs an asynchronous stream in a thread; closing this cancels it, and with it its connection."""
    queue: SimpleQueue[str | Ending | BaseException] = SimpleQueue()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    task: list[asyncio.Task[None]] = []

    async def pump() -> None:
        try:
            async for piece in pieces:
                queue.put(piece)
        except BaseException as error:  # noqa: BLE001 - handed to the reader, which raises it
            queue.put(error)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:

            async def main() -> None:
                task.append(asyncio.ensure_future(pump()))
                ready.set()
                await asyncio.wait(task)

            runner.run(main())

    thread = threading.Thread(target=run, name="server", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = queue.get(timeout=TICK)
            except Empty:
                yield ""
                continue
            if isinstance(item, Ending):
                return item
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ready.wait(5)
        if task and thread.is_alive() and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(task[0].cancel)
            except RuntimeError:
                log.debug("The call had just ended by itself.")
        thread.join(5)


def listed_models(fleet: Fleet, access: Access, timeout: float) -> list[str]:
    """Models that the first answering server lists; none where it lists none.

    Raises:
        EngineError: no server answers within `timeout` seconds, or one refuses the key.
    """
    quick = replace(access, timeout=timeout)
    problems: list[str] = []
    for server in fleet.servers:
        try:
            return asyncio.run(asyncio.wait_for(_list(quick, server), timeout + 1))
        except (
            openai.APIStatusError,
            json.JSONDecodeError,
            openai.APIResponseValidationError,
            AttributeError,
        ) as error:
            if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
                raise _status(error, access, server.name) from error
            return []  # it answers, only not to this question
        except (openai.OpenAIError, httpx2.HTTPError, OSError, TimeoutError) as error:
            problem = explained(error, quick, server, began=False)
            if isinstance(problem, EngineError):
                raise problem from error
            problems.append(f"{server.name} {problem}")
    raise EngineError(f"No server answers: {'; '.join(problems)}. Start it, or correct --base-url.")


async def _list(access: Access, server: Server) -> list[str]:
    async with access.client(server) as client:
        return [model.id for model in (await client.models.list()).data]
