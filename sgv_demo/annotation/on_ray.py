"""The same work on a Ray cluster: one actor for each GPU, or for each share of one, with its model loaded once.

Plain actors: a video takes seconds to minutes, so that handing it out costs nothing beside it, and an actor that dies
is started anew by Ray and its video tried again. Nothing is kept there: records come back to the one who writes them.
"""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import Future
from typing import Any

from sgv_demo.annotation.inputs import Video
from sgv_demo.annotation.run import Outcome, annotated
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.options import AnalysisOptions
from sgv_demo.pipeline import settle
from sgv_demo.settings import Settings
from sgv_demo.types import EngineInfo

log = logging.getLogger(__name__)

_START_SECONDS = 120
"""For a local cluster's head: on busy cores Ray's own 30 s aren't enough."""


class Actor:
    """One loaded model, for as many videos at once as Ray hands it."""

    def __init__(self, settings: Settings) -> None:
        from sgv_demo.engines.shelf import load_captioner

        self._settings = settings
        self._captioner = load_captioner(settings)

    def info(self) -> EngineInfo:
        """Which model that is."""
        return self._captioner.info

    def annotate(self, video: Video, options: AnalysisOptions) -> Outcome:
        """One video; what it raises would be Ray's to retry, so it raises nothing of its own."""
        return annotated(video, self._captioner, options, self._settings)


class Cluster:
    """Actors of a Ray cluster as `Workers`."""

    def __init__(
        self, address: str, settings: Settings, options: AnalysisOptions, *, actors: int, gpus: float, each: int
    ) -> None:
        """
        Args:
            address: "auto" starts one on this machine, or joins the one that runs here; else a cluster's address.
            settings: sent to each actor.
            options: settled here for the engine that the actors load.
            actors: how many; 0: one for each share of a GPU that the cluster has, or each two CPUs where it has none.
            gpus: share of a GPU that an actor takes.
            each: videos under way at once in one actor.

        Raises:
            SettingsError: Ray isn't installed.
            EngineError: there is no such cluster, none can be started, or the engine can't be loaded there.
        """
        self._ray = ray = _ray()
        self._mine = not ray.is_initialized()
        if self._mine:
            _connect(ray, address)
        have = ray.cluster_resources()
        if not have.get("GPU"):
            gpus = 0.0
        count = actors or int(have["GPU"] / gpus if gpus else have.get("CPU", 2) // 2) or 1
        made = ray.remote(Actor).options(
            num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=1, max_concurrency=each
        )
        self._actors = [made.remote(settings) for _ in range(count)]
        try:
            self.info: EngineInfo = ray.get(self._actors[0].info.remote())
        except ray.exceptions.RayError as error:
            self.stop()
            raise EngineError(f"A worker can't start ({_said(error)}); mend that and run again.") from error
        self.options = settle(options, self.info, settings)
        self._busy = dict.fromkeys(range(count), 0)
        self._lock = threading.Lock()
        self.at_once = count * each

    def submit(self, video: Video) -> Future[Outcome]:
        """Hands a video to the actor that has least to do."""
        with self._lock:
            number = min(self._busy, key=lambda n: self._busy[n])
            self._busy[number] += 1
        answer: Future[Outcome] = Future()
        remote = self._actors[number].annotate.remote(video, self.options)
        remote.future().add_done_callback(lambda done: self._answered(number, answer, done))
        return answer

    def _answered(self, number: int, answer: Future[Outcome], done: Future[Any]) -> None:
        with self._lock:
            self._busy[number] -= 1
        error = done.exception()
        if error is None:
            answer.set_result(done.result())
        elif isinstance(error, self._ray.exceptions.RayActorError):
            log.warning("A worker died: %s", error)
            answer.set_result(Outcome({}, "The worker that had it died, twice; look into Ray's log for why."))
        else:
            answer.set_exception(EngineError(f"A worker can't start ({_said(error)}); mend that and run again."))

    def stop(self) -> None:
        """Ends the actors; a cluster that was started for this run ends with them."""
        for actor in self._actors:
            self._ray.kill(actor)
        if self._mine:
            self._ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", str(_START_SECONDS))
    how: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if address != "auto":
            ray.init(address, **how)
            return
        try:
            ray.init("auto", **how)
        except ConnectionError:
            ray.init(include_dashboard=False, _node_ip_address="127.0.0.1", **how)
    except Exception as error:  # plain ones, too, when a node is late
        raise EngineError(f"The Ray cluster “{address}” can't be reached ({_said(error)}); check --ray.") from error


def _ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise SettingsError("Ray isn't installed; pip install -r requirements-scale.txt.") from error
    return ray


def _said(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200].rstrip(".")
