"""The values of the page's controls as the pipeline takes them: pure. One control for each option, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, make_dataclass
from typing import Any

from sgv_demo.engines import MEASURED
from sgv_demo.errors import SettingsError
from sgv_demo.fields import leaves, read, values
from sgv_demo.options import PUBLISHED_ANSWERS, PUBLISHED_CAPTIONS, AnalysisOptions, QuestionOptions, SamplingOptions
from sgv_demo.settings import Settings

_RUN = {spec.name: spec for spec in leaves(AnalysisOptions)}
_QUESTION = {spec.name: spec for spec in leaves(QuestionOptions) if spec.option.ask is not None}
_SHARED = {spec.name for spec in leaves(SamplingOptions)}
"""A question is about the range that the first tab chose."""

_Run: Any = make_dataclass("_Run", [("engine", str, MEASURED.name), *((n, Any, s.default) for n, s in _RUN.items())])
_Question: Any = make_dataclass(
    "_Question", [("answerer", str, MEASURED.name), *((n, Any, s.default) for n, s in _QUESTION.items())]
)


class Controls(_Run):
    """The engine and one field for each option of a run, as the page hands them over."""

    def options(self) -> AnalysisOptions:
        """As the pipeline takes them; what can't be used, while somebody types, stands at its default."""
        settings, given = Settings(), {name: getattr(self, name) for name in _RUN}
        usable = {name: value for name, value in given.items() if not _fault(name, value, settings)}
        options = read(AnalysisOptions, usable, settings)
        return AnalysisOptions(options.sampling.plain(), options.mode, options.generation, options.summarize)

    def check(self, settings: Settings) -> None:
        """Raises SettingsError when a value can't be used."""
        read(AnalysisOptions, {name: getattr(self, name) for name in _RUN}, settings)


class AskControls(_Question):
    """The answerer and one field for each option of a question, as the page hands them over."""

    def options(self, settings: Settings) -> QuestionOptions:
        """As an answerer takes them.

        Raises:
            SettingsError: a value can't be used.
        """
        return read(QuestionOptions, {name: getattr(self, name) for name in _QUESTION}, settings)


def answer_part(name: str) -> str:
    """The page's name for the control of a question's option."""
    return name if name in _SHARED or name == "answerer" else f"answer_{name}"


MODES = _RUN["mode"].choices
"""In which a video can be captioned."""
CONTROLS = tuple(f.name for f in fields(Controls))
"""The page's names for the values of `Controls`, in order."""
ASKING = tuple(answer_part(f.name) for f in fields(AskControls))
"""The same for `AskControls`."""
PUBLISHED_DECODING: Mapping[str, Any] = {n: v for n, v in values(PUBLISHED_CAPTIONS).items() if n != "language"}
"""What the button of the first tab sets: how a model decodes."""
PUBLISHED_ANSWERING: Mapping[str, Any] = {
    answer_part(name): value
    for name, value in values(PUBLISHED_ANSWERS).items()
    if name in _QUESTION and name not in _SHARED
}
"""What the button of the fourth tab sets."""


def _fault(name: str, value: object, settings: Settings) -> str:
    try:
        _RUN[name].read(value, settings)
    except SettingsError as error:
        return str(error)
    return ""
