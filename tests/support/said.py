"""What a visitor can be told, found by reading the code: sentences of errors, notes, steps and stages.

What is filled in stands as `{}`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from pathlib import Path

import sgv_demo

ROOT = Path(sgv_demo.__file__).parent
LETTER = re.compile(r"[A-Za-z]")

ERRORS = ("SgvError", "VideoError", "EngineError", "OutOfMemoryError", "SettingsError", "StoreError", "DatasetError")
SPOKEN = {
    **dict.fromkeys((*ERRORS, "Noted", "Working", "Trouble", "RetryableError"), (0,)),
    "Failure": (0, 1),
    "attempt": (1,),
    "_noted": (1,),
}
"""Calls whose arguments (by position) a visitor reads."""
SPOKEN_BY_NAME = ("problem", "say")
"""The same, arguments by name."""
STAGES = ("progress", "tell")
"""What a loading engine calls: its first argument is shown."""
RETURNED = {
    ("engines.turns.zerogpu", "_rest"),
    ("engines.remote.servers", "_reason"),
    ("engines.choosing.machine", "cuda_trouble"),
}
"""Functions whose sentences become a part of another one."""

NEVER_SEEN = {
    "cli": "the command line has no language",
    "settings": "read when the program starts; the operator reads it in the terminal",
    "ui.api": "answers programs, which get English",
    "evaluation.cases": "`evaluate`, a command of the command line",
    "evaluation.commands": "`evaluate`, a command of the command line",
    "evaluation.compare": "`evaluate`, a command of the command line",
    "evaluation.judge": "`evaluate`, a command of the command line",
    "evaluation.plan": "`evaluate`, a command of the command line",
    "evaluation.run": "`evaluate`, a command of the command line",
    "evaluation.table": "`evaluate`, a command of the command line",
    "annotation": "`annotate`, `filter` and `convert`, commands of the command line",
    "lines": "`annotate` and `evaluate`, commands of the command line",
    "shards": "the same",
    "serving": "`serve-model`, which answers programs in English",
    "engines.sharegpt4video.saving": "`quantize`, a command of the command line",
    "engines.sharegpt4video.export": "`export`, a command of the command line",
}
"""Modules (with what is below them) whose messages no visitor of the page can get, and why."""
NEVER_CALLED = {"save_quantized": "`quantize`, a command of the command line", "figures": "`engines --json`"}
"""Functions, the same."""


@dataclass
class Module:
    """A module's sentences."""

    name: str
    tree: ast.Module
    unseen: set[str] = field(default_factory=set)
    """Arguments that hold none that could be seen."""

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """All of them, methods too, by name."""
        return {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}

    def said(self) -> Iterator[str]:
        """Every sentence."""
        yield from self._within(self.tree, None)
        for module, name in RETURNED:
            if module == self.name:
                yield from self._returned(self.functions[name])

    def _within(self, node: ast.AST, function: ast.FunctionDef | None) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                if child.name not in NEVER_CALLED:
                    yield from self._within(child, child)
                continue
            if isinstance(child, ast.Call):
                yield from self._call(child, function)
            yield from self._within(child, function)

    def _call(self, call: ast.Call, function: ast.FunctionDef | None) -> Iterator[str]:
        positions = {p for name in _names(call.func) for p in self._positions(name, call, function)}
        arguments = [call.args[position] for position in sorted(positions) if position < len(call.args)]
        arguments += [keyword.value for keyword in call.keywords if keyword.arg in SPOKEN_BY_NAME]
        for argument in arguments:
            seen = self.sentences(argument, function)
            yield from seen
            if not seen:
                self.unseen.add(ast.unparse(argument))

    def _positions(self, name: str, call: ast.Call, function: ast.FunctionDef | None) -> tuple[int, ...]:
        if name in STAGES and self.name.startswith("engines."):
            return (0,)
        if name == "append" and isinstance(call.func, ast.Attribute):
            place = ast.unparse(call.func.value) + (f" {function.name}" if function else "")
            return (0,) if "notes" in place or "_note" in place else ()
        return SPOKEN.get(name, ()) if (self.name, name) != ("dataset.index", "Trouble") else ()

    def sentences(self, node: ast.expr | None, function: ast.FunctionDef | None) -> list[str]:
        """What an expression may be, `{}` for what is filled in; empty when that can't be seen."""
        match node:
            case ast.Constant(value=str(text)):
                return [" ".join(text.split())]
            case ast.JoinedStr(values=values):
                parts = (self._part(value, function) for value in values)
                return [" ".join("".join(row).split()) for row in product(*parts)]
            case ast.IfExp(body=one, orelse=other):
                return self.sentences(one, function) + self.sentences(other, function)
            case ast.Name(id=name):
                return [text for value in self._values(name, function) for text in self.sentences(value, function)]
            case ast.Call(func=ast.Name(id=name)) if name in self.functions and name != "_counted":
                return list(self._returned(self.functions[name]))
            case ast.Call(func=ast.Name(id="reason_unopened")):
                sniff = module("video.decoding.sniff")
                return list(sniff._returned(sniff.functions["reason_unopened"]))
        return []

    def _part(self, value: ast.expr, function: ast.FunctionDef | None) -> list[str]:
        if isinstance(value, ast.Constant):
            return [str(value.value)]
        assert isinstance(value, ast.FormattedValue)
        named = self.sentences(value.value, function) if isinstance(value.value, (ast.Name, ast.IfExp)) else []
        return named if named and all(named) else ["{}"]

    def _returned(self, function: ast.FunctionDef) -> Iterator[str]:
        for node in ast.walk(function):
            if isinstance(node, ast.Return):
                yield from self.sentences(node.value, function)

    def _values(self, name: str, function: ast.FunctionDef | None) -> Iterator[ast.expr]:
        """What a name is set to: in the function, or as a constant here or where it is imported from."""
        scopes: list[ast.AST] = [function] if function else []
        scopes += [self.tree] if name.isupper() else []
        for node in (node for scope in scopes for node in ast.walk(scope)):
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    if isinstance(value, (ast.Constant, ast.JoinedStr, ast.IfExp)):
                        yield value
                case ast.ImportFrom(module=str(source), names=names) if name in [alias.name for alias in names]:
                    yield from module(source.removeprefix("sgv_demo."))._values(name, None)


def _names(node: ast.expr) -> list[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return [name]
        case ast.IfExp(body=one, orelse=other):
            return _names(one) + _names(other)
    return []


@cache
def module(name: str) -> Module:
    return Module(name, ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")))


@cache
def said() -> tuple[tuple[str, str], ...]:
    """(module, sentence), and what can't be seen of each is in its `unseen`."""
    found: dict[tuple[str, str], None] = {}
    for name in modules():
        found |= dict.fromkeys((name, text) for text in module(name).said() if LETTER.search(text))
    return tuple(found)


def modules() -> list[str]:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(ROOT.rglob("*.py"))]
    return [n for n in names if not any(n == known or n.startswith(f"{known}.") for known in NEVER_SEEN)]
