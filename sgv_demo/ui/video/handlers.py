"""What happens to a video on the page: events in, one dict of updates by component name out."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Generator, Iterator, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

from sgv_demo import pipeline
from sgv_demo.engines.turns import zerogpu
from sgv_demo.errors import SgvError, StoreError
from sgv_demo.events import Analysis, Begun, Captioned, Event, Kept, Sampled
from sgv_demo.keyframes.similarity import settled
from sgv_demo.keyframes.watch import expected_samples
from sgv_demo.options import SamplingOptions
from sgv_demo.times import gigabytes
from sgv_demo.types import VideoInfo
from sgv_demo.ui import feed
from sgv_demo.ui.ask import view as chat
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.captions import view as render
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.feed import message
from sgv_demo.ui.parts import amount
from sgv_demo.ui.pump import batches
from sgv_demo.ui.summary import view as texts
from sgv_demo.ui.video import view as facts
from sgv_demo.ui.video.controls import MODES, Controls
from sgv_demo.ui.video.pace import Kind, Pace, Spent, guessed_keyframes, timed
from sgv_demo.ui.video.progress import buttons, captions_tab, looking, progress
from sgv_demo.ui.video.timeline import timeline
from sgv_demo.ui.visit import Talk, Token, Visit
from sgv_demo.video import open_video

log = logging.getLogger(__name__)

Updates: TypeAlias = dict[str, Any]
"""Component name to its new value, or to properties made by `gr.update`."""

_TIMELINE_SECONDS = 0.5
_SILENT_SECONDS = 1.0
_STOP_SECONDS = 0.5
_SEEN = 4
"""Samples that the guess of how many become keyframes counts for, beside those that were seen."""
_MOST_TICKETS = 500
"""Most runs that can be taken up again after a reload."""


class Changed:
    """Lets through only what differs from what was sent before."""

    def __init__(self) -> None:
        self._sent: Updates = {}

    def __call__(self, updates: Updates) -> Updates:
        new = {name: value for name, value in updates.items() if name not in self._sent or self._sent[name] != value}
        self._sent |= {name: copy(value) for name, value in new.items()}  # what is sent gets changed on its way
        return new


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A run as it began: what it takes to go on with it from another page."""

    path: Path
    """The upload; it is kept as long as gradio keeps uploads."""
    key: str
    take: str
    controls: Controls
    """What was chosen: only with the same options is it the same run."""


class VideoHandlers:
    """Upload, sampling, run, stop."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._pace = Pace()
        self._tickets: dict[str, _Ticket] = {}

    def looking(self, visit: Visit, path: str | None) -> Updates:
        """Shown while a new file is being probed."""
        return {} if not path or visit.path == Path(path) else {"progress": looking()}

    def probe(self, visit: Visit, path: str | None, controls: Controls) -> Updates:
        """A file came, was replaced or was taken away: looks at it and starts from nothing."""
        if path and visit.path == Path(path):
            return {}
        if not path and visit.phase in ("empty", "unusable"):
            return {}
        visit.token.stop.set()
        visit = visit.fresh()
        if path:
            visit = self._probed(visit, Path(path))
        controls = replace(controls, start=None, end=None)
        cleared = {
            "start": 0,
            "end": None,
            "facts": facts.facts(visit.video) if visit.video else "",
            "summary": texts.summary(None, _no_picture),
            "downloads": texts.downloads(()),
            "cards_by": "",
            "subject": chat.subject_line(visit.video, Talk(), visit.path),
            "feed": feed.patch(visit.run),
            "examples": gr.update(visible=visit.video is None),
        }
        if visit.phase == "unusable":
            cleared["player"] = None  # an empty drop zone, not a player that says something else of the same file
        return self.view(visit, controls) | cleared

    def _probed(self, visit: Visit, path: Path) -> Visit:
        try:
            most = self.desk.settings.max_megabytes
            if path.stat().st_size > most * 1024 * 1024:
                problem = f"This file is larger than {amount(most)}; cut it or make it smaller."
                return replace(visit, phase="unusable", problem=problem)
            with open_video(path, self.desk.settings) as reader:
                return replace(visit, path=path, video=reader.info, phase="ready")
        except SgvError as error:
            return replace(visit, phase="unusable", problem=str(error))
        except OSError:
            log.exception("Can't read an upload")
            return replace(visit, phase="unusable", problem="The upload can't be read; upload it again.")

    def view(self, visit: Visit, controls: Controls) -> Updates:
        """All that follows from the state and the controls, but for the lists, the texts and the facts."""
        can = buttons(self._shown(visit, controls), self.seconds(visit, controls))
        return {
            "visit": visit,
            "progress": progress(visit),
            "timeline": self._timeline(visit, controls),
            "estimate": self._estimate(visit, controls),
            "chosen": self._chosen(controls),
            "run": gr.update(value=can.main, interactive=can.can_run, variant="primary" if can.urgent else "secondary"),
            "stop": gr.update(interactive=can.can_stop),
            "other_ways": gr.update(interactive=can.can_run and visit.analysis is not None),
            "restart": gr.update(visible=can.can_restart),
            "tab_captions": gr.update(label=captions_tab(visit)),
            "cards_empty": render.empty(visit.phase),
        }

    def _shown(self, visit: Visit, controls: Controls) -> Visit:
        """A settled run whose settings were changed since is ready to be run anew."""
        if visit.analysis is None or visit.phase not in ("done", "stopped", "failed"):
            return visit
        wanted = pipeline.settle(controls.options(), visit.analysis.engine, self.desk.settings)
        same = wanted == visit.analysis.options and controls.engine == visit.analysis.engine.name
        return visit if same else replace(visit, phase="ready")

    def _chosen(self, controls: Controls) -> str:
        options = controls.options()
        sampling = settled(options.sampling, self.desk.settings)
        return facts.chosen(replace(options, sampling=sampling))

    def _timeline(self, visit: Visit, controls: Controls) -> str:
        sampling = settled(controls.options().sampling, self.desk.settings)
        return timeline(visit.video, visit.analysis, sampling.threshold_in_force, sampling.start, sampling.end)

    def _estimate(self, visit: Visit, controls: Controls) -> str:
        if visit.video is None:
            return ""
        samples = expected_samples(visit.video, controls.options().sampling)
        return facts.estimate(samples, self.seconds(visit, controls))

    def seconds(self, visit: Visit, controls: Controls) -> tuple[float, float] | None:
        """From how long to how long a run will take, from what runs of its kind took lately."""
        sampling = controls.options().sampling
        if visit.video is None:
            return None
        samples = expected_samples(visit.video, sampling)
        keyframes, counted = _expected_keyframes(visit.analysis, controls, samples)
        return self._pace.promised(_kind(controls), samples, keyframes, counted=counted)

    def _left(self, visit: Visit, controls: Controls, spent: Spent) -> float | None:
        """How long the run under way will still take; None before there is anything to go by."""
        analysis = visit.analysis
        if analysis is None or analysis.video is None or not analysis.samples or analysis.from_store:
            return None
        samples = expected_samples(analysis.video, analysis.options.sampling)
        seen, kept = len(analysis.samples), len(analysis.keyframes)
        guessed, _ = _expected_keyframes(None, controls, samples)
        # What was kept so far tells more of the rest the more was seen.
        share = (kept + _SEEN * guessed / max(samples, 1)) / (seen + _SEEN)
        rest = max(0, samples - seen)
        unwritten = max(0, kept - len(analysis.captions)) if controls.mode == "sliding" else 0
        return self._pace.left(_kind(controls), spent, rest, rest * share + unwritten)

    def own_threshold(self, similarity: Any) -> Updates:
        """The similarity was changed: its own threshold comes with it."""
        sampling = settled(SamplingOptions(similarity=similarity), self.desk.settings)
        return {"threshold": sampling.threshold_in_force}

    def adjust(self, visit: Visit, controls: Controls) -> Updates:
        """A control changed: the estimate, the timeline and the main button follow."""
        chosen = {"chosen": self._chosen(controls)}
        if visit.video is None or visit.phase in ("running", "waiting"):
            return chosen
        view = chosen | self.view(visit, controls)
        return {name: view[name] for name in ("chosen", "timeline", "estimate", "run", "restart")}

    def begin(self, visit: Visit, controls: Controls, take: str | None = None, ways: tuple[str, ...] = ()) -> Updates:
        """Run was pressed: shown at once, before the run gets its turn. `take` and `ways`: see `Visit`."""
        if visit.path is None or visit.video is None:
            return {}
        controls.check(self.desk.settings)
        visit.token.stop.set()
        if not visit.path.is_file():
            problem = "This video is no longer on the server; upload it again."
            gone = replace(visit.fresh(), phase="unusable", problem=problem)
            return self.view(gone, controls) | {"player": None, "examples": gr.update(visible=True)}
        if take is None:
            take = visit.take if self._shown(visit, controls) is visit else ""
        visit = replace(visit, phase="waiting", token=Token(), problem="", take=take, ways=ways, interrupted=False)
        return self.view(visit, controls) | {"tabs": gr.update(selected="captions"), "example": ""}

    def other_ways(self, visit: Visit, controls: Controls) -> Updates:
        """The same video in the engine's other modes, one run after another: pair by pair, at once, on one sheet."""
        if visit.phase in ("running", "waiting") or visit.analysis is None:
            return {}
        several = visit.analysis.engine.sees_several
        modes = [mode for mode in MODES if several or mode != "sheet"]
        return self._in_next_way(visit, controls, [mode for mode in modes if mode != visit.analysis.options.mode])

    def next_way(self, visit: Visit, controls: Controls) -> Updates:
        """A run has ended, and has been kept: the next one that `other_ways` asked for."""
        return self._in_next_way(visit, controls, visit.ways) if visit.phase == "done" and visit.ways else {}

    def _in_next_way(self, visit: Visit, controls: Controls, ways: Sequence[str]) -> Updates:
        mode, *later = ways
        begun = self.begin(visit, replace(controls, mode=mode), ways=tuple(later))
        return begun | {"mode": mode, "tabs": gr.update(selected="compare")}

    def run(self, visit: Visit, controls: Controls) -> Iterator[Updates]:
        """The run itself; closing it stops everything."""
        if visit.path is None or visit.video is None or visit.phase != "waiting":
            return
        token, changed, spent = visit.token, Changed(), Spent()
        token.started.set()
        source = _Source(self.desk, visit.path, visit.video, controls, visit.take)
        visit = replace(visit, phase="running", started=time.monotonic())
        drawn = sent = 0.0
        try:
            with boundary("a run") as told, self.desk.guests.one_more():
                for batch in batches(timed(source.events(), spent)):
                    if token.stop.is_set():
                        token.ended.set()  # who pressed Stop needn't wait until everything is closed
                        return
                    was, visit = visit, _folded(visit, batch)
                    token.latest = visit
                    updates = self._batch_view(visit, was, batch, controls, spent, source.line.waiting())
                    if time.monotonic() - drawn > _TIMELINE_SECONDS and any(isinstance(e, Sampled) for e in batch):
                        drawn = time.monotonic()
                        updates["timeline"] = self._timeline(visit, controls)
                    new = changed(updates)
                    # Every answer goes through all components: nothing new is said once a second, so that a closed
                    # page is noticed.
                    if new or batch or time.monotonic() - sent > _SILENT_SECONDS:
                        sent = time.monotonic()
                        yield new | {"visit": visit}
        finally:
            token.ended.set()
        failed = told.sentence or (visit.analysis and visit.analysis.failure)
        visit = replace(visit, phase="failed" if failed else "done", problem=told.sentence)
        self._learn(visit, controls, spent)
        yield self.ended(visit, controls)
        yield self.written(visit, controls)

    def _batch_view(
        self, visit: Visit, was: Visit, batch: list[Event], controls: Controls, spent: Spent, waiting: str
    ) -> Updates:
        analysis = visit.analysis
        stage = (waiting, None) if waiting else self.desk.stage(controls.engine)
        updates: Updates = {"progress": progress(visit, stage, self._left(visit, controls, spent))}
        if analysis is None:
            return updates
        updates |= {
            "run": gr.update(value=buttons(visit).main, interactive=False),
            "tab_captions": gr.update(label=captions_tab(visit)),
        }
        if was.run != visit.run or batch:
            updates["feed"] = feed.run_patch(batch, visit, self.desk.pictures(analysis.key))
        updates["cards_by"] = render.written_by(analysis, self.offered())
        if was.analysis is None or was.analysis.key != analysis.key:
            updates |= self._began(visit, analysis, controls)
        if analysis.summary or analysis.live:
            updates["summary"] = texts.summary(analysis, self.desk.pictures(analysis.key))
        return updates

    def _began(self, visit: Visit, analysis: Analysis, controls: Controls) -> Updates:
        """Gives the browser a ticket, with which it can ask for its run again after a reload or a lost connection."""
        if visit.path is None or not analysis.key:
            return {}
        ticket = secrets.token_urlsafe(16)
        self._tickets[ticket] = _Ticket(visit.path, analysis.key, visit.take, controls)
        while len(self._tickets) > _MOST_TICKETS:
            self._tickets.pop(next(iter(self._tickets)))
        return {"channel": message(running=ticket)}

    def resume(self, visit: Visit, ticket: str) -> Updates:
        """A page came back after its run was cut off: what was written shows, and Continue goes on from there."""
        gone: Updates = {"channel": message(forget=True)}
        begun = self._tickets.pop(ticket, None)
        if begun is None or visit.phase != "empty" or not begun.path.is_file():
            return gone
        visit = replace(self._probed(visit.fresh(), begun.path), take=begun.take)
        analysis = self.desk.store.recall(begun.key)
        if visit.video is None or analysis is None:
            return gone
        analysis = replace(analysis, video=visit.video)
        ended = analysis.finished
        visit = replace(visit, phase="done" if ended else "stopped", analysis=analysis, interrupted=not ended)
        events = [*map(Kept, analysis.keyframes), *map(Captioned, analysis.captions)]
        return (
            self.ended(visit, begun.controls)
            | asdict(begun.controls)
            | gone
            | {
                "feed": feed.run_patch(events, visit, self.desk.pictures(analysis.key)),
                "player": str(begun.path),
                "facts": facts.facts(visit.video) if visit.video else "",
                "subject": chat.subject_line(visit.video, Talk(), visit.path),
                "examples": gr.update(visible=False),
                "example": "",
                "tabs": gr.update(selected="captions"),
            }
        )

    def _learn(self, visit: Visit, controls: Controls, spent: Spent) -> None:
        analysis = visit.analysis
        if visit.phase == "done" and analysis and analysis.samples and not analysis.from_store:
            self._pace.learn(_kind(controls), spent)

    def stop(self, visit: Visit, controls: Controls) -> Updates:
        """Stop was pressed: says what is kept; the run's own generator is closed by the page's `cancels`."""
        token = visit.token
        token.stop.set()
        if token.started.is_set():
            token.ended.wait(_STOP_SECONDS)
        stopped = _stopped(visit)
        return {} if stopped is visit else self.ended(stopped, controls)

    def after_stop(self, visit: Visit, controls: Controls) -> Updates:
        """The same again, behind all that the run had sent: that goes another way and may arrive after what `stop`
        said. And the subtitles, which nobody should wait for after Stop."""
        if not visit.token.stop.is_set():
            return {}  # another run has begun
        stopped = _stopped(visit)
        updates = self.ended(stopped, controls) | self.written(stopped, controls)
        if stopped is visit:
            del updates["visit"]
        return updates

    def ended(self, visit: Visit, controls: Controls) -> Updates:
        """A run is over, one way or another: everything is shown as it is now."""
        analysis = visit.analysis
        updates = self.view(visit, controls)
        if analysis is None:
            return updates
        url = self.desk.pictures(analysis.key)
        updates |= {"feed": feed.ended_patch(visit), "summary": texts.summary(analysis, url)}
        updates["cards_by"] = render.written_by(analysis, self.offered())
        updates["channel"] = message(forget=True)
        return updates

    def written(self, visit: Visit, controls: Controls) -> Updates:
        """After `ended`: the player's subtitles."""
        analysis = visit.analysis
        if analysis is None or not analysis.captions or visit.phase in ("running", "waiting"):
            return {}
        return {"player": gr.update(subtitles=render.subtitles(analysis))}

    def offered(self) -> render.Offered | None:
        """The smallest model that writes captions and is one download away; none where nothing is to be fetched."""
        sizes = [(c.missing(), c) for c in self.desk.choices if c.load_captioner and c.missing]
        size, choice = min(((size, c) for size, c in sizes if size), key=lambda row: row[0], default=(0, None))
        return render.Offered(choice.name, choice.label.split(",")[0], gigabytes(size)) if choice else None

    def restart(self, visit: Visit, controls: Controls, person: str) -> Updates:
        """Start over was pressed: the run that follows computes everything anew.

        The stored result is given up by this person. Where others have it, too, the new one is kept beside it.
        """
        gone = False
        try:
            if visit.analysis is not None and visit.analysis.key and person:
                gone = self.desk.people.forget(visit.analysis.key, person)
        except StoreError as error:
            log.warning("%s", error)
        return self.begin(replace(visit, analysis=None), controls, "" if gone else secrets.token_hex(8))


class _Source:
    """The events of one run."""

    def __init__(self, desk: Desk, path: Path, video: VideoInfo, controls: Controls, take: str) -> None:
        self.desk, self.path, self.video, self.controls, self.take = desk, path, video, controls, take
        self.line = desk.line(controls.engine)

    def events(self) -> Generator[Event, None, None]:
        """Loads the engine when that is needed, then runs."""
        desk, path = self.desk, self.path
        captioner = desk.captioner(self.controls.engine)
        options = pipeline.settle(self.controls.options(), captioner.info, desk.settings)
        steps = expected_samples(self.video, options.sampling) + 1
        with zerogpu.captioner_in_slots(captioner, desk.settings, steps) as slotted:
            inline = self.line.captioner(slotted)
            yield from pipeline.analyze(path, inline, options, desk.settings, store=desk.store, take=self.take)


def _stopped(visit: Visit) -> Visit:
    """What the run had reached when it was told to stop; `visit` itself where it is known to have ended."""
    token = visit.token
    latest = token.latest if isinstance(token.latest, Visit) else visit
    if visit.phase not in ("running", "waiting"):
        return visit
    if latest.analysis is None:
        return replace(latest, phase="ready", token=token)
    quiet = replace(latest.analysis, live=None, working="")
    return replace(latest, phase="stopped", token=token, analysis=quiet)


def _folded(visit: Visit, batch: list[Event]) -> Visit:
    """The state after a batch. A new result clears the page's lists, the same one taken up again doesn't."""
    analysis, run = visit.analysis, visit.run
    for event in batch:
        if isinstance(event, Begun):
            run += 0 if analysis is not None and analysis.key == event.key else 1
        analysis = (analysis or Analysis()).apply(event)
    return replace(visit, analysis=analysis, run=run)


def _kind(controls: Controls) -> Kind:
    return controls.engine, controls.mode, controls.read_text


def _expected_keyframes(known: Analysis | None, controls: Controls, samples: int) -> tuple[float, bool]:
    """How many a run will keep, and whether that is counted; `known` is an earlier one of the same video."""
    sampling = controls.options().sampling
    if known and known.finished and known.options.sampling == sampling:
        return len(known.keyframes), True
    kept = samples if sampling.keep_all else guessed_keyframes(samples)
    most = pipeline.FAST_KEYFRAMES if controls.mode != "sliding" else kept
    return min(kept, sampling.maximum or kept, most), sampling.keep_all


def _no_picture(_: str | None) -> str:
    return ""
