"""The rows of the page's "Models" panel: plain data, no widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from sgv_demo.engines import ENGINES
from sgv_demo.engines.choosing.choose import MARGIN, Facts, needed
from sgv_demo.engines.choosing.machine import gather
from sgv_demo.engines.entry import Engine
from sgv_demo.engines.local import memory
from sgv_demo.engines.offers import Model
from sgv_demo.engines.shelf import AUTO, engine_of, plan, precision
from sgv_demo.settings import Settings
from sgv_demo.times import gigabytes

State = Literal["ready", "downloading", "loading", "failed", "available", "to download", "too large", "not set up"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is going on with the engines of this process, by row key."""

    engines: Mapping[str, object] = field(default_factory=dict)
    """In memory."""
    stages: Mapping[str, tuple[str, float | None]] = field(default_factory=dict)
    """Being fetched or loaded: (what is happening, share done or None)."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """The last attempt failed: why."""


@dataclass(frozen=True, slots=True)
class EngineRow:
    """One model on the panel."""

    key: str
    """The engine's name, or "engine:hub id"."""
    engine: str
    label: str
    about: str
    roles: tuple[str, ...]
    """"captioner", "answerer"."""
    licence: str
    download: int
    """Bytes still to fetch; 0: nothing."""
    needed: int
    """Bytes of memory at the largest step; 0: hardly any."""
    there: int
    """Bytes free where it would run."""
    place: str
    """"GPU", "Apple GPU", "memory", "server" or "ZeroGPU"."""
    taken: int | None
    """Bytes that it took when loaded; None before."""
    state: State
    detail: str
    """Progress, the reason of a failure, or what is missing; may be empty."""
    chosen: bool
    """Whether the settings mean it."""


def engine_rows(settings: Settings, loaded: Loaded | None = None) -> list[EngineRow]:
    """Every engine with what a person wants to know before loading it.

    Raises:
        SettingsError: the settings name an engine that doesn't exist.
    """
    loaded = loaded or Loaded()
    found = gather(settings)
    rows: list[EngineRow] = []
    for engine in ENGINES.values():
        rows += [_row(model, engine, settings, loaded, found) for model in engine.models]
        rows += [] if engine.models else [_plain(engine, settings, loaded, found)]
    return rows


def settings_for(row: EngineRow, settings: Settings) -> Settings:
    """Settings with which `load_captioner` and `load_answerer` make a row's engine, after a click: it may download."""
    model = row.key.partition(":")[2]
    return replace(
        settings,
        engine=row.engine,
        captioner=model if "captioner" in row.roles else "",
        answerer=model if "answerer" in row.roles else "",
    )


def _plain(engine: Engine, settings: Settings, loaded: Loaded, found: Facts) -> EngineRow:
    missing = engine.missing(settings)
    state, detail = state_of(engine.name, loaded, "not set up" if missing else "available", missing)
    return EngineRow(
        key=engine.name,
        engine=engine.name,
        label=engine.label,
        about=engine.about,
        roles=engine.roles,
        licence=engine.licence,
        download=0,
        needed=0,
        there=found.ram_free,
        place=engine.place,
        taken=None,
        state="ready" if engine.ready else state,
        detail=detail,
        chosen=any(engine_of(settings, role) is engine for role in engine.roles),
    )


def _row(model: Model, engine: Engine, settings: Settings, loaded: Loaded, found: Facts) -> EngineRow:
    key = f"{model.engine}:{model.hub_id}"
    device, there, place = _place(found)
    size = needed(model, precision(settings) if engine.quantized else "none", device)
    missing = 0 if model.hub_id in found.here else model.download
    still: State = "to download" if missing else "available"
    detail = f"{gigabytes(missing)} to download" if missing else ""
    if there and size + MARGIN > there:
        still, detail = "too large", f"needs {gigabytes(size)}, {gigabytes(there)} are free"
    state, detail = state_of(key, loaded, still, detail)
    if state == "ready" and engine.published:
        detail = "its code gave the known answer"  # or it would not have been loaded
    return EngineRow(
        key=key,
        engine=model.engine,
        label=model.label,
        about=engine.about,
        roles=model.roles,
        licence=model.licence,
        download=missing,
        needed=size,
        there=there,
        place=place,
        taken=memory.taken(loaded.engines[key]) if key in loaded.engines else None,
        state=state,
        detail=detail,
        chosen=_is_chosen(model, engine, settings),
    )


def _place(found: Facts) -> tuple[str, int, str]:
    """(device, free bytes, words); 0 bytes: not known."""
    if found.zero_gpu:
        return "cuda", 0, "ZeroGPU"
    if found.gpu:
        return "cuda", found.gpu_free, "GPU"
    if found.mps_free:
        return "mps", found.mps_free, "Apple GPU"
    return "cpu", found.ram_free, "memory"


def state_of(key: str, loaded: Loaded, otherwise: State, detail: str) -> tuple[State, str]:
    """(state, detail) of a row: what goes on with it, else what is given."""
    if key in loaded.stages:
        text, share = loaded.stages[key]
        doing: State = "downloading" if text.startswith("Downloading") else "loading"
        return doing, text if share is None else f"{text} {share:.0%}"
    if key in loaded.engines:
        return "ready", ""
    if key in loaded.failures:
        return "failed", loaded.failures[key]
    return otherwise, detail


def _is_chosen(model: Model, engine: Engine, settings: Settings) -> bool:
    for role in model.roles:
        if engine_of(settings, role) is not engine:
            continue
        given = getattr(settings, role)
        if not given and settings.engine == AUTO:
            pick = getattr(plan(settings), role)
            given = pick.model.hub_id if pick.model else ""
        if given == model.hub_id or (not given and model is engine.models[0]):
            return True
    return False
