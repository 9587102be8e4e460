"""ShareCaptioner-Video against numbers recorded from the published code: pictures, embeddings, logits, ids, strings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, partial
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
from sgv_demo.engines.sharecaptioner.network import pixels
from sgv_demo.engines.sharecaptioner.tokenizer import Tokenizer
from sgv_demo.types import Picture

GOLDEN = Path(__file__).parent
SETS = ("sharecaptioner", "sharecaptioner-4khd")
"""Checkpoints with one rank for all Partial LoRA, and with that of InternLM-XComposer2-4KHD: `wqkv` scaled by 2."""
RECORDS: dict[str, Any] = {name: json.loads((GOLDEN / name / "cases.json").read_text()) for name in SETS}
CASES = [(name, case) for name in SETS for case in RECORDS[name]["cases"]]
PICTURES = [(name, case) for name, case in CASES if RECORDS[name]["cases"][case]["image"]]
TEXTS: dict[str, Any] = RECORDS["sharecaptioner"]["tokenizer_cases"]
RESPONSES: list[dict[str, Any]] = json.loads((GOLDEN / "sharecaptioner" / "e2e.json").read_text())[
    "response_rule_cases"
]
EOS = 2
NEW_TOKENS = 24


@dataclass(frozen=True)
class Case:
    """One prompt of a set, and what the published code makes of it."""

    set: str
    name: str
    record: dict[str, Any]
    arrays: dict[str, np.ndarray]
    """Under their names within the case."""

    def picture(self) -> Picture:
        """As composed, not resized."""
        image = self.record["image"]
        return self._read(image) if isinstance(image, str) else compose.pair(*map(self._read, image["pair_of"]))

    def _read(self, name: str) -> Picture:
        return np.asarray(Image.open(GOLDEN / self.set / name).convert("RGB"))

    def ids(self) -> list[int]:
        """The prompt's tokens, encoded by us."""
        start, end = captioner_prompt("\0").split("\0")
        return tokenizer_of(self.set).encode_turn(self.record["prompt"].removeprefix(start).removesuffix(end))

    def embeds(self, network: Any) -> tuple[torch.Tensor, slice | None]:
        """What the decoder reads, and which positions are the picture."""
        picture = None
        if self.record["image"]:
            picture = network.embed_picture(pixels(tiling.fit(self.picture(), self.record["hd_num"])))
        return network.embed_prompt(self.ids(), picture)


@cache
def network_of(name: str) -> Any:
    folder = GOLDEN / name / "checkpoint"
    config = read_checked_config(folder)
    return load_network(folder, config, quantization="none", dtype=torch.float32, device=torch.device("cpu"))


@cache
def tokenizer_of(name: str) -> Tokenizer:
    return Tokenizer.load(GOLDEN / name / "checkpoint", 1000)


def case_of(name: str, case: str) -> Case:
    with np.load(GOLDEN / name / "arrays.npz") as opened:
        arrays = {key.partition("/")[2]: opened[key] for key in opened.files if key.startswith(f"{case}/")}
    return Case(name, case, RECORDS[name]["cases"][case], arrays)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return tokenizer_of("sharecaptioner")


@pytest.mark.parametrize(("layout", "name"), PICTURES)
def test_picture(layout, name):
    case = case_of(layout, name)
    record = case.record
    fitted = tiling.fit(case.picture(), record["hd_num"])
    assert [fitted.shape[1], fitted.shape[0]] == record["hd_size"]
    assert list(tiling.tiles_of(fitted)) == record["tiles_wh"]
    assert tiling.visual_tokens(*tiling.tiles_of(fitted)) == record["n_visual_tokens"]
    probe = case.arrays["hd_u8_probe"].astype(int)
    assert np.abs(fitted[::97, ::89].astype(int) - probe).max() <= 1, "another Pillow may differ by one level, not more"
    if hashlib.sha256(fitted.tobytes()).hexdigest() == record["hd_u8_sha256"]:
        assert float(pixels(fitted).double().abs().sum()) == pytest.approx(record["pixel_values"]["abs_sum"], rel=1e-4)


@pytest.mark.parametrize(("layout", "name"), CASES)
def test_prompt_ids_and_logits(layout, name):
    case, network = case_of(layout, name), network_of(layout)
    record = case.record
    assert case.ids() == [item for item in record["prompt_ids_image_as_minus1_rle"] if isinstance(item, int)]
    with torch.inference_mode():
        if record["image"]:
            seen = network.see(pixels(tiling.fit(case.picture(), record["hd_num"])))
            assert seen.shape[1] == record["n_visual_tokens"]
            for got, key in ((seen, "vit"), (network.vision_proj(seen), "proj")):
                rows = got[0, record["rows"]].numpy()
                np.testing.assert_allclose(rows, case.arrays[f"{key}_rows"], atol=1e-4, rtol=1e-4)
                assert float(got.double().abs().sum()) == pytest.approx(record[f"{key}_out"]["abs_sum"], rel=1e-4)
        embeds, image = case.embeds(network)
        assert embeds.shape[1] == record["n_prompt"]
        logits = prefill(network, Text(embeds, network.new_cache(), Sampler(1, ()), image))
        np.testing.assert_allclose(logits[0].numpy(), case.arrays["logits"], atol=3e-4, rtol=0)


@pytest.mark.parametrize(("layout", "name"), CASES)
def test_greedy_ids_and_beams(layout, name):
    case, network = case_of(layout, name), network_of(layout)
    record = case.record
    with torch.inference_mode():
        embeds, image = case.embeds(network)
        prompt = partial(Text, embeds, image=image)
        sampler, beams = Sampler(NEW_TOKENS, [EOS]), Beams(3, NEW_TOKENS, [EOS])
        assert ids_of(network, prompt(cache=network.new_cache(), chooser=sampler)) == record["greedy_ids"]
        best = ids_of(network, prompt(cache=network.new_cache(), chooser=beams))
        assert best == list(beams.best[0][1])
        assert [padded(ids) for _, ids in beams.best] == record["beam3_ids"]
        np.testing.assert_allclose([score for score, _ in beams.best], record["beam3_scores"], atol=1e-4)


def ids_of(network: Any, text: Text) -> list[int]:
    return [i for piece in generate(network, text) for i in piece]


def padded(ids: tuple[int, ...]) -> list[int]:
    """As the old release filled up a text that had ended."""
    return [*ids, *[EOS] * (NEW_TOKENS - len(ids))]


def test_several_end_tokens():
    """The old release wrote id 2 where a beam had ended with the other end token; so compare up to either."""
    case, network = case_of("sharecaptioner", "odd500x333_hd9"), network_of("sharecaptioner")
    recorded = case.record["extra_eos"]
    ends = recorded["eos_token_id"]
    with torch.inference_mode():
        embeds, image = case.embeds(network)
        for beams, key in ((1, "greedy_ids"), (3, "beam3_ids")):
            chooser = Beams(beams, NEW_TOKENS, ends) if beams > 1 else Sampler(NEW_TOKENS, ends)
            made = ids_of(network, Text(embeds, network.new_cache(), chooser, image))
            assert up_to(made, ends) == up_to(recorded[key][0], ends)
            if isinstance(chooser, Beams):
                scores = [score for score, _ in chooser.best]
                np.testing.assert_allclose(scores, recorded["beam3_scores"], atol=1e-4)


def up_to(ids: list[int], ends: list[int]) -> list[int]:
    return ids[: next((place for place, i in enumerate(ids) if i in ends), len(ids))]


@pytest.mark.parametrize("text", TEXTS)
def test_tokenizer(text, tokenizer):
    case = TEXTS[text]
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
