"""Which engines there are, which are meant, and how one is made. A model library is imported only by what needs it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

from sgv_demo.engines import ENGINES, MEASURED, REMOTE, Answerer, Captioner
from sgv_demo.engines.choosing.choose import Facts, Pick, Plan, choose, take_turns
from sgv_demo.engines.choosing.machine import cached_folder, gather
from sgv_demo.engines.entry import ROLES, Engine, Order, Progress, Role
from sgv_demo.errors import SettingsError
from sgv_demo.keyframes.similarity import lend
from sgv_demo.settings import Settings

AUTO, OFFICIAL = "auto", "official"
"""Settings of `--engine` that are no engine: what this machine can run, and the published pair."""

T = TypeVar("T")


def facts(settings: Settings) -> Facts:
    """What this machine had when it was first asked: a choice must not change while models fill the memory."""
    return _facts(Settings(hub_timeout=settings.hub_timeout, space=settings.space, zero_gpu=settings.zero_gpu))


@lru_cache(maxsize=4)
def _facts(settings: Settings) -> Facts:
    return gather(settings)


def plan(settings: Settings) -> Plan:
    """What `auto` means here, and why."""
    return choose(facts(settings), settings.quantization)


def captioner_name(settings: Settings) -> str:
    """Which captioner the settings mean.

    Raises:
        SettingsError: there is no such engine.
    """
    return engine_of(settings, "captioner").name


def answerer_name(settings: Settings) -> str:
    """Which answerer the settings mean.

    Raises:
        SettingsError: there is no such engine.
    """
    return engine_of(settings, "answerer").name


def engine_of(settings: Settings, role: Role) -> Engine:
    """What fills a role: the named engine; without one, or where that one doesn't, see below.

    A model that is named for a role is the published one's, unless an engine for both roles is named. A role that
    the named engine doesn't fill is measured.

    Raises:
        SettingsError: there is no such engine.
    """
    name = settings.engine
    if name == AUTO and settings.base_url:
        name = REMOTE.name
    if name not in (AUTO, OFFICIAL, *ENGINES):
        raise SettingsError(f"There is no engine {name!r}; choose one of {', '.join(ENGINES)}, official or auto.")
    named = ENGINES.get(name)
    if named is not None and named is not MEASURED and named.roles == ROLES:
        return named
    if name == OFFICIAL or getattr(settings, role):
        return next(engine for engine in ENGINES.values() if engine.published and role in engine.roles)
    if name == AUTO:
        return ENGINES[getattr(plan(settings), role).engine]
    return named if named is not None and role in named.roles else MEASURED


def why(settings: Settings) -> str:
    """One sentence: what was chosen and for what reason.

    Raises:
        SettingsError: there is no such engine.
    """
    if settings.engine == AUTO and not (settings.captioner or settings.answerer or settings.base_url):
        return plan(settings).why
    names = dict.fromkeys(engine_of(settings, role).label for role in ROLES)
    return f"{' and '.join(names)}: as the settings say."


def load_captioner(settings: Settings, progress: Progress | None = None) -> Captioner:
    """Makes the captioner that the settings mean; takes minutes for a large model.

    Raises:
        EngineError: its weights can't be loaded.
        SettingsError: there is no such engine.
    """
    return _load("captioner", settings, progress)


def load_answerer(settings: Settings, progress: Progress | None = None) -> Answerer:
    """Makes the answerer that the settings mean; takes minutes for a large model.

    Raises:
        EngineError: its weights can't be loaded.
        SettingsError: there is no such engine.
    """
    return _load("answerer", settings, progress)


def _load(role: Role, settings: Settings, progress: Progress | None) -> Any:
    engine = engine_of(settings, role)
    if not engine.models:
        return engine.load(Order(role, "", "none", settings, progress))
    model = getattr(settings, role) or _picked(settings, role) or engine.models[0].hub_id
    order = Order(role, model, precision(settings) if engine.quantized else "none", settings, progress)
    if engine.shared:
        return _shared(engine, order)
    if takes_turns(settings):
        return _seated(engine, order)
    made = measured_load(lambda: engine.load(order))
    if engine.tower is not None:
        lend(engine.tower(made))
    return made


def _shared(engine: Engine, order: Order) -> Any:
    """The network that another role loaded already, or a new one."""
    key = (engine.name, order.model, order.settings.dtype)
    made = _SHARED.get(key)
    if made is None or not made.loaded:
        made = measured_load(lambda: engine.load(order))
        _SHARED[key] = made
    return made


def _seated(engine: Engine, order: Order) -> Any:
    """An engine that waits for its turn on the GPU."""
    from sgv_demo.engines.turns.one_gpu import Seat, TurnAnswerer, TurnCaptioner

    parked = engine.models[0].weights[order.quantization]
    seat = Seat(_turns(), lambda: measured_load(lambda: engine.load(order)), parked)
    return TurnCaptioner(seat) if order.role == "captioner" else TurnAnswerer(seat)


def precision(settings: Settings) -> str:
    """The quantization that the big models get: Apple's GPU has none here, so they are float16 there."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return "none" if apple else settings.quantization


def takes_turns(settings: Settings) -> bool:
    """Whether the two big models share one GPU that holds only one of them."""
    engines = [engine_of(settings, role) for role in ROLES]
    if not all(engine.quantized for engine in engines):
        return False
    return take_turns(facts(settings), [engine.models[0] for engine in engines], precision(settings))


@lru_cache(maxsize=1)
def _turns() -> Any:
    from sgv_demo.engines.turns.one_gpu import Turns

    return Turns()


def _picked(settings: Settings, role: Role) -> str:
    """The model of a role that was chosen: the local folder where it is here, so that nothing is fetched unasked."""
    if settings.engine != AUTO:
        return ""
    pick: Pick = getattr(plan(settings), role)
    if pick.model is None:
        return ""
    folder = None if pick.download else cached_folder(pick.model.hub_id)
    return str(folder) if folder else pick.model.hub_id


_SHARED: WeakValueDictionary[tuple[str, str, str], Any] = WeakValueDictionary()
"""Networks that fill several roles and are in use, by engine, model and dtype."""


def measured_load(load: Callable[[], T]) -> T:
    """Loads an engine and notes what it took, for `memory_taken`."""
    from sgv_demo.engines.local import memory

    return memory.measured(load)


def describe_engines(settings: Settings) -> list[dict[str, Any]]:
    """One row per engine: name, label, what it is, whether it was chosen and why, and figures from its real shapes."""
    rows: list[dict[str, Any]] = []
    for engine in ENGINES.values():
        row: dict[str, Any] = {"name": engine.name, "label": engine.label, "about": engine.about, "how": engine.how}
        if roles := [role for role in ROLES if engine_of(settings, role) is engine]:
            row |= {"chosen": roles, "why": why(settings)}
        if engine.figures is not None and engine.published:
            given = getattr(settings, engine.roles[0])
            row["model"] = given or engine.models[0].hub_id
            row["figures"] = engine.figures(given or None)
        elif engine.figures is not None:
            row["models"] = {model.hub_id: engine.figures(model.hub_id) for model in engine.models}
        rows.append(row)
    return rows


def save_quantized(settings: Settings, out: Path, progress: Progress | None = None) -> None:
    """Loads a model in `settings.quantization` and writes it to `out`, for faster starts.

    Raises:
        EngineError: it can't be loaded or written.
        SettingsError: no model is named, or no quantization.
    """
    if settings.quantization == "none":
        raise SettingsError("Nothing to save: --quantization none keeps the weights as they are; use nf4 or int8.")
    for role in ROLES:
        if model := getattr(settings, role):
            engine = engine_of(replace(settings, engine=OFFICIAL), role)
            engine.load(Order(role, model, settings.quantization, settings, progress)).save_quantized(out)
            return
    raise SettingsError("Name the model to save with --captioner or --answerer.")


def export_answerer(
    settings: Settings, out: Path, *, dtype: str, view: Literal["anyres", "base"], progress: Progress | None = None
) -> None:
    """Writes ShareGPT4Video-8B to `out` in the Hub's LLaVA layout, see `sharegpt4video.export`.

    Raises:
        EngineError: it isn't here, can't be exported or written.
    """
    from sgv_demo.engines.local.loading import resolve_model
    from sgv_demo.engines.sharegpt4video import MODEL
    from sgv_demo.engines.sharegpt4video.config import read_setup
    from sgv_demo.engines.sharegpt4video.export import export

    model = settings.answerer or MODEL.hub_id
    folder = resolve_model(model, timeout=settings.hub_timeout, progress=progress)
    export(read_setup(folder, progress, settings.hub_timeout), out, dtype=dtype, view=view, progress=progress)
