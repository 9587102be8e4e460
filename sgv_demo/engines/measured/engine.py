"""The offline engine: writes from measurements, with no weights and no network.

It recognises no people, objects or actions and never pretends to. Every sentence states something in `Look` or
`Evidence`; what was not measured is not said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence

from sgv_demo.engines import Scene
from sgv_demo.engines.measured import prose
from sgv_demo.engines.measured.facts import answer_sentences
from sgv_demo.engines.measured.prose import clock, join, sentence
from sgv_demo.errors import EngineError
from sgv_demo.types import (
    Caption,
    EngineInfo,
    Evidence,
    Generation,
    GenerationOptions,
    Keyframe,
    Look,
    Trace,
    Turn,
)

INFO = EngineInfo(
    name="measured",
    label="Measured, no language model",
    licence="MIT (this project); text is read by PP-OCR models, Apache-2.0",
    needs_evidence=True,
)

_ASPECTS = {
    "camera": "camera pan tilt zoom dolly tracking handheld static close-up aerial drone",
    "light": "light bright dark sun night shadow dusk dawn neon glow lit",
    "colour": "colour color red blue green yellow white black gold orange pink grey",
    "place": "street room beach forest city sky sea mountain kitchen field road park",
    "movement": "run walk drift fall fly turn jump danc mov ride swim roll driv",
    "style": "film cinematic style cartoon realistic animation painting slow-motion grain",
    "time or weather": "rain snow fog wind storm morning evening winter summer autumn",
}
"""Aspects of a shot and the beginnings of words that name them."""


def _generation(sentences: Iterable[str], started: float) -> Generation:
    """Streams sentences, a space between them."""
    separator = ""
    for text in sentences:
        yield separator + text
        separator = " "
    return Trace(seconds=time.monotonic() - started)


class MeasuredCaptioner:
    """Captions from measurements."""

    @property
    def info(self) -> EngineInfo:
        return INFO

    @property
    def context_tokens(self) -> int:
        """It reads measurements, not text: no limit that a video could reach."""
        return 1_000_000_000

    def count_tokens(self, text: str) -> int:
        """Words."""
        return len(text.split())

    def describe(self, keyframe: Keyframe, options: GenerationOptions) -> Generation:
        """Light, colours, composition and text of the first keyframe."""
        return _generation(prose.describe_look(_look(keyframe.look)), time.monotonic())

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        """What was measured between two keyframes."""
        if evidence is None:
            raise EngineError("Nothing was measured between these keyframes; switch measuring on.")
        return _generation(prose.describe_evidence(evidence, after.look), time.monotonic())

    def overview(
        self, keyframes: Sequence[Keyframe], evidence: Sequence[Evidence], options: GenerationOptions
    ) -> Generation:
        """The whole range at once."""
        looks = [(k.time, k.look) for k in keyframes if k.look]
        return _generation(_story(looks, list(evidence)), time.monotonic())

    def summarize(self, captions: Sequence[Caption], options: GenerationOptions) -> Generation:
        """Shots, camera, light, motion and text over the whole range."""
        evidence = [c.evidence for c in captions if c.evidence]
        looks = [(c.end, c.look) for c in captions if c.look]
        sentences = _story(looks, evidence) if evidence or looks else _shortened(captions)
        return _generation(sentences, time.monotonic())

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        """Says what a prompt names and what it leaves open; inventing the rest takes a language model."""
        return _generation(_checklist(prompt), time.monotonic())


class MeasuredAnswerer:
    """Answers from measurements."""

    @property
    def info(self) -> EngineInfo:
        return INFO

    @property
    def default_frames(self) -> int:
        """It looks at measurements, not at frames."""
        return 0

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        """Facts that match the question, with times; says plainly what it can't know."""
        return _generation(answer_sentences(scene, question), time.monotonic())


def _look(look: Look | None) -> Look:
    if look is None:
        raise EngineError("This keyframe was not measured; switch measuring on.")
    return look


def _story(looks: Sequence[tuple[float, Look]], evidence: Sequence[Evidence]) -> Iterator[str]:
    """A summary in the order in which people ask: how long, how it starts, shots, camera, light, motion, text."""
    cuts = [cut for gap in evidence for cut in gap.cuts]
    if looks:
        yield sentence(f"the video opens with a picture that is {_opening(looks[0][1])}")
    if cuts:
        times = join([clock(cut) for cut in cuts[:8]]) + (f" and {len(cuts) - 8} more" if len(cuts) > 8 else "")
        yield f"There are {len(cuts) + 1} shots, with {'a cut' if len(cuts) == 1 else 'cuts'} at {times}."
    elif evidence:
        yield "It is one shot: no cut was found."
    about_camera = prose.camera_over_time(evidence)
    if about_camera:
        yield about_camera
    yield from _light_story(looks, evidence)
    yield from _motion_story(evidence)
    yield from _text_story(looks)
    if len(looks) > 1 and evidence:
        yield sentence(
            f"at the end the picture is {prose.light_word(looks[-1][1].light)}, {prose.colours(looks[-1][1])}"
        )


def _opening(look: Look) -> str:
    text = f" and the text {prose.quoted(look.text, 2)}" if look.text else ""
    return f"{prose.light_word(look.light)}, {prose.colours(look)}{text}"


def _light_story(looks: Sequence[tuple[float, Look]], evidence: Sequence[Evidence]) -> Iterator[str]:
    inside = [gap for gap in evidence if not gap.cuts and abs(gap.light) >= prose.SMALL_LIGHT]
    if inside:
        gap = max(inside, key=lambda g: abs(g.light))
        word = "brighter" if gap.light > 0 else "darker"
        yield sentence(
            f"within a shot the light changes most {prose.span(gap.start, gap.end)}: "
            f"it gets {prose.percent(abs(gap.light))} {word}"
        )
    elif looks and max(look.light for _, look in looks) - min(look.light for _, look in looks) < prose.SMALL_LIGHT:
        yield "The light stays the same."


def _motion_story(evidence: Sequence[Evidence]) -> Iterator[str]:
    busy = [(thing, gap) for gap in evidence for thing in gap.moving]
    if busy:
        thing, gap = max(busy, key=lambda pair: pair[0].area)
        yield sentence(f"most movement is seen {prose.span(gap.start, gap.end)}, where {prose.moving([thing])}")


def _text_story(looks: Sequence[tuple[float, Look]]) -> Iterator[str]:
    seen: dict[str, float] = {}
    for time_, look in looks:
        for line in look.text:
            seen.setdefault(line, time_)
    if seen:
        listed = [f"“{line}” ({clock(at)})" for line, at in list(seen.items())[:6]]
        more = f" and {len(seen) - 6} more" if len(seen) > 6 else ""
        yield sentence(f"text that was read: {', '.join(listed)}{more}")


def _shortened(captions: Sequence[Caption]) -> Iterator[str]:
    """Captions without measurements: their first sentences, with times, and a word that this is all."""
    yield "Without a language model, and without measurements, captions can only be shortened:"
    for caption in captions:
        first = caption.text.strip().split(". ")[0].rstrip(".")
        yield f"{clock(caption.end)}: {first[:200]}."


def _checklist(prompt: str) -> Iterator[str]:
    low = prompt.lower()
    named = [a for a, stems in _ASPECTS.items() if any(re.search(rf"\b{stem}", low) for stem in stems.split())]
    missing = [aspect for aspect in _ASPECTS if aspect not in named]
    yield "Without a language model this engine can't invent a scene; it says what the prompt gives and leaves open."
    words = len(prompt.split())
    yield sentence(
        f"the prompt has {words} {'word' if words == 1 else 'words'} and names {join(named) or 'no aspect of a shot'}"
    )
    if missing:
        yield sentence(f"a detailed caption would also say something about {join(missing)}")
    yield "Choose ShareCaptioner-Video to have it written out."
