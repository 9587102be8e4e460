"""Patches for the page's keyed lists (cards, keyframes, chat): only what changed is sent.

A list of 1,800 cards is never sent again because of a token. assets/page.js keeps each list by key, replaces an item
part by part, and clears a list when its `run` changes. Patches may be repeated without harm.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sgv_demo.events import Captioned, Event, Kept
from sgv_demo.ui.captions.view import card, key_figure
from sgv_demo.ui.parts import PictureUrl
from sgv_demo.ui.visit import Visit

Patch: TypeAlias = dict[str, Any]
"""{"run": …, "lists": {name: {key: html}}, "live": key or None, "size": {name: how many items remain}, "result": the
result's key}"""


def run_patch(events: Iterable[Event], visit: Visit, url: PictureUrl) -> Patch:
    """What the events of one batch change in the cards and the keyframe gallery."""
    analysis = visit.analysis
    cards: dict[str, str] = {}
    keys: dict[str, str] = {}
    if analysis is None:
        return patch(visit.run)
    changed = {e.caption.index for e in events if isinstance(e, Captioned)}
    by_index = {c.index: c for c in analysis.captions}
    for index in sorted(changed & by_index.keys()):
        cards[str(index)] = card(by_index[index], analysis, url)
    for event in events:
        if isinstance(event, Kept):
            keys[str(event.mark.index)] = key_figure(event.mark, url, analysis.video)
    live = analysis.live if analysis.live and analysis.live.step != "summary" else None
    if live is not None:
        cards[str(live.step)] = card(live, analysis, url)
    made = patch(visit.run, live=None if live is None else str(live.step), cards=cards, keys=keys)
    return {**made, "result": analysis.key}


def ended_patch(visit: Visit) -> Patch:
    """After the last event: no card is live, and one that was cut off in the middle goes."""
    size = {"cards": len(visit.analysis.captions) if visit.analysis else 0}
    return {**patch(visit.run), "size": size}


def patch(run: int, *, live: str | None = None, **lists: Mapping[str, str]) -> Patch:
    """A patch for lists by name."""
    return {
        "run": run,
        "live": live,
        "lists": {name: dict(items) for name, items in lists.items() if items},
        "size": {},
    }


def message(**what: Any) -> dict[str, Any]:
    """For the page's script; never equal to the last one, so that it always arrives."""
    return {"n": secrets.token_hex(6), **what}
