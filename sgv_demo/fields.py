"""What a dataclass says of its fields, read once for every door: type, default, bounds, unit, sentence.

A field is written as `every: Annotated[float, Option(label="Sampling interval", least=0.05, unit="s")] = 2.0` with its
sentence as a docstring under it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from math import isfinite
from textwrap import dedent
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from sgv_demo.errors import SettingsError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What the type, the default and the sentence of a field leave unsaid."""

    label: str = ""
    """A noun for people: "Sampling interval"."""
    least: float | str | None = None
    """Smallest value; a string names the field of `Settings` that holds it."""
    above: float | None = None
    """The value lies above this; instead of `least`."""
    most: float | str | None = None
    """Largest value; a string names the field of `Settings` that holds it."""
    unit: str = ""
    """"s" or "tokens"; empty for plain numbers."""
    none: str = ""
    """What None stands for, as a noun."""
    flag: str = ""
    """The command line's name, where it isn't the field's."""
    words: tuple[str, str] | None = None
    """The command line's words for False and True of an option that isn't a switch there."""
    column: str = ""
    """The name in a table, where it isn't the field's."""
    place: int | None = None
    """Where it stands among the parameters of the API, which clients pass by place; new ones have none: last."""
    ask: int | None = None
    """The same among those of a question; None: it has no part in an answer."""


_PLAIN = Option()


@dataclass(frozen=True, slots=True)
class Spec:
    """One field as the doors see it."""

    name: str
    kind: type
    """bool, int, float, str, Path, or a dataclass that holds further fields."""
    choices: tuple[str, ...]
    """What it may be; empty where it isn't a choice."""
    optional: bool
    """Whether it can be None."""
    default: Any
    sentence: str
    """What it is; one sentence, or a few."""
    option: Option

    @property
    def label(self) -> str:
        """A noun for people."""
        return self.option.label or self.name.replace("_", " ").capitalize()

    @property
    def column(self) -> str:
        """Its name in a table."""
        return self.option.column or self.name

    def bounds(self, settings: object) -> tuple[float | None, float | None]:
        """(least, most) in force; `above` is left out."""
        least, most = self.option.least, self.option.most
        return (
            getattr(settings, least) if isinstance(least, str) else least,
            getattr(settings, most) if isinstance(most, str) else most,
        )

    def range_in_words(self, settings: object) -> str:
        """ "0.05 to 86,400 s", "above 0, up to 1", "sliding or fast"; empty without bounds."""
        least, most = self.bounds(settings)
        unit = f" {self.option.unit}" if self.option.unit else ""
        if self.choices:
            return " or ".join((", ".join(self.choices[:-1]), self.choices[-1]))
        if self.option.above is not None:
            return f"above {plain(self.option.above)}{unit}" + ("" if most is None else f", up to {plain(most)}{unit}")
        if least is None:
            return ""
        return f"{plain(least)}{unit} or more" if most is None else f"{plain(least)} to {plain(most)}{unit}"

    def words(self, value: object) -> str:
        """A value for people: "2 s", "yes", "the end of the video"."""
        if value is None:
            return self.option.none
        return f"{said(value)} {self.option.unit}".rstrip()

    def fault(self, value: object, settings: object) -> str:
        """One sentence about a value that can't be used; empty for one that can."""
        if (value is None and self.optional) or self._holds(value, settings):
            return ""
        wanted = self.range_in_words(settings) or "another one"
        if self.kind in (int, float):
            number = "a whole number" if self.kind is int else "a number"
            link = "" if wanted.startswith("above") else "of " if wanted.endswith("or more") else "from "
            wanted = f"{number} {link}{wanted}"
        return f"{self.label} can't be {said(value)}; choose {wanted}."

    def _holds(self, value: object, settings: object) -> bool:
        if self.choices:
            return value in self.choices
        if self.kind not in (int, float):
            return isinstance(value, self.kind)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not isfinite(value):
            return False
        if self.kind is int and value != int(value):
            return False
        least, most = self.bounds(settings)
        above = self.option.above
        return not (
            (least is not None and value < least)
            or (above is not None and value <= above)
            or (most is not None and value > most)
        )

    def read(self, value: object, settings: object) -> Any:
        """The value that a form or a call holds. Empty stands for the default, 0 for None where None can be.

        Raises:
            SettingsError: it can't be used.
        """
        if value is None or value == "":
            return self.default
        if self.optional and value == 0:
            return None
        if self.kind is bool and isinstance(value, (int, float)):
            return bool(value)
        fault = self.fault(value, settings)
        if fault:
            raise SettingsError(fault)
        return value if self.choices else self.kind(cast(Any, value))


def plain(number: float) -> str:
    """A number without trailing zeros, thousands apart."""
    return f"{number:,.10g}"


def said(value: object) -> str:
    """A value in words."""
    match value:
        case None | "":
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case float() | int():
            return plain(value)
        case _:
            return str(value)


@cache
def specs(cls: type) -> dict[str, Spec]:
    """The fields of a dataclass by name, in order."""
    hints, sentences = get_type_hints(cls, include_extras=True), _sentences(cls)
    made = (_spec(f.name, hints[f.name], _default(f), sentences.get(f.name, "")) for f in fields(cls))
    return {spec.name: spec for spec in made}


def leaves(cls: type) -> Iterator[Spec]:
    """The fields of a dataclass and of those within it."""
    for spec in specs(cls).values():
        if is_dataclass(spec.kind):
            yield from leaves(spec.kind)
        else:
            yield spec


def values(options: object) -> dict[str, Any]:
    """The values of `leaves` by name."""
    found: dict[str, Any] = {}
    for name, spec in specs(type(options)).items():
        value = getattr(options, name)
        found |= values(value) if is_dataclass(spec.kind) else {name: value}
    return found


def read(cls: type[T], given: Mapping[str, object], settings: object) -> T:
    """Options from what a form or a call holds, by name; what isn't given stays at its default.

    Raises:
        SettingsError: a value can't be used.
    """
    taken: dict[str, Any] = {}
    for name, spec in specs(cls).items():
        if is_dataclass(spec.kind):
            taken[name] = read(spec.kind, given, settings)
        elif name in given:
            taken[name] = spec.read(given[name], settings)
    return cls(**taken)


def check(options: object, settings: object) -> None:
    """Looks whether every value lies within its bounds.

    Raises:
        SettingsError: one doesn't.
    """
    held = values(options)
    for spec in leaves(type(options)):
        fault = spec.fault(held[spec.name], settings)
        if fault:
            raise SettingsError(fault)


def _default(f: Any) -> Any:
    return f.default if f.default_factory is MISSING else f.default_factory()


def _spec(name: str, hint: Any, default: Any, sentence: str) -> Spec:
    option = _PLAIN
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        option = next((extra for extra in extras if isinstance(extra, Option)), _PLAIN)
    optional = False
    if get_origin(hint) in (Union, UnionType):
        optional = NoneType in get_args(hint)
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    return Spec(name, str if choices else hint, choices, optional, default, sentence, option)


def _sentences(cls: type) -> dict[str, str]:
    """The docstrings under the fields."""
    (tree,) = ast.parse(dedent(inspect.getsource(cls))).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for above, below in pairwise(tree.body):
        match above, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found
