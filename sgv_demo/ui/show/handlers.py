"""Showing results: the visitor's own, a link's, and the finished example of the landing page."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from sgv_demo import pipeline
from sgv_demo.engines import MEASURED, Captioner
from sgv_demo.events import Analysis
from sgv_demo.options import AnalysisOptions
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.served import example_address
from sgv_demo.ui.show import view
from sgv_demo.ui.video.handlers import Updates

log = logging.getLogger(__name__)


PREPARED = 4
"""Example clips that are captioned before anybody asks: more would hold up the first visitor."""


class ShowHandlers:
    """What is shown, for one `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def example(self) -> Updates:
        """The first example clip whose stored result is complete; nothing while there is none."""
        with boundary("finding an example"):
            captioner = _captioner(self.desk)
            for number, path in enumerate(self.desk.examples):
                result = stored(self.desk, path, captioner)
                if result is not None and result.video is not None and result.finished:
                    named = replace(result, video=replace(result.video, path=path))
                    pictures, video = self.desk.pictures(result.key), example_address(number, path)
                    return {"example": view.show(named, pictures, video, "example")}
        return {}


def prepare(desk: Desk) -> None:
    """Captions the first example clips with the engine that is always there, unless the store has them: whoever opens
    the page sees a real result, and whoever taps one of them and runs it has it at once."""
    with boundary("preparing the examples"):
        captioner = _captioner(desk)
        for path in desk.examples[:PREPARED]:
            result = stored(desk, path, captioner)
            if result is None or not result.finished:
                for _ in pipeline.analyze(path, captioner, AnalysisOptions(), desk.settings, store=desk.store):
                    pass


def stored(desk: Desk, path: Path, captioner: Captioner) -> Analysis | None:
    """What the store has of a clip with the default options."""
    options = pipeline.settle(AnalysisOptions(), captioner.info, desk.settings)
    key = pipeline.result_key(path, captioner.info, options, desk.settings)
    return desk.store.recall(key)


def _captioner(desk: Desk) -> Captioner:
    names = desk.captioners.names()
    return desk.captioner(MEASURED.name if MEASURED.name in names else names[0])
