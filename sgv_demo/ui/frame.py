"""The frame of the page as HTML: header, status line, examples, about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from sgv_demo.engines.measured.engine import INFO as MEASURED
from sgv_demo.engines.offers import MODELS
from sgv_demo.formats.markup import macros
from sgv_demo.settings import Settings
from sgv_demo.times import length
from sgv_demo.types import EngineInfo
from sgv_demo.ui.parts import amount, hint, limits
from sgv_demo.ui.served import example_address


def status_line(engine: EngineInfo, settings: Settings) -> Markup:
    """Engine, device, quantization and limits in one quiet line."""
    parts = [engine.label, engine.device]
    if engine.model:
        parts += [engine.model, f"{engine.quantization}, {engine.dtype}".strip(", ")]
    else:
        parts.append("no weights, no quantization")
    parts.append(f"videos {limits(settings)}")
    return macros("page").status_line([part for part in parts if part])


def header(title: str, engine: EngineInfo) -> Markup:
    """The one line on top: name, engine chip, about, theme."""
    kind = engine.quantization if engine.model and engine.quantization != "none" else ""
    details = [detail for detail in (engine.device, kind) if detail]
    return macros("page").header(title, engine.label.split(",")[0], details)


def rooms() -> Markup:
    """Buttons that open what stands beside the four steps: the comparison and the dataset."""
    return macros("page").rooms()


def about(settings: Settings) -> Markup:
    """What this is, the models and their licences, what is stored where and how long."""
    return macros("page").about(
        limits(settings),
        list(_licences()),
        length(max(3600, settings.state_minutes * 120)),
        amount(settings.store_megabytes),
        settings.permalinks,
    )


def _licences() -> Iterator[tuple[str, str, bool]]:
    """Models that can be at work, their licence, and whether the name is in words of the page."""
    for licence, models in groupby(MODELS, key=lambda model: model.licence):
        yield ", ".join(model.label for model in models), licence, False
    yield "CLIP ViT-L/14", "MIT", False
    yield MEASURED.label, MEASURED.licence, True


def unplayable() -> Markup:
    """Shown by the page's script when the browser can't play what the reader can read."""
    return hint("Your browser can't play this codec. Captions work all the same.")


def examples(paths: Iterable[Path], settings: Settings) -> Markup:
    """What to do first, the limits, and clips to try; a clip plays while it is pointed at."""
    head = f"Drop a video above: MP4, MOV, WebM or MKV, {limits(settings)}. Or try one of these:"
    clips = [(example_address(number, path), _title(path)) for number, path in enumerate(paths)]
    return macros("page").examples(head, clips)


def _title(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ").capitalize()
