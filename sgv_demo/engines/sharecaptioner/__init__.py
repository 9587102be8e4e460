"""ShareCaptioner-Video: InternLM-XComposer2 with 4K pictures, and Partial LoRA on their positions."""

from __future__ import annotations

from typing import Any

from sgv_demo.engines.entry import SIDE_BY_SIDE, Engine, Model, Order

NAME = "sharecaptioner"

MODEL = Model(
    engine=NAME,
    hub_id="Lin-Chen/ShareCaptioner-Video",
    label="ShareCaptioner-Video 7B",
    roles=("captioner",),
    licence="Apache-2.0 code; weights free for research, commercial use on request (InternLM-XComposer2)",
    download=17_200_000_000,
    weights={"nf4": 6_840_000_000, "int8": 10_220_000_000, "none": 17_190_000_000},
    working=850_000_000,
)


def _load(order: Order) -> Any:
    from sgv_demo.engines.sharecaptioner import engine

    return engine.load(
        order.model,
        quantization=order.quantization,
        dtype=order.settings.dtype,
        timeout=order.settings.hub_timeout,
        progress=order.progress,
    )


def _figures(model: str | None) -> dict[str, Any]:
    from sgv_demo.engines.sharecaptioner import engine

    return engine.figures(model)


ENGINE = Engine(
    name=NAME,
    label=MODEL.label,
    about="Captions, summaries and re-captions (InternLM-XComposer2-4KHD).",
    how="--captioner MODEL",
    roles=MODEL.roles,
    load=_load,
    models=(MODEL,),
    figures=_figures,
    published=True,
    quantized=True,
    at_once=lambda _settings: SIDE_BY_SIDE,
)
