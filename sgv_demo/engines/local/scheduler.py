"""Continuous batching: the texts of one loaded network run side by side, in one thread.

A text joins at the next pass and leaves at its end. A pass takes every text that is being written one token further and
one prompt one chunk further, so that nobody waits for longer than one chunk; pictures are seen between two passes. Each
text has its own cache and its own attention, so in float32 its ids are those that it gets alone. Quantized linears
round a batch of rows a little differently than one row, so there two equally likely tokens may change places.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import torch

from sgv_demo.engines.entry import SIDE_BY_SIDE
from sgv_demo.engines.local.decoding import Network, Text, advance
from sgv_demo.engines.local.streaming import TICK

MOST = SIDE_BY_SIDE
"""Texts at most that run side by side; more wait."""


@dataclass(slots=True, eq=False)
class Job:
    """One text to be written."""

    begin: Callable[[], Text]
    """Sees the picture and makes the prompt; called in the scheduler's thread when its turn comes."""
    nbytes: int = 0
    """Memory that its keys and values take at most."""
    text: Text | None = field(default=None, init=False)
    said: SimpleQueue[list[int] | BaseException | None] = field(default_factory=SimpleQueue, init=False)
    """New ids; an error; None at the end."""
    stop: threading.Event = field(default_factory=threading.Event, init=False)
    ended: threading.Event = field(default_factory=threading.Event, init=False)

    @property
    def owed(self) -> int:
        """Memory that it may still take."""
        return max(self.nbytes - (self.text.cache.nbytes if self.text else 0), 0)


class Scheduler:
    """The one thread that uses a network; it lives while there is something to do."""

    def __init__(self, network: Network, free: Callable[[], int | None]) -> None:
        """
        Args:
            network: whose texts are written.
            free: bytes that can still be taken on its device; None where nobody knows.
        """
        self.network: Network | None = network
        """Whose texts are written; None once it was unloaded."""
        self._free = free
        self._turn = threading.Condition(threading.RLock())
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self.written = 0
        """New tokens of all texts since it was made."""

    def run(self, job: Job) -> Generator[list[int], None, None]:
        """Yields a text's ids as they become certain, and an empty list while nothing is new.

        Closing it stops the text within a token and frees its place.

        Raises:
            whatever `begin` or the network raised for this text.
        """
        with self._turn:
            while self._closed:
                self._turn.wait()
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="generate", daemon=True)
                self._thread.start()
        try:
            while True:
                try:
                    piece = job.said.get(timeout=TICK)
                except Empty:
                    piece = []
                if piece is None:
                    return
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            job.stop.set()
            job.ended.wait()

    @property
    def load(self) -> tuple[int, int]:
        """How many texts (run side by side, wait for a place)."""
        with self._turn:
            return len(self._running), len(self._waiting)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until nothing runs and keeps new texts waiting meanwhile: to move or drop the weights."""
        with self._turn:
            while self._closed:
                self._turn.wait()
            self._closed = True
            while self._thread is not None:
                self._turn.wait()
        try:
            yield
        finally:
            with self._turn:
                self._closed = False
                self._turn.notify_all()

    @torch.inference_mode()
    def _work(self) -> None:
        while self._admitted():
            for job in self._pass():
                self._step([job])
        with self._turn:
            self._turn.notify_all()

    def _admitted(self) -> bool:
        """Ends what was stopped, begins what there is room for; False, and no thread any more, when nothing is left."""
        while True:
            with self._turn:
                for job in [job for job in (*self._running, *self._waiting) if job.stop.is_set()]:
                    self._end(job)
                if not self._running and not self._waiting:
                    self._thread = None
                    return False
                job = next((job for job in self._waiting[:1] if self._room(job)), None)
                if job is None:
                    return True
                self._waiting.remove(job)
                self._running.append(job)
            try:
                job.text = job.begin()
            except Exception as error:  # noqa: BLE001 - raised again where the text is read
                self._end(job, error)
            else:
                return True

    def _room(self, job: Job) -> bool:
        if not self._running:
            return True
        free = self._free()
        owed = sum(one.owed for one in self._running)
        return len(self._running) < MOST and (free is None or job.nbytes + owed <= free)

    def _pass(self) -> Sequence[Job]:
        """One pass of all; returns those that have to be tried alone, the newest first, because it failed."""
        reading = [job for job in self._running if job.text and job.text.reading]
        jobs = [job for job in self._running if job not in reading[1:]]
        if len(jobs) == 1:
            return jobs
        return () if self._step(jobs) else jobs[::-1]

    def _step(self, jobs: Sequence[Job]) -> bool:
        """Takes texts one pass further; who fails alone has failed. False: several failed, and nothing has changed."""
        texts = [job.text for job in jobs if job.text]
        before = [(text.cache.length, text.read) for text in texts]
        try:
            assert self.network is not None
            logits = advance(self.network, texts)
        except Exception as error:  # noqa: BLE001 - raised again where the text is read
            if len(jobs) == 1:
                self._end(jobs[0], error)
                return True
            for text, (length, read) in zip(texts, before, strict=True):
                text.cache.rewind(length)
                text.read = read
            return False
        for job, text, own in zip(jobs, texts, logits, strict=True):
            if len(own):
                self.written += text.chooser.rows
                job.said.put(text.take(own))
            if text.done:
                self._end(job)
        return True

    def _end(self, job: Job, error: Exception | None = None) -> None:
        with self._turn:
            for jobs in (self._running, self._waiting):
                if job in jobs:
                    jobs.remove(job)
        job.text = None
        job.said.put(error)
        job.ended.set()
