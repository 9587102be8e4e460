"""Both models on a CUDA device: the goldens' ids in float32, 4-bit streams, memory given back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sgv_demo.engines import Scene
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Frame, Keyframe, VideoInfo
from tests.support.scripted import said, words
from tests.support.tiny_captioner import write_checkpoint
from tests.support.tiny_llava import make_checkpoint

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
GOLDEN = Path(__file__).parent.parent / "golden"
PICTURE = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
KEYFRAME = Keyframe(0, Frame(0.0, PICTURE), None, 0.0)
SCENE = Scene(VideoInfo(Path("a.mp4"), 4.0, 25.0, (320, 240), "h264"), (Frame(0.0, PICTURE),) * 4, key="four")


def ids(generation: Any) -> tuple[int, ...]:
    """The token ids of a generation, run to its end."""
    return said(generation)[1].token_ids


@pytest.mark.parametrize("beams", [1, 3])
def test_the_captioner_repeats_the_published_chain_in_float32(beams: int) -> None:
    folder = GOLDEN / "sharecaptioner"
    chain = json.loads((folder / "e2e.json").read_text())["videos"]["yoga"]
    step = chain["greedy" if beams == 1 else "beams3"]["steps"][0]
    image = np.asarray(Image.open(folder / chain["video"]["frames_png"][0]).convert("RGB"))
    engine = sharecaptioner.load(str(folder / "checkpoint"), quantization="none", dtype="float32", device="cuda")
    keyframe = Keyframe(0, Frame(0.0, image), None, 0.0)
    found = ids(engine.describe(keyframe, GenerationOptions(beams=beams, max_new_tokens=16)))
    assert list(found) == step["generated_ids"]


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_the_captioner_streams_in_few_bits(tmp_path: Path, quantization: str) -> None:
    engine = sharecaptioner.load(str(write_checkpoint(tmp_path)), quantization=quantization, dtype="float16")
    assert engine.info.device != "CPU"
    assert words(engine.describe(KEYFRAME, GenerationOptions(max_new_tokens=8)))


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_the_answerer_streams_in_few_bits(tmp_path: Path, quantization: str) -> None:
    engine = sharegpt4video.load(str(make_checkpoint(tmp_path)), quantization=quantization, dtype="float16")
    assert engine.info.device != "CPU"
    assert ids(engine.answer(SCENE, "What is this?", [], GenerationOptions(max_new_tokens=8)))


def test_unloading_gives_the_memory_back(tmp_path: Path) -> None:
    before = torch.cuda.memory_allocated()
    engine = sharecaptioner.load(str(write_checkpoint(tmp_path)), quantization="none", dtype="float16")
    words(engine.describe(KEYFRAME, GenerationOptions(max_new_tokens=4)))
    assert torch.cuda.memory_allocated() > before
    engine.unload()
    assert torch.cuda.memory_allocated() <= before + 1_000_000
