"""ShareCaptioner-Video on servers of this project (`serve-model`): asked in its own roles, with its own prompts.

Text and picture are made here as the engine on this machine makes them, and the picture is sent as the tiles that the
network sees, without loss: a caption is the one that the engine gives.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

import httpx2

from sgv_demo.clean import clean
from sgv_demo.engines import prompts
from sgv_demo.engines.remote import NAME
from sgv_demo.engines.remote.answerer import png_uri
from sgv_demo.engines.remote.servers import Access, Ending, Fleet, Request, call
from sgv_demo.engines.sharecaptioner import tiling
from sgv_demo.engines.sharecaptioner.questions import Question, Roles
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import EngineInfo, Generation, Trace

COUNT_SECONDS = 5.0
"""Seconds that a server has to count tokens."""


class ServedCaptioner(Roles):
    """A `Captioner` over one or several servers with the same weights."""

    def __init__(self, fleet: Fleet, access: Access) -> None:
        """
        Raises:
            EngineError: the servers run different weights.
        """
        self._fleet, self._access = fleet, access
        facts, self.context_tokens = _facts(fleet)
        count = len(fleet.servers)
        self.info = EngineInfo(
            name=NAME,
            label=f"{facts['label']} on {'a server' if count == 1 else f'{count} servers'}",
            device="remote",
            model=fleet.servers[0].model,
            quantization=facts["quantization"],
            dtype=facts["dtype"],
            licence=facts["licence"],
            fingerprint=hashlib.sha256("\n".join(_weights(facts)).encode()).hexdigest()[:12],
        )

    def count_tokens(self, text: str) -> int:
        """Tokens that `text` takes in a prompt, as a server counts them; an upper estimate where none does, which makes
        summaries of long videos take a level more at most."""
        for server in self._fleet.servers:
            url = server.url.removesuffix("/v1") + "/tokenize"
            body = {"model": server.model, "prompt": text}
            headers = {"Authorization": f"Bearer {self._access.api_key or 'none'}"}
            try:
                found = httpx2.post(url, json=body, headers=headers, timeout=COUNT_SECONDS).json()
                return int(found["count"])
            except (httpx2.HTTPError, OSError, ValueError, KeyError, TypeError):
                continue
        return len(text.encode()) // 3 + 1

    def ask(self, question: Question, options: GenerationOptions) -> Generation:
        """Runs one step on the server with least to do."""
        started = time.perf_counter()
        fitted = tiling.fit(question.picture, question.budget) if question.picture is not None else None
        content: list[dict[str, Any]] = [{"type": "text", "text": question.text}]
        if fitted is not None:
            content.insert(0, {"type": "image_url", "image_url": {"url": png_uri(fitted)}})
        request = Request(
            self.info.model,
            [{"role": "user", "content": content}],
            options.max_new_tokens,
            options.temperature,
            options.top_p,
            {
                "step": question.step,
                "beams": options.beams,
                "return_token_ids": True,
                "stream_options": {"include_usage": True},
            },
        )
        ending: Ending = yield from call(self._fleet, self._access, request)
        yield Trace(
            prompt=prompts.captioner_prompt(question.text),
            token_ids=ending.token_ids,
            prompt_tokens=ending.prompt_tokens,
            seconds=time.perf_counter() - started,
            finish=ending.finish,
            picture=fitted,
            tiles=tiling.tiles_of(fitted) if fitted is not None else None,
            note=" ".join(ending.notes),
            text=ending.text,
        )


def _facts(fleet: Fleet) -> tuple[dict[str, str], int]:
    """(what all servers of a fleet say of their engine, tokens that a summary may read); notes each one's own name.

    Raises:
        EngineError: they run different weights, or one doesn't say.
    """
    facts: dict[str, str] = {}
    room = 0
    for server in fleet.servers:
        model = next(model for model in server.listed or () if model.role == "captioner")
        try:
            own = {str(name): clean(str(value)) for name, value in model.about["engine"].items()}
            room = int(model.about["context_tokens"])
            same = not facts or _weights(own) == _weights(facts)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(f"The captioner at {server.name} doesn't say what it is; update that server.") from error
        if not same:
            raise EngineError(
                f"The servers {fleet.servers[0].name} and {server.name} run different weights; "
                "serve the same model on all of them."
            )
        server.model, facts = model.name, own
    return facts, room


def _weights(facts: Mapping[str, str]) -> tuple[str, ...]:
    """What makes two servers give the same text."""
    return tuple(facts[name] for name in ("fingerprint", "quantization", "dtype"))
