"""What happens in the fourth tab: questions, answers, retry, edit, undo, clear."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
from PIL import Image

from sgv_demo import asking, steps
from sgv_demo.engines import Scene
from sgv_demo.engines.turns import zerogpu
from sgv_demo.errors import SgvError
from sgv_demo.events import Analysis, Working
from sgv_demo.options import QuestionOptions
from sgv_demo.times import clock
from sgv_demo.types import EngineInfo, Trace, Turn
from sgv_demo.ui import feed
from sgv_demo.ui.ask import view as chat
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.pump import batches
from sgv_demo.ui.served import picture_address
from sgv_demo.ui.video.controls import AskControls
from sgv_demo.ui.video.handlers import Changed, Updates
from sgv_demo.ui.visit import Said, Shown, Subject, Talk, Token, Visit

log = logging.getLogger(__name__)

Item: TypeAlias = EngineInfo | Working | Scene | str | Trace
"""What `answering` yields: who answers, what goes on, what is looked at, the words, how it was made."""

_STOP_SECONDS = 0.5
_THUMBNAIL = 320


def answering(
    desk: Desk,
    path: Path,
    question: str,
    history: Sequence[Turn],
    engine: str,
    options: QuestionOptions,
    analysis: Analysis | None,
) -> Iterator[Item]:
    """Everything of one answer in order; closing it stops the engine.

    Raises:
        SgvError: the file, the options or the question can't be used, or the engine failed.
    """
    desk.settings.bounded(question, "question")
    answerer = desk.answerer(engine)
    yield answerer.info
    preparing = asking.prepare_scene(
        path, answerer, desk.settings, options.sampling, frames=options.frames, analysis=analysis
    )
    scene: Scene | None = None
    with closing(preparing):
        for event in preparing:
            if isinstance(event, (Working, Scene)):
                yield event
            if isinstance(event, Scene):
                scene = event
    assert scene is not None, "what is prepared ends with a scene"
    line = desk.line(engine)
    with zerogpu.answerer_in_slots(answerer, desk.settings) as slotted:
        for item in steps.ask(scene, question, history, line.answerer(slotted), options.generation):
            yield Working(words) if item == "" and (words := line.waiting()) else item


class AskHandlers:
    """The conversation for one `Desk`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def view(self, talk: Talk, visit: Visit, *changed: int) -> Updates:
        """The buttons, the frames, and the turns numbered in `changed`."""
        turns = {
            str(n): chat.turn(talk.said[n], n, live=talk.busy and n == len(talk.said) - 1, working=talk.working)
            for n in changed
            if 0 <= n < len(talk.said)
        }
        size = {"chat": len(talk.said)}
        pictures = self.desk.pictures(talk.key)
        return {
            "talk": talk,
            "feed": feed.patch(visit.run, chat=turns) | {"size": size},
            "subject": chat.subject_line(visit.video, talk, visit.path),
            "grid": chat.frames(talk.shown, talk.trace, pictures, measured=talk.measured),
            "ask": gr.update(value="Send change" if talk.editing is not None else "Ask", interactive=not talk.busy),
            "ask_stop": gr.update(interactive=talk.busy),
            "tab_ask": gr.update(label=f"4 Ask ({len(talk.said)})" if talk.said else "4 Ask"),
            "suggested": gr.update(visible=not talk.said),
            "clear": gr.update(visible=bool(talk.said)),
        }

    def begin(self, visit: Visit, talk: Talk, question: str, controls: AskControls) -> Updates:
        """Ask was pressed: the question appears at once, before its turn comes."""
        if talk.busy:
            return {}
        if visit.video is None or visit.path is None:
            return {"subject": chat.subject_line(None, talk, visit.path, missing="video")}
        if not question.strip():
            return {"subject": chat.subject_line(visit.video, talk, visit.path, missing="question")}
        kept = talk.said if talk.editing is None else talk.said[: talk.editing]
        talk = self._about(replace(talk, said=kept, editing=None), visit, controls)
        begins = self._begins(talk, visit)
        said = Said(Turn(question.strip(), ""), talk.context, begins)
        talk = replace(talk, said=(*talk.said, said), busy=True, working="Waiting for the engine", token=Token())
        return self.view(talk, visit, len(talk.said) - 1) | {"question": ""}

    def _about(self, talk: Talk, visit: Visit, controls: AskControls) -> Talk:
        """Another video, range, number of frames or answerer is another context."""
        assert visit.path is not None
        options = controls.options(self.desk.settings)
        sampling = options.sampling
        subject = Subject(visit.path, sampling.start, sampling.end, options.frames, controls.answerer)
        if subject == talk.subject:
            return talk
        return replace(talk, subject=subject, context=talk.context + 1, shown=(), trace=None)

    @staticmethod
    def _begins(talk: Talk, visit: Visit) -> str:
        if not talk.said or talk.said[-1].context == talk.context or visit.video is None or talk.subject is None:
            return ""
        end = visit.video.start + visit.video.duration if talk.subject.end is None else talk.subject.end
        what = f"{visit.video.name}, {clock(talk.subject.start)} → {clock(end)}"
        return f"New context: {what}. Earlier questions aren't remembered."

    def run(self, visit: Visit, talk: Talk, controls: AskControls) -> Iterator[Updates]:
        """The answer; closing it stops the engine."""
        if not talk.busy or visit.path is None or not talk.said:
            return
        token, number, changed = talk.token, len(talk.said) - 1, Changed()
        token.started.set()
        question, history = talk.said[number].turn.question, replace(talk, said=talk.said[:number]).history()
        options = controls.options(self.desk.settings)
        items = answering(self.desk, visit.path, question, history, controls.answerer, options, analysis=visit.analysis)
        try:
            with boundary("an answer") as told, self.desk.guests.one_more():
                for batch in batches(items):
                    if token.stop.is_set():
                        return
                    talk = self._folded(talk, batch, controls, visit.analysis)
                    token.latest = talk
                    yield changed(self.view(talk, visit, number)) | {"talk": talk}
        finally:
            token.ended.set()
        if told.sentence:
            talk = _noted(talk, told.sentence)
        elif not talk.said[number].turn.answer.strip():
            talk = _noted(talk, "The engine's answer came back blank; retry it.")
        talk = replace(talk, busy=False, working="")
        yield self.view(talk, visit, number)

    def _folded(self, talk: Talk, batch: Sequence[Item], controls: AskControls, analysis: Analysis | None) -> Talk:
        stage = self.desk.answerers.stage(controls.answerer)
        if stage:
            return replace(talk, working=stage[0] if stage[1] is None else f"{stage[0]} {stage[1]:.0%}")
        for item in batch:
            last = talk.said[-1]
            match item:
                case EngineInfo():
                    last = replace(last, engine=item.label)
                case Working(text):
                    talk = replace(talk, working=text)
                case Scene():
                    talk = replace(talk, working="Thinking", trace=None, **self._shown(item, analysis))
                case Trace():
                    mark = steps.trace_mark(item, self._picture(item, talk.key))
                    turn = replace(last.turn, token_ids=item.token_ids)
                    note = item.note or ("Cut off at the longest length allowed." if item.finish == "length" else "")
                    last, talk = replace(last, turn=turn, note=note), replace(talk, trace=mark, working="")
                case str():
                    answer = last.turn.answer + item
                    last, talk = replace(last, turn=replace(last.turn, answer=answer)), replace(talk, working="")
            talk = replace(talk, said=(*talk.said[:-1], last))
        return talk

    def _shown(self, scene: Scene, analysis: Analysis | None) -> dict[str, Any]:
        """What is looked at, as pictures that the page can show."""
        if not scene.frames:
            url = self.desk.pictures(analysis.key if analysis else "")
            return {
                "shown": tuple(Shown(mark.time, url(mark.picture)) for mark in scene.keyframes),
                "key": "",
                "measured": True,
            }
        key = scene.key[:40]
        try:
            return {"shown": self._kept_frames(scene, key), "key": key, "measured": False}
        except (OSError, SgvError):
            log.exception("Can't keep the frames of an answer")
            return {"shown": tuple(Shown(frame.time, "") for frame in scene.frames), "key": "", "measured": False}

    def _kept_frames(self, scene: Scene, key: str) -> tuple[Shown, ...]:
        folder = self.desk.store.folder(key) / "shots"
        folder.mkdir(parents=True, exist_ok=True)
        shown: list[Shown] = []
        for number, frame in enumerate(scene.frames):
            path = folder / f"{number:02d}.jpg"
            picture = Image.fromarray(frame.image)
            picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
            picture.save(path, quality=85)
            shown.append(Shown(frame.time, picture_address(key, f"shots/{path.name}")))
        return tuple(shown)

    def _picture(self, trace: Trace, key: str) -> str | None:
        if trace.picture is None or not key:
            return None
        try:
            Image.fromarray(trace.picture).save(self.desk.store.folder(key) / "shots" / "grid.png")
        except OSError:
            log.exception("Can't keep the picture of an answer")
            return None
        return "shots/grid.png"

    def stop(self, visit: Visit, talk: Talk) -> Updates:
        """Stop was pressed: what was said so far stays."""
        token = talk.token
        token.stop.set()
        if token.started.is_set():
            token.ended.wait(_STOP_SECONDS)
        stopped = _stopped(talk)
        return {} if stopped is talk else self.view(stopped, visit, len(stopped.said) - 1)

    def after_stop(self, visit: Visit, talk: Talk) -> Updates:
        """The same again, behind all that the answer had sent: that goes another way and may arrive after what `stop`
        said."""
        if not talk.token.stop.is_set():
            return {}  # another question was asked
        stopped = _stopped(talk)
        updates = self.view(stopped, visit, len(stopped.said) - 1)
        if stopped is talk:
            del updates["talk"]
        return updates

    def act(self, visit: Visit, talk: Talk, act: str, number: int, controls: AskControls) -> Updates:
        """Retry, edit or undo of question `number` was pressed."""
        if talk.busy or not 0 <= number < len(talk.said):
            return {}
        question = talk.said[number].turn.question
        if act == "edit":
            return self.view(replace(talk, editing=number), visit) | {
                "question": gr.update(value=question, autofocus=True)
            }
        if act == "undo":
            talk = replace(talk, said=talk.said[:number], editing=None, shown=(), trace=None)
            return self.view(talk, visit) | {"question": question}
        if act == "retry":
            return self.begin(visit, replace(talk, editing=number), question, controls)
        return {}

    def clear(self, visit: Visit, talk: Talk) -> Updates:
        """Forgets the conversation."""
        talk.token.stop.set()
        return self.view(Talk(context=talk.context + 1), visit) | {"question": ""}

    def after_clear(self, visit: Visit, talk: Talk) -> Updates:
        """The same again, as after Stop; what was typed meanwhile stays."""
        late = talk.token.stop.is_set()
        if talk.said and not late:
            return {}  # another question was asked
        updates = self.view(Talk(context=talk.context + 1) if late else talk, visit)
        if not late:
            del updates["talk"]
        return updates


def _stopped(talk: Talk) -> Talk:
    """What was said when the answer was told to stop; `talk` itself where it is known to have ended."""
    latest = talk.token.latest if isinstance(talk.token.latest, Talk) else talk
    if not talk.busy or not latest.said:
        return talk
    return _noted(replace(latest, busy=False, working=""), "Stopped.")


def _noted(talk: Talk, note: str) -> Talk:
    last = talk.said[-1]
    failed = not last.turn.answer.strip()
    return replace(talk, said=(*talk.said[:-1], replace(last, note=note, failed=failed)))
