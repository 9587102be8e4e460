"""Showing results: the visitor's own, a link's, and the finished example of the landing page."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import product
from pathlib import Path

from sgv_demo import pipeline
from sgv_demo.engines import MEASURED, Captioner
from sgv_demo.events import Analysis
from sgv_demo.languages import LANGUAGES, Language
from sgv_demo.options import AnalysisOptions, GenerationOptions
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

    def example(self, language: Language) -> Updates:
        """The first example clip whose stored result is complete, in the page's language if one is; else nothing."""
        with boundary("finding an example"):
            captioner = _captioner(self.desk)
            clips = list(enumerate(self.desk.examples))
            for told, (number, path) in product(dict.fromkeys((language, *LANGUAGES)), clips):
                result = stored(self.desk, path, captioner, _plain(told))
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
        for language, path in product(LANGUAGES, desk.examples[:PREPARED]):
            options = _plain(language)
            result = stored(desk, path, captioner, options)
            if result is None or not result.finished:
                for _ in pipeline.analyze(path, captioner, options, desk.settings, store=desk.store):
                    pass


def _plain(language: Language) -> AnalysisOptions:
    return AnalysisOptions(generation=GenerationOptions(language=language))


def stored(desk: Desk, path: Path, captioner: Captioner, options: AnalysisOptions) -> Analysis | None:
    """What the store has of a clip with these options."""
    options = pipeline.settle(options, captioner.info, desk.settings)
    key = pipeline.result_key(path, captioner.info, options, desk.settings)
    return desk.store.recall(key)


def _captioner(desk: Desk) -> Captioner:
    names = desk.captioners.names()
    return desk.captioner(MEASURED.name if MEASURED.name in names else names[0])
