"""What a client asks, read without trust: JSON of a chat completion, its pictures as data URLs alone."""

from __future__ import annotations

import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sgv_demo.clean import clean
from sgv_demo.engines.sharecaptioner.questions import Step
from sgv_demo.errors import SettingsError
from sgv_demo.fields import check
from sgv_demo.options import GenerationOptions
from sgv_demo.serving.errors import RefusalError
from sgv_demo.settings import Settings
from sgv_demo.types import Picture

_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,", re.IGNORECASE)
_FORMATS = ("PNG", "JPEG", "WEBP")
MOST_MESSAGES = 1000

B = TypeVar("B", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Url(_Strict):
    url: str


class _Text(_Strict):
    type: Literal["text"]
    text: str


class _Image(_Strict):
    type: Literal["image_url"]
    image_url: _Url


class _Message(_Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Annotated[_Text | _Image, Field(discriminator="type")]]


class _StreamOptions(_Strict):
    include_usage: bool | None = None


class _Completion(_Strict):
    model: str
    messages: Annotated[list[_Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    seed: int | None = None
    continue_final_message: bool | None = None
    """As vLLM has it: the last message is an answer's beginning."""
    return_token_ids: bool | None = None
    """As vLLM has it: the new tokens' ids come beside their text."""
    step: Step | None = None
    """Ours: which role of the captioner is asked, its text and picture made as that role wants them."""
    beams: int | None = None
    """Ours."""

    n: Any = None
    stop: Any = None
    logprobs: Any = None
    tools: Any = None
    functions: Any = None
    response_format: Any = None
    frequency_penalty: Any = None
    presence_penalty: Any = None
    logit_bias: Any = None


_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "stop": ([], ""),
    "logprobs": (False,),
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
}
"""Fields that would change an answer in a way that isn't here, with the values that don't."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message."""

    role: str
    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    model: str
    messages: tuple[Said, ...]
    options: GenerationOptions
    stream: bool = False
    include_usage: bool = False
    token_ids: bool = False
    """Whether the new tokens' ids are wanted."""
    step: Step | None = None
    begun: bool = False
    """Whether the last message is the beginning of the answer."""


class Counted(_Strict):
    """A question for the number of tokens of a text, as vLLM's `/tokenize` takes it."""

    model: str
    prompt: str


def parse(kind: type[B], body: bytes) -> B:
    """
    Raises:
        RefusalError: no JSON, or not of this form.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        where = f" in {clean(place)[:200]!r}" if place else ""
        raise RefusalError(
            400,
            f"The request can't be read{where} ({clean(first['msg'])[:200]}); send a chat completion.",
            param=clean(place)[:200] or None,
        ) from error


def read(body: bytes, settings: Settings) -> Asked:
    """A request from its body.

    Raises:
        RefusalError: it isn't one, asks for what isn't here, or is over a limit.
    """
    found = parse(_Completion, body)
    for name, neutral in _NEUTRAL.items():
        value = getattr(found, name)
        if value is not None and value not in neutral:
            raise RefusalError(400, f"{name} is not supported here; leave it out.", param=name, code="unsupported")
    options = _options(found, settings)
    pixels = _Pictures(settings)
    return Asked(
        model=found.model,
        messages=tuple(_said(message, pixels) for message in found.messages),
        options=options,
        stream=bool(found.stream),
        include_usage=bool(found.stream_options and found.stream_options.include_usage),
        token_ids=bool(found.return_token_ids),
        step=found.step,
        begun=bool(found.continue_final_message),
    )


def _options(found: _Completion, settings: Settings) -> GenerationOptions:
    plain = GenerationOptions()
    wanted = found.max_completion_tokens or found.max_tokens
    most = min(wanted or plain.max_new_tokens, settings.served_tokens)
    if wanted is not None and wanted > settings.served_tokens:
        raise RefusalError(
            400,
            f"{wanted:,} new tokens are too many; ask for {settings.served_tokens:,} at most (SGV_SERVED_TOKENS).",
            param="max_tokens",
        )
    if found.seed is not None and found.temperature:
        raise RefusalError(400, "A seed has no use here with a temperature; leave it out.", param="seed")
    options = GenerationOptions(
        beams=plain.beams if found.beams is None else found.beams,
        max_new_tokens=most,
        temperature=plain.temperature if found.temperature is None else found.temperature,
        top_p=plain.top_p if found.top_p is None else found.top_p,
    )
    try:
        check(options, settings)
    except SettingsError as error:
        raise RefusalError(400, str(error)) from error
    return options


def _said(message: _Message, pixels: _Pictures) -> Said:
    if isinstance(message.content, str):
        return Said(message.role, clean(message.content))
    texts = [clean(part.text) for part in message.content if isinstance(part, _Text)]
    urls = [part.image_url.url for part in message.content if isinstance(part, _Image)]
    if urls and message.role != "user":
        raise RefusalError(400, "Pictures stand in messages of the user alone; move them there.", param="messages")
    return Said(message.role, "".join(texts), tuple(pixels.take(url) for url in urls))


class _Pictures:
    """Reads the pictures of one request within its limits."""

    def __init__(self, settings: Settings) -> None:
        self._left, self._most = settings.served_pictures, settings.served_pictures
        self._pixels = self._megapixels = settings.served_megapixels * 1_000_000

    def take(self, url: str) -> Picture:
        """(h, w, 3) of a data URL.

        Raises:
            RefusalError: an address, no picture, or one too many or too large.
        """
        self._left -= 1
        if self._left < 0:
            raise RefusalError(400, f"At most {self._most} pictures are read; send fewer.", param="messages")
        found = _URL.match(url)
        if found is None:
            raise RefusalError(
                400,
                "A picture must be a data URL of a PNG, JPEG or WebP in base64; nothing is fetched from an address.",
                param="messages",
            )
        try:
            data = base64.b64decode(url[found.end() :], validate=True)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                self._pixels -= image.width * image.height
                if self._pixels < 0:
                    raise RefusalError(
                        400,
                        f"The pictures have more than {self._megapixels // 1_000_000} megapixels together; "
                        "send smaller ones.",
                        param="messages",
                    )
                return np.asarray(image.convert("RGB"))
        except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise RefusalError(400, "A picture is damaged or none at all; send another one.", param="messages") from (
                error
            )
