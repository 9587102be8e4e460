"""The two native models as a server shows them: a name, facts for `/v1/models`, and an answer to what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, get_args

import torch

from sgv_demo.engines import Answerer, Scene
from sgv_demo.engines.compose import GRID_LONG_SIDE, column, pair
from sgv_demo.engines.local.scheduler import Scheduler
from sgv_demo.engines.prompts import ANSWERER_SYSTEM, Wording
from sgv_demo.engines.sharecaptioner.engine import ShareCaptioner
from sgv_demo.engines.sharecaptioner.questions import BUDGETS, Question, Step
from sgv_demo.engines.sharegpt4video.engine import ShareGPT4Video
from sgv_demo.serving.asked import Asked, Said
from sgv_demo.serving.errors import RefusalError
from sgv_demo.types import Frame, Generation, Turn, VideoInfo

ABOUT = "sgv_demo"
"""The field of `/v1/models` in which a server of this project says what it runs."""


class Model(Protocol):
    """One served model."""

    name: str
    scheduler: Scheduler
    device: torch.device

    def about(self) -> dict[str, Any]:
        """What a client of this project needs to know."""
        ...

    def answer(self, asked: Asked) -> Generation:
        """
        Raises:
            RefusalError: the messages don't make a question for this model.
        """
        ...

    def count(self, text: str) -> int | None:
        """Tokens of a text; None where nobody needs to know."""
        ...


class CaptionerModel:
    """ShareCaptioner-Video. Without a `step` one message is asked as it is, several pictures made into the one that the
    model knows: two into a pair, more into a column."""

    def __init__(self, engine: ShareCaptioner) -> None:
        self.name, self.scheduler, self._engine = engine.info.model, engine.scheduler, engine
        self.device = engine.device

    def about(self) -> dict[str, Any]:
        """What it is, and the steps that it was trained for."""
        steps = list(get_args(Step))
        return _about(self._engine, "captioner") | {"steps": steps, "context_tokens": self._engine.context_tokens}

    def answer(self, asked: Asked) -> Generation:
        """See `Model`."""
        if len(asked.messages) != 1 or asked.messages[0].role != "user" or asked.begun:
            raise RefusalError(400, "The captioner reads one message of the user and no other.", param="messages")
        said = asked.messages[0]
        if not said.text.strip():
            raise RefusalError(400, "The message has no text; write what is wanted.", param="messages")
        return self._engine.ask(_stepped(said, asked.step) if asked.step else _free(said), asked.options)

    def count(self, text: str) -> int | None:
        """See `Model`."""
        return self._engine.count_tokens(text)


def _stepped(said: Said, step: Step) -> Question:
    """A question that a client made as the engine makes it."""
    wanted = 1 if BUDGETS[step] else 0
    if len(said.pictures) != wanted:
        raise RefusalError(400, f"The step {step} takes {wanted or 'no'} picture; send that.", param="messages")
    return Question(step, said.text, next(iter(said.pictures), None), typed=step == "recaption")


def _free(said: Said) -> Question:
    """A question of any client; no word of it is a control token."""
    match said.pictures:
        case ():
            return Question("recaption", said.text, typed=True)
        case (picture,):
            return Question("describe", said.text, picture, typed=True)
        case (before, after):
            return Question("difference", said.text, pair(before, after), typed=True)
    return Question("overview", said.text, column(said.pictures), typed=True)


class AnswererModel:
    """ShareGPT4Video-8B. One picture is taken for the grid that it is, several become one; the text is the client's,
    the published preface included."""

    def __init__(self, engine: ShareGPT4Video) -> None:
        self.name, self.scheduler, self._engine = engine.info.model, engine.scheduler, engine
        self.device = engine.device

    def about(self) -> dict[str, Any]:
        """What it is."""
        return _about(self._engine, "answerer")

    def answer(self, asked: Asked) -> Generation:
        """See `Model`."""
        system, turns, question, begun = _conversation(asked)
        pictures = turns[0].pictures if turns else question.pictures
        if sum(bool(said.pictures) for said in asked.messages) > bool(pictures):
            raise RefusalError(400, "Pictures stand in the first message of the user alone.", param="messages")
        frames = tuple(Frame(0.0, picture) for picture in pictures)
        size = (pictures[0].shape[1], pictures[0].shape[0]) if pictures else (0, 0)
        whole = None if len(pictures) == 1 else GRID_LONG_SIDE
        scene = Scene(
            VideoInfo(Path(), 0, 0, size, ""),
            frames,
            wording=Wording(system=system or ANSWERER_SYSTEM, preface="", begun=begun, longest_side=whole),
        )
        history = [Turn(said.text, answer.text) for said, answer in zip(turns[::2], turns[1::2], strict=True)]
        return self._engine.answer(scene, question.text, history, asked.options)

    def count(self, text: str) -> int | None:
        """See `Model`."""
        return None


def _conversation(asked: Asked) -> tuple[str, Sequence[Said], Said, str]:
    """(system text, earlier turns by twos, question, beginning of the answer)."""
    messages = list(asked.messages)
    system = messages.pop(0).text if messages[0].role in ("system", "developer") else ""
    begun = messages.pop().text if asked.begun and messages and messages[-1].role == "assistant" else ""
    roles = [said.role for said in messages]
    if len(roles) % 2 == 0 or any(role != ("user", "assistant")[i % 2] for i, role in enumerate(roles)):
        raise RefusalError(
            400, "After the system text, user and assistant take turns, the user last.", param="messages"
        )
    return system, messages[:-1], messages[-1], begun


def _about(engine: ShareCaptioner | Answerer, role: str) -> dict[str, Any]:
    return {"role": role, "engine": asdict(engine.info)}
