"""Models behind OpenAI-compatible servers."""

from __future__ import annotations

from typing import Any

from sgv_demo.engines.entry import ROLES, Engine, Order
from sgv_demo.settings import Settings

NAME = "remote"


def _load(order: Order) -> Any:
    from sgv_demo.engines.remote import engine

    return engine.load_captioner(order.settings) if order.role == "captioner" else engine.load_answerer(order.settings)


def _missing(settings: Settings) -> str:
    return "" if settings.base_url else "Start the page with --base-url or SGV_BASE_URL."


def _at_once(settings: Settings) -> int:
    """As many as each server is given."""
    return max(settings.remote_at_once, 1) * max(sum(bool(url.strip()) for url in settings.base_url.split(",")), 1)


ENGINE = Engine(
    name=NAME,
    label="A model on a server",
    about="Captions and answers by OpenAI-compatible servers.",
    how=f"--engine {NAME} --base-url URL --model NAME",
    roles=ROLES,
    load=_load,
    licence="the server's model's",
    place="server",
    at_once=_at_once,
    missing=_missing,
)
