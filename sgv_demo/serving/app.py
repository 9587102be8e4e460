"""The OpenAI protocol over loaded models: chat completions, models, health, metrics."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sgv_demo.errors import SgvError
from sgv_demo.serving.asked import Asked, Counted, parse, read
from sgv_demo.serving.errors import RefusalError, refused
from sgv_demo.serving.follow import GoneError, follow
from sgv_demo.serving.metrics import TYPE, Metrics
from sgv_demo.serving.models import ABOUT, Model
from sgv_demo.settings import Settings
from sgv_demo.types import Trace

log = logging.getLogger(__name__)

BODY_SECONDS = 60.0
"""Within which a request must have arrived whole."""
AGAIN = 5
"""Seconds after which a client that found no place may come back."""
_UNFORESEEN = "The server failed for an unforeseen reason (logged); try again."
_GONE = 499
"""nginx's status for a client that went; nobody reads it."""


class Server:
    """What all requests share."""

    def __init__(self, models: Sequence[Model], settings: Settings) -> None:
        self.models = {model.name: model for model in models}
        self.settings = settings
        self.metrics = Metrics(models)
        self.pool = ThreadPoolExecutor(max(settings.served_requests, 1), thread_name_prefix="answer")
        self.created = int(time.time())

    def allowed(self, request: Request) -> None:
        """
        Raises:
            RefusalError: there is a key, and the request hasn't got it.
        """
        key = self.settings.served_key
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), key.encode())  # in constant time
        if key and not (scheme.lower() == "bearer" and right):
            raise RefusalError(
                401, "The key is missing or wrong; send the server's as a bearer token.", code="invalid_api_key"
            )

    def model(self, name: str) -> Model:
        """
        Raises:
            RefusalError: there is none of that name.
        """
        if name not in self.models:
            known = ", ".join(self.models)
            told = f"There is no model {name[:100]!r} here; ask for {known}."
            raise RefusalError(404, told, param="model", code="model_not_found")
        return self.models[name]

    async def body(self, request: Request) -> bytes:
        """
        Raises:
            RefusalError: larger than allowed, too slow, or not JSON by its own word, which is what a stranger's web
                page can send from a visitor's browser.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise RefusalError(415, "A request is JSON; send it with Content-Type: application/json.")
        most = self.settings.served_megabytes * 1_000_000
        found = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    found += chunk
                    if len(found) > most:
                        told = f"The request has more than {most // 1_000_000} MB; send fewer or smaller pictures."
                        raise RefusalError(413, told, code="request_too_large")
        except TimeoutError as error:
            raise RefusalError(408, f"The request had not arrived after {BODY_SECONDS:g} s; send it again.") from error
        return bytes(found)

    def enter(self) -> None:
        """Takes a place.

        Raises:
            RefusalError: all are taken.
        """
        if self.metrics.held >= self.settings.served_requests:
            raise RefusalError(
                429, "All places are taken; come back soon.", "rate_limit_error", code="busy", retry_after=AGAIN
            )
        self.metrics.held += 1

    def leave(self) -> None:
        """Gives a place back."""
        self.metrics.held -= 1

    async def chat(self, request: Request) -> Response:
        """`/v1/chat/completions`."""
        self.allowed(request)
        self.enter()
        answering = False
        try:
            body = await self.body(request)
            asked = await asyncio.get_running_loop().run_in_executor(self.pool, read, body, self.settings)
            model = self.model(asked.model)
            answer = _Answer(model, asked, self.metrics)
            generation = model.answer(asked)
            pieces = answer.counted(follow(generation, self.pool, lambda: _gone(request), self.leave))
            answering = True
        finally:
            if not answering:
                self.leave()
        if not asked.stream:
            return JSONResponse(await answer.whole(pieces))
        # The first word decides whether there is an answer at all: before it a refusal has a status of its own.
        first = await answer.first(pieces)
        return StreamingResponse(answer.stream(first, pieces), media_type="text/event-stream")

    async def listing(self, request: Request) -> Response:
        """`/v1/models`."""
        self.allowed(request)
        rows = [
            {"id": name, "object": "model", "created": self.created, "owned_by": "sgv-demo", ABOUT: model.about()}
            for name, model in self.models.items()
        ]
        return JSONResponse({"object": "list", "data": rows})

    async def count(self, request: Request) -> Response:
        """`/tokenize`, as vLLM has it, without the ids."""
        self.allowed(request)
        asked = parse(Counted, await self.body(request))
        count = await asyncio.to_thread(self.model(asked.model).count, asked.prompt)
        if count is None:
            raise RefusalError(404, "This model's tokens aren't counted here.")
        return JSONResponse({"count": count})

    async def health(self, request: Request) -> Response:
        """`/health`: it answers."""
        return JSONResponse({"status": "ok"})

    async def numbers(self, request: Request) -> Response:
        """`/metrics`."""
        self.allowed(request)
        return PlainTextResponse(self.metrics.text(), media_type=TYPE)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Every error as OpenAI's clients know it."""
        if isinstance(error, HTTPException):
            error = RefusalError(error.status_code, f"{error.detail}: {request.method} {request.url.path[:200]}")
        refusal = refused(error)
        if refusal is None:
            log.error("Unexpected error", exc_info=error)
            refusal = RefusalError(
                500, "The server failed for an unforeseen reason (logged); try again.", "server_error"
            )
        self.metrics.refused[refusal.status] += 1
        return JSONResponse(refusal.body(), refusal.status, refusal.headers())

    async def left(self, request: Request, error: Exception) -> Response:
        """The client is gone."""
        return Response(status_code=_GONE)

    @asynccontextmanager
    async def life(self, app: Starlette) -> AsyncIterator[None]:
        """Samples the metrics while the server lives."""

        async def sample() -> None:
            while True:
                self.metrics.sample()
                await asyncio.sleep(1)

        task = asyncio.create_task(sample())
        try:
            yield
        finally:
            task.cancel()


class _Answer:
    """One answer on its way to its client."""

    def __init__(self, model: Model, asked: Asked, metrics: Metrics) -> None:
        self._model, self._asked, self._metrics = model, asked, metrics
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model.name}

    async def whole(self, pieces: AsyncIterator[str | Trace]) -> dict[str, Any]:
        """The answer in one piece."""
        text: list[str] = []
        async for piece in pieces:
            if isinstance(piece, Trace):
                message = {"role": "assistant", "content": "".join(text)}
                choice = {"index": 0, "message": message, "finish_reason": piece.finish, **self._ids(piece)}
                return self._object("chat.completion", [choice]) | {"usage": _usage(piece), ABOUT: _told(piece)}
            text.append(piece)
        raise AssertionError("a generation ends with its trace")

    async def first(self, pieces: AsyncIterator[str | Trace]) -> str | Trace:
        """The first piece.

        Raises:
            whatever the model raises before it.
        """
        async for piece in pieces:
            return piece
        raise AssertionError("a generation ends with its trace")

    async def stream(self, first: str | Trace, pieces: AsyncIterator[str | Trace]) -> AsyncIterator[str]:
        """Server-sent events: pieces, the ending, the usage where it is wanted, and the last word."""
        try:
            yield self._event({"role": "assistant", "content": ""})
            for event in self._events(first):
                yield event
            async for piece in pieces:
                for event in self._events(piece):
                    yield event
            yield "data: [DONE]\n\n"
        except GoneError:
            return
        except Exception as error:
            refusal = refused(error)
            if refusal is None:
                log.error("Unexpected error", exc_info=error)
            told = refusal or RefusalError(500, _UNFORESEEN, "server_error")
            yield f"data: {json.dumps(told.body())}\n\n"

    def _events(self, piece: str | Trace) -> list[str]:
        if isinstance(piece, str):
            return [self._event({"content": piece})]
        ending = self._event({}, piece.finish, {**self._ids(piece), ABOUT: _told(piece)})
        if not self._asked.include_usage:
            return [ending]
        usage = self._object("chat.completion.chunk", []) | {"usage": _usage(piece)}
        return [ending, f"data: {json.dumps(usage)}\n\n"]

    async def counted(self, pieces: AsyncIterator[str | Trace]) -> AsyncIterator[str | Trace]:
        """The pieces, with what the metrics want of them."""
        name = self._model.name
        try:
            async for piece in pieces:
                if isinstance(piece, Trace):
                    self._metrics.ended[name, piece.finish] += 1
                    self._metrics.prompt_tokens[name] += piece.prompt_tokens
                yield piece
        except GoneError:
            self._metrics.ended[name, "gone"] += 1
            raise
        except Exception:
            self._metrics.ended[name, "error"] += 1
            raise

    def _event(self, delta: dict[str, Any], finish: str | None = None, more: dict[str, Any] | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, **(more or {})}
        return f"data: {json.dumps(self._object('chat.completion.chunk', [choice]))}\n\n"

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self._head, "object": kind, "choices": choices}

    def _ids(self, trace: Trace) -> dict[str, Any]:
        return {"token_ids": list(trace.token_ids)} if self._asked.token_ids else {}


def _usage(trace: Trace) -> dict[str, int]:
    new = len(trace.token_ids)
    return {"prompt_tokens": trace.prompt_tokens, "completion_tokens": new, "total_tokens": trace.prompt_tokens + new}


def _told(trace: Trace) -> dict[str, Any]:
    """What OpenAI's protocol has no place for."""
    return {"note": trace.note, "tiles": trace.tiles}


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def build(models: Sequence[Model], settings: Settings) -> Starlette:
    """The application."""
    server = Server(models, settings)
    # Without a key only this machine may ask, and a stranger's web page whose name is made to point here may not.
    hosts = [] if settings.served_key else [Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL, www_redirect=False)]
    return Starlette(
        routes=[
            Route("/v1/chat/completions", server.chat, methods=["POST"]),
            Route("/v1/models", server.listing),
            Route("/tokenize", server.count, methods=["POST"]),
            Route("/health", server.health),
            Route("/metrics", server.numbers),
        ],
        middleware=hosts,
        exception_handlers={
            GoneError: server.left,
            ClientDisconnect: server.left,
            HTTPException: server.failed,
            RefusalError: server.failed,
            SgvError: server.failed,
            Exception: server.failed,
        },
        lifespan=server.life,
    )


LOCAL = ["localhost", "127.0.0.1", "[::1]", "::1"]
"""Names of this machine for itself."""
