"""Results as a run leaves them in a store."""

from __future__ import annotations

from collections.abc import Generator

from sgv_demo.events import (
    Analysis,
    Begun,
    Captioned,
    Event,
    Finished,
    Kept,
    Measured,
    Noted,
    Opened,
    Sampled,
    Summarized,
)
from sgv_demo.results.store import Store


def events_of(analysis: Analysis) -> Generator[Event, None, None]:
    """The events that fold into a finished analysis."""
    yield Begun(analysis.engine, analysis.options, analysis.key)
    if analysis.video:
        yield Opened(analysis.video)
    yield from map(Sampled, analysis.samples)
    yield from map(Kept, analysis.keyframes)
    yield from map(Measured, analysis.evidence)
    yield from map(Noted, analysis.notes)
    yield from map(Captioned, analysis.captions)
    if analysis.summary:
        yield Summarized(analysis.summary, analysis.summary_levels, analysis.summary_trace)
    if analysis.finished:
        yield Finished(analysis.seconds)


def store_result(store: Store, analysis: Analysis) -> None:
    """Puts an analysis into a store under its key."""
    with store.log(analysis.key) as log:
        list(log.record(events_of(analysis)))
