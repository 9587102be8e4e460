"""Options as flags: what a command takes, made from the fields of its parameters for cyclopts to read.

A command is a plain function. A parameter annotated with a dataclass of options becomes a flag for each field,
`Annotated[Settings, Only(…)]` one for each setting named, `Outputs` one for each format; every other parameter is as
cyclopts has it. Defaults stand in the help, as the page and the API have them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass, replace
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter

from sgv_demo.errors import SettingsError
from sgv_demo.fields import Spec, leaves, read, said, specs
from sgv_demo.settings import Settings

_OPTIONS = Group("Options", sort_key=0)
_ENGINE = Group("Engine", help="SGV_… variables change these defaults (see sgv_demo/settings.py).", sort_key=1)
_OUTPUT = Group("Output", help="A path, or - for standard output.", sort_key=2)


class WrongUsageError(Exception):
    """A value on the command line that can't be used; one sentence."""


class Only(NamedTuple):
    """Which settings a command takes as flags."""

    names: tuple[str, ...]


class Asking(NamedTuple):
    """Only the options that shape an answer."""


class Outputs(dict[str, str]):
    """Format to path, or to - for standard output; only what was asked for."""

    @property
    def alone(self) -> bool:
        """Whether a result goes to standard output, which must then hold nothing else."""
        return "-" in self.values()


@dataclass(frozen=True, slots=True)
class _Flags:
    """A parameter of a command as flags."""

    kind: type
    """The dataclass that cyclopts fills."""
    taken: Callable[[Any, Settings], object]
    """From an instance of `kind` and the environment to what the command wants."""


def command(function: Callable[..., None]) -> Callable[..., None]:
    """`function` as cyclopts takes it: the environment is read, and everything checked, before it is called."""
    hints, plain = get_type_hints(function, include_extras=True), signature(function)
    flags = {name: made for name, hint in hints.items() if (made := _flags(hint))}
    hints |= {name: Annotated[made.kind, Parameter(name="*")] for name, made in flags.items()}

    @wraps(function)
    def call(*args: Any, **given: Any) -> None:
        bound = plain.bind_partial(*args, **given)
        environment = Settings.from_env()
        for name, made in flags.items():
            bound.arguments[name] = made.taken(bound.arguments.get(name) or made.kind(), environment)
        check_targets(bound.arguments.values())
        function(*bound.args, **bound.kwargs)

    parameters = [p.replace(default=flags[n].kind()) if n in flags else p for n, p in plain.parameters.items()]
    parameters = [p for p in parameters if not is_dataclass(p.default) or fields(p.default)]
    cast(Any, call).__signature__ = plain.replace(parameters=parameters)
    call.__annotations__ = hints
    return call


def positive(_: Any, value: int | None) -> None:
    """For `Parameter(validator=…)`: a number that is given must be at least 1."""
    if value is not None and value < 1:
        raise ValueError(f"{value} is not more than zero")


def check_targets(arguments: Iterable[object]) -> None:
    """Looks whether every file asked for can be written, before hours of work.

    Raises:
        SettingsError: one can't, or two go to standard output.
    """
    targets = [target for given in arguments if isinstance(given, Outputs) for target in given.values()]
    if targets.count("-") > 1:
        raise SettingsError("Only one result can go to standard output; give the others a path.")
    for path in (Path(target) for target in targets if target != "-"):
        if path.is_dir():
            raise SettingsError(f"“{path}” is a folder; give the path of a file.")
        if not path.parent.is_dir():
            raise SettingsError(f"There is no folder “{path.parent}” for “{path.name}”; make it first.")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise SettingsError(f"“{path}” can't be written; choose another place.")


def _flags(hint: Any) -> _Flags | None:
    kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if kind is Settings:
        return _of_settings(next(mark.names for mark in marks if isinstance(mark, Only)))
    if isinstance(kind, type) and issubclass(kind, Outputs):
        return _of_outputs(kind, next((mark.names for mark in marks if isinstance(mark, Only)), ()))
    if isinstance(kind, type) and is_dataclass(kind):
        asking = any(isinstance(mark, Asking) for mark in marks)
        return _of_options(kind, [spec for spec in leaves(kind) if spec.option.ask is not None or not asking])
    return None


def _of_options(cls: type, wanted: Sequence[Spec]) -> _Flags:
    settings = Settings()

    def taken(made: Any, environment: Settings) -> object:
        given = {spec.name: getattr(made, spec.name) for spec in wanted}
        given |= {spec.name: given[spec.name] == spec.option.words[1] for spec in wanted if spec.option.words}
        try:
            return read(cls, given, environment)
        except SettingsError as error:
            raise WrongUsageError(str(error)) from error

    def flag(spec: Spec) -> tuple[str, Any, Any]:
        words = spec.option.words
        default = words[spec.default] if words else spec.default
        hint = Literal[words] if words else _kind(spec)
        shown = spec.option.none or said(default)
        return spec.name, Annotated[hint, _parameter(spec, shown, settings, _OPTIONS)], field(default=default)

    return _Flags(_made([flag(spec) for spec in wanted]), taken)


def _of_settings(names: Sequence[str]) -> _Flags:
    known, settings = specs(Settings), Settings()

    def taken(made: Any, environment: Settings) -> Settings:
        given = {name: value for name in names if (value := getattr(made, name)) is not None}
        for name, value in given.items():
            if fault := known[name].fault(value, environment):
                raise WrongUsageError(fault)
        return replace(environment, **given)

    def flag(spec: Spec) -> tuple[str, Any, Any]:
        shown = said(spec.default) if spec.default != "" else ""
        hint = Annotated[_kind(spec) | None, _parameter(spec, shown, settings, _ENGINE)]
        return spec.name, hint, field(default=None)

    return _Flags(_made([flag(known[name]) for name in names]), taken)


def _of_outputs(cls: type[Outputs], names: Sequence[str]) -> _Flags:
    from sgv_demo.formats.table import FORMATS

    forms = [form for form in FORMATS if not names or form.name in names]
    hints = [
        (f.name, Annotated[str | None, Parameter(help=f"{f.about}.", group=_OUTPUT, allow_leading_hyphen=True)])
        for f in forms
    ]
    made = _made([(name, hint, field(default=None)) for name, hint in hints])
    return _Flags(made, lambda given, _: cls({f.name: to for f in forms if (to := getattr(given, f.name)) is not None}))


def _made(flags: Sequence[tuple[str, Any, Any]]) -> type:
    # Told where it is: cyclopts takes a class of the module "types" for a builtin.
    return make_dataclass("Chosen", flags, namespace={"__module__": __name__})


def _kind(spec: Spec) -> Any:
    kind: Any = Literal[spec.choices] if spec.choices else spec.kind
    return kind | None if spec.optional else kind


def _parameter(spec: Spec, default: str, settings: Settings, group: Group) -> Parameter:
    """Name and help of a flag: its sentence, its bounds, its default."""
    name = f"--{(spec.option.flag or spec.name).replace('_', '-')}"
    switch = spec.kind is bool and not spec.option.words
    bounds = spec.range_in_words(settings) if spec.kind in (int, float) else ""
    told = "; ".join(filter(None, (bounds, f"default: {default}" if default else "")))
    return Parameter(
        name=name,
        negative=f"--no-{name[2:]}" if switch and spec.default else "",
        help=f"{spec.sentence} ({told})" if told else spec.sentence,
        group=group,
    )
