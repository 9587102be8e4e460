"""One step as events, and summaries in levels."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import numpy as np
import pytest

from sgv_demo.engines import Scene
from sgv_demo.errors import SettingsError
from sgv_demo.events import Delta, Event, Failed, Noted, Summarized, Working
from sgv_demo.options import GenerationOptions
from sgv_demo.steps import MOST_LEVELS, OVERHEAD_TOKENS, ask, attempt, drain, recaption, summarize
from sgv_demo.types import Caption, Generation, Trace
from tests.support.samples import analysis
from tests.support.scripted import Script, ScriptedAnswerer, ScriptedCaptioner, words

T = TypeVar("T")
PLAIN = GenerationOptions()


def run(generator: Generator[Event, None, T]) -> tuple[list[Event], T]:
    events: list[Event] = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as done:
            return events, done.value


def captions(count: int, words_each: int) -> list[Caption]:
    return [Caption(i, 2.0 * i, 2.0 * i + 2, "word " * words_each, stated_time=2.0 * i + 2) for i in range(count)]


def test_drain_returns_the_text_and_the_trace() -> None:
    events, (text, trace) = run(drain(Script().say("x", "a b c"), lambda piece: Delta(0, piece)))
    assert text == "a b c" == "".join(e.text for e in events if isinstance(e, Delta))
    assert trace.token_ids == (0, 1, 2)


def test_closing_drain_closes_the_generation() -> None:
    script = Script()
    generation = script.say("x", "a b c")  # kept: one that nobody holds is closed by the interpreter anyway
    stream = drain(generation, lambda piece: Delta(0, piece))
    next(stream)
    stream.close()
    assert script.closed == ["x"]


def silent(text: str) -> Generation:
    yield ""
    yield text
    yield Trace("p", (), 0)


def test_an_empty_piece_is_an_event_too_so_that_a_silent_step_can_be_stopped() -> None:
    assert len(run(drain(silent("a"), lambda piece: Delta(0, piece)))[0]) == 2


def test_pieces_carry_the_span_of_their_step() -> None:
    events, _ = run(attempt(lambda: silent("a"), "caption 2", 1, (2.0, 4.0)))
    assert events[-1] == Delta(1, "a", 2.0, 4.0)


def test_white_space_alone_is_a_blank_answer() -> None:
    events, result = run(attempt(lambda: silent(" \n"), "caption 2", 1))
    assert result is None
    assert isinstance(events[-1], Failed)
    assert "blank" in events[-1].failure.message


def test_what_fits_is_summarized_at_once() -> None:
    events, done = run(summarize(captions(3, 10), ScriptedCaptioner(Script()), PLAIN))
    assert done
    assert not [e for e in events if isinstance(e, Noted)]
    assert isinstance(events[-1], Summarized)
    assert events[-1].levels == 1
    assert "3 captions" in events[-1].text


def test_a_blank_summary_fails_unless_that_is_fine() -> None:
    engine = ScriptedCaptioner(Script(blank={"summarize"}))
    events, done = run(summarize(captions(3, 10), engine, PLAIN))
    assert not done
    assert isinstance(events[-1], Failed)
    events, done = run(summarize(captions(3, 10), engine, PLAIN, blank_is_fine=True))
    assert done
    assert isinstance(events[-1], Summarized)


def test_what_the_model_saw_comes_with_the_summary() -> None:
    image = np.zeros((4, 4, 3), np.uint8)

    class Showing(ScriptedCaptioner):
        def summarize(self, captions, options: GenerationOptions) -> Generation:
            yield "All."
            yield Trace("p", (1,), 1, picture=image)

    events, _ = run(summarize(captions(3, 10), Showing(Script()), PLAIN))
    assert isinstance(events[-1], Summarized)
    assert events[-1].picture is image


class Small(ScriptedCaptioner):
    """Reads 300 words at once and notes how much it was given."""

    def __init__(self) -> None:
        super().__init__(Script())
        self.context_tokens = 300
        self.given: list[int] = []

    def summarize(self, captions, options: GenerationOptions) -> Generation:
        self.given.append(sum(self.count_tokens(c.text) for c in captions))
        return super().summarize(captions, options)


def test_what_does_not_fit_is_summarized_in_levels_and_said() -> None:
    engine = Small()
    events, done = run(summarize(captions(12, 50), engine, PLAIN))
    assert done
    assert isinstance(events[-1], Summarized)
    assert events[-1].levels == 2
    assert max(engine.given) <= engine.context_tokens
    assert len(engine.given) == 4
    notes = [e.text for e in events if isinstance(e, Noted)]
    assert len(notes) == 1
    assert "3 segments" in notes[0]
    assert [e.text for e in events if isinstance(e, Working)]
    streamed = "".join(e.text for e in events if isinstance(e, Delta))
    assert streamed == events[-1].text


def test_captions_that_just_fit_are_one_segment() -> None:
    events, _ = run(summarize(captions(2, 150 - OVERHEAD_TOKENS), Small(), PLAIN))
    assert not [e for e in events if isinstance(e, Noted)]


def test_segments_keep_the_times_of_their_captions() -> None:
    seen: list[list[tuple[int, float, float, float]]] = []

    class Noting(Small):
        def summarize(self, captions, options: GenerationOptions) -> Generation:
            seen.append([(c.index, c.start, c.end, c.stated_time) for c in captions])
            return super().summarize(captions, options)

    run(summarize(captions(12, 50), Noting(), PLAIN))
    assert seen[0] == [(i, 2.0 * i, 2.0 * i + 2, 2.0 * i + 2) for i in range(4)]
    assert seen[-1] == [(0, 0.0, 8.0, 2.0), (1, 8.0, 16.0, 10.0), (2, 16.0, 24.0, 18.0)]


def test_captions_longer_than_the_context_each_still_end() -> None:
    class Wordy(Small):
        def summarize(self, captions, options: GenerationOptions) -> Generation:
            super().summarize(captions, options)
            return self.script.say("summarize", "word " * 500)

    events, done = run(summarize(captions(3, 500), Wordy(), PLAIN))
    assert done
    assert isinstance(events[-1], Summarized)
    assert events[-1].levels == MOST_LEVELS


def test_a_failing_segment_fails_the_summary() -> None:
    engine = Small()
    engine.script.fail["summarize"] = "Out of luck; retry it."
    events, done = run(summarize(captions(12, 50), engine, PLAIN))
    assert not done
    assert isinstance(events[-1], Failed)
    assert events[-1].failure.message == "Out of luck; retry it."


def test_one_failing_segment_is_enough() -> None:
    class Once(Small):
        def summarize(self, captions, options: GenerationOptions) -> Generation:
            stream = super().summarize(captions, options)
            return self.script.say("broken", "a b") if len(self.given) == 2 else stream

    engine = Once()
    engine.script.fail["broken"] = "Out of luck; retry it."
    events, done = run(summarize(captions(12, 50), engine, PLAIN))
    assert not done
    assert len(engine.given) == 2
    assert isinstance(events[-1], Failed)


def test_blank_questions_and_prompts_are_refused() -> None:
    video = analysis().video
    assert video is not None
    with pytest.raises(SettingsError):
        ask(Scene(video), "  ", [], ScriptedAnswerer(Script()), PLAIN)
    with pytest.raises(SettingsError):
        recaption("\n", ScriptedCaptioner(Script()), PLAIN)
    assert "detail: a boat under" in words(recaption(" a boat ", ScriptedCaptioner(Script()), PLAIN))
    script = Script()
    ask(Scene(video), " What? ", [], ScriptedAnswerer(script), PLAIN)
    assert script.asked == [("What?", 0)]


def test_a_trace_without_pictures_keeps_its_figures() -> None:
    from sgv_demo.steps import trace_mark

    mark = trace_mark(Trace("p", (1, 2, 3), 40, 1.5, "length", None, (3, 2), "smaller"), "saw/0001.png")
    assert (mark.new_tokens, mark.prompt_tokens, mark.finish, mark.tiles) == (3, 40, "length", (3, 2))
    assert (mark.note, mark.picture, mark.seconds) == ("smaller", "saw/0001.png", 1.5)
