"""What `spaces` 0.51 does with a generator on ZeroGPU, without a GPU: it asks for quota, forks a worker, pickles what
goes in and what is yielded, sees a cancel after the next yield, ends a worker whose time is over, and turns an
exception into its class's name."""

from __future__ import annotations

import inspect
import multiprocessing
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeAlias

import gradio as gr

FACTOR = 1.5
Task: TypeAlias = Callable[..., Generator[Any, None, None]]


@dataclass
class Quota:
    """A visitor's, and what was asked of it."""

    left: float = 300.0
    """Seconds."""
    scale: float = 1.0
    """Real seconds for each second of a slot, so that tests needn't wait."""
    asked: list[float] = field(default_factory=list)
    """Seconds of each slot asked for."""
    ended: list[str] = field(default_factory=list)
    """How each slot ended: end, killed, error."""
    requests: list[object] = field(default_factory=list)
    """The visitor's request that each call was made for."""


def gpu(quota: Quota) -> Callable[..., Any]:
    """A `GPU` decorator for generator functions."""

    def decorator(*, duration: Callable[..., float]) -> Callable[[Task], Any]:
        def decorate(task: Task) -> Callable[..., Iterator[Any]]:
            assert inspect.isgeneratorfunction(task)

            @wraps(task)
            def handler(*args: Any, **kwargs: Any) -> Iterator[Any]:
                from gradio.context import LocalContext

                quota.requests.append(LocalContext.request.get(None))
                seconds = duration(*args, **kwargs)
                assert isinstance(seconds, int)
                _schedule(quota, seconds)
                yield from _Worker(quota, task, (args, kwargs), seconds).results()

            return handler

        return decorate

    return decorator


def _schedule(quota: Quota, seconds: float) -> None:
    requested = round(seconds * FACTOR)
    quota.asked.append(seconds)
    if requested > quota.left:
        raise gr.Error(
            f"You have exceeded your free ZeroGPU quota ({requested}s requested vs. {round(quota.left)}s left). "
            "Try again in 3:20:00. ",
            title="ZeroGPU quota exceeded",
            print_exception=False,
        )


class _Worker:
    def __init__(self, quota: Quota, task: Task, arguments: tuple[Any, Any], seconds: float) -> None:
        context = multiprocessing.get_context("fork")
        self.quota, self.began = quota, time.monotonic()
        self.pipe, other_end = context.Pipe()
        self.stop = context.Event()
        self.process = context.Process(target=_work, args=(task, other_end, self.stop), daemon=True)
        self.process.start()
        other_end.close()
        self.pipe.send(arguments)
        self.killed = threading.Event()
        self.timer = threading.Timer(seconds * quota.scale, self._kill)
        self.timer.start()

    def _kill(self) -> None:
        self.killed.set()
        self.process.kill()

    def results(self) -> Iterator[Any]:
        how = "error"
        try:
            while True:
                try:
                    kind, value = self.pipe.recv()
                except EOFError:
                    how = "killed" if self.killed.is_set() else "died"
                    raise gr.Error("GPU task aborted", title="ZeroGPU worker error", print_exception=False) from None
                if kind == "end":
                    how = "end"
                    return
                if kind == "error":
                    raise gr.Error(value, title="ZeroGPU worker error", print_exception=False)
                try:
                    yield value
                except GeneratorExit:
                    self.stop.set()
                    how = "end"
                    raise
        finally:
            self._finish(how)

    def _finish(self, how: str) -> None:
        # The package waits here until the worker is through with the task.
        while how == "end" and self.process.is_alive():
            try:
                if self.pipe.recv()[0] == "end":
                    break
            except EOFError:
                break
        self.timer.cancel()
        self.process.join(5)
        self.quota.ended.append(how)
        self.quota.left -= FACTOR * (time.monotonic() - self.began) / self.quota.scale


def _work(task: Task, out: Any, stop: Any) -> None:
    args, kwargs = out.recv()
    generation = task(*args, **kwargs)
    while True:
        try:
            value = next(generation)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001 - the package tells its class alone
            out.send(("error", type(error).__name__))
            return
        if stop.is_set():
            generation.close()
            break
        _no_tensor(value)
        out.send(("value", value))
    out.send(("end", None))


def _no_tensor(value: object) -> None:
    """A CUDA tensor can't leave a worker; here none of any kind may."""
    names = getattr(type(value), "__slots__", ())
    for part in (value, *(getattr(value, name, None) for name in names)):
        assert type(part).__module__.split(".")[0] != "torch", f"{type(part)} was yielded"
