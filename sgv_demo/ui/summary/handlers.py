"""What happens in the third tab: a summary of captions brought along, a detailed caption from a prompt."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from pathlib import Path

from sgv_demo import steps
from sgv_demo.engines.turns import zerogpu
from sgv_demo.errors import SgvError, StoreError
from sgv_demo.events import Delta, Event, Failed, Noted, Summarized, Working
from sgv_demo.formats.captions_in import parse_captions, read_captions
from sgv_demo.types import EngineInfo, GenerationOptions
from sgv_demo.ui.captions import view as render
from sgv_demo.ui.desk import Desk
from sgv_demo.ui.pump import batches
from sgv_demo.ui.video.handlers import UNFORESEEN, Updates

log = logging.getLogger(__name__)


class WritingHandlers:
    """Clip summarizing and prompt re-captioning."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def clip(self, file: str | None, text: str, engine: str) -> Iterator[Updates]:
        """Streams a summary of the captions in `file`, or else in `text`."""

        def events() -> Iterator[EngineInfo | Event]:
            brought = read_captions(Path(file)) if file else parse_captions(text)
            captioner = self.desk.captioner(engine)
            yield captioner.info
            yield from map(Noted, brought.notes)
            with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
                yield from steps.summarize(brought.captions, slotted, GenerationOptions())

        return self._stream(events(), "clip_result", engine)

    def recaption(self, prompt: str, engine: str) -> Iterator[Updates]:
        """Streams a detailed caption for `prompt`."""

        def events() -> Iterator[EngineInfo | Event]:
            captioner = self.desk.captioner(engine)
            yield captioner.info
            with zerogpu.captioner_in_slots(captioner, self.desk.settings, 1) as slotted:
                yield from recaption_events(slotted, prompt)

        return self._stream(events(), "recaption_result", engine)

    @staticmethod
    def stopped(shown: str | None) -> str:
        """What was written so far, without the caret."""
        return render.finished(shown or "")

    def _stream(self, events: Iterator[EngineInfo | Event], target: str, engine: str) -> Iterator[Updates]:
        text, by, note, working = "", "", "", "Starting"
        try:
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
                shown = render.text_result(text, live=True, by=stage[0] if stage else working or by, note=note)
                yield {target: shown}
        except SgvError as error:
            yield {target: render.trouble(str(error))}
            return
        except Exception:
            # The page's boundary: a visitor gets a sentence, the log the traceback.
            log.exception("Writing failed")
            yield {target: render.trouble(UNFORESEEN)}
            return
        yield {target: render.text_result(text, live=False, by=by, note=note)}


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
