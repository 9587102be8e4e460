"""From settings to a running page."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

from gradio import media

from sgv_demo.engines import registry
from sgv_demo.settings import Settings
from sgv_demo.store import Store
from sgv_demo.types import EngineInfo
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.layout import build_app, launch_options
from sgv_demo.ui.theme import ASSETS


def choices(settings: Settings) -> list[Choice]:
    """Engines on offer: the ones that the settings name first, the measured ones always.

    Raises:
        SettingsError: the settings name an engine that doesn't exist.
    """
    measured = replace(settings, engine="measured", captioner="", answerer="")
    label, about = registry.ABOUT["measured"]
    offered = [
        Choice(
            "measured",
            label,
            about,
            load_captioner=lambda report: registry.load_captioner(measured, report),
            load_answerer=lambda report: registry.load_answerer(measured, report),
        )
    ]
    if (name := registry.answerer_name(settings)) != "measured":
        info = _info(name, settings.answerer or registry.ANSWERER_MODEL, settings)
        offered.insert(0, Choice(name, *registry.ABOUT[name], load_answerer=partial(_answerer, settings), info=info))
    if (name := registry.captioner_name(settings)) != "measured":
        info = _info(name, settings.captioner or registry.CAPTIONER_MODEL, settings)
        offered.insert(0, Choice(name, *registry.ABOUT[name], load_captioner=partial(_captioner, settings), info=info))
    return offered


def _info(name: str, model: str, settings: Settings) -> EngineInfo:
    """What is known of a model before it is loaded; a local folder by its name alone."""
    shown = Path(model).name if Path(model).expanduser().is_dir() else model
    label = registry.ABOUT[name][0]
    return EngineInfo(name, label, "not loaded yet", shown, settings.quantization, settings.dtype)


def _captioner(settings: Settings, report: registry.Progress) -> registry.Captioner:
    return registry.load_captioner(settings, report)


def _answerer(settings: Settings, report: registry.Progress) -> registry.Answerer:
    return registry.load_answerer(settings, report)


def examples() -> list[Path]:
    """The rendered clips and one that ships with gradio."""
    own = sorted((ASSETS / "examples").glob("*.mp4"))
    return [*own, Path(media.get_video("world.mp4"))]


def make_desk(settings: Settings) -> Desk:
    """What all visitors share, from settings."""
    store = Store(settings.store_path, settings.store_megabytes)
    return Desk(settings, choices(settings), store, examples())


def serve(settings: Settings) -> None:
    """Starts the page and stays; takes the next free port when the wanted one is in use."""
    desk = make_desk(settings)
    app = build_app(desk)
    app.launch(
        server_name=settings.host, server_port=free_port(settings), prevent_thread_lock=True, **launch_options(desk)
    )
    # The text reader takes seconds to import: once the page is up, so that the first keyframe needn't wait for it.
    threading.Thread(target=import_module, args=("rapidocr",), daemon=True).start()
    app.block_thread()


def free_port(settings: Settings) -> int:
    """The wanted port, or the next free one of the hundred after it."""
    for port in range(settings.port, settings.port + 100):
        with socket.socket() as probe:
            if probe.connect_ex((settings.host if settings.host != "0.0.0.0" else "127.0.0.1", port)):
                return port
    return settings.port
