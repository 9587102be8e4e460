"""The engine panel: its rows, the choices behind it, loading on request, unloading; and whose GPU time a run takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sgv_demo.engines import MEASURED
from sgv_demo.engines import shelf as registry
from sgv_demo.engines.choosing import machine as surroundings
from sgv_demo.engines.choosing.choose import Facts
from sgv_demo.engines.offers import SMOL_256M, SMOL_500M
from sgv_demo.engines.turns import zerogpu
from sgv_demo.errors import EngineError
from sgv_demo.options import QuestionOptions
from sgv_demo.results.store import Store
from sgv_demo.settings import Settings
from sgv_demo.ui import serve
from sgv_demo.ui.api import Endpoints
from sgv_demo.ui.ask.handlers import answering
from sgv_demo.ui.desk import Choice, Desk
from sgv_demo.ui.engines import rows as panel
from sgv_demo.ui.engines import view as enginetable
from sgv_demo.ui.engines.handlers import EngineHandlers, rows
from sgv_demo.ui.engines.rows import EngineRow
from sgv_demo.ui.pump import batches
from sgv_demo.ui.summary.handlers import WritingHandlers
from sgv_demo.ui.video.controls import Controls
from sgv_demo.ui.video.handlers import VideoHandlers
from sgv_demo.ui.visit import Visit
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner

SMALL = f"smolvlm2:{SMOL_500M.hub_id}"
LAPTOP = Facts(ram_free=16_000_000_000, here=frozenset({SMOL_500M.hub_id}))
ROW = EngineRow(
    key="x:some/model", engine="x", label="Some model", about="Writes <b>boldly</b>.", roles=("captioner",),
    licence="Apache-2.0", download=2_000_000_000, needed=3_000_000_000, there=16_000_000_000, place="GPU", taken=None,
    state="to download", detail="2.0 GB to download", chosen=False,
)  # fmt: skip


class Weighty(ScriptedCaptioner):
    """Both roles on one network, as SmolVLM2."""

    answer = ScriptedAnswerer.answer
    default_frames = 4

    def __init__(self) -> None:
        super().__init__(Script())
        self.unloaded = 0

    def unload(self) -> None:
        self.unloaded += 1


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Facts]:
    for module in (panel, registry):
        monkeypatch.setattr(module, "gather", lambda settings: LAPTOP)
    monkeypatch.setattr(surroundings, "cached_folder", lambda hub_id: None)
    monkeypatch.setattr(serve, "cached_folder", lambda hub_id: None)
    registry._facts.cache_clear()
    yield LAPTOP
    registry._facts.cache_clear()


def desk_of(settings: Settings, *choices: Choice) -> Desk:
    return Desk(settings, choices, Store(settings.store_path, 10))


def replaced(desk: Desk, **changes: Any) -> Desk:
    return Desk(replace(desk.settings, **changes), desk.choices, desk.store)


def shared(engine: Weighty, **more: Any) -> Choice:
    return Choice("both", "Both", "-", load_captioner=lambda _: engine, load_answerer=lambda _: engine, **more)


class TestTable:
    def test_a_row_says_what_a_person_wants_to_know(self) -> None:
        html = enginetable.table([ROW], "It fits.", {})
        for words in (
            "It fits.",
            "Some model",
            "Apache-2.0",
            "3.0 GB",
            "of 16.0 GB free (GPU)",
            "2.0 GB",
            "Not loaded",
        ):
            assert words in html
        assert "&lt;b&gt;boldly" in html
        assert "chosen" not in html
        assert "chosen" in enginetable.table([replace(ROW, chosen=True)], "", {})

    def test_states(self) -> None:
        loading = replace(ROW, state="downloading", detail="Downloading weights 40%")
        assert '<progress max="100" value="40">' in enginetable.state(loading, "")
        assert "disk is full" in enginetable.state(replace(ROW, state="failed", detail="The disk is full."), "")
        assert "needs 3.0 GB" in enginetable.state(replace(ROW, state="too large", detail="needs 3.0 GB"), "")
        assert enginetable.state(replace(ROW, state="ready", detail=""), "cpu") == "Loaded · cpu"
        known = "its code gave the known answer"
        assert enginetable.state(replace(ROW, state="ready", detail=known), "") == f"Ready<small>{known}</small>"
        assert "took 2.8 GB" in enginetable.memory(replace(ROW, taken=2_800_000_000))
        assert enginetable.download(replace(ROW, download=0)) == "none"


class TestChoices:
    def test_one_choice_for_both_roles(self, laptop: Facts, settings: Settings) -> None:
        offered = serve.choices(replace(settings, engine="smolvlm2"))
        named = [c for c in offered if c.name == "smolvlm2"]
        assert len(named) == 1
        assert named[0].load_captioner
        assert named[0].load_answerer
        assert (named[0].row, named[0].label) == (SMALL, "SmolVLM2 500M")
        assert len({c.name for c in offered}) == len(offered)

    def test_a_server_too(self, laptop: Facts, settings: Settings) -> None:
        offered = serve.choices(replace(settings, base_url="http://127.0.0.1:9/v1", remote_model="m"))
        assert [c.name for c in offered].count("remote") == 1
        assert offered[0].name == "remote"
        assert offered[0].load_captioner
        assert offered[0].load_answerer

    def test_others_that_fit_are_offered_but_not_in_a_space(self, laptop: Facts, settings: Settings) -> None:
        plain = replace(settings, engine="measured")
        assert SMALL in [c.name for c in serve.choices(plain)]
        assert [c.name for c in serve.choices(replace(plain, space=True))] == ["measured"]

    def test_nothing_large_is_fetched_unasked(self, laptop: Facts, settings: Settings) -> None:
        offered = {c.name: c for c in serve.choices(replace(settings, engine="measured"))}
        assert offered[SMALL].missing is None
        missing = offered[f"smolvlm2:{SMOL_256M.hub_id}"].missing
        assert missing is not None
        assert missing() == SMOL_256M.download


class TestDesk:
    def test_an_engine_to_fetch_wants_its_button(self, settings: Settings) -> None:
        desk = desk_of(settings, shared(Weighty(), missing=lambda: 2_000_000_000))
        with pytest.raises(EngineError, match=r"2\.0 GB to download.*Load now"):
            desk.captioner("both")
        handlers = EngineHandlers(desk)
        list(handlers.load("both", "both"))
        assert desk.captioner("both") is desk.answerer("both")

    def test_unloading_frees_the_engine_once_nobody_uses_it(self, settings: Settings) -> None:
        engine = Weighty()
        desk = desk_of(settings, shared(engine), Choice("other", "Other", "-", load_answerer=lambda _: Weighty()))
        assert desk.captioner("both") is desk.answerer("both")
        desk.unload("both", "other")
        assert engine.unloaded == 0
        desk.unload("both", "both")
        assert engine.unloaded == 1
        assert desk.captioner("both") is desk.answerer("both")
        desk.unload("both", "both")
        assert engine.unloaded == 2

    def test_rows_follow_loading_and_failing(self, laptop: Facts, settings: Settings) -> None:
        refused = [True]

        def load(report: Any) -> Weighty:
            if refused.pop():
                raise EngineError("The disk is full; make room.")
            refused.append(False)
            return Weighty()

        desk = desk_of(settings, Choice("small", "Small", "-", load_captioner=load, load_answerer=load, row=SMALL))

        def state() -> tuple[str, str]:
            return next((row.state, row.detail) for row in rows(desk) if row.key == SMALL)

        assert state() == ("available", "")
        list(EngineHandlers(desk).load("small", "small"))
        assert state() == ("failed", "The disk is full; make room.")
        refused.append(False)
        list(EngineHandlers(desk).load("small", "small"))
        assert state() == ("ready", "")

    def test_a_checkpoint_of_ones_own_has_a_row(self, laptop: Facts, settings: Settings) -> None:
        desk = desk_of(settings, shared(Weighty()))
        found = rows(desk)
        assert [row.label for row in found][:2] == ["Both", MEASURED.label]
        assert SMALL in [row.key for row in found]


class TestSlots:
    def test_the_pump_knows_whose_request_it_is(self) -> None:
        visitor: ContextVar[str] = ContextVar("visitor", default="nobody")
        visitor.set("Ada")
        assert [name for batch in batches(visitor.get() for _ in range(1)) for name in batch] == ["Ada"]

    def test_every_run_of_a_model_is_in_slots(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings, clip: Path
    ) -> None:
        entered: list[int] = []

        @contextmanager
        def in_slots(engine: Any, settings: Settings, steps: int = 0) -> Iterator[Any]:
            entered.append(steps)
            yield engine

        monkeypatch.setattr(zerogpu, "captioner_in_slots", in_slots)
        monkeypatch.setattr(zerogpu, "answerer_in_slots", in_slots)
        desk = desk_of(settings, shared(Weighty()))
        video, controls = VideoHandlers(desk), Controls(engine="both", read_text=False)
        ready = video.probe(Visit(), str(clip), controls)["visit"]
        list(video.run(video.begin(ready, controls)["visit"], controls))
        assert entered == [6]  # at most five samples of 8 s, and the summary
        list(answering(desk, clip, "What?", (), "both", QuestionOptions(frames=4), None))
        list(WritingHandlers(desk).recaption("a cat", "both"))
        list(WritingHandlers(desk).clip(None, "a cat", "both"))
        endpoints = Endpoints(desk)
        list(endpoints.recaption({"prompt": "a cat", "engine": "both"}))
        list(endpoints.summarize({"captions": "a cat", "engine": "both"}))
        assert entered == [6, 0, 1, 1, 1, 1]
        given = {"video": str(clip), "engine": "both", "read_text": False}
        list(endpoints.caption(given))
        list(Endpoints(replaced(desk, zero_gpu=True)).caption(given | {"mode": "fast"}))
        assert entered[6:] == [1, 6]

    def test_only_engines_that_want_a_gpu_are_handed_over(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        given: list[dict[str, Any]] = []
        monkeypatch.setattr(zerogpu, "install", given.append)
        engine = Weighty()
        measured = Choice("measured", "M", "-", load_captioner=lambda _: Weighty(), load_answerer=lambda _: Weighty())
        serve.install_slots(desk_of(settings, shared(engine), measured))
        serve.install_slots(desk_of(settings, measured))
        assert given == [{"captioner": engine, "answerer": engine}, {}]

    def test_what_cannot_be_loaded_does_not_keep_the_page_from_starting(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        def refuse(report: Any) -> Weighty:
            raise EngineError("The hub does not answer.")

        given: list[dict[str, Any]] = []
        monkeypatch.setattr(zerogpu, "install", given.append)
        engine = Weighty()
        desk = desk_of(settings, Choice("x", "X", "-", load_captioner=refuse, load_answerer=lambda _: engine))
        serve.install_slots(desk)
        assert given == [{"answerer": engine}]
        assert desk.captioners.failure("x") == "The hub does not answer."
