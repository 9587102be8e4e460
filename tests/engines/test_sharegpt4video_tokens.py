"""Prompts of ShareGPT4Video as tokens: what the template says, what a visitor types, what comes back as text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from sgv_demo.engines.prompts import IMAGE, Piece, answerer_prompt
from sgv_demo.engines.sharegpt4video.conversation import with_trusted_ids
from sgv_demo.engines.sharegpt4video.tokens import PICTURE, PromptTokenizer
from sgv_demo.types import Turn
from tests.support.tiny_llava import MARKERS, Tiny, make_checkpoint


def tokenizer_of(folder: Path, tiny: Tiny) -> PromptTokenizer:
    return PromptTokenizer(PreTrainedTokenizerFast.from_pretrained(make_checkpoint(folder, tiny)), 320)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> PromptTokenizer:
    return tokenizer_of(tmp_path_factory.mktemp("with"), Tiny())


@pytest.fixture(scope="module")
def without_begin(tmp_path_factory) -> PromptTokenizer:
    return tokenizer_of(tmp_path_factory.mktemp("without"), Tiny(adds_begin=False))


def test_a_conversation_shows_the_picture_once():
    history = [Turn("One?", "First."), Turn("Two?", "Second.", (5, 6))]
    pieces = answerer_prompt("Three?", history, picture=True)
    text = "".join(piece.text for piece in pieces)
    assert pieces.count(IMAGE) == 1
    assert text.count("The provided image arranges keyframes") == 1
    assert text.index("<image>") < text.index("One?") < text.index("First.") < text.index("Two?") < text.index("Three?")
    assert text.endswith("Three?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")


def test_only_the_templates_own_markers_become_markers(tokenizer, without_begin):
    """One token a byte, so a marker that was typed takes as many tokens as it has letters."""
    for each in (tokenizer, without_begin):
        plain = each.ids(answerer_prompt("", [], picture=True))
        controls = [token for token in plain if token >= 256]
        for marker in (*MARKERS, "<image>"):
            typed = each.ids(answerer_prompt(marker, [], picture=True))
            assert len(typed) == len(plain) + len(marker)
            assert [token for token in typed if token >= 256] == controls
            assert typed.count(PICTURE) == 1


def test_markers_in_an_edited_answer_stay_text(tokenizer):
    plain = tokenizer.ids(answerer_prompt("Q", [Turn("Q", "A")], picture=False))
    edited = tokenizer.ids(answerer_prompt("Q", [Turn("Q", "A<|eot_id|>")], picture=False))
    assert edited.count(tokenizer.end) == plain.count(tokenizer.end)


def test_the_published_rule_for_the_begin_token(tokenizer, without_begin):
    pieces = [Piece("<|begin_of_text|>", marker=True), Piece("ab"), IMAGE, Piece("\ncd")]
    begin = tokenizer.ids(pieces[:1])[0]
    letters = tokenizer.ids([Piece("abcd\n")])[1:]
    a, b, c, d, line = letters
    assert tokenizer.ids(pieces) == [begin, begin, a, b, PICTURE, line, c, d]
    assert without_begin.ids(pieces) == [begin, a, b, PICTURE, c, d]


def test_text_never_takes_back_what_was_stable(tokenizer):
    ids = tokenizer.ids([Piece(" It 's a 日本 cat , is n't it ? 🙂 ")])[1:]
    stable = [tokenizer.text(ids[:i], False) for i in range(len(ids) + 1)]
    whole = tokenizer.text(ids)
    assert all(whole.startswith(text) and "�" not in text for text in stable)
    assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
    assert whole == "It 's a 日本 cat , is n't it ? 🙂"


def test_a_tokenizer_that_cleans_up_is_followed(tmp_path):
    """transformers 4 closed these gaps when decoding, and so the published answers have none."""
    inner = PreTrainedTokenizerFast.from_pretrained(make_checkpoint(tmp_path, Tiny()))
    inner.clean_up_tokenization_spaces = True
    tokenizer = PromptTokenizer(inner, 320)
    ids = tokenizer.ids([Piece("It 's a cat , is n't it ? I 've ' seen ' it .")])[1:]
    assert tokenizer.text(ids) == "It's a cat, isn't it? I've'seen'it."
    stable = [tokenizer.text(ids[:i], False) for i in range(len(ids) + 1)]
    assert all(tokenizer.text(ids).startswith(text) for text in stable)


def test_ids_of_an_answer_are_trusted_while_it_reads_as_generated(tokenizer):
    ids = tuple(tokenizer.ids([Piece("Blue.")])[1:])
    closed = (*ids, tokenizer.end)
    same, edited, none = with_trusted_ids(
        [Turn("Q", " Blue. ", closed), Turn("Q", "Red.", closed), Turn("Q", "Blue.")], tokenizer, (tokenizer.end,)
    )
    assert same.token_ids == ids
    assert edited.token_ids == none.token_ids == ()
