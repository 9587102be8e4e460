"""ShareCaptioner-Video against numbers recorded from the published code: pictures, embeddings, logits, ids, strings."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sgv_demo.engines import compose
from sgv_demo.engines.local.decoding import Beams, Sampler, Text, generate, prefill
from sgv_demo.engines.prompts import captioner_prompt
from sgv_demo.engines.sharecaptioner import tiling
from sgv_demo.engines.sharecaptioner.checkpoint import load_network, read_checked_config
from sgv_demo.engines.sharecaptioner.tokenizer import Tokenizer
from sgv_demo.types import Picture

GOLDEN = Path(__file__).parent / "sharecaptioner"
RECORD: dict[str, Any] = json.loads((GOLDEN / "cases.json").read_text())
CASES: dict[str, Any] = RECORD["cases"]
RESPONSES: list[dict[str, Any]] = json.loads((GOLDEN / "e2e.json").read_text())["response_rule_cases"]
EOS = 2
NEW_TOKENS = 24


@pytest.fixture(scope="module")
def arrays() -> Any:
    with np.load(GOLDEN / "arrays.npz") as opened:
        return dict(opened)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(GOLDEN / "checkpoint", 1000)


@pytest.fixture(scope="module")
def network() -> Any:
    folder = GOLDEN / "checkpoint"
    config = read_checked_config(folder)
    return load_network(folder, config, quantization="none", dtype=torch.float32, device=torch.device("cpu"))


def read(name: str) -> Picture:
    return np.asarray(Image.open(GOLDEN / name).convert("RGB"))


def picture_of(case: dict[str, Any]) -> Picture:
    image = case["image"]
    return read(image) if isinstance(image, str) else compose.pair(*map(read, image["pair_of"]))


def question_of(case: dict[str, Any]) -> str:
    start, end = captioner_prompt("\0").split("\0")
    return case["prompt"].removeprefix(start).removesuffix(end)


def recorded_ids(case: dict[str, Any]) -> list[int]:
    return [item for item in case["prompt_ids_image_as_minus1_rle"] if isinstance(item, int)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["image"]])
def test_picture(name, arrays):
    case = CASES[name]
    fitted = tiling.fit(picture_of(case), case["hd_num"])
    assert [fitted.shape[1], fitted.shape[0]] == case["hd_size"]
    assert list(tiling.tiles_of(fitted)) == case["tiles_wh"]
    assert tiling.visual_tokens(*tiling.tiles_of(fitted)) == case["n_visual_tokens"]
    probe = arrays[f"{name}/hd_u8_probe"].astype(int)
    assert np.abs(fitted[::97, ::89].astype(int) - probe).max() <= 1, "another Pillow may differ by one level, not more"
    if hashlib.sha256(fitted.tobytes()).hexdigest() == case["hd_u8_sha256"]:
        assert float(tiling.pixels(fitted).double().abs().sum()) == pytest.approx(
            case["pixel_values"]["abs_sum"], rel=1e-4
        )


@pytest.mark.parametrize("name", CASES)
def test_numbers_and_ids(name, arrays, network, tokenizer):
    case = CASES[name]
    ids = tokenizer.encode_turn(question_of(case))
    assert ids == recorded_ids(case)
    with torch.inference_mode():
        picture = None
        if case["image"]:
            seen = network.see(tiling.pixels(tiling.fit(picture_of(case), case["hd_num"])))
            picture = network.vision_proj(seen)
            assert seen.shape[1] == case["n_visual_tokens"]
            for got, key in ((seen, "vit"), (picture, "proj")):
                rows = got[0, case["rows"]].numpy()
                np.testing.assert_allclose(rows, arrays[f"{name}/{key}_rows"], atol=1e-4, rtol=1e-4)
                assert float(got.double().abs().sum()) == pytest.approx(case[f"{key}_out"]["abs_sum"], rel=1e-4)
        embeds, image = network.embed_prompt(ids, picture)
        assert embeds.shape[1] == case["n_prompt"]
        prompt = partial(Text, embeds, image=image)
        logits = prefill(network, prompt(cache=network.new_cache(), chooser=Sampler(1, ())))
        np.testing.assert_allclose(logits[0].numpy(), arrays[f"{name}/logits"], atol=3e-4, rtol=0)
        sampler, beams = Sampler(NEW_TOKENS, [EOS]), Beams(3, NEW_TOKENS, [EOS])
        assert ids_of(network, prompt(cache=network.new_cache(), chooser=sampler)) == case["greedy_ids"]
        best = ids_of(network, prompt(cache=network.new_cache(), chooser=beams))
        assert best == list(beams.best[0][1])
        assert [padded(ids) for _, ids in beams.best] == case["beam3_ids"]
        np.testing.assert_allclose([score for score, _ in beams.best], case["beam3_scores"], atol=1e-4)


def ids_of(network: Any, text: Text) -> list[int]:
    return [i for piece in generate(network, text) for i in piece]


def padded(ids: tuple[int, ...]) -> list[int]:
    """As the old release filled up a text that had ended."""
    return [*ids, *[EOS] * (NEW_TOKENS - len(ids))]


def test_several_end_tokens(network, tokenizer):
    """The old release wrote id 2 where a beam had ended with the other end token; so compare up to either."""
    case = CASES["odd500x333_hd9"]
    ends = case["extra_eos"]["eos_token_id"]
    fitted = tiling.fit(picture_of(case), case["hd_num"])
    with torch.inference_mode():
        picture = network.embed_picture(tiling.pixels(fitted))
        embeds, image = network.embed_prompt(tokenizer.encode_turn(question_of(case)), picture)
        for beams, key in ((1, "greedy_ids"), (3, "beam3_ids")):
            chooser = Beams(beams, NEW_TOKENS, ends) if beams > 1 else Sampler(NEW_TOKENS, ends)
            made = ids_of(network, Text(embeds, network.new_cache(), chooser, image))
            assert up_to(made, ends) == up_to(case["extra_eos"][key][0], ends)
            if isinstance(chooser, Beams):
                scores = [score for score, _ in chooser.best]
                np.testing.assert_allclose(scores, case["extra_eos"]["beam3_scores"], atol=1e-4)


def up_to(ids: list[int], ends: list[int]) -> list[int]:
    return ids[: next((place for place, i in enumerate(ids) if i in ends), len(ids))]


@pytest.mark.parametrize("text", RECORD["tokenizer_cases"])
def test_tokenizer(text, tokenizer):
    case = RECORD["tokenizer_cases"][text]
    assert tokenizer.encode(text) == case["without_special"]
    assert [tokenizer.bos, *tokenizer.encode(text)] == case["with_special"]
    assert tokenizer.decode(case["without_special"]) == case["decoded"]


@pytest.mark.parametrize("case", RESPONSES, ids=[case["case"] for case in RESPONSES])
def test_response(case, tokenizer):
    ids = case["generated_ids"]
    assert tokenizer.response(ids) == case["response"]
    assert tokenizer.decode(ids[1:] if ids[0] in (0, 1) else ids) == case["decoded_untrimmed"]


@pytest.mark.parametrize("case", RESPONSES, ids=[case["case"] for case in RESPONSES])
def test_streamed_response_never_takes_back(case, tokenizer):
    ids = case["generated_ids"]
    sent = ""
    for end in range(1, len(ids) + 1):
        text = tokenizer.response(ids[:end], False)
        assert text.startswith(sent)
        sent = text
    assert case["response"].startswith(sent)
