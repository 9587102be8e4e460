"""ShareGPT4Video-8B: LLaVA-NeXT on Llama 3."""

from __future__ import annotations

from typing import Any

from sgv_demo.engines.entry import SIDE_BY_SIDE, Engine, Model, Order

NAME = "sharegpt4video"

MODEL = Model(
    engine=NAME,
    hub_id="Lin-Chen/sharegpt4video-8b",
    label="ShareGPT4Video 8B",
    roles=("answerer",),
    licence="weights under their model card's terms (Meta Llama 3 Community License)",
    download=16_700_000_000,
    weights={"nf4": 6_350_000_000, "int8": 9_740_000_000, "none": 16_710_000_000},
    working=780_000_000,
)


def _load(order: Order) -> Any:
    from sgv_demo.engines.sharegpt4video import engine

    settings = order.settings
    return engine.load(
        order.model,
        quantization=order.quantization,
        dtype=settings.dtype,
        vision=settings.vision,
        cache_megabytes=settings.cache_megabytes,
        timeout=settings.hub_timeout,
        progress=order.progress,
    )


def _figures(model: str | None) -> dict[str, Any]:
    from sgv_demo.engines.sharegpt4video import engine

    return engine.figures(model)


ENGINE = Engine(
    name=NAME,
    label=MODEL.label,
    about="Answers questions about 16 frames (LLaVA-NeXT on Llama 3).",
    how="--answerer MODEL",
    roles=MODEL.roles,
    load=_load,
    models=(MODEL,),
    figures=_figures,
    published=True,
    quantized=True,
    at_once=lambda _settings: SIDE_BY_SIDE,
    tower=lambda engine: engine.network.model.vision_tower,
)
