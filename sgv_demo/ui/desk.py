"""What all visitors share: settings, the store, and the engines that are loaded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.errors import EngineError
from sgv_demo.settings import Settings
from sgv_demo.store import Store
from sgv_demo.types import EngineInfo
from sgv_demo.ui.render import PictureUrl, file_url

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


class Shelf:
    """The engines of one role: loaded when first used, kept until unloaded."""

    def __init__(self, loaders: dict[str, Callable[[Report], object]]) -> None:
        self._loaders = loaders
        self._loaded: dict[str, object] = {}
        self._stages: dict[str, tuple[str, float | None]] = {}
        self._lock = threading.Lock()

    def names(self) -> tuple[str, ...]:
        """Engines that fill this role."""
        return tuple(self._loaders)

    def get(self, name: str) -> object:
        """The engine, loaded now if need be; a second visitor waits for the first one's loading.

        Raises:
            EngineError: there is no such engine, or it can't be loaded.
        """
        if name not in self._loaders:
            raise EngineError(f"There is no engine {name!r} here; choose one of {', '.join(self._loaders)}.")
        with self._lock:
            if name not in self._loaded:
                try:
                    self._stages[name] = ("Loading", None)
                    self._loaded[name] = self._loaders[name](
                        lambda text, part: self._stages.update({name: (text, part)})
                    )
                finally:
                    self._stages.pop(name, None)
            return self._loaded[name]

    def stage(self, name: str) -> tuple[str, float | None] | None:
        """What loading is at, or None when nothing is being loaded."""
        return self._stages.get(name)

    def loaded(self, name: str) -> object | None:
        """The engine if it is in memory."""
        return self._loaded.get(name)

    def unload(self, name: str) -> bool:
        """Lets go of the engine; True when there was one. Runs that hold it finish with it."""
        with self._lock:
            engine = self._loaded.pop(name, None)
        close = getattr(engine, "close", None)
        if close is not None:
            close()
        return engine is not None


class Desk:
    """Settings, store and engines of this process."""

    def __init__(
        self, settings: Settings, choices: Sequence[Choice], store: Store, examples: Sequence[Path] = ()
    ) -> None:
        if not choices:
            raise EngineError("No engine is available; install the requirements again.")
        self.settings, self.choices, self.store, self.examples = settings, tuple(choices), store, tuple(examples)
        self.captioners = Shelf({c.name: c.load_captioner for c in choices if c.load_captioner})
        self.answerers = Shelf({c.name: c.load_answerer for c in choices if c.load_answerer})

    def choice(self, name: str) -> Choice:
        """The choice with this name, else the first one."""
        return next((c for c in self.choices if c.name == name), self.choices[0])

    def captioner(self, name: str) -> Captioner:
        """Raises EngineError when it can't be loaded."""
        engine = self.captioners.get(name)
        assert isinstance(engine, Captioner)
        return engine

    def answerer(self, name: str) -> Answerer:
        """Raises EngineError when it can't be loaded."""
        engine = self.answerers.get(name)
        assert isinstance(engine, Answerer)
        return engine

    def info(self, name: str) -> EngineInfo:
        """Facts of a captioner: its own when loaded, else what is known before."""
        engine = self.captioners.loaded(name)
        if isinstance(engine, Captioner):
            return engine.info
        choice = self.choice(name)
        return choice.info or EngineInfo(choice.name, choice.label)

    def stage(self, name: str) -> tuple[str, float | None] | None:
        """What the loading of a captioner is at, or None when nothing is being loaded."""
        return self.captioners.stage(name)

    def pictures(self, key: str) -> PictureUrl:
        """Addresses of a result's pictures."""
        if not key:
            return lambda name: ""
        folder = self.store.folder(key).resolve()
        return lambda name: file_url(folder / name) if name else ""
