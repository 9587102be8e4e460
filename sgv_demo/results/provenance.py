"""How a result was made, told once for every format: facts about the run, and the prompts behind its texts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from sgv_demo import __version__
from sgv_demo.events import Analysis
from sgv_demo.fields import leaves
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.types import Caption, TraceMark

CAPTION_BEFORE, NUMBER = "{caption before}", "{number}"
LEGEND = (
    f"{CAPTION_BEFORE} and {{caption 1}} stand for the texts of captions, {NUMBER} for the numbers and times of a "
    "step's own pictures. JSON and CSV have every prompt in full."
)
"""Says how the prompts are abridged."""

_OF_ANY_TEXT = ("engine", "licence", "exported")
"""Columns that hold for captions which were not written here, too."""
_SHORTEST = 12
"""Characters: a shorter caption isn't looked for in a prompt, where it could be part of something else."""
_NUMBERS = re.compile(r"(\d+(?:[.:]\d+)*)")


class Fact(NamedTuple):
    """One line of "how it was made"."""

    column: str
    """Its name in a table for programs."""
    name: str
    """For people."""
    value: str
    """Empty where it doesn't apply."""


class Prompt(NamedTuple):
    """What an engine was told."""

    steps: str
    """Which texts came from it: "captions 2 to 14", "summary"."""
    text: str
    """Abridged as `LEGEND` says."""


def facts(analysis: Analysis) -> tuple[Fact, ...]:
    """Everything that shaped a result; always the same columns in the same order."""
    engine = analysis.engine
    model = bool(engine.model)
    found = (
        Fact("engine", "Engine", engine.label),
        Fact("model", "Model", engine.model),
        Fact("quantization", "Quantization", engine.quantization if model else ""),
        Fact("dtype", "Number format", engine.dtype if model else ""),
        Fact("device", "Device", engine.device),
        Fact("licence", "Licence", engine.licence),
        *_options(analysis.options, decodes=model),
        Fact("measured_by", "Measured by", _measured_by(analysis.options.sampling)),
        Fact("run_took", "Took", f"{analysis.seconds:.1f} s" if analysis.seconds else ""),
        Fact("exported", "Exported", f"by sgv-demo {__version__} on {datetime.now(UTC):%Y-%m-%d}"),
    )
    if engine.name != "dataset":
        return found
    # Nobody knows how a dataset's own captions were made; this program's defaults had no part in it.
    return tuple(fact if fact.column in _OF_ANY_TEXT else fact._replace(value="") for fact in found)


def _options(options: AnalysisOptions, *, decodes: bool) -> Iterator[Fact]:
    """A fact for each option; how a model decodes says nothing of an engine without one, nor its language of one."""
    idle = {"threshold"} if options.sampling.keep_all else set()
    idle |= {"language"} if decodes else {spec.name for spec in leaves(GenerationOptions)} - {"language"}
    chosen = options.in_force()
    for spec in leaves(AnalysisOptions):
        yield Fact(spec.column, spec.label, "" if spec.name in idle else spec.words(chosen[spec.name]))


def told(analysis: Analysis) -> list[tuple[str, str]]:
    """(name, value) of the facts that apply."""
    return [(fact.name, fact.value) for fact in facts(analysis) if fact.value]


def step_line(trace: TraceMark | None) -> str:
    """Seconds, tokens and remarks of one step; empty where nothing is known."""
    if trace is None:
        return ""
    said = [f"written in {trace.seconds:.1f} s"] if trace.seconds >= 0.05 else []
    said += [f"{trace.prompt_tokens} tokens in, {trace.new_tokens} out"] if trace.new_tokens else []
    said += ["cut off at the longest length allowed"] if trace.finish == "length" else []
    return " · ".join(filter(None, [*said, trace.note]))


def prompts(analysis: Analysis) -> list[Prompt]:
    """Every prompt once: steps that were told the same but for numbers and earlier captions are taken together."""
    alike: dict[str, list[tuple[int, str]]] = {}
    for place, text in _abridged(analysis):
        alike.setdefault(_NUMBERS.sub(NUMBER, text), []).append((place, text))
    found = [Prompt(_steps([p for p, _ in rows]), _common([text for _, text in rows])) for rows in alike.values()]
    if not analysis.options.at_once and analysis.summary_trace and analysis.summary_trace.prompt:
        named = [(caption, f"{{caption {caption.index + 1}}}") for caption in analysis.captions]
        found.append(Prompt("summary", _folded(_replaced(analysis.summary_trace.prompt, named))))
    return found


def _abridged(analysis: Analysis) -> Iterator[tuple[int, str]]:
    """(number counted from 1, prompt) of each caption that has one."""
    for before, caption in pairwise((None, *analysis.captions)):
        if caption and caption.trace and caption.trace.prompt:
            named = [(before, CAPTION_BEFORE)] if before else []
            yield caption.index + 1, _folded(_replaced(caption.trace.prompt, named))


def _replaced(prompt: str, named: Iterable[tuple[Caption, str]]) -> str:
    """The prompt with texts of captions replaced by names, longest first, as one can be part of another."""
    for caption, name in sorted(named, key=lambda pair: -len(pair[0].text)):
        text = caption.text.strip()
        if len(text) >= _SHORTEST:
            prompt = prompt.replace(text, name)
    return prompt


def _folded(text: str) -> str:
    """The text with runs of three or more lines that differ in numbers alone cut to their first."""
    lines: list[str] = []
    for _, same in groupby(text.split("\n"), key=lambda line: _NUMBERS.sub(NUMBER, line)):
        run = list(same)
        lines += [run[0], f"… {len(run) - 1} more such lines"] if len(run) > 2 and run[0] else run
    return "\n".join(lines)


def _common(texts: Sequence[str]) -> str:
    """Texts that differ in numbers alone as one: what isn't the same in all is `NUMBER`."""
    places = zip(*(_NUMBERS.split(text) for text in texts), strict=True)
    return "".join(same[0] if len(set(same)) == 1 else NUMBER for same in places)


def _steps(numbers: Sequence[int]) -> str:
    """Ascending numbers of captions in words: "caption 1", "captions 2 to 14, 17"."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    parts = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"{'caption' if len(numbers) == 1 else 'captions'} {', '.join(parts)}"


def _measured_by(sampling: SamplingOptions) -> str:
    if not sampling.measure:
        return "nothing was measured"
    text = "; text read by PP-OCR" if sampling.read_text else "; no text read"
    return f"sgv-demo, without a model: camera, cuts, light, colour, motion{text}"
