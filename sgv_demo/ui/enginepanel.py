"""The engine chooser: which one, whether it is loaded, loading, unloading."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gradio as gr

from sgv_demo.engines import Answerer, Captioner
from sgv_demo.errors import SgvError
from sgv_demo.ui import masthead
from sgv_demo.ui.desk import Desk, Shelf
from sgv_demo.ui.handlers import UNFORESEEN, Updates
from sgv_demo.ui.pump import batches

log = logging.getLogger(__name__)

TITLE = "ShareGPT4Video"


class EngineHandlers:
    """The engine panel for one `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def view(self, engine: str, answerer: str, trouble: str = "") -> Updates:
        """Chip, status line and the panel's words for the chosen engines."""
        desk = self.desk
        info = desk.info(engine)
        loaded = (desk.captioners.loaded(engine), desk.answerers.loaded(answerer))
        rows = [("Captions", self._row(desk.captioners, engine)), ("Answers", self._row(desk.answerers, answerer))]
        heavy = any(e is not None and e.info.model for e in loaded if isinstance(e, (Captioner, Answerer)))
        return {
            "header": masthead.header(TITLE, info),
            "status": masthead.status_line(info, desk.settings),
            "engine_state": masthead.engines(rows, trouble),
            "load": gr.update(interactive=not all(loaded)),
            "unload": gr.update(interactive=heavy),
            "model_decoding": gr.update(visible=engine != "measured"),
            "answering": gr.update(visible=answerer != "measured"),
        }

    def _row(self, shelf: Shelf, name: str) -> tuple[str, str, str]:
        stage, engine = shelf.stage(name), shelf.loaded(name)
        choice = self.desk.choice(name)
        if stage is not None:
            share = "" if stage[1] is None else f" {stage[1]:.0%}"
            return choice.label, choice.about, f"{stage[0]}{share}"
        if isinstance(engine, (Captioner, Answerer)):
            info = engine.info
            facts = (info.device, info.model, info.quantization if info.model else "", info.dtype, info.licence)
            return choice.label, choice.about, "Loaded · " + " · ".join(f for f in facts if f)
        return choice.label, choice.about, "Not loaded; loads when first used"

    def load(self, engine: str, answerer: str) -> Iterator[Updates]:
        """Loads both chosen engines; yields how far it is."""

        def both() -> Iterator[None]:
            self.desk.captioner(engine)
            self.desk.answerer(answerer)
            yield None

        trouble = ""
        try:
            for _ in batches(both(), seconds=0.3):
                yield self.view(engine, answerer)
        except SgvError as error:
            trouble = str(error)
        except Exception:
            # The page's boundary: a visitor gets a sentence, the log the traceback.
            log.exception("Loading failed")
            trouble = UNFORESEEN
        yield self.view(engine, answerer, trouble)

    def unload(self, engine: str, answerer: str) -> Updates:
        """Frees the memory of both chosen engines."""
        self.desk.captioners.unload(engine)
        self.desk.answerers.unload(answerer)
        return self.view(engine, answerer)
