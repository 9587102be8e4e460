"""The offline engine: it writes what was measured, and pretends no more."""

from __future__ import annotations

import os
from typing import Any

from sgv_demo.engines.entry import ROLES, Engine, Order

NAME = "measured"


def _load(order: Order) -> Any:
    from sgv_demo.engines.measured.engine import MeasuredAnswerer, MeasuredCaptioner

    return MeasuredCaptioner() if order.role == "captioner" else MeasuredAnswerer()


ENGINE = Engine(
    name=NAME,
    label="Measured, no language model",
    about="Writes from what was measured: camera, cuts, light, colour, motion, text. No weights, no network.",
    how="--engine measured",
    roles=ROLES,
    load=_load,
    licence="this program's",
    at_once=lambda _settings: os.cpu_count() or 2,
    ready=True,
)
