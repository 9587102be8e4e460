"""Pair and column pictures against the geometry recorded from the published demo."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFont

from sgv_demo.engines import compose
from sgv_demo.engines.sharecaptioner import tiling

GOLDEN = Path(__file__).parent / "sharecaptioner"
RECORD: dict[str, Any] = json.loads((GOLDEN / "e2e.json").read_text())
COLUMNS: dict[str, Any] = RECORD["fast_column_picture"]["cases"]


def frames_of(case: dict[str, Any]) -> list[np.ndarray]:
    return [
        np.full((height, width, 3), (40 * k, 255 - 40 * k, 128), np.uint8)
        for k, (width, height) in enumerate(case["frame_sizes"])
    ]


@pytest.mark.parametrize("name", COLUMNS)
def test_column_without_labels_is_the_published_one(name, monkeypatch):
    case = COLUMNS[name]
    monkeypatch.setattr(compose.ImageDraw.ImageDraw, "text", lambda *_, **__: None)
    column = compose.column(frames_of(case))
    assert [column.shape[1], column.shape[0]] == case["canvas_size"]
    assert hashlib.sha256(column.tobytes()).hexdigest() == case["rgb_sha256_without_labels"]
    fitted = tiling.fit(column, case["hd_num"])
    assert [fitted.shape[1], fitted.shape[0]] == case["hd_size"]
    assert tiling.visual_tokens(*tiling.tiles_of(fitted)) == case["n_visual_tokens"]


@pytest.mark.parametrize("name", COLUMNS)
def test_labels_stand_where_published(name, monkeypatch):
    case = COLUMNS[name]
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        compose.ImageDraw.ImageDraw,
        "text",
        lambda _self, place, text, fill, font: drawn.append((list(place), text, fill, font)),
    )
    compose.column(frames_of(case))
    assert [(place, text, fill) for place, text, fill, _ in drawn] == [
        (label["anchor_xy"], label["text"], label["fill"]) for label in case["labels"]
    ]
    for (_, _, _, font), label in zip(drawn, case["labels"], strict=True):
        assert isinstance(font, ImageFont.FreeTypeFont)
        assert font.size == label["font_px"]


def test_pair_is_the_published_canvas():
    recorded = RECORD["videos"]["yoga"]["greedy"]["steps"][1]
    before, after = (
        np.asarray(Image.open(GOLDEN / name).convert("RGB"))
        for name in RECORD["videos"]["yoga"]["video"]["frames_png"][:2]
    )
    made = compose.pair(before, after)
    assert [made.shape[1], made.shape[0]] == recorded["source_size"]
    assert hashlib.sha256(made.tobytes()).hexdigest() == recorded["source_rgb_sha256"]


def test_a_pair_of_unlike_sizes_keeps_the_canvas_of_the_first():
    made = compose.pair(np.zeros((10, 20, 3), np.uint8), np.full((40, 50, 3), 9, np.uint8))
    assert made.shape == (70, 20, 3)
    assert (made[10:60] == 255).all()
    assert (made[60:] == 9).all()


def test_a_column_of_thousands_stays_bounded(monkeypatch):
    monkeypatch.setattr(compose, "COLUMN_PIXELS", 100_000)
    column = compose.column([np.zeros((100, 200, 3), np.uint8)] * 40)
    assert column.shape[0] * (column.shape[1] - 120) < 3 * 100_000
    with pytest.raises(ValueError, match="at least one"):
        compose.column([])
