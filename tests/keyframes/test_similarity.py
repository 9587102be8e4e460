"""Embedders: what is alike, what isn't, and how a model that isn't there is reported."""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.synthetic import Camera, draw_canvas, view
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.keyframes.similarity import ClipEmbedder, lend, make_embedder, settled
from sgv_demo.options import SamplingOptions
from sgv_demo.settings import Settings
from sgv_demo.types import Frame

SIZE = (320, 180)


def shot(seed: int, t: float = 0.0, gain: float = 1.0) -> Frame:
    picture = view(draw_canvas("shapes", seed, SIZE), SIZE, Camera(pan=0.05), t)
    return Frame(t, (picture * gain).astype(np.uint8))


def test_histogram_tells_shots_apart() -> None:
    embedder = make_embedder("histogram", Settings())
    rows = embedder.embed([shot(seed, t) for seed in range(6) for t in (0.0, 1.0, 2.0)])
    alike = rows @ rows.T
    same = np.kron(np.eye(6), np.ones((3, 3))) > 0
    right = np.where(same, alike >= embedder.threshold, alike < embedder.threshold)
    assert right.mean() >= 0.98
    assert alike[same].min() > 0.85


def test_histogram_rows_are_of_length_one_and_float32() -> None:
    rows = make_embedder("histogram", Settings()).embed([shot(0), Frame(0, np.zeros((9, 2000, 3), np.uint8))])
    assert rows.shape == (2, 192)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def plain(*shares: tuple[int, tuple[int, int, int]], size: tuple[int, int] = (40, 40)) -> Frame:
    """A picture of stripes: (rows, colour) each."""
    rows = [np.full((count, size[1], 3), colour, np.uint8) for count, colour in shares]
    return Frame(0, np.concatenate(rows))


def test_histogram_is_of_hue_first_and_compares_by_the_bhattacharyya_coefficient() -> None:
    red, orange, blue = (255, 0, 0), (255, 160, 0), (0, 0, 255)
    rows = make_embedder("histogram", Settings()).embed(
        [plain((40, red)), plain((40, orange)), plain((40, blue)), plain((10, red), (30, blue))]
    )
    assert [int(np.argmax(row)) // 16 for row in rows[:3]] == [0, 1, 8]  # twelve hues of 15 steps each
    np.testing.assert_allclose(rows[0] @ rows.T, [1, 0, 0, 0.5], atol=1e-6)


def test_histogram_of_one_row_of_pixels() -> None:
    rows = make_embedder("histogram", Settings()).embed([plain((1, (255, 0, 0)), size=(1, 200_000))])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


def test_histogram_of_nothing() -> None:
    assert make_embedder("histogram", Settings()).embed([]).shape == (0, 192)


def test_unknown_similarity_is_refused() -> None:
    with pytest.raises(SettingsError, match="choose histogram or clip"):
        make_embedder("phash", Settings())


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random CLIP tower of a few thousand numbers."""
    torch = pytest.importorskip("torch")
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        projection_dim=16,
    )
    folder = tmp_path_factory.mktemp("clip")
    CLIPVisionModel(config).save_pretrained(folder)
    return folder


def test_clip_is_the_published_cosine(tiny_clip: Path) -> None:
    """Prepared by transformers' own processor, class token of the last hidden state, cosine."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPVisionModel

    frames = [shot(0), shot(1), Frame(0, np.zeros((90, 70, 3), np.uint8))]
    embedder = make_embedder("clip", Settings(clip_model=str(tiny_clip)))
    rows = embedder.embed(frames)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    tower = CLIPVisionModel.from_pretrained(tiny_clip).eval()
    for frame, row in zip(frames, rows, strict=True):
        with torch.no_grad():
            pixels = processor(images=frame.image, return_tensors="pt")["pixel_values"]
            token = tower(pixels, output_hidden_states=True).hidden_states[-1][0, 0]
        np.testing.assert_allclose(row, (token / token.norm()).numpy(), atol=2e-3)
    assert embedder.threshold == 0.93


def test_clip_embeds_each_frame_once_whatever_the_batch(tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = ClipEmbedder.load(str(tiny_clip), "cpu", 3.0)
    frames = [shot(seed) for seed in range(5)]
    whole = embedder.embed(frames)
    seen: list[int] = []
    prepare = embedder._pixels
    monkeypatch.setattr(embedder, "_pixels", lambda image: seen.append(1) or prepare(image))
    monkeypatch.setattr(embedder, "_BATCH", 2)
    np.testing.assert_allclose(embedder.embed(frames), whole, atol=1e-5)
    assert len(seen) == len(frames)
    assert embedder.embed([]).shape == (0, 32)
    assert ClipEmbedder.load(str(tiny_clip), "cpu", 3.0) is embedder  # loaded once for all runs


def test_clip_that_is_nowhere_fails_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="neither a folder nor a name"):
        make_embedder("clip", Settings(clip_model=str(tmp_path / "not" / "there")))
    with pytest.raises(EngineError, match="can't be loaded"):
        make_embedder("clip", Settings(clip_model=str(tmp_path)))


def test_the_hub_is_waited_for_as_long_as_the_setting_says(tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def fetch(_model: str, *, etag_timeout: float, **_more: object) -> str:
        asked.append(etag_timeout)
        return str(tiny_clip)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    make_embedder("clip", Settings(clip_model="somebody/a-tower", hub_timeout=7))
    assert asked == [7]


def test_clip_without_a_hub_fails_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    start = time.monotonic()
    with pytest.raises(EngineError, match="use the histogram similarity"):
        make_embedder("clip", Settings(clip_model="nobody/no-such-tower"))
    assert time.monotonic() - start < 60


def published_sizes() -> Any:
    """A tower of the published sizes without numbers: it only has to be recognised."""
    import torch
    from transformers import CLIPVisionModel

    from sgv_demo.engines.local.clip import clip_l_336

    with torch.device("meta"):
        return CLIPVisionModel(clip_l_336())


def test_auto_is_the_histogram_where_no_tower_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert settled(SamplingOptions(), Settings()) == SamplingOptions(similarity="histogram")
    assert settled(SamplingOptions(similarity="clip"), Settings()).similarity == "clip"


def test_auto_is_the_answerers_own_tower_while_it_is_loaded(tiny_clip: Path) -> None:
    from transformers import CLIPVisionModel

    lend(CLIPVisionModel.from_pretrained(tiny_clip))
    assert settled(SamplingOptions(), Settings()).similarity == "histogram", "another tower has another threshold"
    tower = published_sizes()
    lend(tower)
    found = settled(SamplingOptions(threshold=0.87), Settings())
    assert (found.similarity, found.threshold_in_force) == ("clip", 0.93)
    embedder = make_embedder("clip", Settings())
    assert isinstance(embedder, ClipEmbedder)
    assert embedder._tower is tower, "no second copy"
    assert settled(SamplingOptions(), Settings(zero_gpu=True)).similarity == "histogram"
    del tower, embedder
    gc.collect()
    assert settled(SamplingOptions(), Settings()).similarity == "histogram"


def test_auto_takes_weights_on_the_disk_only_beside_a_gpu(tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Settings(clip_model=str(tiny_clip))
    assert settled(SamplingOptions(), kept).similarity == "histogram"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert settled(SamplingOptions(), kept).similarity == "clip"
    absent = replace(kept, zero_gpu=True)
    assert settled(SamplingOptions(), absent).similarity == "histogram"
    embedder = make_embedder("clip", absent)
    assert isinstance(embedder, ClipEmbedder)
    assert embedder._tower.device.type == "cpu", "outside a slot ZeroGPU's device isn't there, whatever torch says"
