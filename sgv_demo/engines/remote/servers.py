"""OpenAI-compatible servers: which one is asked next, how one is asked, what can go wrong.

A call runs in a thread with its own event loop, because only there can it be cancelled in every phase, even while the
server is still silent; cancelling closes the connection, and the server stops generating.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import random
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2

from sgv_demo.clean import Cleaner, clean
from sgv_demo.engines.local.streaming import TICK
from sgv_demo.engines.remote.addresses import OutsideOnly, checked
from sgv_demo.engines.remote.answers import (
    Listed,
    Piece,
    Thoughts,
    TooMuchError,
    inflated,
    lines,
    models_of,
    problem_of,
    read_line,
    read_whole,
)
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
    quirks: set[str] = field(default_factory=set)
    """Names of parameters that this server refused and does without; see `learn`."""
    tried_other_path: bool = False
    listed: tuple[Listed, ...] | None = None
    """The models that it runs; None while it hasn't said."""
    model: str = ""
    """Its own name for the model, where that isn't the request's."""

    @property
    def role(self) -> str:
        """The only role that it fills; empty where it fills any, or nobody knows."""
        return next((model.role for model in self.listed or ()), "")

    @property
    def name(self) -> str:
        """host:port, for people; no path, no credentials."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON of a request, in the words that this server takes."""
        found: dict[str, Any] = {
            "model": self.model or request.model,
            "messages": list(request.messages),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stream": True,
            **request.more,
        }
        for name in self.quirks:
            del found[name]
        if "max_tokens" in self.quirks:
            found["max_completion_tokens"] = request.max_tokens
        return found

    def learn(self, status: int, said: str) -> str:
        """A note, when a refusal (HTTP 400 or 422) names a parameter that can be done without; otherwise empty."""
        if status not in (400, 422) or not _UNWANTED.search(said):
            return ""
        name = next((n for n in _QUIRKS if n not in self.quirks and re.search(rf"\b{n}\b", said)), "")
        if name:
            self.quirks.add(name)
        return _QUIRKS.get(name, "")

    def other_path(self) -> bool:
        """Goes over to the same address with /v1, once; False where there is none to try."""
        if self.tried_other_path or urlsplit(self.url).path.rstrip("/").endswith("/v1"):
            return False
        self.url, self.tried_other_path = f"{self.url}/v1", True
        return True


_QUIRKS = {
    "max_tokens": "The server wants max_completion_tokens.",
    "temperature": "The server does not take a temperature; its own was used.",
    "top_p": "The server does not take top_p; its own was used.",
}
"""Parameters that some servers refuse, and what a result says of it."""
_UNWANTED = re.compile(
    r"unsupported|not support|not allow|unrecogni|unknown|unexpected|extra|only the default|deprecated|not permitted"
    r"|invalid|max_completion_tokens",
    re.IGNORECASE,
)


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

    def only(self, role: str) -> Fleet:
        """Those that fill one role alone; "": those that fill any."""
        made = copy.copy(self)
        made.servers = [server for server in self.servers if server.role == role]
        return made

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
    more: Mapping[str, Any] = field(default_factory=dict)
    """Fields that only some servers know."""


@dataclass(slots=True)
class Ending:
    """How an answer ended."""

    finish: Literal["stop", "length"] = "stop"
    prompt_tokens: int = 0
    new_tokens: int = 0
    server: str = ""
    notes: list[str] = field(default_factory=list)
    token_ids: tuple[int, ...] = ()
    """Of the new tokens, where the server was asked for them."""
    text: str = ""
    """The whole answer, where it isn't what was streamed: thoughts before it turned out to be thoughts at its begin."""

    def count(self, piece: Piece) -> None:
        """Keeps the tokens and the note that a piece reports."""
        self.token_ids += piece.token_ids
        if piece.note:
            self.notes.append(piece.note)
        self.prompt_tokens = piece.prompt_tokens or self.prompt_tokens
        self.new_tokens = piece.new_tokens or self.new_tokens


@cache
def _certificates(from_environment: bool) -> ssl.SSLContext:
    """Whom to trust; reading all certificates anew for each step would cost more than asking does."""
    return httpx2.create_ssl_context(trust_env=from_environment)


@dataclass(frozen=True, slots=True)
class Access:
    """How servers are reached."""

    api_key: str = field(default="", repr=False)
    timeout: float = 60.0
    """Seconds without a word."""
    total: float = 900.0
    """Seconds that one attempt may take from its first byte to its last."""
    outside_only: bool = False
    """Whether only public addresses may be connected to."""

    def client(self) -> httpx2.AsyncClient:
        """A client; the caller closes it. It follows no redirect and reads no key from the environment."""
        certificates = _certificates(not self.outside_only)
        return httpx2.AsyncClient(
            headers={
                "Authorization": f"Bearer {self.api_key or 'none'}",
                "Accept-Encoding": "identity",  # what is inflated is bounded by `inflated`, not by the client
            },
            verify=certificates,
            timeout=httpx2.Timeout(self.timeout, connect=min(CONNECT, self.timeout)),
            transport=OutsideOnly(verify=certificates) if self.outside_only else None,
            follow_redirects=False,
            trust_env=not self.outside_only,
        )

    def most_bytes(self, request: Request) -> int:
        """Bytes of one answer at most, inflated: a chunk of a few hundred for each token, ten times over."""
        return 4_000_000 + 4_000 * request.max_tokens

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
    began = False
    try:
        async with asyncio.timeout(access.total), access.client() as client:
            async for piece in _answer(client, access, server, request):
                began = began or bool(piece)
                yield piece
    except TimeoutError as error:
        raise EngineError(
            f"The server {server.name} had not finished after {access.total:g} s (SGV_REMOTE_STEP_SECONDS); "
            "ask for fewer tokens, or raise it."
        ) from error
    except TooMuchError as error:
        raise EngineError(f"The server {server.name} sent far more than an answer; use another one.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError) as error:
        raise explained(error, access, server, began) from error


async def _answer(
    client: httpx2.AsyncClient, access: Access, server: Server, request: Request
) -> AsyncIterator[str | Ending]:
    """Asks, learning what this server does without, and reads the answer in whichever form it comes."""
    notes: list[str] = []
    for _ in range(1 + len(_QUIRKS) + 1):
        async with client.stream("POST", f"{server.url}/chat/completions", json=server.body(request)) as response:
            if response.status_code == 200:
                async for piece in _read(response, access, server, request, notes):
                    yield piece
                return
            said = await _body(response, 100_000)
        if note := server.learn(response.status_code, said):
            notes.append(note)
        elif response.status_code in (404, 405) and server.other_path():
            notes.append(f"The server answers at {urlsplit(server.url).path}, not at the address as given.")
        else:
            raise _status(response, said, access, server.name)
    raise EngineError(f"The server {server.name} refuses every form of a request; use another one.")


async def _read(
    response: httpx2.Response, access: Access, server: Server, request: Request, notes: list[str]
) -> AsyncIterator[str | Ending]:
    """Pieces of a good answer, then its ending."""
    ending = Ending(server=server.name, notes=notes)
    cleaner, thoughts = Cleaner(), Thoughts()
    ended, letters, thinking, last_word = False, 0, False, time.monotonic()
    async for piece in _pieces(response, access.most_bytes(request)):
        if piece.complaint:
            raise _broken(piece, access, server, bool(letters))
        ending.count(piece)
        thinking = thinking or piece.thought
        if piece.text or piece.thought:
            last_word = time.monotonic()
        elif time.monotonic() - last_word > access.timeout:
            raise httpx2.ReadTimeout("nothing but comments")
        letters += len(piece.text)
        if shown := thoughts.feed(cleaner.feed(piece.text)):
            yield shown
        if piece.refusal or piece.finish == "filtered":
            raise EngineError(
                f"The server {server.name} refuses to answer this ({access.hidden(piece.refusal or 'filtered')}); "
                "use other pictures or another model."
            )
        if piece.finish:
            ended, ending.finish = True, piece.finish
        if letters > LETTERS_PER_TOKEN * request.max_tokens:
            ended, ending.finish = True, "length"
            ending.notes.append("The server went on past the limit and was cut off.")
            break
        if piece.done:
            ended = True
            break
    if shown := thoughts.feed(cleaner.end()) + thoughts.end():
        yield shown
    _complete(ending, thoughts, ended, thinking, bool(letters), server, request)
    yield ending


def _complete(
    ending: Ending, thoughts: Thoughts, ended: bool, thinking: bool, began: bool, server: Server, request: Request
) -> None:
    """Refuses an answer that is none; notes what was taken out of one."""
    text = bool(thoughts.text.strip())
    if thoughts.thinking or (thinking and not text):
        raise EngineError(
            f"The server {server.name} spent its {request.max_tokens:,} tokens on thoughts and gave no answer; "
            "allow more tokens, or turn its thinking off."
        )
    if not ended:
        if not began:
            raise RetryableError("ended without an answer")
        raise EngineError(f"The answer of {server.name} broke off in the middle; retry this step.")
    if not text:
        raise EngineError(f"The server {server.name} answered without a word; retry this step, or use another model.")
    if thoughts.withdrawn:
        ending.text = thoughts.text
        ending.notes.append("The model's thoughts before its answer were left out.")


async def _pieces(response: httpx2.Response, most: int) -> AsyncIterator[Piece]:
    """What the server says, whether it streams or not.

    Raises:
        TooMuchError: more than `most` bytes.
        ValueError: it isn't JSON.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().casefold()
    raw = inflated(response.aiter_raw(), response.headers.get("content-encoding", "").casefold(), most)
    if kind == "application/json":
        whole = b"".join([chunk async for chunk in raw]).decode("utf-8", "replace")
        if "\ndata:" not in f"\n{whole}":  # some servers give a stream this type
            yield read_whole(whole)
            return
        found = whole.splitlines()
        for line in found:
            if piece := read_line(line):
                yield piece
        return
    async for line in lines(raw):
        # A comment keeps the connection alive: it must not keep the step alive.
        if piece := read_line(line):
            yield piece
        elif line:
            yield Piece()


async def _body(response: httpx2.Response, most: int) -> str:
    """The beginning of a refusal's body."""
    found = b""
    with suppress(TooMuchError, ValueError, httpx2.HTTPError):
        encoding = response.headers.get("content-encoding", "").casefold()
        async for chunk in inflated(response.aiter_raw(), encoding, most):
            found += chunk
    return found.decode("utf-8", "replace")


def explained(error: Exception, access: Access, server: Server, began: bool) -> Exception:
    """What went wrong, as `RetryableError` where another attempt may help, otherwise as `EngineError`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, EngineError):
            return cause  # from the transport that connects to public addresses alone
        cause = cause.__cause__
    reason = _reason(error, access)
    if began:
        return EngineError(f"The server {server.name} {reason} in the middle of its answer; retry this step.")
    return RetryableError(reason)


def _reason(error: Exception, access: Access) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return f"said nothing for {access.timeout:g} s (SGV_REMOTE_TIMEOUT)"
    if isinstance(error, ValueError):
        return "sent something that is not JSON"
    if isinstance(error, httpx2.ConnectError):
        return "can't be reached"
    return "closed the connection"


def _broken(piece: Piece, access: Access, server: Server, began: bool) -> Exception:
    """A server's own word, inside its stream, that it gives up."""
    said = access.hidden(piece.complaint)
    if began:
        return EngineError(f"The server {server.name} failed in the middle of its answer ({said}); retry this step.")
    if 400 <= piece.code < 500 and piece.code not in (408, 429):
        return EngineError(f"The server {server.name} refused the request ({piece.code}: {said}); {_FEWER}")
    return RetryableError(f"failed ({said})")


_FEWER = "use fewer frames, or a model that reads pictures."


def _status(response: httpx2.Response, body: str, access: Access, name: str) -> Exception:
    code = response.status_code
    words, kind = _message(body)
    said = access.hidden(words)
    if code == 402 or (code == 429 and re.search(r"quota|billing|credit|balance", f"{words} {kind}", re.IGNORECASE)):
        return EngineError(f"The quota of the key at {name} is used up ({said}); raise it, or use another server.")
    if code == 429 or code >= 500 or code == 408:
        asked = response.headers.get("retry-after", "")
        words = "is busy (429)" if code == 429 else f"failed ({code}: {said})"
        return RetryableError(words, float(asked) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", asked) else None)
    if code in (401, 403):
        return EngineError(f"The server {name} refused the key; set SGV_API_KEY to a valid one.")
    if code == 404:
        return EngineError(
            f"The server {name} does not know this model or this address ({said}); name one of its own models with "
            "--model, and its address up to /v1 with --base-url."
        )
    return EngineError(f"The server {name} refused the request ({code}: {said}); {_FEWER}")


def _message(body: str) -> tuple[str, str]:
    """(reason, kind) in the body of a refusal."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return clean(body), ""
    if not isinstance(message, dict):
        return clean(str(message)), ""
    error = message.get("error")
    kind = f"{error.get('type')} {error.get('code')}" if isinstance(error, dict) else ""
    return problem_of(message if error else {"error": message})[0], kind


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


def survey(fleet: Fleet, access: Access, timeout: float, *, needed: bool = True) -> None:
    """Asks every server which models it runs, into `Server.listed`.

    An address without its /v1 is mended: the path that answers is kept.

    Args:
        needed: whether a server must tell at all; with a model named, one that lists none will do.

    Raises:
        EngineError: no server answers within `timeout` seconds, or one refuses the key.
    """
    quick = replace(access, timeout=timeout)

    async def ask(server: Server) -> str:
        """What went wrong, or nothing."""
        try:
            server.listed = tuple(await asyncio.wait_for(_list(quick, server), timeout + 1))
        except RetryableError as problem:
            if needed:
                return f"{server.name} {problem}"
            server.listed = ()  # it answers, only not to this question
        except TimeoutError:
            return f"{server.name} said nothing for {timeout:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            problem = explained(error, quick, server, began=False)
            if isinstance(problem, EngineError):
                raise problem from error
            return f"{server.name} {problem}"
        return ""

    async def ask_all() -> list[str]:
        return await asyncio.gather(*(ask(server) for server in fleet.servers))

    problems = asyncio.run(ask_all())
    if all(problems):
        raise EngineError(f"No server answers: {'; '.join(problems)}. Start it, or correct --base-url.")
    for problem in filter(None, problems):
        log.warning("Server %s", problem)


async def _list(access: Access, server: Server) -> list[Listed]:
    async with access.client() as client:
        while True:
            async with client.stream("GET", f"{server.url}/models") as response:
                body = await _body(response, 4_000_000)
            try:
                found = models_of(json.loads(body)) if response.status_code == 200 else []
            except (ValueError, RecursionError):
                found = []
            if response.status_code in (401, 403):
                raise _status(response, body, access, server.name)
            if response.status_code == 429 or response.status_code >= 500:
                raise RetryableError(f"failed ({response.status_code}: {access.hidden(_message(body)[0])})")
            if found or not server.other_path():
                return found
