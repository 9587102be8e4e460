"""What servers that speak the OpenAI protocol send, in the shapes that they really send it in, read without trust.

Pure: bytes and JSON values in, text and endings out. Shapes of vLLM, SGLang, llama.cpp, LM Studio, Ollama and
hosted ones.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sgv_demo.clean import clean, clean_data

LONGEST_LINE = 1_000_000
"""Bytes of one line of a stream at most; a token with all its log probabilities takes a few thousand."""

Finish = Literal["stop", "length", "filtered"]

_THOUGHT = r"think|thinking|thought|thoughts|reasoning"
_OPEN = re.compile(rf"\s*<({_THOUGHT})>", re.IGNORECASE)
_CLOSE = re.compile(rf"</(?:{_THOUGHT})>", re.IGNORECASE)
_LONGEST_TAG = len("</reasoning>")


@dataclass(frozen=True, slots=True)
class Piece:
    """What one message of a server says."""

    text: str = ""
    thought: bool = False
    """Whether the model thought aloud in a field of its own."""
    refusal: str = ""
    finish: Finish | None = None
    """None: it goes on, or the server doesn't say."""
    done: bool = False
    """The server's own word that nothing more will come."""
    prompt_tokens: int = 0
    new_tokens: int = 0
    complaint: str = ""
    """The server's reason for giving up."""
    code: int = 0
    """The complaint's HTTP status, where it was named."""
    token_ids: tuple[int, ...] = ()
    """Ids of its tokens, where they were asked for."""
    note: str = ""
    """What a `serve-model` of this project says of the step."""


class TooMuchError(Exception):
    """More bytes than any answer has."""


async def inflated(chunks: AsyncIterator[bytes], encoding: str, most: int) -> AsyncIterator[bytes]:
    """The bytes behind a content encoding, never more than `most` of them, whatever a bomb unfolds to.

    Raises:
        TooMuchError: there were more.
        ValueError: an encoding that wasn't asked for, or damaged data.
    """
    if encoding not in ("", "identity", "gzip", "deflate"):
        raise ValueError(f"an unknown encoding ({encoding[:20]})")
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in ("gzip", "deflate") else None
    seen = 0
    async for chunk in chunks:
        while chunk:
            try:
                piece = inflater.decompress(chunk, 65_536) if inflater else chunk
            except zlib.error as error:
                raise ValueError("damaged compressed data") from error
            chunk = inflater.unconsumed_tail if inflater else b""
            seen += len(piece)
            if seen > most:
                raise TooMuchError
            yield piece


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines of a stream, without their ends; the last one also where its end is missing.

    Raises:
        TooMuchError: a line longer than `LONGEST_LINE`.
    """
    rest = b""
    async for chunk in chunks:
        *whole, rest = re.split(rb"\r\n|\n", rest + chunk)
        for line in whole:
            yield line.decode("utf-8", "replace")
        if len(rest) > LONGEST_LINE:
            raise TooMuchError
    if rest:
        yield rest.decode("utf-8", "replace")


def read_line(line: str) -> Piece | None:
    """The piece in a line of a server-sent event stream; None for blank lines, comments and other fields.

    Raises:
        ValueError: its data is no JSON.
    """
    name, _, value = line.partition(":")
    value = value.strip()
    if line.lstrip().startswith(("{", "[")):  # a bare JSON line, as some proxies send their errors
        name, value = "data", line
    if name not in ("data", "error") or not value:
        return None
    if value == "[DONE]":
        return Piece(done=True)
    message = _loads(value)
    return read_message({"error": message} if name == "error" else message)


def read_whole(body: str) -> Piece:
    """The piece in an answer that was not streamed.

    Raises:
        ValueError: it is no JSON.
    """
    piece = read_message(_loads(body))
    return piece if piece.complaint else replace(piece, done=True)


def read_message(message: object) -> Piece:
    """The piece in one JSON value: a chunk of a stream, a whole answer, or an error in any of its shapes.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(message, str):
        return Piece(complaint=clean(message))
    if not isinstance(message, dict):
        raise ValueError("no chat completion")
    problem, code = problem_of(message)
    if problem:
        return Piece(complaint=problem, code=code)
    usage = message.get("usage")
    tokens = [_count(usage, "prompt_tokens", "input_tokens"), _count(usage, "completion_tokens", "output_tokens")]
    choices = message.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else message
    if not isinstance(choice, dict):
        raise ValueError("no chat completion")
    said = next((choice[name] for name in ("delta", "message") if isinstance(choice.get(name), dict)), choice)
    text = text_of(said.get("content")) or text_of(choice.get("text") if said is choice else None)
    thought = any(text_of(said.get(name)) for name in ("reasoning_content", "reasoning", "thinking"))
    finish = choice.get("finish_reason", "absent")
    # Ollama's own protocol ends with `done`.
    return Piece(
        text,
        thought,
        clean(text_of(said.get("refusal"))),
        _finish(finish),
        message.get("done") is True,
        tokens[0],
        tokens[1],
        token_ids=_ids(choice.get("token_ids")),
        note=_note(message.get("sgv_demo", choice.get("sgv_demo"))),
    )


def problem_of(message: dict[str, Any]) -> tuple[str, int]:
    """(reason, status or 0) of an error object; ("", 0) where it is none."""
    error = message.get("error")
    if message.get("object") == "error" or ("detail" in message and "choices" not in message):
        error = error or message
    if not error:
        return "", 0
    if not isinstance(error, dict):
        return clean(text_of(error) or str(error)), 0
    found = next((error[name] for name in ("message", "detail", "error", "type") if error.get(name)), "no reason given")
    code = next((error[name] for name in ("code", "status", "status_code") if isinstance(error.get(name), int)), 0)
    return (clean(found) if isinstance(found, str) else json.dumps(found)[:200]), code


def text_of(content: object) -> str:
    """A content's text: a string, a list of parts, one part, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return text_of(content.get("text"))
    if isinstance(content, list):
        return "".join(
            text_of(part) for part in content if not (isinstance(part, dict) and part.get("type") == "thinking")
        )
    return ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A model in a server's list."""

    name: str
    about: Mapping[str, Any] = field(default_factory=dict)
    """What a `serve-model` of this project tells of it: role, engine, steps, context_tokens; empty for others."""

    @property
    def role(self) -> str:
        """Its only role: "captioner" or "answerer"; empty for a model that takes any."""
        role = self.about.get("role")
        return role if role in ("captioner", "answerer") else ""


def models_of(message: object) -> list[Listed]:
    """A list of models, in OpenAI's, LM Studio's and Ollama's shapes; none where there are none."""
    message = clean_data(message)
    rows = message if isinstance(message, list) else None
    if isinstance(message, dict):
        rows = next((message[name] for name in ("data", "models") if isinstance(message.get(name), list)), None)
    found: list[Listed] = []
    for row in rows or []:
        fields: dict[str, Any] = row if isinstance(row, dict) else {"id": row}
        name = next((fields[key] for key in ("id", "model", "name", "key") if fields.get(key)), "")
        about = fields.get("sgv_demo")
        if isinstance(name, str) and name:
            found.append(Listed(name[:300], about if isinstance(about, dict) else {}))
    return found


class Thoughts:
    """Takes what a model thinks aloud out of its answer, as it streams.

    A text that begins with `<think>` is silent up to the closing tag. Where the template had opened it, only the
    closing tag is there: what came before it was shown as it came, and `text` is what remains.
    """

    def __init__(self) -> None:
        self.text = ""
        """The answer so far."""
        self.withdrawn = False
        """Whether words that were handed out turned out to be thoughts."""
        self.thinking = False
        self._held = ""
        self._begun = False
        self._trims = False

    def feed(self, piece: str) -> str:
        """What of `piece`, and of what was held back, may be shown now."""
        self._held += piece
        if not self._begun and not self._starts():
            return ""
        if self.thinking:
            return self._wait()
        closed = _CLOSE.search(self._held)
        if closed:
            self.withdrawn = self.withdrawn or bool((self.text + self._held[: closed.start()]).strip())
            self.text = ""
            self._answers(closed.end())
            return self.feed("")
        # The tail may be the beginning of a closing tag.
        tail = self._held.rfind("<")
        keep = len(self._held) - tail if tail >= 0 and len(self._held) - tail < _LONGEST_TAG else 0
        return self._hand_out(len(self._held) - keep)

    def end(self) -> str:
        """What was held back, when nothing more comes."""
        return "" if self.thinking else self._hand_out(len(self._held))

    def _answers(self, at: int) -> None:
        """The thoughts end at a place of what is held; the blanks after them are no part of the answer."""
        self._held, self.thinking, self._begun, self._trims = self._held[at:], False, False, True

    def _starts(self) -> bool:
        """Whether it is known how the text begins."""
        if self._trims:
            self._held = self._held.lstrip()
        if opened := _OPEN.match(self._held):
            self.thinking, self._held = True, self._held[opened.end() :]
        elif (head := self._held.lstrip()) == "" or (
            head.startswith("<") and ">" not in head and len(head) < _LONGEST_TAG
        ):
            return False
        self._begun = True
        return True

    def _wait(self) -> str:
        closed = _CLOSE.search(self._held)
        if closed is None:
            self._held = self._held[-_LONGEST_TAG:]
            return ""
        self._answers(closed.end())
        return self.feed("")

    def _hand_out(self, count: int) -> str:
        shown, self._held = self._held[:count], self._held[count:]
        self.text += shown
        return shown


def _finish(reason: object) -> Finish | None:
    if reason is None or reason == "absent":
        return None
    word = str(reason).casefold()
    if word in ("length", "max_tokens", "max_output_tokens", "token_limit"):
        return "length"
    if word in ("content_filter", "safety", "refusal", "blocked", "prohibited_content", "recitation"):
        return "filtered"
    return "stop"


def _count(usage: object, *names: str) -> int:
    values = [usage.get(name) for name in names] if isinstance(usage, dict) else []
    return next((int(v) for v in values if isinstance(v, (int, float)) and 0 <= v < 1e9), 0)


def _ids(value: object) -> tuple[int, ...]:
    usable = isinstance(value, list) and all(isinstance(i, int) for i in value)
    return tuple(value) if usable and isinstance(value, list) else ()


def _note(value: object) -> str:
    return clean(text_of(value.get("note")))[:1000] if isinstance(value, dict) else ""


def _loads(text: str) -> object:
    try:
        return json.loads(clean(text))
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
