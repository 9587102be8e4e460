"""Which engines there are, and how one is made. Model libraries are imported only by the engine that needs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.errors import SettingsError
from sgv_demo.settings import Settings

Progress = Callable[[str, float | None], None]
"""(what is happening, share done or None)."""

CAPTIONER_MODEL = "Lin-Chen/ShareCaptioner-Video"
ANSWERER_MODEL = "Lin-Chen/sharegpt4video-8b"

ABOUT = {
    "measured": (
        "Measured, no language model",
        "Writes from what was measured: camera, cuts, light, colour, motion, text. No weights, no network.",
    ),
    "sharecaptioner": (
        "ShareCaptioner-Video 7B",
        "Captions, summaries and re-captions (InternLM-XComposer2-4KHD). Choose it with --captioner.",
    ),
    "sharegpt4video": (
        "ShareGPT4Video 8B",
        "Answers questions about 16 frames (LLaVA-NeXT on Llama 3). Choose it with --answerer.",
    ),
}
"""Name → (label, what it is)."""


def captioner_name(settings: Settings) -> str:
    """Which captioner the settings mean.

    Raises:
        SettingsError: there is no such engine.
    """
    if settings.captioner or settings.engine in ("official", "sharecaptioner"):
        return "sharecaptioner"
    if settings.engine in ("auto", "measured", "sharegpt4video"):
        return "measured"
    raise SettingsError(f"There is no engine {settings.engine!r}; choose one of {', '.join(ABOUT)}, official or auto.")


def answerer_name(settings: Settings) -> str:
    """Which answerer the settings mean.

    Raises:
        SettingsError: there is no such engine.
    """
    if settings.answerer or settings.engine in ("official", "sharegpt4video"):
        return "sharegpt4video"
    if settings.engine in ("auto", "measured", "sharecaptioner"):
        return "measured"
    raise SettingsError(f"There is no engine {settings.engine!r}; choose one of {', '.join(ABOUT)}, official or auto.")


def load_captioner(settings: Settings, progress: Progress | None = None) -> Captioner:
    """Makes the captioner that the settings mean; takes minutes for a large model.

    Raises:
        EngineError: its weights can't be loaded.
        SettingsError: there is no such engine.
    """
    if captioner_name(settings) == "measured":
        from sgv_demo.engines.measured import MeasuredCaptioner

        return MeasuredCaptioner()
    from sgv_demo.engines import sharecaptioner

    return sharecaptioner.load(
        settings.captioner or CAPTIONER_MODEL,
        quantization=settings.quantization,
        dtype=settings.dtype,
        progress=progress,
    )


def load_answerer(settings: Settings, progress: Progress | None = None) -> Answerer:
    """Makes the answerer that the settings mean; takes minutes for a large model.

    Raises:
        EngineError: its weights can't be loaded.
        SettingsError: there is no such engine.
    """
    if answerer_name(settings) == "measured":
        from sgv_demo.engines.measured import MeasuredAnswerer

        return MeasuredAnswerer()
    from sgv_demo.engines import sharegpt4video

    return sharegpt4video.load(
        settings.answerer or ANSWERER_MODEL,
        quantization=settings.quantization,
        dtype=settings.dtype,
        vision=settings.vision,
        cache_megabytes=settings.cache_megabytes,
        progress=progress,
    )


def describe_engines(settings: Settings) -> list[dict[str, Any]]:
    """One row per engine: name, label, what it is and, for a model, figures computed from its real shapes."""
    rows: list[dict[str, Any]] = []
    for name, (label, about) in ABOUT.items():
        row: dict[str, Any] = {"name": name, "label": label, "about": about}
        if name == "sharecaptioner":
            from sgv_demo.engines import sharecaptioner

            row["model"] = settings.captioner or CAPTIONER_MODEL
            row["figures"] = sharecaptioner.figures(settings.captioner or None)
        elif name == "sharegpt4video":
            from sgv_demo.engines import sharegpt4video

            row["model"] = settings.answerer or ANSWERER_MODEL
            row["figures"] = sharegpt4video.figures(settings.answerer or None)
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
        from sgv_demo.engines.sharecaptioner import ShareCaptioner

        engine = load_captioner(settings, progress)
        assert isinstance(engine, ShareCaptioner)
        engine.save_quantized(out)
    elif settings.answerer:
        from sgv_demo.engines.sharegpt4video import ShareGPT4Video

        engine = load_answerer(settings, progress)
        assert isinstance(engine, ShareGPT4Video)
        engine.save_quantized(out)
    else:
        raise SettingsError("Name the model to save with --captioner or --answerer.")
