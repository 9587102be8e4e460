"""What the page's renderers can say, as HTML: every measured word, every state of a run, singular and plural."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import get_args

from sgv_demo.dataset.index import Trouble
from sgv_demo.events import Analysis, Delta
from sgv_demo.evidence import look, moving
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.results import review
from sgv_demo.settings import Settings
from sgv_demo.types import (
    CAMERA_WORDS,
    CameraMove,
    Caption,
    ColourChange,
    EngineInfo,
    Evidence,
    Failure,
    Moving,
    TraceMark,
    Turn,
)
from sgv_demo.ui import frame as masthead
from sgv_demo.ui.ask import view as chat
from sgv_demo.ui.captions import view as render
from sgv_demo.ui.compare import view as comparison
from sgv_demo.ui.dataset import view as dataset_view
from sgv_demo.ui.engines import view as enginetable
from sgv_demo.ui.engines.rows import EngineRow, State
from sgv_demo.ui.inspect import handlers as room
from sgv_demo.ui.inspect import view as judging
from sgv_demo.ui.summary import view as texts
from sgv_demo.ui.video import progress
from sgv_demo.ui.video import view as facts
from sgv_demo.ui.video.timeline import timeline
from sgv_demo.ui.visit import Phase, Said, Shown, Talk, Visit
from tests.support.samples import EVIDENCE, analysis

RUN = analysis(engine=EngineInfo("scripted", "Scripted", quantization="none"), notes=(), captions=analysis().captions)
RUN_TURN = Turn("Run", "Fast")
COLOURS = tuple(look._PALETTE)  # pyright: ignore[reportPrivateUsage]
LASTING = ((3.0, 3.0), (20.0, 50.0), (50.0, 300.0), (300.0, 1200.0), (300.0, 9000.0), (9000.0, 19000.0))
"""Seconds, from and to."""
DIRECTIONS = (*moving._DIRECTIONS, "in place")  # pyright: ignore[reportPrivateUsage]
PLACES = tuple(place for row in look.PLACES for place in row)


def _picture(name: str | None) -> str:
    return f"data:,{name}" if name else ""


def _measured() -> list[str]:
    """Every word that a measurement can have: as chips, as lanes, as a table."""
    evidence = [Evidence(2.0 * i, 2.0 * i + 2, (word,)) for i, word in enumerate(CAMERA_WORDS)]
    moves = tuple(CameraMove(word, i, i + 1, 0.1, "times") for i, word in enumerate(CAMERA_WORDS))
    evidence += [
        replace(EVIDENCE, camera=CAMERA_WORDS, moves=moves),
        replace(EVIDENCE, light=-0.3),
        *(replace(EVIDENCE, colour=ColourChange(colour, COLOURS[-1], 0.4)) for colour in COLOURS),
        *(replace(EVIDENCE, moving=(Moving(place, "in place", 0.1, 0.1),)) for place in PLACES),
        *(replace(EVIDENCE, moving=(Moving("left", direction, 0.1, 0.1),)) for direction in DIRECTIONS),
    ]
    run = replace(RUN, evidence=tuple(evidence))
    few = replace(RUN, samples=RUN.samples[:1], keyframes=RUN.keyframes[:1])
    drawn = [timeline(RUN.video, shown, 0.87, 0.0, None) for shown in (None, run, few)]
    return [*(render.chips(e) for e in evidence), *drawn]


def _texts() -> list[str]:
    """Cards, galleries, summaries, what the model saw."""
    trace = TraceMark("ask", 7, 90, 1.5, "length", (2, 1), picture="seen.png")
    traced = [render.card(replace(c, trace=trace), RUN, _picture) for c in RUN.captions]
    fast = replace(RUN, options=AnalysisOptions(mode="fast"))
    live = replace(RUN, summary="", live=Delta("summary", "so far"))
    made: list[str] = [*traced, render.card(RUN.captions[1], fast, _picture)]
    made += [render.key_figure(mark, _picture) for mark in RUN.keyframes]
    for shown in (None, RUN, live, replace(RUN, summary_levels=2), replace(RUN, summary="", finished=False)):
        made.append(texts.summary(shown, _picture))
    made += [texts.summary(replace(RUN, summary=""), _picture), render.written_by(RUN), render.written_by(fast)]
    made += [
        facts.estimate(n, seconds)
        for n in (1, 2)
        for seconds in (
            None,
            (3.0, 3.0),
            (20.0, 50.0),
            (50.0, 300.0),
            (300.0, 1200.0),
            (300.0, 9000.0),
            (9000.0, 19000.0),
        )
    ]
    made += [facts.facts(replace(RUN.video, has_audio=audio, notes=())) for audio in (True, False) if RUN.video]
    made += [texts.downloads(()), texts.downloads([("Report", "a.html"), ("Dataset record", "a.jsonl")])]
    return [*made, texts.text_result("text", live=False, by="Scripted")]


def _runs() -> list[str]:
    """Every phase of a run, with nothing, one and several captions."""
    made: list[str] = [progress.looking()]
    for captions in ((), RUN.captions[:1], RUN.captions):
        at = replace(RUN, captions=captions, finished=False)
        states: list[Analysis | None] = [
            None, at, replace(at, samples=()), replace(at, video=None),
            replace(at, live=Delta("summary", "x")), replace(at, live=Delta(1, "x", 2.0, 4.0)),
            *(replace(at, failure=Failure(step, "Scripted", 1)) for step in
              ("caption 7", "the summary", "segment 2 of the summary", "reading the video")),
        ]  # fmt: skip
        phases: tuple[Phase, ...] = get_args(Phase)
        for state in states:
            for phase in phases:
                visit = Visit(phase=phase, analysis=state, started=0.0)
                buttons = progress.buttons(visit, (40.0, 100.0))
                made += [
                    progress.progress(visit, left=40.0),
                    f"<b>{buttons.main}</b><b>{progress.captions_tab(visit)}</b>",
                ]
    made.append(progress.progress(Visit(phase="done", analysis=replace(RUN, from_store=True))))
    made.append(progress.progress(Visit(phase="done", analysis=replace(RUN, keyframes=RUN.keyframes[:1]))))
    return made


def _rooms() -> list[str]:
    """Judging, comparing, datasets, opened results."""
    said = review.NONE.rate(1, "made up").flag(1).edit(RUN.captions[1], "corrected")
    options = AnalysisOptions(
        SamplingOptions(1.0, "clip", 0.5, 1.0, 3.0, 9, True, True, read_text=False), "fast", GenerationOptions(3, 99)
    )
    other = replace(RUN, engine=EngineInfo("x", "Scripted", "GPU", "m", "nf4"), options=options, summary="")
    late = tuple(replace(c, start=c.start + 50, end=c.end + 51) for c in RUN.captions)
    pairs = ((RUN, other), (other, RUN), (RUN, RUN), (RUN, replace(RUN, captions=late)))
    made = [comparison.page((a, review.NONE, _picture), (b, review.NONE, _picture)) for a, b in pairs]
    made += [comparison.page(None, None), f"<span>{room.history_entry(RUN)['about']}</span>"]
    rows = judging.tallied([(RUN, said)])
    made += [judging.bar("a.html", mine=mine, links=True, rows=rows) for mine in (True, False)]
    claims = (
        "The camera is static. There is a hard cut.", "The camera pans left, then pans right.", "The sign says “NOPE”.",
    )  # fmt: skip
    moved = (("pan right",), ("pan right", "zoom in", "roll"), ("static",))
    for text in claims:
        for camera in moved:
            seen = Caption(1, 0.0, 2.0, text, replace(EVIDENCE, camera=camera, cuts=()))
            made += [f'<p class="asked">{escape(q)}</p>' for q in review.questions(seen)]
    made += [dataset_view.welcome(), dataset_view.indexing(0.4)]
    made += [dataset_view.pool(7, {"a.mp4": ""}, listed) for listed in (None, 40)]
    made += [f"<i>{Trouble(*counts).sentence()}</i>" for counts in ((1, 0, 0), (0, 2, 0), (0, 0, 1), (1, 1, 1))]
    return made


def _frame() -> list[str]:
    """Header, engines, questions."""
    settings = Settings()
    engine = EngineInfo("sharecaptioner", "ShareCaptioner-Video 7B", "not loaded yet", "m", "nf4", "float16")
    base = EngineRow(
        "k", "measured", "Scripted", "", ("captioner",), "Apache-2.0", 0, 0, 10**10, "GPU", None, "ready", "", True
    )
    states: tuple[State, ...] = get_args(State)
    rows = [replace(base, state=state, detail="Loading 40%" if "loading" in state else "") for state in states]
    rows += [
        replace(base, needed=5 * 10**9, there=there, taken=taken, place=place, download=download)
        for there in (0, 10**10) for taken in (None, 10**9)
        for place, download in (("memory", 0), ("GPU", 10**9), ("server", 0))
    ]  # fmt: skip
    rows += [replace(base, place=place) for place in ("memory", "server")]
    talk = Talk((Said(RUN_TURN, 0, note="Stopped."),), editing=0)
    made = [masthead.header("ShareGPT4Video", engine), masthead.status_line(engine, settings), masthead.rooms()]
    made += [masthead.about(settings), masthead.about(replace(settings, permalinks=False)), masthead.unplayable()]
    made += [enginetable.table(rows, "", {"k": "CPU"}), enginetable.table(rows, "", {})]
    made += [chat.subject_line(None, talk, None, missing) for missing in ("", "video", "question")]
    made += [chat.subject_line(RUN.video, talk, None), chat.turn(talk.said[0], 0, live=False)]
    waits = ("Waiting for the engine", "Thinking", "Loading", "Reading 16 pictures")
    made += [
        chat.turn(replace(talk.said[0], turn=replace(RUN_TURN, answer="")), 0, live=True, working=w) for w in waits
    ]
    return [
        *made,
        chat.frames((Shown(1.0, "data:,"),), None, _picture),
        chat.frames((Shown(1.0, ""),), None, _picture),
        chat.frames((Shown(1.0, ""),), None, _picture, measured=True),
    ]


def everything() -> str:
    """All of it."""
    return "\n".join([*_measured(), *_texts(), *_runs(), *_rooms(), *_frame()])
