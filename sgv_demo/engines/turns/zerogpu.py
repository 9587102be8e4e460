"""ZeroGPU: a run's steps in slots of the GPU that fit a visitor's quota.

Reading, choosing keyframes and measuring stay outside; only the steps of a model run inside. A slot is one call of a
function decorated with `spaces.GPU`: a forked worker that takes steps from a socket, one after the other, and yields
their pieces, until its time is nearly over or the run ends. The pipeline and the store are outside and see an ordinary
engine, so that what is done is kept whatever happens to a slot, and a run that the quota stopped goes on later.

`spaces` must be imported before anything starts CUDA, and `install` called before the page is launched.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Listener
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.engines.turns.relay import RelayAnswerer, RelayCaptioner
from sgv_demo.errors import EngineError, OutOfMemoryError, SgvError
from sgv_demo.settings import Settings
from sgv_demo.types import Generation, Trace

log = logging.getLogger(__name__)

STARTUP = 10.0
"""Seconds of a slot that pass before the first step: the fork, the weights' way to the GPU."""
FIRST_GUESS = 12.0
"""Seconds of a step before any was measured."""
CAUTION = 1.3
"""Times the measured seconds that a step is given."""
LONGEST = 240.0
"""Seconds of a slot at most, for a single step that is slower than `slot_seconds`."""
COST = 1.5
"""Seconds of quota that a second of a slot costs on the current hardware (spaces 0.51)."""
UNFORESEEN = "The engine failed on the GPU for an unforeseen reason (logged); retry this step."


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has the GPU. Memory is looked at in here, as the figures outside are made up."""

    gpu: str = ""
    free: int = 0
    """Bytes."""


@dataclass(frozen=True, slots=True)
class StepTrouble:
    """A step failed; an exception itself would reach visitors as its class's name."""

    message: str
    out_of_memory: bool = False


Message: TypeAlias = str | Trace | Ready | StepTrouble
"""What a worker yields: plain data, never a tensor."""
Task: TypeAlias = Callable[[str, str, float], Iterator[Message]]
"""(socket address, engine's key, seconds) → messages."""

_ENGINES: dict[str, Any] = {}
"""Engines that workers inherit when they are forked."""


def _serve(address: str, key: str, seconds: float) -> Iterator[Message]:
    """One slot, in the worker: runs steps until the other side hangs up or the time is over."""
    until = time.monotonic() + seconds
    # What comes here was pickled by our own parent; the socket lies in a folder that nobody else may enter.
    with Client(address, family="AF_UNIX") as connection:
        yield _ready()
        while connection.poll(max(until - time.monotonic(), 0)):
            try:
                role, arguments = connection.recv()
            except EOFError:
                return
            yield from _step(_ENGINES[key], role, arguments)


def _step(engine: Any, role: str, arguments: Sequence[Any]) -> Iterator[Message]:
    """Pieces of one step, then its trace or its trouble."""
    generation: Generation = getattr(engine, role)(*arguments)
    try:
        yield from generation
    except SgvError as error:
        yield StepTrouble(str(error), isinstance(error, OutOfMemoryError))
    except Exception:
        # The boundary of the worker: beyond it an exception is only a class name.
        log.exception("Unexpected error in %s", role)
        yield StepTrouble(UNFORESEEN)
    finally:
        generation.close()


def _ready() -> Ready:
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return Ready()
    return Ready(torch.cuda.get_device_name(0), torch.cuda.mem_get_info(0)[0])


_task: Task = _serve


def install(engines: Mapping[str, Captioner | Answerer]) -> None:
    """Hands the loaded engines to future workers and announces the slot function. Once, before the page is launched.

    Outside ZeroGPU the decorator does nothing.
    """
    import spaces

    global _task
    _ENGINES.clear()
    _ENGINES.update(engines)
    _task = spaces.GPU(duration=slot_duration)(_serve)


def slot_duration(address: str, key: str, seconds: float) -> int:
    """The whole seconds that a slot is asked for; takes the arguments of `_serve`, as `spaces` wants it."""
    return math.ceil(seconds)


class StepSeconds:
    """Measured seconds per step, by engine and role, over all visitors."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def note(self, key: str, role: str, seconds: float) -> None:
        """Takes a finished step into account; newer ones count more."""
        with self._lock:
            old = self._seconds.get((key, role), seconds)
            self._seconds[key, role] = 0.6 * old + 0.4 * seconds

    def of(self, key: str, role: str) -> float:
        """Seconds to give a step, with caution."""
        return CAUTION * self._seconds.get((key, role), FIRST_GUESS / CAUTION)


STEP_SECONDS = StepSeconds()


def slot_seconds(steps: int, each: float, longest: float) -> float:
    """Seconds to ask for: all steps that are left where they fit `longest`, otherwise as many as do, at least one."""
    whole = max(int((longest - STARTUP) // each), 1)
    return min(STARTUP + max(min(steps, whole), 1) * each, LONGEST)


class _Lost(Exception):  # noqa: N818 - no error of its own: it says that another slot is needed
    """The slot ended before the step did."""


class _Lease:
    """One slot, seen from outside."""

    def __init__(self, key: str, seconds: float) -> None:
        self._folder = TemporaryDirectory(prefix="slot-")
        address = str(Path(self._folder.name) / "s")
        self._listener = Listener(address, family="AF_UNIX")
        self._messages = _task(address, key, seconds)
        self._connection: Any = None
        try:
            first = next(self._messages)  # waits for a GPU
            assert isinstance(first, Ready)
            self.ready = first
            self._connection = self._listener.accept()
        except BaseException:
            self.close()
            raise
        self._ends = time.monotonic() + seconds - STARTUP

    def room(self, seconds: float) -> bool:
        """Whether a step of that length still fits."""
        return time.monotonic() + seconds <= self._ends

    def run(self, role: str, arguments: Sequence[Any]) -> Generation:
        """Runs one step.

        Raises:
            EngineError: the step failed.
            _Lost: the slot ended.
        """
        assert self._connection is not None
        try:
            self._connection.send((role, arguments))
        except OSError as error:
            raise _Lost from error
        for message in self._messages:
            if isinstance(message, StepTrouble):
                raise (OutOfMemoryError if message.out_of_memory else EngineError)(message.message)
            if isinstance(message, (str, Trace)):
                yield message
            if isinstance(message, Trace):
                return
        raise _Lost

    def close(self) -> None:
        """Ends the slot, so that the rest of its time costs nothing."""
        if self._connection is not None:
            self._connection.close()  # first: the worker may be waiting for a step, and the next line for the worker
        close = getattr(self._messages, "close", None)
        if close is not None:
            close()
        self._listener.close()
        self._folder.cleanup()


@dataclass
class Slots:
    """One visitor's run: its slots, one after the other."""

    key: str
    settings: Settings
    steps: int
    """Steps to do at most, as far as is known."""
    done: int = 0
    _lease: _Lease | None = field(default=None, repr=False)

    def step(self, role: str, arguments: Sequence[Any]) -> Generation:
        """Runs one step, in the slot that is open or in a new one.

        Raises:
            EngineError: the step failed, the slot ended in the middle of it, or the quota is used up.
        """
        each = STEP_SECONDS.of(self.key, role)
        if self._lease is not None and not self._lease.room(each):
            self.close()
        for last in (False, True):
            lease = self._lease = self._lease or self._open(each)
            began, started = False, time.monotonic()
            try:
                for piece in lease.run(role, arguments):
                    began = began or bool(piece)
                    if isinstance(piece, Trace):
                        STEP_SECONDS.note(self.key, role, time.monotonic() - started)
                        self.done += 1
                    yield piece
                return
            except GeneratorExit:
                self.close()
                raise
            except (_Lost, _gradio_error()) as error:
                self.close()
                if began or last:
                    raise EngineError(f"The GPU slot ended in the middle of this step; {self._rest()}") from error
                each = min(2 * each, LONGEST - STARTUP)
        raise AssertionError("the second attempt returns or raises")

    def close(self) -> None:
        """Gives the GPU back."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.close()

    def _open(self, each: float) -> _Lease:
        seconds = slot_seconds(self.steps - self.done, each, self.settings.slot_seconds)
        try:
            return _Lease(self.key, seconds)
        except _gradio_error() as error:
            left = quota_left(str(error))
            fitting = slot_seconds(self.steps - self.done, each, left / COST)
            if left / COST < fitting or fitting >= seconds:
                raise self._refused(error) from error
        try:
            return _Lease(self.key, fitting)
        except _gradio_error() as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> EngineError:
        # The text of gradio's error is its repr, in quotes; what was meant for people is its message.
        said = str(getattr(error, "message", error)).strip().rstrip(".")
        return EngineError(f"{said}. {self._rest().capitalize()}")

    def _rest(self) -> str:
        left = max(self.steps - self.done, 1)
        if self.steps == 1:
            return "try again later."
        return f"{self.done} steps are done and kept, at most {left} remain; run it again and it goes on from here."


def quota_left(message: str) -> float:
    """Seconds of quota that a refusal says are left; 0 where it says none."""
    found = re.search(r"vs\. (\d+)s left", message)
    return float(found[1]) if found else 0.0


def _gradio_error() -> type[Exception]:
    """What `spaces` raises: no GPU, no quota, a worker that was ended."""
    import gradio as gr

    return gr.Error


@contextmanager
def captioner_in_slots(captioner: Captioner, settings: Settings, steps: int) -> Iterator[Captioner]:
    """The captioner for one run of at most `steps` steps; itself where there is no ZeroGPU, or it needs none.

    Enter it where the visitor's request is known (a thread needs `contextvars.copy_context`), or it counts as nobody's.
    """
    key = _key(captioner, settings)
    if key is None:
        yield captioner
        return
    slots = Slots(key, settings, steps)
    try:
        yield RelayCaptioner(captioner, slots.step, captioner.count_tokens)
    finally:
        slots.close()


@contextmanager
def answerer_in_slots(answerer: Answerer, settings: Settings) -> Iterator[Answerer]:
    """The answerer for one question; see `captioner_in_slots`."""
    key = _key(answerer, settings)
    if key is None:
        yield answerer
        return
    slots = Slots(key, settings, 1)
    try:
        yield RelayAnswerer(answerer, slots.step)
    finally:
        slots.close()


def _key(engine: object, settings: Settings) -> str | None:
    if not settings.zero_gpu:
        return None
    return next((key for key, known in _ENGINES.items() if known is engine), None)
