"""`serve-model`: loads what is named, and serves it."""

from __future__ import annotations

import socket
from dataclasses import replace

import uvicorn

from sgv_demo.engines.entry import ROLES, Order, Progress
from sgv_demo.engines.shelf import OFFICIAL, engine_of, measured_load, precision
from sgv_demo.errors import SettingsError
from sgv_demo.serving.app import LOCAL, build
from sgv_demo.serving.models import AnswererModel, CaptionerModel, Model
from sgv_demo.settings import Settings

GRACE = 3
"""Seconds that answers have to end in when the server is told to stop."""


def load(settings: Settings, progress: Progress | None = None) -> list[Model]:
    """The models that the settings name.

    Raises:
        SettingsError: none is named.
        EngineError: one can't be loaded.
    """
    models: list[Model] = []
    for role in ROLES:
        if name := getattr(settings, role):
            engine = engine_of(replace(settings, engine=OFFICIAL), role)
            order = Order(role, name, precision(settings), settings, progress)
            made = measured_load(lambda engine=engine, order=order: engine.load(order))
            models.append(CaptionerModel(made) if role == "captioner" else AnswererModel(made))
    if not models:
        raise SettingsError("Name the model to serve with --captioner or --answerer.")
    if len({model.name for model in models}) < len(models):
        raise SettingsError(f"Both models are called {models[0].name}; rename one folder.")
    return models


def check(settings: Settings) -> None:
    """
    Raises:
        SettingsError: others could reach the server without a key, or its port is taken.
    """
    if settings.host not in LOCAL and not settings.served_key:
        raise SettingsError(
            f"Whoever reaches {settings.host} could use the models; set a key in SGV_SERVED_KEY, or listen on "
            "127.0.0.1."
        )
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.served_port))
        except OSError as error:
            where = f"{settings.host}:{settings.served_port}"
            raise SettingsError(f"{where} can't be listened on ({error.strerror}); choose another --port.") from error


def serve(settings: Settings, progress: Progress | None = None) -> None:
    """Serves until it is told to stop.

    Raises:
        SettingsError: see `check` and `load`.
        EngineError: see `load`.
    """
    check(settings)
    models = load(settings, progress)
    names = ", ".join(model.name for model in models)
    where = f"http://{settings.host}:{settings.served_port}/v1"
    print(f"{names} at {where}, {'with' if settings.served_key else 'without'} a key. Ctrl+C ends it.", flush=True)
    uvicorn.run(
        build(models, settings),
        host=settings.host,
        port=settings.served_port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
