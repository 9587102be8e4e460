"""Whole runs of the published demo on real clips: every prompt, id and string, greedy and with 3 beams."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Caption, Frame, Generation, Keyframe, Trace
from tests.support.scripted import said

GOLDEN = Path(__file__).parent
FRAMES = GOLDEN / "sharecaptioner"
"""Both sets were recorded on the same frames."""
RECORDS: dict[str, Any] = {
    name: json.loads((GOLDEN / name / "e2e.json").read_text()) for name in ("sharecaptioner", "sharecaptioner-4khd")
}
CLIPS = [(name, clip) for name, record in RECORDS.items() for clip in record["videos"]]
BEAMS = {"greedy": 1, "beams3": 3}


@cache
def engine_of(layout: str) -> sharecaptioner.ShareCaptioner:
    return sharecaptioner.load(str(GOLDEN / layout / "checkpoint"), quantization="none", dtype="float32", device="cpu")


def drain(generation: Generation) -> tuple[list[str], Trace]:
    return said(generation)


def check(generation: Generation, recorded: dict[str, Any], beams: int) -> str:
    pieces, trace = drain(generation)
    text = "".join(pieces)
    assert trace.prompt == recorded["prompt"]
    assert trace.prompt_tokens == recorded["n_prompt_positions"]
    assert list(trace.token_ids) == recorded["generated_ids"]
    assert text == recorded["response"]
    assert trace.finish == "length"
    assert "Cut off after 16 tokens" in trace.note
    filled = [piece for piece in pieces if piece]
    assert len(filled) <= 2 if beams > 1 else len(filled) > 2, "beams are known at the end, but for held-back text"
    if "tiles_wh" in recorded:
        assert trace.tiles == tuple(recorded["tiles_wh"])
        assert trace.picture is not None
        assert [trace.picture.shape[1], trace.picture.shape[0]] == recorded["hd_size"]
    return text


@pytest.mark.parametrize("decoding", BEAMS)
@pytest.mark.parametrize(("layout", "clip"), CLIPS)
def test_sliding_captions_and_summary(layout, clip, decoding):
    engine, told = engine_of(layout), RECORDS[layout]["videos"][clip]
    video, recorded = told["video"], told[decoding]
    options = GenerationOptions(beams=BEAMS[decoding], max_new_tokens=16)
    images = [np.asarray(Image.open(FRAMES / name).convert("RGB")) for name in video["frames_png"]]
    keyframes = [Keyframe(i, Frame(2.0 * i, image), None, 2.0 * i) for i, image in enumerate(images)]
    captions: list[Caption] = []
    for i, (keyframe, step) in enumerate(zip(keyframes, recorded["steps"], strict=True)):
        if i == 0:
            generation = engine.describe(keyframe, options)
        else:
            generation = engine.difference(keyframes[i - 1], keyframe, None, captions[-1].text, options)
        text = check(generation, step, options.beams)
        captions.append(Caption(i, keyframe.time, keyframe.time, text, stated_time=keyframe.stated_time))
    check(engine.summarize(captions, options), recorded["summary"], options.beams)


@pytest.mark.parametrize("decoding", BEAMS)
@pytest.mark.parametrize("layout", RECORDS)
def test_recaption(layout, decoding):
    engine, recorded = engine_of(layout), RECORDS[layout]["recaption"][decoding]
    options = GenerationOptions(beams=BEAMS[decoding], max_new_tokens=16)
    check(engine.recaption(recorded["input_text"], options), recorded, options.beams)
