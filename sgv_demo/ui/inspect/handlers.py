"""The inspection room: results that are judged, kept side by side, shared, opened again.

The page's script talks through one hidden component, the channel: it sends acts (open, link, remove, review, share)
and takes messages. Reviews and the history live in the visitor's browser; the server keeps results by key, and what
goes into a permalink.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from sgv_demo.errors import StoreError
from sgv_demo.events import Analysis, Captioned, Event, Kept
from sgv_demo.languages import LANGUAGES, Language
from sgv_demo.options import OWN_THRESHOLDS
from sgv_demo.results import review as reviews
from sgv_demo.results.links import Link, person_of
from sgv_demo.results.review import NONE, Review
from sgv_demo.times import clock
from sgv_demo.ui import feed
from sgv_demo.ui.captions import view as render
from sgv_demo.ui.compare import view as comparison
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.feed import message
from sgv_demo.ui.inspect import view as judging
from sgv_demo.ui.parts import PictureUrl, file_url
from sgv_demo.ui.served import export_address, link_address
from sgv_demo.ui.show import view as presentation
from sgv_demo.ui.summary import exporting
from sgv_demo.ui.summary import view as texts
from sgv_demo.ui.video import view as facts
from sgv_demo.ui.video.handlers import Updates
from sgv_demo.ui.video.progress import buttons, captions_tab, progress
from sgv_demo.ui.video.timeline import timeline
from sgv_demo.ui.visit import Visit

log = logging.getLogger(__name__)

_SHELF = 8
"""Most results kept for comparing in one visit."""
_VERDICTS = 5000
"""Most verdicts taken from a browser."""


@dataclass(frozen=True, slots=True)
class Room:
    """One visitor's inspection room."""

    shown: Analysis | None = None
    """The finished result on the page, with its key."""
    review: Review = NONE
    """What was said about it."""
    mine: bool = True
    """False for one that was opened from somebody's link."""
    shelf: tuple[tuple[Analysis, Review], ...] = ()
    """Results of this visit, oldest first, for comparing."""
    person: str = ""
    """Who the visitor is (see `links`); empty until the page's script has said."""
    language: Language = "en"
    """Of the page, and so of exports."""
    link: Link | None = None
    """Where the shown result is from, when `mine` is false."""

    def put(self, analysis: Analysis, review: Review) -> Room:
        """Shelves a result; one with the same key is replaced."""
        others = tuple(pair for pair in self.shelf if pair[0].key != analysis.key)
        return replace(self, shelf=(*others, (analysis, review))[-_SHELF:])

    def of(self, key: str) -> tuple[Analysis, Review] | None:
        """A shelved result."""
        return next((pair for pair in self.shelf if pair[0].key == key), None)


class RoomHandlers:
    """What happens to finished results."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def settled(self, visit: Visit, room: Room, left: str | None, right: str | None) -> Updates:
        """A run ended or was stopped: its result is kept, offered for comparing, and can be judged."""
        analysis = visit.analysis
        if analysis is None or not analysis.captions or visit.phase in ("running", "waiting") or not analysis.key:
            return {}
        room = replace(room, person=room.person or person_of(secrets.token_hex(20)))
        history, lost = None, {}
        try:
            self.desk.people.claim(analysis.key, room.person, analysis.video.name if analysis.video else "video")
            history = self._history(analysis)
        except StoreError as error:
            log.warning("%s", error)
            lost = {"say": str(error)}
        earlier = room.of(analysis.key)
        newest = room.shelf[-1][0].key if room.shelf and earlier is None else left
        pairwise = room.of(left) if left else None
        if pairwise and _is_the_argument(pairwise[0], analysis):
            newest = left
        room = replace(room, shown=analysis, mine=True, link=None, review=earlier[1] if earlier else NONE)
        room = room.put(analysis, room.review)
        said = message(shown=self._shown(room, visit.run), history=history, **lost)
        return {"channel": said} | self._view(room) | self._choices(room, newest, analysis.key)

    def act(self, event: Any, visit: Visit, room: Room) -> Updates:
        """Something came through the channel; whatever it holds is untrusted."""
        spoken = getattr(event, "language", None)
        language = next((known for known in LANGUAGES if known == spoken), room.language)
        room = replace(room, person=person_of(str(getattr(event, "me", ""))) or room.person, language=language)
        try:
            match str(event.name):
                case "hello":
                    return self._hello(visit, room, event)
                case "language":
                    return {"room": room, "language": room.language} | self._view(room)
                case "open":
                    return self._open(visit, room, self._owned(room, event))
                case "remove":
                    return self._remove(visit, room, self._owned(room, event))
                case "review":
                    return self._reviewed(visit, room, str(event.key), event.verdicts)
                case "present":
                    return self._present(visit, room)
                case "share":
                    return self._share(visit, room, bool(event.video))
        except AttributeError:
            log.warning("An act of the page had parts missing")
        return {}

    def _hello(self, visit: Visit, room: Room, event: Any) -> Updates:
        """The page has been loaded: who looks at it, and the link that it was opened by."""
        token = getattr(event, "token", None)
        return {"room": room} | (self._follow(visit, room, str(token)) if token else {})

    def _owned(self, room: Room, event: Any) -> str:
        """The key of an act that only somebody may do whose result it is.

        Raises:
            StoreError: it isn't theirs.
        """
        key, people = str(event.key), self.desk.people
        if not self.desk.store.has(key) or people.claims(key, room.person):
            return key
        if not (room.person and people.proved(key, str(getattr(event, "proof", "")))):
            raise StoreError("This result isn't yours to open or delete; ask for a link to it.")
        older = self.desk.store.recall(key)
        people.claim(key, room.person, older.video.name if older and older.video else "video")
        return key

    def _history(self, analysis: Analysis) -> dict[str, Any]:
        """What the maker's browser remembers of a result."""
        first = analysis.keyframes[0].picture if analysis.keyframes else None
        return history_entry(analysis) | {"picture": self.desk.pictures(analysis.key)(first)}

    def compared(self, room: Room, left: str | None, right: str | None) -> Updates:
        """Two results were chosen."""
        costs = comparison.costs([analysis for analysis, _ in room.shelf])
        return {"comparison": comparison.page(self._side(room, left), self._side(room, right), costs)}

    def pictures(self, key: str) -> PictureUrl:
        """Addresses of a result's pictures; a dataset's record has none."""
        return (lambda _: "") if key.startswith("dataset") else self.desk.pictures(key)

    def shelve(self, room: Room, analysis: Analysis, review: Review) -> Updates:
        """Puts a result, such as a dataset's record, beside the one that is shown."""
        room = room.put(analysis, review)
        other = room.shown.key if room.shown else next((a.key for a, _ in room.shelf if a.key != analysis.key), None)
        return {"room": room, "tabs": gr.update(selected="compare")} | self._choices(room, other, analysis.key)

    def _side(self, room: Room, key: str | None) -> comparison.Side | None:
        pair = room.of(key) if key else None
        return (*pair, self.pictures(pair[0].key)) if pair else None

    def _choices(self, room: Room, left: str | None, right: str | None) -> Updates:
        choices = [(comparison.title(analysis), analysis.key) for analysis, _ in room.shelf]
        keys = [key for _, key in choices]
        left = left if left in keys and left != right else next((k for k in keys if k != right), None)
        return {
            "left": gr.update(choices=choices, value=left),
            "right": gr.update(choices=choices, value=right if right in keys else None),
        } | self.compared(room, left, right)

    def _view(self, room: Room) -> Updates:
        files = self._files(room)
        report = next((address for _, address in files if address.endswith(".html")), "")
        rows = judging.tallied(room.shelf)
        links = self.desk.settings.permalinks
        bar = judging.bar(report, mine=room.mine, links=links, rows=rows) if room.shown else ""
        return {"room": room, "bar": bar, "downloads": texts.downloads(files)}

    def _files(self, room: Room) -> list[tuple[str, str]]:
        """Formats and addresses of the shown result's exports, written now."""
        shown, link = room.shown, room.link
        if shown is None:
            return []
        try:
            result = self.desk.store.folder(shown.key)
            if link is not None:
                film, folder = self._small(link), link.folder / "exports"
                files = exporting.write(shown, folder, result, link.review, room.language, film)
                return [(label, link_address(link.token, f"exports/{path.name}")) for label, path in files]
            folder = self.desk.people.folder(shown.key, room.person) / "exports"
            files = exporting.write(shown, folder, result, room.review, room.language)
            return [(label, export_address(shown.key, room.person, path.name)) for label, path in files]
        except (OSError, StoreError):
            log.exception("Can't write the exports")
            return []

    def _small(self, link: Link) -> Path | None:
        """The video that was shared with a link, where a report can hold it."""
        most = self.desk.settings.report_megabytes * 1_000_000
        return link.video if link.video and link.video.stat().st_size <= most else None

    def _shown(self, room: Room, run: int) -> dict[str, Any]:
        if room.shown is None:
            return {}
        snapshot = None if room.mine else reviews.to_record(room.review)
        asked = judging.asked(room.shown, room.review)
        return {"run": run, "key": room.shown.key, "mine": room.mine, "asked": asked, "review": snapshot}

    def _reviewed(self, visit: Visit, room: Room, key: str, verdicts: object) -> Updates:
        """The browser's whole review of the shown result: exports, questions and ratings follow."""
        shown = room.shown
        if shown is None or shown.key != key or not room.mine:
            return {}
        said = reviews.from_record(verdicts[:_VERDICTS] if isinstance(verdicts, list) else None)
        review = Review(tuple(v for v in said.verdicts if v.index < len(shown.captions)))
        reviews.check_lengths(review, self.desk.settings.max_note, self.desk.settings.max_review)
        room = replace(room, review=review).put(shown, review)
        updates: Updates = {"channel": message(asked=judging.asked(shown, review), key=key)}
        if visit.path is not None:
            updates["player"] = gr.update(subtitles=render.subtitles(review.edited(shown)))
        return updates | self._view(room)

    def _share(self, visit: Visit, room: Room, video: bool) -> Updates:
        if not self.desk.settings.permalinks:
            return {"channel": message(say="Links are switched off on this server; send the report instead.")}
        if room.shown is None or not room.mine:
            return {"channel": message(say="There is no result of yours to share; run a video first.")}
        token = self.desk.people.link(room.shown.key, room.person, room.review, visit.path if video else None)
        return {"channel": message(link=token, key=room.shown.key)}

    def _present(self, visit: Visit, room: Room) -> Updates:
        """The shown result, with the visitor's corrections, over the whole page."""
        if room.shown is None:
            return {"channel": message(say="There is no result to show; run a video first.")}
        video = _linked_video(room) or (file_url(visit.path) if visit.path else "")
        return self._shows(room, video) | {"channel": message(present=True)}

    def _shows(self, room: Room, video: str) -> Updates:
        if room.shown is None:
            return {}
        shown = room.review.edited(room.shown)
        return {"show": presentation.show(shown, self.pictures(shown.key), video, "mine" if room.mine else "guest")}

    def _follow(self, visit: Visit, room: Room, token: str) -> Updates:
        found = self.desk.people.follow(token) if self.desk.settings.permalinks else None
        if found is None:
            gone = "This link leads nowhere: its result was deleted, or links are switched off here."
            return {"channel": message(present=False), "replay": judging.dead(gone), "example": ""}
        link, analysis = found
        return self._opened(visit, replace(room, mine=False, link=link, review=link.review), analysis)

    def _open(self, visit: Visit, room: Room, key: str) -> Updates:
        analysis = self.desk.people.open(key, room.person)
        if analysis is None:
            return {"channel": message(say="This result is no longer on the server.", gone=key)}
        return self._opened(visit, replace(room, mine=True, link=None, review=NONE), analysis)

    def _remove(self, visit: Visit, room: Room, key: str) -> Updates:
        self.desk.people.forget(key, room.person)
        room = replace(room, shelf=tuple(pair for pair in room.shelf if pair[0].key != key))
        updates: Updates = {"channel": message(removed=key)}
        if room.shown is not None and room.shown.key == key:
            room = replace(room, shown=None, review=NONE, link=None)
            updates |= self._without(visit)
        return updates | self._view(room) | self._choices(room, None, None)

    def _without(self, visit: Visit) -> Updates:
        """The page after the result that it showed was deleted: its video, if it is the visitor's, can be run anew."""
        left = replace(visit.fresh(), path=visit.path, video=visit.video, phase="ready" if visit.video else "empty")
        can = buttons(left)
        return {
            "visit": left,
            "feed": feed.patch(left.run),
            "summary": texts.summary(None, lambda _: ""),
            "cards_by": "",
            "cards_empty": render.empty(left.phase),
            "timeline": timeline(left.video, None, OWN_THRESHOLDS["histogram"], 0.0, None),
            "tab_captions": gr.update(label=captions_tab(left)),
            "progress": progress(left),
            "run": gr.update(value=can.main, interactive=can.can_run, variant="primary"),
            "restart": gr.update(visible=False),
            "replay": "",
            "show": "",
        }

    def _opened(self, visit: Visit, room: Room, analysis: Analysis) -> Updates:
        """Shows a stored result. Nothing of it can be run on from here: its video isn't the visitor's upload."""
        visit.token.stop.set()
        url = self.desk.pictures(analysis.key)
        full = replace(visit.fresh(), analysis=analysis)
        events: list[Event] = [*map(Kept, analysis.keyframes), *map(Captioned, analysis.captions)]
        room = replace(room, shown=analysis).put(analysis, room.review)
        video = _linked_video(room)
        return (
            {
                "visit": replace(full, analysis=replace(analysis, key="")),
                "feed": feed.run_patch(events, full, url),
                "facts": facts.facts(analysis.video) if analysis.video else "",
                "summary": texts.summary(analysis, url),
                "cards_by": render.written_by(analysis),
                "timeline": _timeline(analysis),
                "tab_captions": gr.update(label=captions_tab(full)),
                "tabs": gr.update(selected="captions"),
                "player": gr.update(value=None, visible=not video),
                "replay": judging.replay(video, analysis.video.name if analysis.video else "video"),
                "examples": gr.update(visible=False),
                "example": "",
                "run": gr.update(interactive=False),
                "restart": gr.update(visible=False),
                "progress": "",
                "estimate": "",
                "channel": message(
                    shown=self._shown(room, full.run),
                    history=self._history(analysis) if room.mine else None,
                    present=not room.mine,
                ),
            }
            | self._view(room)
            | ({} if room.mine else self._shows(room, video))
            | self._choices(room, None, analysis.key)
        )


def history_entry(analysis: Analysis) -> dict[str, Any]:
    """A result in a list: file, settings, length."""
    name = analysis.video.name if analysis.video else "video"
    count = len(analysis.captions)
    about = f"{comparison.title(analysis)} · {count} caption{'' if count == 1 else 's'}"
    length = clock(analysis.video.duration) if analysis.video else ""
    return {"key": analysis.key, "name": name, "about": f"{about} · {length}" if length else about}


def _timeline(analysis: Analysis) -> str:
    sampling = analysis.options.sampling
    threshold = sampling.threshold_in_force
    return timeline(analysis.video, analysis, threshold, sampling.start, sampling.end)


def _is_the_argument(left: Analysis, new: Analysis) -> bool:
    """Whether pair by pair stands against all at once, of one video: it stays while the other ways come and go."""
    same = left.video and new.video and left.video.path == new.video.path
    return bool(same) and new.options.at_once and not left.options.at_once


def _linked_video(room: Room) -> str:
    """Address of the video that came with the link that was followed; empty when none did."""
    link = room.link
    return link_address(link.token, link.video.name) if link and link.video else ""
