"""Every option once: bounds with one sentence, and nothing of it said again elsewhere."""

from __future__ import annotations

import pytest

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
