"""Fits a conversation about one picture into the model's context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sgv_demo.engines.prompts import Wording, answerer_prompt
from sgv_demo.engines.sharegpt4video.tokens import PICTURE, PromptTokenizer
from sgv_demo.errors import EngineError
from sgv_demo.types import Turn


@dataclass(frozen=True, slots=True)
class Window:
    """How much the model can hold."""

    prompt: int
    """Positions that a prompt may take."""
    total: int
    """Positions of prompt and answer together."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation ready to be read."""

    text: str
    ids: tuple[int, ...]
    """One id for each position, `PICTURE` repeated for all of the picture's."""
    new_tokens: int
    """How long the answer may become."""
    notes: tuple[str, ...] = ()


def fit_prompt(
    tokenizer: PromptTokenizer,
    question: str,
    history: Sequence[Turn],
    *,
    picture: int,
    window: Window,
    new_tokens: int,
    wording: Wording | None = None,
) -> Prompt:
    """The longest conversation that leaves room for an answer.

    When it doesn't fit, the oldest turns after the first go, then the first (the picture moves to the next question),
    and only then the answer gets shorter.

    Args:
        tokenizer: the checkpoint's.
        question: the new question.
        history: earlier turns, oldest first.
        picture: positions that the picture takes; 0 for none.
        window: what the model can hold.
        new_tokens: how long the answer may become.
        wording: what stands around the first question; None is the page's.

    Raises:
        EngineError: the question alone is too long.
    """
    reserved = min(new_tokens, window.total // 4)
    length = 0
    for kept in _shorter(history):
        pieces = answerer_prompt(question, kept, picture > 0, wording)
        ids = tuple(_spread(tokenizer.ids(pieces), picture))
        length = len(ids)
        if length <= min(window.prompt, window.total - reserved):
            break
    else:
        room = min(window.prompt, window.total - reserved)
        raise EngineError(
            f"The question makes a prompt of {length} tokens and the model holds {room}; shorten the question."
        )
    notes = []
    if len(kept) < len(history):
        notes.append(
            f"{len(history) - len(kept)} of {len(history)} earlier turns were left out:"
            " the conversation is longer than the model's context."
        )
    left = min(new_tokens, window.total - length)
    if left < new_tokens:
        notes.append(f"The answer may take {left} tokens, not {new_tokens}: the model's context ends there.")
    return Prompt("".join(piece.text for piece in pieces), ids, left, tuple(notes))


def with_trusted_ids(history: Sequence[Turn], tokenizer: PromptTokenizer, stop_ids: Sequence[int]) -> list[Turn]:
    """`history` with the ids of those answers that still read as they were generated, and no others.

    An edited answer is tokenised anew. The closing id goes: the prompt's template names it.
    """
    trusted = []
    for turn in history:
        ids = turn.token_ids
        while ids and ids[-1] in stop_ids:
            ids = ids[:-1]
        same = bool(ids) and tokenizer.text(ids) == turn.answer.strip()
        trusted.append(replace(turn, answer=turn.answer.strip(), token_ids=ids if same else ()))
    return trusted


def _shorter(history: Sequence[Turn]) -> Iterator[Sequence[Turn]]:
    yield history
    for start in range(2, len(history) + 1):
        yield (*history[:1], *history[start:])
    if history:
        yield ()


def _spread(ids: Sequence[int], picture: int) -> Iterator[int]:
    for token in ids:
        yield from [PICTURE] * picture if token == PICTURE else (token,)
