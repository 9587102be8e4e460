"""transformers' `generate` with ids that are handed out as they come, and an end that can be asked for."""

from __future__ import annotations

import threading
from typing import Any

import torch
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from sgv_demo.engines.local.streaming import Put


class _Stop(StoppingCriteria):
    """Ends `generate` after the token at which the event was set."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """(batch, tokens) → (batch,) bool, all equal."""
        return torch.full((input_ids.shape[0],), self._event.is_set(), device=input_ids.device, dtype=torch.bool)


class _Streamer(BaseStreamer):
    """Hands over ids, and leaves out the prompt, which `generate` puts first."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_seen:
            self._put(value.flatten().tolist())
        self._prompt_seen = True

    def end(self) -> None:
        """Nothing: the end of the thread is the end of the stream."""


def generate(model: Any, prompt: torch.Tensor, put: Put, stop: threading.Event, **options: Any) -> None:
    """Generates after `prompt`, (1, tokens) int64; `options` are `generate`'s. Beams are handed out at the end."""
    streamer = None if options["num_beams"] > 1 else _Streamer(put)  # transformers refuses one with beams
    with torch.inference_mode():
        made = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            streamer=streamer,
            stopping_criteria=StoppingCriteriaList([_Stop(stop)]),
            **options,
        )
    if streamer is None:
        put(made[0, prompt.shape[1] :].tolist())
