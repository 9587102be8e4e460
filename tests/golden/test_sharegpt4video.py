"""Parity with the published ShareGPT4Video code (commit 7e02ee6, float32 on a CPU): the numbers in `cases.json` and
`arrays.npz` were recorded by running it on a tiny model with random weights."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast

from sgv_demo.engines import Scene
from sgv_demo.engines.compose import grid, published_indices, shown_grid
from sgv_demo.engines.local.decoding import Sampler, Text, prefill
from sgv_demo.engines.prompts import IMAGE, Piece, answerer_prompt
from sgv_demo.engines.sharegpt4video.config import Setup, read_setup
from sgv_demo.engines.sharegpt4video.conversation import fit_prompt
from sgv_demo.engines.sharegpt4video.engine import ShareGPT4Video, Vision, load
from sgv_demo.engines.sharegpt4video.network import load_network, picture_embeddings, prompt_embeddings
from sgv_demo.engines.sharegpt4video.tiles import Tiling, normalized, plan_tiles, tile_views, whole_view
from sgv_demo.engines.sharegpt4video.tokens import PICTURE, PromptTokenizer
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Frame, Picture, Turn, VideoInfo
from tests.support.scripted import said

HERE = Path(__file__).parent / "sharegpt4video"
CHECKPOINT = HERE / "tiny-sharegpt4video"
GOLDEN = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
ARRAYS = np.load(HERE / "arrays.npz")
CASES = {case["id"]: case for case in GOLDEN["cases"]}
SINGLE = [name for name, case in CASES.items() if case["kind"] == "single_turn"]
PICTURED = [name for name in SINGLE if CASES[name]["source"]["type"] != "video_grid"]
VISION: dict[Vision, str] = {"anyres": "spatial_unpad", "published": "as_shipped"}
VIDEO = VideoInfo(Path("clip.mp4"), 10.0, 30.0, (640, 360), "h264")


@pytest.fixture(scope="module")
def setup() -> Setup:
    return read_setup(CHECKPOINT)


@pytest.fixture(scope="module")
def network(setup: Setup) -> Any:
    return load_network(setup, torch.device("cpu"), torch.float32, None)


@pytest.fixture(scope="module")
def engines() -> dict[str, ShareGPT4Video]:
    return {
        vision: load(str(CHECKPOINT), quantization="none", dtype="float32", device="cpu", vision=vision)
        for vision in VISION
    }


def frames_of(name: str) -> list[Picture]:
    source = CASES[name]["source"]
    files = source["files"] if "files" in source else [source["file"]]
    return [np.asarray(Image.open(HERE / file).convert("RGB")) for file in files]


def conversation(name: str) -> tuple[str, list[Turn]]:
    """The last question and the turns before it, read out of the recorded prompt."""
    blocks = re.findall(r"<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>", CASES[name]["prompt"], re.DOTALL)[1:]
    said = [block.removeprefix("<image>\n" + GOLDEN["meta"]["pre_query_prompt"]) for block in blocks]
    return said[-1], [Turn(said[i], said[i + 1]) for i in range(0, len(said) - 1, 2)]


def check_geometry(expected: dict[str, Any], setup: Setup) -> Tiling:
    tiling = plan_tiles(tuple(expected["image_size_wh"]), setup.pinpoints, setup.preprocessing.side)
    rows, columns = tiling.kept(setup.patches)
    assert list(tiling.canvas) == expected["best_resolution_wh"]
    assert list(tiling.box) == expected["content_box_in_padded_ltrb"]
    assert list(tiling.tiles) == expected["tile_grid_wh"]
    assert [rows.stop - rows.start, columns.stop - columns.start] == expected["feature_grid_hw_after_unpad"]
    assert tiling.tokens(setup.patches) == expected["tokens_unpad_with_newline"]
    assert setup.patches**2 == expected["tokens_base"]
    return tiling


@pytest.mark.parametrize(
    "row", GOLDEN["frame_index_table"], ids=lambda row: f"{row['total_frames']}-{row['num_frames']}"
)
def test_frame_indices(row):
    assert published_indices(row["total_frames"], row["num_frames"]) == row["indices"]


@pytest.mark.parametrize("row", GOLDEN["grid_size_table"], ids=lambda row: f"{row['n']}x{row['frame_hw']}")
def test_grid_sizes(row):
    cells = [np.zeros((*row["frame_hw"], 3), np.uint8)] * row["n"]
    assert list(grid(cells).shape[1::-1]) == row["grid_wh"]
    assert list(shown_grid(cells).shape[1::-1]) == row["resized_wh"]


@pytest.mark.parametrize("row", GOLDEN["anyres_table"], ids=lambda row: "x".join(map(str, row["image_size_wh"])))
def test_tile_geometry(row, setup):
    check_geometry(row, setup)


def test_grid_pixels():
    source = CASES["grid_synth_16"]["source"]
    frames = frames_of("grid_synth_16")
    assert hashlib.sha256(grid(frames).tobytes()).hexdigest() == source["grid_before_resize_sha256"]
    assert hashlib.sha256(shown_grid(frames).tobytes()).hexdigest() == source["grid_sha256"]


@pytest.mark.parametrize("name", PICTURED)
def test_pixels(name, setup):
    picture = shown_grid(frames_of(name))
    side = setup.preprocessing.side
    tiling = check_geometry(CASES[name]["geometry"], setup)
    views = np.concatenate([whole_view(picture, side), tile_views(picture, tiling, side)])
    channels_first = np.ascontiguousarray(views.transpose(0, 3, 1, 2)).tobytes()
    expected = CASES[name]["pixels"]
    assert hashlib.sha256(channels_first).hexdigest() == expected["sha256_uint8_before_normalise"]
    pixels = normalized(views, setup.preprocessing)
    assert list(pixels.shape) == expected["shape"]
    np.testing.assert_allclose(pixels[:, :, 5::24, 7::24], ARRAYS[f"{name}.pixel_samples"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("folder", "suffix"), [(CHECKPOINT, ""), (HERE / "tokenizer_without_bos", "_without_bos_tokenizer")]
)
def test_prompt_ids(folder, suffix, setup):
    tokenizer = PromptTokenizer(PreTrainedTokenizerFast.from_pretrained(folder), setup.text.vocab_size)
    checked = 0
    for name, case in CASES.items():
        question, history = conversation(name)
        pieces = answerer_prompt(question, history, case["kind"] != "text_only")
        assert "".join(piece.text for piece in pieces) == case["prompt"]
        if f"{name}.input_ids{suffix}" in ARRAYS:
            assert tokenizer.ids(pieces) == ARRAYS[f"{name}.input_ids{suffix}"].tolist(), name
            checked += 1
    assert checked >= len(SINGLE)
    for row in GOLDEN["tokenizer_cases"]:
        parts = [part for part in re.split(r"(<image>|<\|eot_id\|>)", row["text"]) if part]
        pieces = [IMAGE if part == "<image>" else Piece(part, marker=part == "<|eot_id|>") for part in parts]
        assert tokenizer.ids(pieces) == row[f"ids{suffix}"], row["text"]


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("name", PICTURED)
def test_embeddings_and_logits(name, vision, setup, network):
    how, picture = setup.preprocessing, shown_grid(frames_of(name))
    tiling = plan_tiles((picture.shape[1], picture.shape[0]), setup.pinpoints, how.side) if vision == "anyres" else None
    views = [whole_view(picture, how.side), *([tile_views(picture, tiling, how.side)] if tiling else [])]
    with torch.no_grad():
        seen = picture_embeddings(network, torch.from_numpy(normalized(np.concatenate(views), how)), tiling)
        assert len(seen) == CASES[name][VISION[vision]]["image_tokens"]
        ids = [
            i for token in ARRAYS[f"{name}.input_ids"] for i in ([PICTURE] * len(seen) if token == PICTURE else [token])
        ]
        embedded = prompt_embeddings(network, ids, seen)
        sums = ARRAYS[f"{name}.{VISION[vision]}.embed_row_sums"]
        np.testing.assert_allclose(embedded[0].sum(-1).numpy(), sums, rtol=0, atol=3e-4)
        logits = prefill(network, Text(embedded, network.new_cache(), Sampler(1, ())))[0]
    np.testing.assert_allclose(logits.numpy(), ARRAYS[f"{name}.{VISION[vision]}.last_logits"], rtol=0, atol=2e-4)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("name", [*PICTURED, "text_only"])
def test_answers(name, vision, engines):
    case = CASES[name]
    frames = () if name == "text_only" else tuple(Frame(0.0, image) for image in frames_of(name))
    expected = case if name == "text_only" else case[VISION[vision]]
    question, history = conversation(name)
    stream = engines[vision].answer(Scene(VIDEO, frames), question, history, GenerationOptions(max_new_tokens=24))
    pieces, trace = said(stream)
    assert list(trace.token_ids) == expected["generated_ids"]
    assert "".join(pieces) == expected["text"]
    assert trace.prompt == case["prompt"]
    assert trace.finish == ("stop" if expected["stopped_on_eos"] else "length")
    assert trace.prompt_tokens == expected.get("merged_length", trace.prompt_tokens)


def test_two_turns_take_the_published_ids(setup, engines):
    """The repaired conversation: picture and preface once; an answer without ids is tokenised anew."""
    tokenizer = PromptTokenizer(PreTrainedTokenizerFast.from_pretrained(CHECKPOINT), setup.text.vocab_size)
    names = [name for name, case in CASES.items() if case["kind"] == "two_turn_single_image"]
    assert len(names) == 2
    for name in names:
        question, history = conversation(name)
        (expected,) = (CASES[name][mode] for mode in VISION.values() if mode in CASES[name])
        window = engines["anyres"].window
        prompt = fit_prompt(
            tokenizer, question, history, picture=expected["image_tokens"], window=window, new_tokens=24
        )
        assert prompt.text == CASES[name]["prompt"]
        assert len(prompt.ids) == expected["merged_length"]
        assert [i for i in prompt.ids if i != PICTURE] == [i for i in ARRAYS[f"{name}.input_ids"] if i != PICTURE]
