"""What an engine tells of itself before anything of it is loaded: one entry of `ENGINES`. Plain data and a loader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sgv_demo.settings import Settings

Role = Literal["captioner", "answerer"]
ROLES: tuple[Role, ...] = ("captioner", "answerer")

SIDE_BY_SIDE = 16
"""Texts at most that one network on this machine writes side by side (see `local/scheduler`)."""

Progress: TypeAlias = Callable[[str, float | None], None]
"""(what is happening, share done or None)."""


@dataclass(frozen=True, slots=True)
class Model:
    """One checkpoint. Plain numbers, so that no library is loaded just to decide; a test recomputes every one."""

    engine: str
    """The engine that runs it."""
    hub_id: str
    label: str
    roles: tuple[Role, ...]
    licence: str
    download: int
    """Bytes on the hub, about."""
    weights: Mapping[str, int] = field(hash=False)
    """Bytes in memory by quantization; "none" is 16 bit."""
    working: int
    """Bytes beside the weights at the largest step: keys and values, passing tensors."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted when an engine is made."""

    role: Role
    model: str
    """Hub id or folder; empty for an engine without models."""
    quantization: str
    """nf4, int8 or none."""
    settings: Settings
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """One engine, of whatever kind."""

    name: str
    """What `--engine` calls it; stored with every result."""
    label: str
    """For people."""
    about: str
    """What it is, in one or two sentences."""
    how: str
    """How it is chosen on the command line."""
    roles: tuple[Role, ...]
    load: Callable[[Order], Any]
    """Makes a `Captioner` or an `Answerer`; its libraries are imported in here."""
    models: tuple[Model, ...] = ()
    """Checkpoints that it runs on this machine, the usual one first."""
    licence: str = ""
    """Of an engine without models."""
    place: str = "memory"
    """Where one without models runs."""
    figures: Callable[[str | None], dict[str, Any]] | None = None
    """Memory figures of a model (None: of the usual one), computed from shapes."""
    published: bool = False
    """Whether it runs the model that the published page had in its role: what `--captioner` and `--answerer` name."""
    quantized: bool = False
    """Whether its weights can be in 4 or 8 bit."""
    shared: bool = False
    """Whether one loaded network fills all its roles."""
    at_once: Callable[[Settings], int] = lambda _settings: 1
    """How many steps it takes at the same time, of all visitors together; more wait in its line."""
    tower: Callable[[Any], Any] | None = None
    """The CLIP tower of a loaded engine, by which keyframes can be chosen, too."""
    ready: bool = False
    """Whether there is nothing to load."""
    missing: Callable[[Settings], str] = lambda _settings: ""
    """What has to be set before it can run; empty for nothing."""
