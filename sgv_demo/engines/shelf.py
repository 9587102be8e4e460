"""Which engines there are, which are meant, and how one is made. A model library is imported only by what needs it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.engines.choosing.choose import Facts, Pick, Plan, both_fit, choose
from sgv_demo.engines.choosing.machine import cached_folder, gather
from sgv_demo.engines.offers import (
    ANSWERER_MODEL,
    CAPTIONER_MODEL,
    MODELS,
    SHARECAPTIONER,
    SHAREGPT4VIDEO,
    SMOL_500M,
    Model,
)
from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings

Progress = Callable[[str, float | None], None]
"""(what is happening, share done or None)."""

ABOUT = {
    "measured": (
        "Measured, no language model",
        "Writes from what was measured: camera, cuts, light, colour, motion, text. No weights, no network.",
    ),
    "sharecaptioner": (
        "ShareCaptioner-Video 7B",
        "Captions, summaries and re-captions (InternLM-XComposer2-4KHD).",
    ),
    "sharegpt4video": (
        "ShareGPT4Video 8B",
        "Answers questions about 16 frames (LLaVA-NeXT on Llama 3).",
    ),
    "smolvlm2": (
        "SmolVLM2, a small general model",
        "Captions and answers on a laptop's CPU; not ShareGPT4Video, shorter and less exact.",
    ),
    "remote": (
        "A model on a server",
        "Captions and answers by OpenAI-compatible servers.",
    ),
}
"""Name → (label, what it is)."""

HOW = {
    "measured": "--engine measured",
    "sharecaptioner": "--captioner MODEL",
    "sharegpt4video": "--answerer MODEL",
    "smolvlm2": "--engine smolvlm2",
    "remote": "--engine remote --base-url URL --model NAME",
}
"""Name → how it is chosen on the command line."""

_ROLES = {
    "auto": ("", ""),
    "official": ("sharecaptioner", "sharegpt4video"),
    "measured": ("measured", "measured"),
    "sharecaptioner": ("sharecaptioner", "measured"),
    "sharegpt4video": ("measured", "sharegpt4video"),
    "smolvlm2": ("smolvlm2", "smolvlm2"),
    "remote": ("remote", "remote"),
}
"""Engine setting → (captioner, answerer); empty: to be chosen."""

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
    named = _roles(settings)[0]
    if settings.captioner and named not in ("smolvlm2", "remote"):
        return "sharecaptioner"
    return named or plan(settings).captioner.engine


def answerer_name(settings: Settings) -> str:
    """Which answerer the settings mean.

    Raises:
        SettingsError: there is no such engine.
    """
    named = _roles(settings)[1]
    if settings.answerer and named not in ("smolvlm2", "remote"):
        return "sharegpt4video"
    return named or plan(settings).answerer.engine


def _roles(settings: Settings) -> tuple[str, str]:
    if settings.engine not in _ROLES:
        raise SettingsError(
            f"There is no engine {settings.engine!r}; choose one of {', '.join(ABOUT)}, official or auto."
        )
    if settings.engine == "auto" and settings.base_url:
        return _ROLES["remote"]
    return _ROLES[settings.engine]


def why(settings: Settings) -> str:
    """One sentence: what was chosen and for what reason.

    Raises:
        SettingsError: there is no such engine.
    """
    if settings.engine == "auto" and not (settings.captioner or settings.answerer or settings.base_url):
        return plan(settings).why
    names = dict.fromkeys(ABOUT[name(settings)][0] for name in (captioner_name, answerer_name))
    return f"{' and '.join(names)}: as the settings say."


def load_captioner(settings: Settings, progress: Progress | None = None) -> Captioner:
    """Makes the captioner that the settings mean; takes minutes for a large model.

    Raises:
        EngineError: its weights can't be loaded.
        SettingsError: there is no such engine.
    """
    name = captioner_name(settings)
    if name == "measured":
        from sgv_demo.engines.measured.engine import MeasuredCaptioner

        return MeasuredCaptioner()
    if name in ("smolvlm2", "remote"):
        return _general(name, "captioner", settings, progress)

    def load() -> Captioner:
        from sgv_demo.engines.sharecaptioner import engine as sharecaptioner

        return sharecaptioner.load(
            settings.captioner or _picked(settings, "captioner") or CAPTIONER_MODEL,
            quantization=precision(settings),
            dtype=settings.dtype,
            progress=progress,
        )

    if not takes_turns(settings):
        return measured_load(load)
    from sgv_demo.engines.turns.one_gpu import TurnCaptioner

    return TurnCaptioner(_seat(load, SHARECAPTIONER, settings))


def load_answerer(settings: Settings, progress: Progress | None = None) -> Answerer:
    """Makes the answerer that the settings mean; takes minutes for a large model.

    Raises:
        EngineError: its weights can't be loaded.
        SettingsError: there is no such engine.
    """
    name = answerer_name(settings)
    if name == "measured":
        from sgv_demo.engines.measured.engine import MeasuredAnswerer

        return MeasuredAnswerer()
    if name in ("smolvlm2", "remote"):
        return _general(name, "answerer", settings, progress)

    def load() -> Answerer:
        from sgv_demo.engines.sharegpt4video import engine as sharegpt4video

        return sharegpt4video.load(
            settings.answerer or _picked(settings, "answerer") or ANSWERER_MODEL,
            quantization=precision(settings),
            dtype=settings.dtype,
            vision=settings.vision,
            cache_megabytes=settings.cache_megabytes,
            progress=progress,
        )

    if not takes_turns(settings):
        return measured_load(load)
    from sgv_demo.engines.turns.one_gpu import TurnAnswerer

    return TurnAnswerer(_seat(load, SHAREGPT4VIDEO, settings))


def _general(name: str, role: str, settings: Settings, progress: Progress | None) -> Any:
    """An engine that fills both roles."""
    if name == "remote":
        return _remote(settings)
    return _small(getattr(settings, role) or _picked(settings, role), settings, progress)


def _seat(load: Callable[[], Any], model: Model, settings: Settings) -> Any:
    """Where a model waits for its turn on the GPU."""
    from sgv_demo.engines.turns.one_gpu import Seat

    return Seat(_turns(), lambda: measured_load(load), model.weights[precision(settings)])


def precision(settings: Settings) -> str:
    """The quantization that the big models get: Apple's GPU has none here, so they are float16 there."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return "none" if apple else settings.quantization


def takes_turns(settings: Settings) -> bool:
    """Whether the two big models share one GPU that holds only one of them."""
    both = (captioner_name(settings), answerer_name(settings)) == ("sharecaptioner", "sharegpt4video")
    if not both or settings.zero_gpu:
        return False
    found = facts(settings)
    free = found.gpu_free or found.mps_free
    return free > 0 and not both_fit((SHARECAPTIONER, SHAREGPT4VIDEO), precision(settings), free)


@lru_cache(maxsize=1)
def _turns() -> Any:
    from sgv_demo.engines.turns.one_gpu import Turns

    return Turns()


def _picked(settings: Settings, role: str) -> str:
    """The model of a role that was chosen: the local folder where it is here, so that nothing is fetched unasked."""
    if settings.engine != "auto":
        return ""
    pick: Pick = getattr(plan(settings), role)
    if pick.model is None:
        return ""
    folder = None if pick.download else cached_folder(pick.model.hub_id)
    return str(folder) if folder else pick.model.hub_id


_SMALL: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
"""Small models in use by (model, dtype): both roles share one network."""


def _small(model: str, settings: Settings, progress: Progress | None) -> Any:
    from sgv_demo.engines.smolvlm import engine as smolvlm

    model = model or SMOL_500M.hub_id
    key = (model, settings.dtype)
    engine = _SMALL.get(key)
    if engine is None or not engine.loaded:
        engine = measured_load(
            lambda: smolvlm.load(model, dtype=settings.dtype, timeout=settings.hub_timeout, progress=progress)
        )
        _SMALL[key] = engine
    return engine


def _remote(settings: Settings) -> Any:
    from sgv_demo.engines.remote import engine as remote

    return remote.load(settings)


def measured_load(load: Callable[[], T]) -> T:
    """Loads an engine and notes what it took, for `memory_taken`."""
    from sgv_demo.engines.local import memory

    return memory.measured(load)


def describe_engines(settings: Settings) -> list[dict[str, Any]]:
    """One row per engine: name, label, what it is, whether it was chosen and why, and figures from its real shapes."""
    chosen = {"captioner": captioner_name(settings), "answerer": answerer_name(settings)}
    rows: list[dict[str, Any]] = []
    for name, (label, about) in ABOUT.items():
        row: dict[str, Any] = {"name": name, "label": label, "about": about, "how": HOW[name]}
        if roles := [role for role, engine in chosen.items() if engine == name]:
            row |= {"chosen": roles, "why": why(settings)}
        if name == "sharecaptioner":
            from sgv_demo.engines.sharecaptioner import engine as sharecaptioner

            row["model"] = settings.captioner or CAPTIONER_MODEL
            row["figures"] = sharecaptioner.figures(settings.captioner or None)
        elif name == "sharegpt4video":
            from sgv_demo.engines.sharegpt4video import engine as sharegpt4video

            row["model"] = settings.answerer or ANSWERER_MODEL
            row["figures"] = sharegpt4video.figures(settings.answerer or None)
        elif name == "smolvlm2":
            from sgv_demo.engines.smolvlm import engine as smolvlm

            models = [model.hub_id for model in MODELS if model.engine == name]
            row["models"] = {model: smolvlm.figures(model) for model in models}
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
    if settings.captioner:
        from sgv_demo.engines.sharecaptioner.engine import ShareCaptioner

        engine = load_captioner(replace(settings, engine="sharecaptioner"), progress)
        assert isinstance(engine, ShareCaptioner)
        engine.save_quantized(out)
    elif settings.answerer:
        from sgv_demo.engines.sharegpt4video.engine import ShareGPT4Video

        engine = load_answerer(replace(settings, engine="sharegpt4video"), progress)
        assert isinstance(engine, ShareGPT4Video)
        engine.save_quantized(out)
    else:
        raise SettingsError("Name the model to save with --captioner or --answerer.")
