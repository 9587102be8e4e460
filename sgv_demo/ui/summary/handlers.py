"""What happens in the third tab: a summary of captions brought along, a detailed caption from a prompt."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from sgv_demo import steps
from sgv_demo.engines.turns import zerogpu
from sgv_demo.engines.turns.lane import Line
from sgv_demo.errors import StoreError
from sgv_demo.events import Delta, Event, Failed, Noted, Summarized, Working
from sgv_demo.formats.captions_in import parse_captions, read_captions
from sgv_demo.languages import Language
from sgv_demo.options import GenerationOptions
from sgv_demo.types import EngineInfo
from sgv_demo.ui.boundary import boundary
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.parts import trouble
from sgv_demo.ui.pump import batches
from sgv_demo.ui.summary import view
from sgv_demo.ui.video.handlers import Updates

_NO_CAPTIONS = "There are no captions. Give a file, or paste some."
_NO_PROMPT = "There is no prompt. Describe the video in a few words."


class WritingHandlers:
    """Clip summarizing and prompt re-captioning."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def clip(self, file: str | None, text: str, engine: str, language: Language = "en") -> Iterator[Updates]:
        """Streams a summary of the captions in `file`, or else in `text`; nothing where there are none."""
        if not file and not text.strip():
            return iter(())

        line, how = self.desk.line(engine), GenerationOptions(language=language)

        def events() -> Iterator[EngineInfo | Event]:
            brought = read_captions(Path(file)) if file else parse_captions(text)
            captioner = self.desk.captioner(engine)
            yield captioner.info
            yield from map(Noted, brought.notes)
            with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
                yield from steps.summarize(brought.captions, line.captioner(slotted), how)

        return self._stream(events(), "clip_result", engine, line)

    def recaption(self, prompt: str, engine: str, language: Language = "en") -> Iterator[Updates]:
        """Streams a detailed caption for `prompt`; nothing where there is none."""
        if not prompt.strip():
            return iter(())

        line = self.desk.line(engine)

        def events() -> Iterator[EngineInfo | Event]:
            self.desk.settings.bounded(prompt, "prompt")
            captioner = self.desk.captioner(engine)
            yield captioner.info
            with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
                yield from recaption_events(line.captioner(slotted), prompt, GenerationOptions(language=language))

        return self._stream(events(), "recaption_result", engine, line)

    @staticmethod
    def clip_asked(file: str | None, text: str) -> Updates:
        """Summarize these was pressed: what is missing is said at once, not after waiting for a turn."""
        return _asked("clip_result", "" if file or text.strip() else _NO_CAPTIONS)

    @staticmethod
    def recaption_asked(prompt: str) -> Updates:
        """Write the caption was pressed, see `clip_asked`."""
        return _asked("recaption_result", "" if prompt.strip() else _NO_PROMPT)

    @staticmethod
    def stopped(shown: str | None) -> str:
        """What was written so far, without the caret."""
        return view.finished(shown or "")

    def _stream(self, events: Iterator[EngineInfo | Event], target: str, engine: str, line: Line) -> Iterator[Updates]:
        text, by, note, working = "", "", "", "Starting"
        with boundary("writing") as told, self.desk.guests.one_more():
            for batch in batches(events):
                for event in batch:
                    match event:
                        case EngineInfo():
                            by = event.label
                        case Delta():
                            text, working = text + event.text, ""
                        case Working():
                            working = event.text
                        case Noted():
                            note = f"{note} {event.text}".strip()
                        case Summarized():
                            text = event.text
                        case Failed():
                            raise StoreError(event.failure.message)
                stage = self.desk.stage(engine)
                doing = stage[0] if stage else line.waiting() or working or by
                shown = view.text_result(text, live=True, by=doing, note=note)
                yield {target: shown}
        ended = view.text_result(text, live=False, by=by, note=note)
        yield {target: trouble(told.sentence) if told.sentence else ended}


def _asked(target: str, missing: str) -> Updates:
    return {target: trouble(missing) if missing else view.text_result("", live=True, by="Waiting for the engine")}


def recaption_events(
    captioner: steps.Captioner, prompt: str, how: GenerationOptions | None = None
) -> Generator[Event, None, None]:
    """Pieces of the caption, then the whole of it.

    Raises:
        SgvError: the prompt can't be used, or the engine failed.
    """
    text, _ = yield from steps.drain(
        steps.recaption(prompt, captioner, how or GenerationOptions()), lambda piece: Delta("summary", piece)
    )
    if not text.strip():
        raise StoreError("The engine's answer came back blank; change the prompt a little and try again.")
    yield Summarized(text)
