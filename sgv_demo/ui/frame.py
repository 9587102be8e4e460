"""The frame of the page as HTML: header, status line, engines, examples, about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from sgv_demo.engines.measured.engine import INFO as MEASURED
from sgv_demo.engines.offers import MODELS
from sgv_demo.settings import Settings
from sgv_demo.types import EngineInfo
from sgv_demo.ui.captions.view import amount, esc, hint, length, limits
from sgv_demo.ui.served import example_address


def status_line(engine: EngineInfo, settings: Settings) -> str:
    """Engine, device, quantization and limits in one quiet line."""
    parts = [engine.label, engine.device]
    if engine.model:
        parts += [engine.model, f"{engine.quantization}, {engine.dtype}".strip(", ")]
    else:
        parts.append("no weights, no quantization")
    parts.append(f"videos {limits(settings)}")
    return '<p class="status-line">' + " · ".join(f"<span>{esc(p)}</span>" for p in parts if p) + "</p>"


def chip(engine: EngineInfo) -> str:
    """The engine's short name for the header button; what a narrow screen has no room for is in <small>."""
    short = engine.label.split(",")[0]
    extra = f" · {engine.quantization}" if engine.model and engine.quantization != "none" else ""
    return f"{esc(short)}<small> · {esc(engine.device)}{esc(extra)}</small>"


def header(title: str, engine: EngineInfo) -> str:
    """The one line on top: name, engine chip, about, theme."""
    return (
        f'<header class="top"><h1>{esc(title)}</h1><p>captions that see what changes</p><nav aria-label="Page">'
        f'<button class="chip" data-panel="engine-panel" aria-expanded="false">'
        f'{chip(engine)}<i aria-hidden="true">▾</i></button>'
        '<button class="flat" data-room="history">History</button>'
        '<button class="flat" data-panel="about-panel" aria-expanded="false">About</button>'
        '<button class="flat" data-language aria-label="Language" title="Language"></button>'
        '<button class="flat" data-theme aria-label="Light or dark">◐</button></nav></header>'
    )


def rooms() -> str:
    """Buttons that open what stands beside the four steps: the comparison and the dataset."""
    return (
        '<nav class="rooms" aria-label="Inspection">'
        '<button data-open="compare-room" aria-pressed="false">Compare</button>'
        '<button data-open="dataset-room" aria-pressed="false">Dataset</button></nav>'
    )


def about(settings: Settings) -> str:
    """What this is, the models and their licences, what is stored where and how long."""
    return (
        "<p><b>Differential captions.</b> A video is sampled, keyframes are kept where the picture changes, and each "
        "pair of neighbours gets a caption of what changed. The captions make the summary.</p>"
        "<p>Beside each caption stands what was <b>measured</b>: cuts, camera, light, colour, motion, text. "
        "It is never guessed, and “unknown” when it can't be told.</p>"
        "<p><b>Models.</b> A research preview: what a model writes can be wrong. Their licences:"
        f"{''.join(f'<br>{line}' for line in _licences())}</p>"
        "<p><b>Data.</b> The captions of the ShareGPT4Video dataset are under CC BY-NC 4.0: not for commercial use.</p>"
        f"<p><b>Privacy.</b> Videos {esc(limits(settings))}. Uploads are deleted from this server after about "
        f"{length(max(3600, settings.state_minutes * 120))}. Captions and keyframes stay, up to "
        f"{esc(amount(settings.store_megabytes))} in all, the oldest go first; History deletes yours at once. Ratings, "
        "edits and the history itself are kept by your browser only. Nobody else sees a result unless you share its "
        f"link{'' if settings.permalinks else ', and links are switched off here'}.</p>"
        '<p>After <a href="https://sharegpt4video.github.io/" target="_blank" rel="noreferrer">ShareGPT4Video</a> '
        "(2024).</p>"
    )


def _licences() -> Iterator[str]:
    """A line for each model that can be at work, with its licence."""
    for licence, models in groupby(MODELS, key=lambda model: model.licence):
        names = ", ".join(model.label for model in models)
        yield f'<b translate="no">{esc(names)}</b> <span>{esc(licence)}</span>'
    yield '<b translate="no">CLIP ViT-L/14</b> <span translate="no">MIT</span>'
    yield f"<b>{esc(MEASURED.label)}</b> <span>{esc(MEASURED.licence)}</span>"


def unplayable() -> str:
    """Shown by the page's script when the browser can't play what the reader can read."""
    return hint("Your browser can't play this codec. Captions work all the same.")


def examples(paths: Iterable[Path], settings: Settings) -> str:
    """What to do first, the limits, and clips to try; a clip plays while it is pointed at."""
    tiles = "".join(
        f'<button class="example" data-example="{index}" aria-label="Try the example {esc(_title(path))}">'
        f'<video src="{esc(example_address(index, path))}#t=0.5" preload="metadata" muted playsinline loop '
        'tabindex="-1"></video>'
        f"<span>{esc(_title(path))}</span></button>"
        for index, path in enumerate(paths)
    )
    head = hint(f"Drop a video above: MP4, MOV, WebM or MKV, {limits(settings)}. Or try one of these:")
    return f'<section class="examples">{head}<div>{tiles}</div></section>'


def _title(path: Path) -> str:
    return path.stem.replace("_", " ").replace("-", " ").capitalize()
