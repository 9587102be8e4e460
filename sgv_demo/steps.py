"""One step of an engine as events: its pieces, its end, its failure; and summaries that may need several steps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

from sgv_demo.engines import Answerer, Captioner, Scene
from sgv_demo.errors import SettingsError, SgvError
from sgv_demo.events import Delta, Event, Failed, Noted, Summarized, Working
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Failure, Generation, Trace, TraceMark, Turn

log = logging.getLogger(__name__)

OVERHEAD_TOKENS = 24
"""Tokens around each caption in the summary prompt ("Video frame … description: …")."""
MOST_LEVELS = 4
"""Summaries of summaries at most; what is still too long then is handed over as it is."""


def trace_mark(trace: Trace, picture: str | None = None) -> TraceMark:
    """A trace without its pixels; what an engine was told by a server may be missing."""
    return TraceMark(
        prompt=trace.prompt or "",
        new_tokens=len(trace.token_ids or ()),
        prompt_tokens=trace.prompt_tokens or 0,
        seconds=trace.seconds or 0.0,
        finish="length" if trace.finish == "length" else "stop",
        tiles=trace.tiles,
        note=trace.note or "",
        picture=picture,
    )


def attempt(
    make: Callable[[], Generation],
    what: str,
    index: int | None,
    span: tuple[float, float] = (0.0, 0.0),
    *,
    status: Working | None = None,
    blank_is_fine: bool = False,
) -> Generator[Event, None, tuple[str, Trace] | None]:
    """Runs one generation; yields its deltas and, when it fails or stays blank, one `Failed`.

    `status` stands for the deltas of a text that is not the user's. `blank_is_fine` goes on after a blank answer, with
    a note, as the published code does without one.
    """
    step = "summary" if index is None else index
    try:
        text, trace = yield from drain(make(), lambda piece: status or Delta(step, piece, *span))
    except SgvError as error:
        yield Failed(Failure(what, str(error), index))
        return None
    except Exception:
        # The boundary to engines of any kind: earlier steps must survive whatever one of them raises.
        log.exception("Unexpected error in %s", what)
        yield Failed(Failure(what, f"The engine failed at {what} for an unforeseen reason (logged); retry it.", index))
        return None
    if not text.strip():
        if not blank_is_fine:
            yield Failed(Failure(what, f"The engine's answer for {what} came back blank; retry it.", index))
            return None
        yield Noted(f"The engine's answer for {what} came back blank.")
    return text, trace


def drain(generation: Generation, wrap: Callable[[str], Event]) -> Generator[Event, None, tuple[str, Trace]]:
    """Yields each piece wrapped; returns the whole text and the trace. Closing it closes the generation."""
    pieces: list[str] = []
    trace: Trace | None = None
    with closing(generation):
        for piece in generation:
            if isinstance(piece, Trace):
                trace = piece
            else:
                pieces.append(piece)
                yield wrap(piece)
    assert trace is not None, "a generation ends with its trace"
    return trace.text or "".join(pieces), trace


def whole(generation: Generation, each: Callable[[str], object] = lambda _: None) -> tuple[str, Trace]:
    """Runs a generation to its end; `each` sees each piece and may raise to stop it. Returns text and trace."""
    pieces: list[str] = []
    trace: Trace | None = None
    with closing(generation):
        for piece in generation:
            if isinstance(piece, Trace):
                trace = piece
            else:
                pieces.append(piece)
                each(piece)
    assert trace is not None, "a generation ends with its trace"
    return trace.text or "".join(pieces), trace


def summarize(
    captions: Sequence[Caption],
    captioner: Captioner,
    options: GenerationOptions,
    *,
    blank_is_fine: bool = False,
) -> Generator[Event, None, bool]:
    """A summary of captions; in levels when they don't fit the engine's context, and then it says so.

    Yields:
        `Delta` of the final text, `Noted` about levels, then `Summarized`, or `Failed`.

    Returns:
        Whether there is a summary.
    """
    levels = 1
    segments = list(_segments(captions, captioner))
    while len(segments) > 1 and levels < MOST_LEVELS:
        levels += 1
        yield Noted(
            f"The captions are longer than the engine reads at once ({captioner.context_tokens:,} tokens), so "
            f"{len(segments)} segments were summarized first, and then their summaries."
        )
        shorter: list[Caption] = []
        for number, segment in enumerate(segments, 1):
            make = partial(captioner.summarize, segment, options)
            status = Working(f"Summarizing segment {number} of {len(segments)}")
            yield status
            result = yield from attempt(make, f"segment {number} of the summary", None, status=status)
            if result is None:
                return False
            first, last = segment[0], segment[-1]
            shorter.append(Caption(number - 1, first.start, last.end, result[0], stated_time=first.stated_time))
        captions = shorter
        segments = list(_segments(captions, captioner))
    make = partial(captioner.summarize, captions, options)
    result = yield from attempt(make, "the summary", None, blank_is_fine=blank_is_fine)
    if result is None:
        return False
    text, trace = result
    yield Summarized(text, levels, trace_mark(trace), trace.picture)
    return True


def recaption(prompt: str, captioner: Captioner, options: GenerationOptions) -> Generation:
    """A detailed caption from a short generation prompt.

    Raises:
        SettingsError: the prompt is empty.
    """
    if not prompt.strip():
        raise SettingsError("There is no prompt; write a few words about the video that you have in mind.")
    return captioner.recaption(prompt.strip(), options)


def ask(
    scene: Scene, question: str, history: Sequence[Turn], answerer: Answerer, options: GenerationOptions
) -> Generation:
    """An answer about a scene, given the earlier turns about it.

    Raises:
        SettingsError: the question is empty.
    """
    if not question.strip():
        raise SettingsError("There is no question; write one about the video.")
    return answerer.answer(scene, question.strip(), history, options)


def _segments(captions: Sequence[Caption], captioner: Captioner) -> Iterator[list[Caption]]:
    """Runs of captions that each fit the context; a caption too long for it is a run of its own."""
    segment: list[Caption] = []
    room = captioner.context_tokens
    for caption in captions:
        tokens = captioner.count_tokens(caption.text) + OVERHEAD_TOKENS
        if segment and tokens > room:
            yield segment
            segment, room = [], captioner.context_tokens
        segment.append(caption)
        room -= tokens
    if segment:
        yield segment
