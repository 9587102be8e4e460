"""From settings to a running page."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

from gradio import media

from sgv_demo.annotation import inputs, pool
from sgv_demo.engines import ENGINES, MEASURED, REMOTE, Answerer, Captioner
from sgv_demo.engines import shelf as registry
from sgv_demo.engines.choosing.machine import cached_folder
from sgv_demo.engines.entry import Progress
from sgv_demo.engines.turns import zerogpu
from sgv_demo.errors import SettingsError, SgvError
from sgv_demo.formats.markup import ASSETS
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.types import EngineInfo
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.engines.rows import EngineRow, engine_rows, settings_for
from sgv_demo.ui.layout import build_app, launch_options
from sgv_demo.ui.parts import amount
from sgv_demo.ui.show.handlers import prepare

log = logging.getLogger(__name__)

LAST_PORT = 65535
EXAMPLES = ("cards", "poses", "city", "portrait", "valley", "handheld", "ten_minutes")
"""In the order in which they are offered; the first one's result is what a visitor finds."""


def choices(settings: Settings) -> list[Choice]:
    """Engines on offer: the ones that the settings name first, then the measured one, then all others that fit here.

    Raises:
        SettingsError: the settings name an engine that doesn't exist.
    """
    rows = engine_rows(settings)
    names = (registry.captioner_name(settings), registry.answerer_name(settings))
    offered = [_named(name, settings, names, rows) for name in dict.fromkeys(names) if name != MEASURED.name]
    offered.append(_choice(rows[0], replace(settings, engine=MEASURED.name, captioner="", answerer="")))
    if settings.space or settings.zero_gpu:
        return offered  # visitors of a Space must not fill its disk
    others = [row for row in rows[1:] if not row.chosen and row.state in ("available", "to download")]
    return [*offered, *(_choice(row, settings_for(row, settings)) for row in others)]


def _named(name: str, settings: Settings, names: tuple[str, str], rows: Sequence[EngineRow]) -> Choice:
    """What the settings mean, in the roles in which they mean it."""
    row = next((row for row in rows if row.chosen and row.engine == name), None)
    engine = ENGINES[name]
    roles = [role for role, filled in zip(("captioner", "answerer"), names, strict=True) if filled == name]
    given = settings.captioner if "captioner" in roles else settings.answerer
    model = settings.remote_model if engine is REMOTE else given or (row.key.partition(":")[2] if row else "")
    return Choice(
        name,
        row.label if row else engine.label,
        engine.about,
        load_captioner=partial(_captioner, settings) if "captioner" in roles else None,
        load_answerer=partial(_answerer, settings) if "answerer" in roles else None,
        info=_info(name, row.label if row else engine.label, model, settings),
        row=row.key if row else "",
        at_once=engine.at_once(settings),
    )


def _choice(row: EngineRow, settings: Settings) -> Choice:
    """An engine that the settings don't name; fetched when its Load button asks for it."""
    model = row.key.partition(":")[2]
    return Choice(
        row.key,
        row.label,
        row.about,
        load_captioner=partial(_captioner, settings) if "captioner" in row.roles else None,
        load_answerer=partial(_answerer, settings) if "answerer" in row.roles else None,
        info=_info(row.engine, row.label, model, settings) if row.engine != MEASURED.name else None,
        row=row.key,
        at_once=ENGINES[row.engine].at_once(settings),
        missing=partial(_missing, row) if row.download else None,
    )


def _missing(row: EngineRow) -> int:
    """Bytes to fetch now; what was to be fetched when the page started may have come since."""
    hub_id = row.key.partition(":")[2]
    return 0 if cached_folder(hub_id) else row.download


def _info(name: str, label: str, model: str, settings: Settings) -> EngineInfo:
    """What is known of a model before it is loaded; a local folder by its name alone."""
    shown = Path(model).name if Path(model).expanduser().is_dir() else model
    kind = settings.quantization if ENGINES[name].quantized else ""
    return EngineInfo(name, label, "not loaded yet", shown, kind or "none", settings.dtype)


def _captioner(settings: Settings, report: Progress) -> Captioner:
    return registry.load_captioner(settings, report)


def _answerer(settings: Settings, report: Progress) -> Answerer:
    return registry.load_answerer(settings, report)


def examples() -> list[Path]:
    """Rendered clips, and a real one that ships with gradio."""
    own = [ASSETS / "examples" / f"{name}.mp4" for name in EXAMPLES]
    return [*own, Path(media.get_video("world.mp4"))]


def make_desk(settings: Settings) -> Desk:
    """What all visitors share, from settings."""
    store = Store(settings.store_path, settings.store_megabytes)
    return Desk(settings, choices(settings), store, examples())


def serve(settings: Settings) -> None:
    """Starts the page and stays; takes the next free port when the wanted one is in use."""
    settings = with_pool(settings)
    desk = make_desk(settings)
    app = build_app(desk)
    if settings.zero_gpu:
        install_slots(desk)
    port = free_port(settings)
    app.launch(
        server_name=settings.host, server_port=port, prevent_thread_lock=True, quiet=True, **launch_options(desk)
    )
    print(greeting(settings, port), flush=True)
    # The text reader takes seconds to import: once the page is up, so that the first keyframe needn't wait for it.
    threading.Thread(target=import_module, args=("rapidocr",), daemon=True).start()
    threading.Thread(target=prepare, args=(desk,), daemon=True).start()
    app.block_thread()


def with_pool(settings: Settings) -> Settings:
    """The settings with a pool's records as the dataset and, where all its clips lie below one folder, with its clips.

    Raises:
        DatasetError: the folder is no pool.
    """
    if not settings.pool:
        return settings
    folder = Path(settings.pool).expanduser()
    pool.read(folder)
    roots: set[str] = set()
    for video in inputs.manifest(folder) if (folder / inputs.MANIFEST).is_file() else ():
        roots.add(video.address.removesuffix(video.name) if video.address.endswith(video.name) else "")
        if len(roots) > 1:
            break
    videos = next(iter(roots)) if len(roots) == 1 else ""
    dataset = settings.dataset or str(folder / pool.RECORDS)
    return replace(settings, dataset=dataset, videos_dir=settings.videos_dir or videos)


def greeting(settings: Settings, port: int) -> str:
    """What stands in the terminal once the page is up: who writes and why, where the page is, where results lie."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    moved = f" (port {settings.port} was taken)" if port != settings.port else ""
    return "\n".join(
        (
            registry.why(settings),
            f"The page: http://{host}:{port}/{moved}; another port: --port or SGV_PORT. Ctrl+C ends it.",
            f"Results: {settings.store_path}, at most {amount(settings.store_megabytes)}; elsewhere: SGV_STORE_DIR.",
        )
    )


def install_slots(desk: Desk) -> None:
    """Hands the first engine of each role to ZeroGPU; what can't be loaded is logged, and named when it is used."""
    engines: dict[str, Captioner | Answerer] = {}
    for role, names, get in (
        ("captioner", desk.captioners.names(), desk.captioner),
        ("answerer", desk.answerers.names(), desk.answerer),
    ):
        if (engine := ENGINES.get(names[0])) is not None and not engine.models:
            continue  # they need no GPU
        try:
            engines[role] = get(names[0])
        except SgvError as error:
            log.error("Can't load the %s: %s", role, error)
    zerogpu.install(engines)


def free_port(settings: Settings) -> int:
    """The wanted port, or the next free one of the hundred after it.

    Raises:
        SettingsError: there is no such port.
    """
    if settings.port > LAST_PORT:
        raise SettingsError(f"There is no port {settings.port}; choose one from 1 to {LAST_PORT}.")
    for port in range(settings.port, min(settings.port + 100, LAST_PORT + 1)):
        with socket.socket() as probe:
            if probe.connect_ex((settings.host if settings.host != "0.0.0.0" else "127.0.0.1", port)):
                return port
    return settings.port
