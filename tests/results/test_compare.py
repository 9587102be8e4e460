"""Alignment loses nothing; differences put together are the texts again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sgv_demo.fields import Spec, leaves, read
from sgv_demo.options import AnalysisOptions, GenerationOptions, SamplingOptions
from sgv_demo.results.compare import align, contrasts, differences, likeness, parted, what_differs
from sgv_demo.settings import Settings
from sgv_demo.types import Caption
from tests.support.samples import analysis


def _captions(*spans: tuple[float, float]) -> list[Caption]:
    return [Caption(i, a, b, f"{a} to {b}") for i, (a, b) in enumerate(spans)]


def test_the_same_spans_pair_up() -> None:
    both = _captions((0, 0), (0, 2), (2, 4))
    rows = align(both, both)
    assert [(row.start, row.end) for row in rows] == [(0, 0), (0, 2), (2, 4)]
    assert all(row.left == row.right and len(row.left) == 1 for row in rows)


def test_sliding_against_fast() -> None:
    rows = align(_captions((0, 0), (0, 2), (2, 4)), _captions((0, 4)))
    assert [(len(r.left), len(r.right)) for r in rows] == [(1, 0), (2, 1)]
    assert (rows[1].start, rows[1].end) == (0, 4)


def test_different_steps_share_a_row_only_where_they_overlap() -> None:
    rows = align(_captions((0, 2), (2, 4), (4, 6)), _captions((0, 4), (4, 6)))
    assert [(len(r.left), len(r.right)) for r in rows] == [(2, 1), (1, 1)]


def test_a_gap_on_one_side() -> None:
    rows = align(_captions((0, 2), (8, 9)), _captions((0, 2)))
    assert [(len(r.left), len(r.right)) for r in rows] == [(1, 1), (1, 0)]


def test_every_caption_is_in_exactly_one_row() -> None:
    left, right = _captions((0, 0), (0, 3), (3, 3.5), (3.5, 9)), _captions((0.2, 0.2), (0.2, 1), (1, 7), (8, 20))
    rows = align(left, right)
    assert [c for row in rows for c in row.left] == left
    assert [c for row in rows for c in row.right] == right
    assert align([], []) == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The camera pans left.", "The camera slowly pans right."),
        ("  spaces\n\nand lines ", "spaces and  lines"),
        ("", "only right"),
        ("镜头向左", "镜头向右"),
        ("a_b don’t <b>", "a_b do <i>"),
    ],
)
def test_pieces_put_together_are_the_texts(left: str, right: str) -> None:
    one, two = differences(left, right)
    assert "".join(text for _, text in one) == left
    assert "".join(text for _, text in two) == right


def test_only_what_differs_is_marked() -> None:
    one, two = differences("The camera pans left.", "the camera slowly pans right.")
    assert [text.strip() for kind, text in one if kind == "only"] == ["left"]
    assert [text.strip() for kind, text in two if kind == "only"] == ["slowly", "right"]
    assert differences("Same words.", "Same words.") == ([("same", "Same words.")], [("same", "Same words.")])


def test_a_very_long_text_is_not_diffed_word_by_word() -> None:
    long = "word " * 50_000
    assert differences(long, long + "end") == ([("only", long)], [("only", long + "end")])


def test_a_joined_text_is_parted_again() -> None:
    parts = ["A red car.", "", "It turns\n\nleft.", "The end."]
    pieces, _ = differences("\n\n".join(parts), "A blue car. It turns right. The end.")
    made = parted(pieces, parts, "\n\n")
    assert ["".join(text for _, text in part) for part in made] == parts
    assert ("only", "red ") in made[0]
    assert all(kind == "same" for kind, _ in made[3])


def test_likeness() -> None:
    assert likeness("A red car.", "a RED car!") == 1.0
    assert likeness("a red car", "one blue boat") == 0.0
    assert likeness("", "") == 1.0


def test_what_differs_names_settings_and_engines() -> None:
    left = analysis()
    assert what_differs(left, left) == []
    other = replace(
        left,
        engine=replace(left.engine, quantization="int8", dtype="float32"),
        options=AnalysisOptions(
            replace(left.options.sampling, every=1.0, keep_all=True), "fast", GenerationOptions(beams=3)
        ),
    )
    said = what_differs(left, other)
    assert "Quantization: nf4 ↔ int8" in said
    assert any(line.startswith("Number format: ") for line in said)
    assert "Captions: sliding ↔ fast" in said
    assert "Number of beams: 1 ↔ 3" in said
    assert "Sampling interval: 2 s ↔ 1 s" in said
    assert "Every sample kept: no ↔ yes" in said
    assert len(said) == 6


@pytest.mark.parametrize("spec", list(leaves(AnalysisOptions)), ids=lambda spec: spec.name)
def test_each_option_can_be_what_differs(spec: Spec) -> None:
    other = next((choice for choice in spec.choices if choice != spec.default), None)
    other = other or (not spec.default if spec.kind is bool else 2 if spec.kind is int else 0.5)
    options = read(AnalysisOptions, {spec.name: other}, Settings())
    said = what_differs(analysis(options=AnalysisOptions()), analysis(options=options))
    assert [line for line in said if line.startswith(f"{spec.label}: ")]


def test_a_threshold_written_out_is_no_other_setting() -> None:
    chosen = [analysis(options=AnalysisOptions(SamplingOptions(threshold=t))) for t in (None, 0.87, 0.9)]
    assert what_differs(chosen[0], chosen[1]) == []
    assert what_differs(chosen[0], chosen[2]) == ["Threshold: 0.87 ↔ 0.9"]


class TestContrasts:
    """Texts of one form are compared by words, of two forms by sentences and what they speak of."""

    def test_alike_texts_word_by_word(self) -> None:
        one, two = "The camera pans left over a street.", "The camera pans right over a street."
        assert contrasts(one, two) == differences(one, two)

    def test_other_forms_by_what_they_speak_of(self) -> None:
        one = "The camera pans to the right, slowly. It gets darker. A sign reads EXIT."
        two = "After a quiet start everything moves at once: the view pans right until the wall fills the frame."
        left, right = contrasts(one, two)
        assert [kind for kind, _ in left] == ["same", "only", "only"]
        assert [kind for kind, _ in right] == ["same"]

    def test_joined_the_pieces_are_the_text_again(self) -> None:
        one, two = "One thing. Another, e.g. this!  And\n\nmore… 红球滚过。画面变暗。", "Nothing of it."
        for text, pieces in zip((one, two), contrasts(one, two), strict=True):
            assert "".join(piece for _, piece in pieces) == text
        assert contrasts("", "One thing.") == ([], [("same", "One thing.")])


def test_a_time_differs_as_a_whole() -> None:
    left, right = differences("The shot changes at 0:07 here.", "The shot changes at 0:08 here.")
    assert [words.strip() for kind, words in left if kind == "only"] == ["0:07"]
    assert [words.strip() for kind, words in right if kind == "only"] == ["0:08"]
