"""The offline engine: writes from measurements, with no weights and no network.

It recognises no people, objects or actions and never pretends to. Every sentence states something in `Look` or
`Evidence`; what was not measured is not said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sgv_demo.engines import Scene
from sgv_demo.engines.measured import NAME, prose
from sgv_demo.engines.measured.facts import answer_sentences
from sgv_demo.errors import EngineError
from sgv_demo.evidence.words import join, sentence
from sgv_demo.languages import Language, asked_in_english, between, in_language, language_of
from sgv_demo.options import GenerationOptions
from sgv_demo.times import clock
from sgv_demo.types import Caption, EngineInfo, Evidence, Generation, Keyframe, KeyframeMark, Look, Trace, Turn

INFO = EngineInfo(
    name=NAME,
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


def _generation(sentences: Iterable[str], started: float, language: Language) -> Generation:
    """Streams sentences, with a space between them where the language has one."""
    separator = ""
    for text in sentences:
        yield separator + in_language(text, language)
        separator = between(language)
    yield Trace(seconds=time.monotonic() - started)


class _Measured(NamedTuple):
    """All that was measured, as an `evidence.kind.Record`."""

    keyframes: tuple[KeyframeMark, ...]
    evidence: tuple[Evidence, ...]


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
        return _generation(prose.describe_look(_look(keyframe.look)), time.monotonic(), options.language)

    def difference(
        self, before: Keyframe, after: Keyframe, evidence: Evidence | None, previous: str, options: GenerationOptions
    ) -> Generation:
        """What was measured between two keyframes."""
        if evidence is None:
            raise EngineError("Nothing was measured between these keyframes; switch measuring on.")
        told = prose.describe_gap(evidence, after.look, previous, options.language)
        return _generation(told, time.monotonic(), options.language)

    def overview(
        self,
        keyframes: Sequence[Keyframe],
        evidence: Sequence[Evidence],
        options: GenerationOptions,
        sheet: bool = False,
    ) -> Generation:
        """The whole range at once."""
        marks = tuple(keyframe.mark() for keyframe in keyframes)
        return _generation(prose.story(_Measured(marks, tuple(evidence))), time.monotonic(), options.language)

    def summarize(self, captions: Sequence[Caption], options: GenerationOptions) -> Generation:
        """Shots, camera, light, motion and text over the whole range."""
        evidence = tuple(c.evidence for c in captions if c.evidence)
        marks = tuple(KeyframeMark(c.index, c.end, None, c.stated_time, c.look) for c in captions if c.look)
        sentences = prose.story(_Measured(marks, evidence)) if evidence or marks else _shortened(captions)
        return _generation(sentences, time.monotonic(), options.language)

    def recaption(self, prompt: str, options: GenerationOptions) -> Generation:
        """Says what a prompt names and what it leaves open; inventing the rest takes a language model."""
        return _generation(_checklist(prompt), time.monotonic(), options.language)


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
        """Facts that match the question, with times and in its language; says plainly what it can't know."""
        language = language_of(question)
        told = answer_sentences(scene, asked_in_english(question, language))
        return _generation(told, time.monotonic(), language)


def _look(look: Look | None) -> Look:
    if look is None:
        raise EngineError("This keyframe was not measured; switch measuring on.")
    return look


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
