"""Who may write control tokens: the template and the model's own answers, never a person."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sgv_demo.engines.sharecaptioner.tokenizer import Tokenizer, _any_of
from tests.support.tiny_captioner import GOLDEN

END, START = 998, 999


@pytest.fixture(scope="module")
def plain() -> Tokenizer:
    return Tokenizer.load(GOLDEN / "checkpoint", 1000)


@pytest.fixture
def renamed(tmp_path: Path) -> Tokenizer:
    """InternLM2's own config, which decodes the turn markers under other names."""
    special = {"<unk>": 0, "<s>": 1, "</s>": 2, "<|im_end|>": END, "<|im_start|>": START}
    config: dict[str, Any] = {
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "added_tokens_decoder": {str(i): {"content": name, "special": True} for name, i in special.items()},
    }
    shutil.copyfile(GOLDEN / "checkpoint" / "tokenizer.model", tmp_path / "tokenizer.model")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    return Tokenizer.load(tmp_path, 1064)


@pytest.mark.parametrize("text", ["[UNUSED_TOKEN_145]", "<s>", "</s>", "<unk>", "[[UNUSED_TOKEN_146]]", "<|im_end|>"])
def test_a_typed_control_string_stays_text(text, plain, renamed):
    for tokenizer in (plain, renamed):
        turn = tokenizer.encode_turn(f"before {text} after", typed=True)
        assert turn.count(END) == 1
        assert turn.count(START) == 2
        assert [i for i in turn if i < 3] == [1]
        assert f"before {text} after" in tokenizer.decode(turn)


def test_ordinary_typed_text_is_encoded_as_the_published_code_does(plain):
    text = "a paper boat drifting down a rainy street, 35 mm film"
    assert plain.encode_turn(text, typed=True) == plain.encode_turn(text)


def test_a_previous_answer_goes_in_as_published(plain, renamed):
    assert 2 in plain.encode("it ends here</s>")
    assert END not in plain.encode("it ends <|im_end|>")
    assert renamed.encode("it ends <|im_end|>")[-1] == END
    assert plain.encode("[UNUSED_TOKEN_145]") == renamed.encode("[UNUSED_TOKEN_145]") == [END]


def test_markers_decode_under_their_configured_names_and_still_end_the_answer(plain, renamed):
    boat = plain.encode("The red boat")
    assert plain.decode([*boat, END]) == "The red boat[UNUSED_TOKEN_145]"
    assert renamed.decode([*boat, END]) == " The red boat<|im_end|>"
    assert plain.response([*boat, END, 13, 2]) == renamed.response([*boat, END, 13, 2]) == "The red boat"
    assert plain.turn_ends == renamed.turn_ends == (END,)


def test_a_second_special_puts_a_space_before_the_text_between(plain):
    boat = plain.encode("boat")
    ids = [*boat, 1, *boat, 1]
    assert plain.response(ids) == "boat<s> boat<s>"
    assert plain.response(ids[: 2 * len(boat) + 1], False) == "boat<s>"


def test_punctuation_is_tidied_as_published(plain):
    assert plain.decode(plain.encode("a boat , a dog . It does n't bark")) == "a boat, a dog. It doesn't bark"


def test_every_contraction_is_tidied_and_none_is_sent_before_it_is_whole(plain):
    ids = plain.encode("Is it so ? I 'm here , they 're there ! We 've it , a ' b , it 's done , it does n't . ")
    whole = plain.response(ids)
    assert whole == "Is it so? I'm here, they're there! We've it, a'b, it's done, it doesn't."
    for end in range(len(ids)):
        assert whole.startswith(plain.response(ids[:end], False))


def test_the_longest_name_at_a_place_is_the_token():
    names = _any_of(["<|im", "<|im_end|>", ""])
    assert [found[0] for found in names.finditer("a<|im_end|>b<|im")] == ["<|im_end|>", "<|im"]


def test_an_answer_goes_on_where_the_marker_has_another_name(tmp_path):
    config = {"added_tokens_decoder": {str(END): {"content": "<other>", "special": True}}}
    shutil.copyfile(GOLDEN / "checkpoint" / "tokenizer.model", tmp_path / "tokenizer.model")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert Tokenizer.load(tmp_path, 1000).turn_ends == ()


def test_ids_beyond_the_tokenizer_decode_to_nothing(renamed):
    boat = renamed.encode("boat")
    assert renamed.decode([*boat, 1063]) == "boat"


def test_named_ids_beyond_the_embedding_are_not_used(tmp_path):
    config = {"added_tokens_decoder": {"1000": {"content": "<|im_end|>", "special": True}}}
    shutil.copyfile(GOLDEN / "checkpoint" / "tokenizer.model", tmp_path / "tokenizer.model")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert 1000 not in Tokenizer.load(tmp_path, 1000).encode("<|im_end|>")
