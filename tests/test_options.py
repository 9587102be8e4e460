"""Every option once: bounds with one sentence, and nothing of it said again elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest

import sgv_demo
from sgv_demo.errors import SettingsError
from sgv_demo.fields import Spec, check, leaves, read, specs
from sgv_demo.options import (
    PUBLISHED_ANSWERS,
    PUBLISHED_CAPTIONS,
    AnalysisOptions,
    GenerationOptions,
    QuestionOptions,
    SamplingOptions,
)
from sgv_demo.settings import Settings

SETTINGS = Settings()
EVERY = [*leaves(AnalysisOptions), specs(QuestionOptions)["frames"]]


def test_the_presets_are_what_was_published() -> None:
    how = PUBLISHED_ANSWERS.generation
    assert (how.temperature, how.top_p, how.max_new_tokens, PUBLISHED_ANSWERS.frames) == (0.1, 0.9, 1024, 16)
    assert (PUBLISHED_CAPTIONS.beams, PUBLISHED_CAPTIONS.max_new_tokens) == (3, 2048)
    for preset in (PUBLISHED_ANSWERS, PUBLISHED_CAPTIONS):
        check(preset, SETTINGS)


@pytest.mark.parametrize("spec", EVERY, ids=lambda spec: spec.name)
def test_each_option_has_a_name_a_sentence_and_a_default_within_its_bounds(spec: Spec) -> None:
    assert spec.label
    assert spec.sentence.endswith(".")
    assert spec.fault(spec.default, SETTINGS) == ""
    if spec.kind in (int, float):
        assert spec.range_in_words(SETTINGS)
    if spec.optional:
        assert spec.option.none


@pytest.mark.parametrize("spec", [s for s in EVERY if s.kind in (int, float)], ids=lambda spec: spec.name)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e308, -1])
def test_no_number_passes_that_is_none_or_out_of_bounds(spec: Spec, value: float) -> None:
    with pytest.raises(SettingsError, match=f"^{spec.label} can't be .*; choose a (whole )?number .*[^.]\\.$"):
        spec.read(value, SETTINGS)


def test_a_name_stands_for_one_option() -> None:
    names = [spec.name for spec in leaves(AnalysisOptions)]
    assert len(set(names)) == len(names)
    columns = [spec.column for spec in leaves(AnalysisOptions)]
    assert len(set(columns)) == len(columns)


def test_what_a_form_leaves_empty_is_the_default_and_0_is_none_where_none_can_be() -> None:
    given = {"every": None, "end": 0, "maximum": 0, "threshold": 0, "start": "", "beams": 3.0, "keep_all": 1}
    options = read(AnalysisOptions, given, SETTINGS)
    assert options.sampling == SamplingOptions(keep_all=True)
    assert options.generation == GenerationOptions(beams=3)
    assert isinstance(options.generation.beams, int)


def test_a_bound_can_be_a_setting() -> None:
    with pytest.raises(SettingsError, match=r"can't be 0\.5; choose a number from 1 to 86,400 s"):
        read(AnalysisOptions, {"every": 0.5}, Settings(min_every=1.0))


@pytest.mark.parametrize("value", ["x", [1], {}, True])
def test_a_number_is_a_number(value: object) -> None:
    with pytest.raises(SettingsError, match="Sampling interval can't be"):
        read(AnalysisOptions, {"every": value}, SETTINGS)


ELSEWHERE = {
    "of text that stands already": ("language", "evidence/words.py engines/measured/prose.py"),
    "a network's language model": ("language", "engines/sharegpt4video/network.py"),
    "of a page, a file and headings": ("language", "ui/ formats/ results/"),
    "times of a caption, a gap or a range, and the readers' own range": (
        "start end",
        "annotation/inputs.py annotation/layouts/ cli/terminal.py evaluation/mvbench.py events.py evidence/moving.py "
        "formats/captions_in.py results/record.py "
        "types.py ui/compare/view.py ui/show/view.py ui/video/view.py ui/binder.py ui/video/handlers.py video/",
    ),
    "pictures, of a scene, an answer, a case or a file, and a command": (
        "frames",
        "asking.py cli/ engines/__init__.py engines/sharegpt4video/figures.py evaluation/ ui/api.py "
        "ui/compare/view.py video/",
    ),
    "how the published code sees, scores and is chosen": (
        "published",
        "engines/entry.py engines/sharegpt4video/engine.py evaluation/ settings.py ui/dataset/layout.py",
    ),
    "how alike two keyframes are": ("similarity", "formats/spreadsheet.py types.py"),
    "the annotation filter's, which is none of a run's": (
        "similarity threshold",
        "annotation/filtering/ evaluation/cases.py",
    ),
    "how a record of anyone's says it was made": ("mode", "annotation/layouts/wording.py"),
    "the modes, one after another": ("mode", "ui/video/controls.py"),
    "the threshold in force where none was chosen": ("threshold", "results/"),
    "a command, and a step that engines have": (
        "summarize",
        "cli/__init__.py engines/sharecaptioner/questions.py engines/turns/relay.py",
    ),
    "the words of other people's interfaces": (
        "temperature top_p",
        "engines/remote/servers.py engines/smolvlm/engine.py serving/asked.py",
    ),
    "the word of this project's own servers": ("beams", "engines/remote/captioner.py serving/asked.py"),
    "the decoder's own: greedy where nobody says otherwise": ("temperature top_p", "engines/local/decoding.py"),
    "what a benchmark's answers say of themselves": ("max_new_tokens temperature beams", "evaluation/run.py"),
    "what an act on the page does to its widget": (
        "similarity threshold mode maximum end",
        "ui/binder.py ui/layout.py ui/video/handlers.py",
    ),
}
"""Where an option's name stands for something else, or must stand again: the names and files, by the reason."""


def _said(tree: ast.AST, names: Mapping[str, Spec]) -> Iterator[tuple[str, int]]:
    """(option, line) of each place that says an option: its name as a text, a field of its name, its default again."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in names and isinstance(node.value, str):
            yield node.value, node.lineno
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            if node.target.id in names:
                yield node.target.id, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            plain = [*node.args.posonlyargs, *node.args.args]
            by_place = zip(reversed(plain), reversed(node.args.defaults), strict=False)
            by_name = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            for argument, default in chain(by_place, by_name):
                spec = names.get(argument.arg)
                if spec and isinstance(default, ast.Constant) and default.value == spec.default:
                    yield argument.arg, argument.lineno


def test_an_option_stands_at_two_places_its_field_and_its_widget() -> None:
    names, home = {spec.name: spec for spec in EVERY}, Path(sgv_demo.__file__).parent
    allowed = [(name, file) for who, where in ELSEWHERE.values() for name in who.split() for file in where.split()]
    places: dict[str, set[str]] = {name: set() for name in names}
    needed: set[str] = set()
    for file in sorted(home.rglob("*.py")):
        where = file.relative_to(home).as_posix()
        for name, line in _said(ast.parse(file.read_text(encoding="utf-8")), names):
            known = {part for who, part in allowed if name == who and where.startswith(part)}
            needed |= known
            if not known and where != "options.py":
                places[name].add("widget" if re.fullmatch(r"ui/\w+/layout\.py", where) else f"{where}:{line}")
    assert {name: sorted(found - {"widget"}) for name, found in places.items() if found - {"widget"}} == {}
    assert {part for _, part in allowed} - needed == set(), "exceptions that nothing needs"
