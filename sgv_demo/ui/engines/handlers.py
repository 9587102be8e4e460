"""The engine chooser: every engine and its state, loading and unloading the chosen ones."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from sgv_demo.engines import MEASURED, Answerer, Captioner
from sgv_demo.engines import shelf as registry
from sgv_demo.ui import frame as masthead
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.desk import Choice, Desk, VisitorsServer
from sgv_demo.ui.engines import view as enginetable
from sgv_demo.ui.engines.rows import EngineRow, Loaded, engine_rows, state_of
from sgv_demo.ui.pump import batches
from sgv_demo.ui.video.handlers import Updates

TITLE = "ShareGPT4Video"


class EngineHandlers:
    """The engine panel for one `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def view(self, engine: str, answerer: str, trouble: str = "") -> Updates:
        """Chip, status line, the panel's table, and what its buttons can do with the chosen engines."""
        desk = self.desk
        info = desk.info(engine)
        loaded = (desk.captioners.loaded(engine), desk.answerers.loaded(answerer))
        heavy = any(e is not None and e.info.model for e in loaded if isinstance(e, (Captioner, Answerer)))
        return {
            "header": masthead.header(TITLE, info),
            "status": masthead.status_line(info, desk.settings),
            "engine_state": enginetable.table(rows(desk), registry.why(desk.settings), _facts(desk), trouble),
            "load": gr.update(interactive=not all(map(self._is_there, (engine, answerer), loaded))),
            # On ZeroGPU the engines were handed to the workers when the page started.
            "unload": gr.update(interactive=heavy and not desk.settings.zero_gpu),
            "model_decoding": gr.update(visible=engine != MEASURED.name),
            "answering": gr.update(visible=answerer != MEASURED.name),
        }

    @staticmethod
    def _is_there(name: str, loaded: object | None) -> bool:
        return loaded is not None or VisitorsServer.of(name) is not None

    def load(self, engine: str, answerer: str) -> Iterator[Updates]:
        """Loads both chosen engines; yields how far it is."""

        def both() -> Iterator[None]:
            self.desk.captioner(engine, fetch=True)
            self.desk.answerer(answerer, fetch=True)
            yield None

        with boundary("loading") as told:
            for _ in batches(both(), seconds=0.3):
                yield self.view(engine, answerer)
        yield self.view(engine, answerer, told.sentence)

    def unload(self, engine: str, answerer: str) -> Updates:
        """Frees the memory of both chosen engines."""
        self.desk.unload(engine, answerer)
        return self.view(engine, answerer)


def rows(desk: Desk) -> list[EngineRow]:
    """Every engine: what has no row among the known ones (a checkpoint of one's own) first."""
    state = _loaded(desk)
    known = engine_rows(desk.settings, state)
    keys = {row.key for row in known}
    return [*(_own(choice, state) for choice in desk.choices if _key(choice) not in keys), *known]


def _key(choice: Choice) -> str:
    return choice.row or choice.name


def _loaded(desk: Desk) -> Loaded:
    engines: dict[str, object] = {}
    stages: dict[str, tuple[str, float | None]] = {}
    failures: dict[str, str] = {}
    for choice in desk.choices:
        for shelf in (desk.captioners, desk.answerers):
            if (engine := shelf.loaded(choice.name)) is not None:
                engines[_key(choice)] = engine
            if (stage := shelf.stage(choice.name)) is not None:
                stages[_key(choice)] = stage
            if failure := shelf.failure(choice.name):
                failures[_key(choice)] = failure
    return Loaded(engines, stages, failures)


def _own(choice: Choice, loaded: Loaded) -> EngineRow:
    """A row for an engine whose size nobody knows before it is loaded."""
    engine = loaded.engines.get(choice.name)
    state, detail = state_of(choice.name, loaded, "available", "")
    roles = (("captioner", choice.load_captioner), ("answerer", choice.load_answerer))
    return EngineRow(
        key=choice.name,
        engine=choice.name,
        label=choice.label,
        about=choice.about,
        roles=tuple(role for role, load in roles if load),
        licence=engine.info.licence if isinstance(engine, (Captioner, Answerer)) else "",
        download=0,
        needed=0,
        there=0,
        place="",
        taken=None,
        state=state,
        detail=detail,
        chosen=True,
    )


def _facts(desk: Desk) -> dict[str, str]:
    """Device, model and number types of what is loaded, by row key."""
    found: dict[str, str] = {}
    for key, engine in _loaded(desk).engines.items():
        if isinstance(engine, (Captioner, Answerer)) and key != MEASURED.name:
            info = engine.info
            parts = (info.device, info.model, info.quantization if info.model else "", info.dtype)
            found[key] = " · ".join(part for part in parts if part)
    return found
