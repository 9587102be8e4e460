"""What all visitors share: settings, the store, and the engines that are loaded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from sgv_demo.engines import REMOTE, Answerer, Captioner
from sgv_demo.engines.turns.lane import Line
from sgv_demo.errors import EngineError, SgvError
from sgv_demo.lanes import Lane
from sgv_demo.results.links import People
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.times import gigabytes
from sgv_demo.types import EngineInfo
from sgv_demo.ui.guests import Guests
from sgv_demo.ui.parts import PictureUrl
from sgv_demo.ui.served import Served, picture_address

log = logging.getLogger(__name__)

Report: TypeAlias = Callable[[str, float | None], None]
"""Takes a stage in words and its share done (0 to 1, or None when unknown)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine that can be chosen on the page."""

    name: str
    label: str
    about: str
    """One sentence: size, what it is good for."""
    load_captioner: Callable[[Report], Captioner] | None = None
    load_answerer: Callable[[Report], Answerer] | None = None
    info: EngineInfo | None = None
    """Known before loading, for the status line."""
    row: str = ""
    """Key of its row on the engine panel; empty: it gets one of its own."""
    at_once: int = 1
    """Steps that it takes at the same time, of all visitors together."""
    missing: Callable[[], int] | None = None
    """Bytes to fetch first, for an engine that is fetched only when its Load button asks for it."""


class VisitorsServer(NamedTuple):
    """A server that a visitor named. Address and model are the engine's name: the visitor's page carries them, and
    nothing is kept for others."""

    base_url: str
    model: str
    """Empty: the first one that the server lists."""

    def name(self) -> str:
        """The engine's name."""
        return "\n".join(("server", self.base_url.strip(), self.model.strip()))

    @classmethod
    def of(cls, name: str) -> VisitorsServer | None:
        """The server that an engine's name stands for; None for any other engine."""
        kind, *given = name.split("\n")
        return cls(*given) if kind == "server" and len(given) == 2 else None


class Shelf:
    """The engines of one role: loaded when first used, kept until unloaded."""

    def __init__(
        self, loaders: dict[str, Callable[[Report], object]], missing: Mapping[str, Callable[[], int]] | None = None
    ) -> None:
        self._loaders, self._missing = loaders, missing or {}
        self._loaded: dict[str, object] = {}
        self._failures: dict[str, str] = {}
        self._stages: dict[str, tuple[str, float | None]] = {}
        self._lock = threading.Lock()

    def names(self) -> tuple[str, ...]:
        """Engines that fill this role."""
        return tuple(self._loaders)

    def get(self, name: str, *, fetch: bool = False) -> object:
        """The engine, loaded now if need be; a second visitor waits for the first one's loading.

        Args:
            fetch: someone asked for this engine, so that it may be downloaded.

        Raises:
            EngineError: there is no such engine, it can't be loaded, or it must be asked for first.
        """
        if name not in self._loaders:
            raise EngineError(f"There is no engine {name!r} here; choose one of {', '.join(self._loaders)}.")
        with self._lock:
            if name not in self._loaded:
                if not fetch:
                    self._check_is_here(name)
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _check_is_here(self, name: str) -> None:
        size = self._missing[name]() if name in self._missing else 0
        if size:
            raise EngineError(
                f"This engine isn't here yet ({gigabytes(size)} to download); press Load now in the engine panel."
            )

    def _load(self, name: str) -> object:
        try:
            self._stages[name] = ("Loading", None)
            engine = self._loaders[name](lambda text, part: self._stages.update({name: (text, part)}))
        except SgvError as error:
            self._failures[name] = str(error)
            raise
        finally:
            self._stages.pop(name, None)
        self._failures.pop(name, None)
        return engine

    def stage(self, name: str) -> tuple[str, float | None] | None:
        """What loading is at, or None when nothing is being loaded."""
        return self._stages.get(name)

    def loaded(self, name: str) -> object | None:
        """The engine if it is in memory."""
        return self._loaded.get(name)

    def failure(self, name: str) -> str:
        """Why the last attempt to load it failed; empty: it didn't."""
        return self._failures.get(name, "")

    def holds(self, engine: object) -> bool:
        """Whether that very engine is loaded here, under whatever name."""
        return any(kept is engine for kept in tuple(self._loaded.values()))

    def drop(self, name: str) -> object | None:
        """Lets go of the engine and returns it; its memory is freed by its own `unload`."""
        with self._lock:
            return self._loaded.pop(name, None)


class Desk:
    """Settings, store and engines of this process."""

    def __init__(
        self, settings: Settings, choices: Sequence[Choice], store: Store, examples: Sequence[Path] = ()
    ) -> None:
        if not choices:
            raise EngineError("No engine is available; install the requirements again.")
        self.settings, self.choices, self.store, self.examples = settings, tuple(choices), store, tuple(examples)
        self.people = People(store, settings.max_links)
        self.videos = Path(settings.videos_dir).expanduser().resolve() if settings.videos_dir else None
        """The operator's folder of a dataset's videos."""
        self.benchmarks = Path(settings.benchmarks_dir).expanduser().resolve() if settings.benchmarks_dir else None
        """The operator's folder of benchmarks and their runs."""
        self.served = Served(store, self.people, self.examples, self.videos, self.benchmarks)
        missing = {c.name: c.missing for c in choices if c.missing}
        self.captioners = Shelf({c.name: c.load_captioner for c in choices if c.load_captioner}, missing)
        self.answerers = Shelf({c.name: c.load_answerer for c in choices if c.load_answerer}, missing)
        self.guests = Guests(settings)
        # On ZeroGPU each visitor has slots of the device to itself, and a server that a visitor named is its own.
        self._lanes = {} if settings.zero_gpu else {c.name: Lane(c.at_once) for c in choices}

    def choice(self, name: str) -> Choice:
        """The choice with this name, else the first one."""
        return next((c for c in self.choices if c.name == name), self.choices[0])

    def captioner(self, name: str, *, fetch: bool = False) -> Captioner:
        """Raises EngineError when it can't be loaded; see `Shelf.get`."""
        engine = self._visitors(name) or self.captioners.get(name, fetch=fetch)
        assert isinstance(engine, Captioner)
        return engine

    def answerer(self, name: str, *, fetch: bool = False) -> Answerer:
        """Raises EngineError when it can't be loaded; see `Shelf.get`."""
        engine = self._visitors(name) or self.answerers.get(name, fetch=fetch)
        assert isinstance(engine, Answerer)
        return engine

    def _visitors(self, name: str) -> Any:
        server = VisitorsServer.of(name)
        if server is None:
            return None
        from sgv_demo.engines.remote.engine import load_for_visitor

        return load_for_visitor(self.settings, *server)

    def line(self, name: str) -> Line:
        """The line in which the steps of one run or question wait for the engine of that name."""
        return Line(self._lanes.get(name) or Lane(self.settings.max_runs))

    def unload(self, captioner: str, answerer: str) -> None:
        """Frees the memory of a captioner and an answerer, once the steps under way have ended; a network that the
        other role still uses stays."""
        with ExitStack() as alone:
            for name in {captioner, answerer} & self._lanes.keys():
                alone.enter_context(self._lanes[name].turn(whole=True))
            dropped = (self.captioners.drop(captioner), self.answerers.drop(answerer))
            for engine in {id(e): e for e in dropped if e is not None}.values():
                unload = getattr(engine, "unload", None)
                if unload is not None and not (self.captioners.holds(engine) or self.answerers.holds(engine)):
                    unload()

    def info(self, name: str) -> EngineInfo:
        """Facts of a captioner: its own when loaded, else what is known before."""
        engine = self.captioners.loaded(name)
        if isinstance(engine, Captioner):
            return engine.info
        if server := VisitorsServer.of(name):
            return EngineInfo(REMOTE.name, "A server of your own", "remote", server.model)
        choice = self.choice(name)
        return choice.info or EngineInfo(choice.name, choice.label)

    def stage(self, name: str) -> tuple[str, float | None] | None:
        """What the loading of a captioner is at, or None when nothing is being loaded."""
        return self.captioners.stage(name)

    def pictures(self, key: str) -> PictureUrl:
        """Addresses of a result's pictures."""
        if not key:
            return lambda name: ""
        return lambda name: picture_address(key, name) if name else ""
