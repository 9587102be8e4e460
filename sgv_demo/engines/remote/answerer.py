"""ShareGPT4Video-8B on other people's servers (vLLM with our `export`), asked as it was trained: the published grid
picture, system text and preface, the picture in the first turn alone.

The picture is sent without loss, so an answer is the one that the engine on this machine gives.
"""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from sgv_demo.engines import Scene
from sgv_demo.engines.compose import shown_grid
from sgv_demo.engines.prompts import Wording, answerer_prompt
from sgv_demo.engines.remote.answers import Listed
from sgv_demo.engines.remote.servers import Access, Ending, Fleet, Request, call
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import EngineInfo, Generation, Picture, Trace, Turn

OFFICIAL_NAME = "sharegpt4video-8b-sgv-official"
"""Under this name a server tells that its model wants the published prompts; `export` recommends it."""


def wants_official(model: str, listed: Sequence[Listed]) -> bool:
    """The rule of `--prompts auto`: the model is called `OFFICIAL_NAME`, whatever folder stands before it, or a
    `serve-model` of this project says that it is an answerer of its own."""
    return model.rstrip("/").rpartition("/")[2].lower() == OFFICIAL_NAME or any(
        one.name == model and one.role == "answerer" for one in listed
    )


class OfficialAnswerer:
    """An `Answerer` over one or several servers of ShareGPT4Video-8B."""

    default_frames = 16

    def __init__(self, fleet: Fleet, access: Access, model: str, info: EngineInfo) -> None:
        """`info`: of the same servers with plain prompts; this one says that they aren't."""
        # Some servers refuse a request with a field that they don't know.
        ours = any(one.role == "answerer" for server in fleet.servers for one in server.listed or ())
        self._more = {"return_token_ids": True, "stream_options": {"include_usage": True}} if ours else {}
        self._fleet, self._access, self._model = fleet, access, model
        fingerprint = hashlib.sha256(f"official\n{info.fingerprint}".encode()).hexdigest()[:12]
        self.info = replace(info, label=f"{info.label}, published prompts", fingerprint=fingerprint)

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        """Answers `question` about the scene's frames.

        Raises:
            EngineError: no question, or a server that failed.
        """
        if not question.strip():
            raise EngineError("The question is empty; type one.")
        started = time.perf_counter()
        wording = scene.wording or Wording()
        picture = shown_grid([frame.image for frame in scene.frames], wording.longest_side) if scene.frames else None
        turns = [Turn(turn.question, turn.answer.strip()) for turn in history]
        sent = messages(question, turns, picture, wording)
        request = Request(self._model, sent, options.max_new_tokens, options.temperature, options.top_p, self._more)
        ending: Ending = yield from call(self._fleet, self._access, request)
        notes = list(ending.notes)
        if options.beams > 1:
            notes.append("Answers are decoded with one beam, so that they stream.")
        yield Trace(
            prompt="".join(piece.text for piece in answerer_prompt(question, turns, picture is not None, wording)),
            token_ids=ending.token_ids,
            prompt_tokens=ending.prompt_tokens,
            seconds=time.perf_counter() - started,
            finish=ending.finish,
            picture=picture,
            note=" ".join(notes),
            text=ending.text.strip(),
        )


def messages(question: str, history: Sequence[Turn], picture: Picture | None, wording: Wording) -> list[dict[str, Any]]:
    """The published conversation in the form of chat completions."""
    found: list[dict[str, Any]] = [{"role": "system", "content": wording.system}]
    for i, turn in enumerate((*history, Turn(question, ""))):
        content: Any = turn.question
        if i == 0 and picture is not None:
            text = {"type": "text", "text": wording.preface + turn.question}
            content = [{"type": "image_url", "image_url": {"url": png_uri(picture)}}, text]
        found.append({"role": "user", "content": content})
        if i < len(history):
            found.append({"role": "assistant", "content": turn.answer})
    if wording.begun:
        found.append({"role": "assistant", "content": wording.begun})
    return found


def png_uri(picture: Picture) -> str:
    """A picture without loss, as a data address."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
