"""Counters of a server, and their text for Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence

import psutil

from sgv_demo.engines.local.loading import free_memory
from sgv_demo.serving.models import Model

TYPE = "text/plain; version=0.0.4; charset=utf-8"
SPAN = 10.0
"""Seconds over which tokens a second are counted."""

_Row = tuple[str, float]
"""(labels in braces or nothing, value)."""


class Metrics:
    """What happened since the start."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = models
        self.held = 0
        """Requests that are being read, waited for or answered."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """(model, how) of answers that ended: stop, length, error or gone."""
        self.refused: Counter[int] = Counter()
        """HTTP statuses of requests that got no answer."""
        self.prompt_tokens: Counter[str] = Counter()
        """Positions that were read, by model."""
        self._past: deque[tuple[float, int]] = deque()

    def sample(self) -> None:
        """Notes how much was written so far; called every second or so."""
        now = time.monotonic()
        self._past.append((now, sum(model.scheduler.written for model in self._models)))
        while self._past[0][0] < now - SPAN:
            self._past.popleft()

    @property
    def tokens_per_second(self) -> float:
        """New tokens of all texts, over the last seconds."""
        if len(self._past) < 2:
            return 0.0
        (start, before), (end, after) = self._past[0], self._past[-1]
        return (after - before) / max(end - start, 1e-3)

    def text(self) -> str:
        """All of it."""
        return "".join(
            f"# HELP {name} {about}\n# TYPE {name} {kind}\n"
            + "".join(f"{name}{labels} {value:g}\n" for labels, value in rows)
            for name, kind, about, rows in self._families()
        )

    def _families(self) -> Iterator[tuple[str, str, str, list[_Row]]]:
        loads = [(_labels(model=model.name), model.scheduler.load) for model in self._models]
        yield "sgv_requests_held", "gauge", "Requests being read, waiting or answered.", [("", self.held)]
        yield "sgv_batch_texts", "gauge", "Texts written side by side.", [(name, load[0]) for name, load in loads]
        yield "sgv_queue_texts", "gauge", "Texts waiting for a place.", [(name, load[1]) for name, load in loads]
        yield "sgv_tokens_per_second", "gauge", f"New tokens over {SPAN:g} s.", [("", self.tokens_per_second)]
        written = [(_labels(model=model.name), float(model.scheduler.written)) for model in self._models]
        yield "sgv_new_tokens_total", "counter", "New tokens, beams and stopped texts included.", written
        read = [(_labels(model=name), float(count)) for name, count in sorted(self.prompt_tokens.items())]
        yield "sgv_prompt_tokens_total", "counter", "Positions of prompts that were answered.", read
        ended = [(_labels(model=model, how=how), float(count)) for (model, how), count in sorted(self.ended.items())]
        yield "sgv_answers_total", "counter", "Answers by how they ended.", ended
        refused = [(_labels(status=str(status)), float(count)) for status, count in sorted(self.refused.items())]
        yield "sgv_refusals_total", "counter", "Requests without an answer, by status.", refused
        resident = float(psutil.Process().memory_info().rss)
        yield "process_resident_memory_bytes", "gauge", "Main memory of this process.", [("", resident)]
        free = {str(model.device): free_memory(model.device) for model in self._models}
        rows = [(_labels(device=device), float(count)) for device, count in free.items() if count is not None]
        yield "sgv_free_memory_bytes", "gauge", "Memory that a model's device has left.", rows


def _labels(**values: str) -> str:
    """Labels with their values escaped."""
    quoted = (v.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for v in values.values())
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(values, quoted, strict=True)) + "}"
