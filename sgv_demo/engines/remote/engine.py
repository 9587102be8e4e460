"""Captioner and answerer on OpenAI-compatible servers: vLLM, SGLang, lmdeploy, llama.cpp, Ollama, a hosted one.

Pictures travel as JPEG data URIs of bounded size. The key lives in `Access` alone and is in no text that leaves here.
"""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from PIL import Image

from sgv_demo.engines import Answerer, Captioner, prompts
from sgv_demo.engines.entry import Role
from sgv_demo.engines.general import GeneralModel
from sgv_demo.engines.pictures import scaled, thinned
from sgv_demo.engines.remote import NAME
from sgv_demo.engines.remote.addresses import checked_key
from sgv_demo.engines.remote.answerer import OfficialAnswerer, wants_official
from sgv_demo.engines.remote.captioner import ServedCaptioner
from sgv_demo.engines.remote.servers import Access, Ending, Fleet, Request, call, survey
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.options import GenerationOptions
from sgv_demo.settings import Settings
from sgv_demo.types import EngineInfo, Generation, Picture, Trace, Turn

LONG_SIDE = 1024
"""Pixels: pictures sent alone or in pairs are scaled down to it."""
LONG_SIDE_OF_MANY = 512
"""Pixels: the same with more than two."""
MOST_PICTURES = 32
"""Pictures at most in one request; more are thinned out evenly."""
MOST_BYTES = 8_000_000
"""Bytes of all pictures of a request at most; beyond it they are made smaller."""
QUALITY = 88
CONTEXT_TOKENS = 6000
"""Tokens of captions in one summary; servers don't tell how much they read, and all common models read this."""


class Remote(GeneralModel):
    """A `Captioner` and an `Answerer` over one or several servers that run the same model."""

    default_frames = 16
    context_tokens = CONTEXT_TOKENS

    def __init__(self, fleet: Fleet, access: Access, model: str) -> None:
        self.fleet, self._access, self.served_as = fleet, access, model
        count = len(fleet.servers)
        # What a visitor's server says must never be found in the store under the operator's model.
        whose = [server.url for server in fleet.servers] if access.outside_only else []
        # A server that was started from a folder calls its model by that folder's path, which is nobody's business.
        name = PurePath(model).name if model.startswith(("/", "~", ".")) or "\\" in model else model
        self.info = EngineInfo(
            name=NAME,
            label=f"{name} on {'a server' if count == 1 else f'{count} servers'}",
            device="remote",
            model=name,
            fingerprint=hashlib.sha256("\n".join((model, *whose)).encode()).hexdigest()[:12],
            sees_several=True,
        )

    def count_tokens(self, text: str) -> int:
        """An upper estimate, as the server's tokenizer isn't here: a token for every three bytes."""
        return len(text.encode()) // 3 + 1

    def _say(
        self,
        text: str,
        pictures: Sequence[tuple[float, Picture]],
        options: GenerationOptions,
        history: Sequence[Turn] = (),
        duration: float = 0.0,
    ) -> Generation:
        started = time.perf_counter()
        shown = thinned(pictures, MOST_PICTURES)
        sent = messages(text, shown, history)
        request = Request(self.served_as, sent, options.max_new_tokens, options.temperature, options.top_p)
        ending: Ending = yield from call(self.fleet, self._access, request)
        notes = list(ending.notes)
        if len(shown) < len(pictures):
            notes.append(f"{len(shown)} of {len(pictures)} pictures were sent.")
        if options.beams > 1:
            notes.append("Servers decode with one beam, so that the text streams.")
        yield Trace(
            prompt=flat(sent),
            prompt_tokens=ending.prompt_tokens,
            seconds=time.perf_counter() - started,
            finish=ending.finish,
            picture=scaled(shown[0][1], LONG_SIDE) if len(shown) == 1 else None,
            note=" ".join(notes),
            text=ending.text,
        )


def messages(
    text: str, pictures: Sequence[tuple[float, Picture]], history: Sequence[Turn] = ()
) -> list[dict[str, Any]]:
    """The conversation in the form of chat completions; the pictures, each after its time, stand in the first turn."""
    found: list[dict[str, Any]] = []
    uris = data_uris([image for _, image in pictures])
    for i, turn in enumerate((*history, Turn(text, ""))):
        content: Any = turn.question
        if i == 0 and pictures:
            content = []
            for (seconds, _), uri in zip(pictures, uris, strict=True):
                if len(pictures) > 1:
                    content.append({"type": "text", "text": f"Frame at {prompts.plain_clock(seconds)}:"})
                content.append({"type": "image_url", "image_url": {"url": uri}})
            content.append({"type": "text", "text": turn.question})
        found.append({"role": "user", "content": content})
        if i < len(history):
            found.append({"role": "assistant", "content": turn.answer})
    return found


def flat(conversation: Sequence[dict[str, Any]]) -> str:
    """A conversation as text, a picture as <image>."""
    lines = []
    for message in conversation:
        content = message["content"]
        parts = [content] if isinstance(content, str) else [part.get("text", "<image>") for part in content]
        lines.append(f"{message['role']}: {' '.join(parts)}")
    return "\n".join(lines)


def data_uris(images: Sequence[Picture]) -> list[str]:
    """JPEG data URIs, together at most `MOST_BYTES`: smaller and smaller until they are."""
    side = LONG_SIDE if len(images) <= 2 else LONG_SIDE_OF_MANY
    while True:
        made = [_jpeg(scaled(image, side)) for image in images]
        if sum(map(len, made)) <= MOST_BYTES or side <= 64:
            return [f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" for data in made]
        side //= 2


def _jpeg(image: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def load(settings: Settings) -> Remote:
    """Makes the engine from `base_url`, `remote_model`, `api_key`, `remote_timeout`; it asks in plain words.

    Raises:
        SettingsError: no server is named, or not by a web address.
        EngineError: no server answers, the key is refused, no model is named and none is listed, or all of them are
            captioners.
    """
    return _general(settings, *_surveyed(settings, _access(settings)), "answerer")


def load_answerer(settings: Settings) -> Answerer:
    """The same for answers: asked as `prompts` says.

    Raises:
        SettingsError: see `load`.
        EngineError: see `load`.
    """
    fleet, access = _surveyed(settings, _access(settings))
    plain = _general(settings, fleet, access, "answerer")
    listed = [one for server in fleet.servers for one in server.listed or ()]
    official = wants_official(plain.served_as, listed) if settings.prompts == "auto" else settings.prompts == "official"
    return OfficialAnswerer(plain.fleet, access, plain.served_as, plain.info) if official else plain


def load_captioner(settings: Settings) -> Captioner:
    """The same for captions: servers of ShareCaptioner-Video (`serve-model`) where there are any, otherwise all that
    take any role.

    Raises:
        SettingsError: see `load`.
        EngineError: see `load`; also where the captioners run different weights.
    """
    fleet, access = _surveyed(settings, _access(settings))
    if any(server.role == "captioner" for server in fleet.servers):
        return ServedCaptioner(fleet.only("captioner"), access)
    return _general(settings, fleet, access, "captioner")


def load_for_visitor(settings: Settings, base_url: str, model: str) -> Remote:
    """Makes the engine for a server that a visitor names: only where the operator allows it, only public addresses,
    and without the operator's key.

    Raises:
        SettingsError: not allowed, or no web address.
        EngineError: the address lies inside, or see `load`.
    """
    if not settings.visitor_urls:
        raise SettingsError("Visitors may not name a server here; the operator can allow it with SGV_VISITOR_URLS=1.")
    asked = replace(settings, base_url=base_url, remote_model=model, api_key="")
    access = Access("", settings.remote_timeout, settings.remote_step_seconds, outside_only=True)
    return _general(asked, *_surveyed(asked, access), "answerer")


def _access(settings: Settings) -> Access:
    return Access(checked_key(settings.api_key), settings.remote_timeout, settings.remote_step_seconds)


def _surveyed(settings: Settings, access: Access) -> tuple[Fleet, Access]:
    fleet = Fleet(settings.base_url)
    survey(fleet, access, settings.hub_timeout, needed=not settings.remote_model)
    return fleet, access


def _general(settings: Settings, fleet: Fleet, access: Access, role: Role) -> Remote:
    fleet = fleet.only(role if any(server.role == role for server in fleet.servers) else "")
    if not fleet.servers:
        if role == "answerer":
            raise EngineError("The servers named only write captions; add one that answers questions to --base-url.")
        raise EngineError("The servers named only answer questions; add one that writes captions to --base-url.")
    model = settings.remote_model or next((m.name for server in fleet.servers for m in server.listed or ()), "")
    if not model:
        raise EngineError("The server lists no model; name the one that it runs with --model.")
    return Remote(fleet, access, model)
