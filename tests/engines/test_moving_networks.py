"""The big engines can be moved to another device and back, and answer as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sgv_demo.engines import Scene
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharegpt4video import engine as sharegpt4video
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Frame, Keyframe, VideoInfo
from tests.engines.test_remote import run
from tests.support.tiny_captioner import write_checkpoint
from tests.support.tiny_llava import make_checkpoint

OPTIONS = GenerationOptions(max_new_tokens=6)
PICTURE = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
KEYFRAME = Keyframe(0, Frame(0.0, PICTURE), None, 0.0)
SCENE = Scene(VideoInfo(Path("a.mp4"), 4.0, 25.0, (320, 240), "h264"), (Frame(0.0, PICTURE),) * 4, key="four")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu])]


def device_or_skip(name: str) -> str:
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return name


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("quantization", ["nf4", "int8", "none"])
def test_the_captioner_moves(tmp_path: Path, device: str, quantization: str) -> None:
    engine = sharecaptioner.load(
        str(write_checkpoint(tmp_path)), quantization=quantization, dtype="float32", device=device_or_skip(device)
    )
    before = run(engine.describe(KEYFRAME, OPTIONS))[1].token_ids
    held = torch.cuda.memory_allocated() if device == "cuda" else 0
    engine.move("cpu")
    if device == "cuda":
        assert torch.cuda.memory_allocated() < held / 4
    engine.move(device)
    assert run(engine.describe(KEYFRAME, OPTIONS))[1].token_ids == before


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("quantization", ["nf4", "int8", "none"])
def test_the_answerer_moves_and_forgets_prefixes(tmp_path: Path, device: str, quantization: str) -> None:
    engine = sharegpt4video.load(
        str(make_checkpoint(tmp_path)), quantization=quantization, dtype="float32", device=device_or_skip(device)
    )
    before = run(engine.answer(SCENE, "What?", [], OPTIONS))[1].token_ids
    engine.move("cpu")
    engine.move(device)
    assert run(engine.answer(SCENE, "What?", [], OPTIONS))[1].token_ids == before
