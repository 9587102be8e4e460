"""SmolVLM2: a small general model for a CPU."""

from __future__ import annotations

from typing import Any

from sgv_demo.engines.entry import ROLES, Engine, Model, Order

NAME = "smolvlm2"


def _model(size: str, hub_id: str, parameters: int, working: int) -> Model:
    return Model(
        engine=NAME,
        hub_id=f"HuggingFaceTB/{hub_id}",
        label=f"SmolVLM2 {size}",
        roles=ROLES,
        licence="Apache-2.0",
        download=4 * parameters,
        weights={"none": 2 * parameters},
        working=working,
    )


SMOL_256M = _model("256M", "SmolVLM2-256M-Video-Instruct", 256_484_928, 800_000_000)
SMOL_500M = _model("500M", "SmolVLM2-500M-Video-Instruct", 507_482_304, 1_000_000_000)
SMOL_2B = _model("2.2B", "SmolVLM2-2.2B-Instruct", 2_246_784_880, 2_000_000_000)


def _load(order: Order) -> Any:
    from sgv_demo.engines.smolvlm import engine

    settings = order.settings
    return engine.load(order.model, dtype=settings.dtype, timeout=settings.hub_timeout, progress=order.progress)


def _figures(model: str | None) -> dict[str, Any]:
    from sgv_demo.engines.smolvlm import engine

    return engine.figures(model or SMOL_500M.hub_id)


ENGINE = Engine(
    name=NAME,
    label="SmolVLM2, a small general model",
    about="Captions and answers on a laptop's CPU; not ShareGPT4Video, shorter and less exact.",
    how=f"--engine {NAME}",
    roles=ROLES,
    load=_load,
    models=(SMOL_500M, SMOL_256M, SMOL_2B),  # in the order in which a CPU takes them: 2.2 billion are slow there
    figures=_figures,
    shared=True,
)
