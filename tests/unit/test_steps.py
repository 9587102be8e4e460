"""One step as events, and summaries in levels."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import pytest

from sgv_demo.engines import Scene
from sgv_demo.errors import SettingsError
from sgv_demo.events import Delta, Event, Failed, Noted, Summarized, Working
from sgv_demo.steps import ask, drain, recaption, summarize
from sgv_demo.types import Caption, Generation, GenerationOptions, Trace
from tests.scripted import Script, ScriptedAnswerer, ScriptedCaptioner, words
from tests.unit.samples import analysis

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
    return [Caption(i, 2.0 * i, 2.0 * i + 2, "word " * words_each) for i in range(count)]


def test_drain_returns_the_text_and_the_trace() -> None:
    events, (text, trace) = run(drain(Script().say("x", "a b c"), lambda piece: Delta(0, piece)))
    assert text == "a b c" == "".join(e.text for e in events if isinstance(e, Delta))
    assert trace.token_ids == (0, 1, 2)


def test_closing_drain_closes_the_generation() -> None:
    script = Script()
    stream = drain(script.say("x", "a b c"), lambda piece: Delta(0, piece))
    next(stream)
    stream.close()
    assert script.closed == ["x"]


def test_what_fits_is_summarized_at_once() -> None:
    events, done = run(summarize(captions(3, 10), ScriptedCaptioner(Script()), PLAIN))
    assert done
    assert not [e for e in events if isinstance(e, Noted)]
    assert isinstance(events[-1], Summarized)
    assert events[-1].levels == 1
    assert "3 captions" in events[-1].text


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


def test_segments_keep_the_times_of_their_captions() -> None:
    seen: list[list[tuple[float, float]]] = []

    class Noting(Small):
        def summarize(self, captions, options: GenerationOptions) -> Generation:
            seen.append([(c.start, c.end) for c in captions])
            return super().summarize(captions, options)

    run(summarize(captions(12, 50), Noting(), PLAIN))
    assert seen[0] == [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0)]
    assert seen[-1] == [(0.0, 8.0), (8.0, 16.0), (16.0, 24.0)]


def test_captions_longer_than_the_context_each_still_end() -> None:
    events, done = run(summarize(captions(3, 500), Small(), PLAIN))
    assert done
    assert isinstance(events[-1], Summarized)


def test_a_failing_segment_fails_the_summary() -> None:
    engine = Small()
    engine.script.fail["summarize"] = "Out of luck; retry it."
    events, done = run(summarize(captions(12, 50), engine, PLAIN))
    assert not done
    assert isinstance(events[-1], Failed)
    assert events[-1].failure.message == "Out of luck; retry it."


def test_blank_questions_and_prompts_are_refused() -> None:
    video = analysis().video
    assert video is not None
    with pytest.raises(SettingsError):
        ask(Scene(video), "  ", [], ScriptedAnswerer(Script()), PLAIN)
    with pytest.raises(SettingsError):
        recaption("\n", ScriptedCaptioner(Script()), PLAIN)
    assert "a boat" in words(recaption(" a boat ", ScriptedCaptioner(Script()), PLAIN))


def test_a_trace_without_pictures_keeps_its_figures() -> None:
    from sgv_demo.steps import trace_mark

    mark = trace_mark(Trace("p", (1, 2, 3), 40, 1.5, "length", None, (3, 2), "smaller"), "saw/0001.png")
    assert (mark.new_tokens, mark.prompt_tokens, mark.finish, mark.tiles) == (3, 40, "length", (3, 2))
    assert (mark.note, mark.picture) == ("smaller", "saw/0001.png")
