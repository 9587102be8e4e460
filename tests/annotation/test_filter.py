"""Choosing from a pool: the paper's rule at any size, encoders, what was measured, pictures, the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from sgv_demo.annotation.filtering import semantic
from sgv_demo.annotation.filtering.encoders import ENCODERS
from sgv_demo.annotation.filtering.measured import Bounds, measured
from sgv_demo.annotation.filtering.report import report
from sgv_demo.annotation.filtering.rows import Columns
from sgv_demo.annotation.filtering.run import How, filter_pool
from sgv_demo.annotation.filtering.semantic import Choice, Selection, choose, kept
from sgv_demo.annotation.inputs import videos
from sgv_demo.annotation.layouts.wording import Wording
from sgv_demo.annotation.layouts.write import videos_of
from sgv_demo.cli import main
from sgv_demo.dataset.record import to_record
from sgv_demo.errors import EngineError, SettingsError
from sgv_demo.settings import Settings
from sgv_demo.types import CameraMove, Evidence, Moving
from tests.support.samples import analysis
from tests.support.shots import texture, write_shots

SETTINGS = Settings()
DOGS = [
    "A brown dog runs over the green lawn.",
    "A ship leaves the harbour at dawn.",
    "A brown dog runs over a green lawn.",
    "Two cooks cut onions in a small kitchen.",
    "A ship leaves the harbour at dawn!",
]


def table(path: Path, texts: Sequence[str], **more: Sequence[Any]) -> Path:
    rows = [{"file_name": f"s{n % 2}/{n}.mp4", "text": text} for n, text in enumerate(texts)]
    for name, values in more.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def one_by_one(vectors: np.ndarray, threshold: float) -> list[Choice]:
    """The rule as it reads, without any batch."""
    given = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found: list[Choice] = []
    for vector in given:
        before = [(float(given[n] @ vector), n) for n in kept(found)]
        best, nearest = max(before, key=lambda pair: (pair[0], -pair[1]), default=(None, None))
        if best is None or best < threshold:
            found.append(Choice(True, "", nearest, best))
        else:
            found.append(Choice(False, "similar", nearest, best))
    return found


@pytest.mark.parametrize("indexed", [False, True])
def test_batches_decide_as_one_by_one(monkeypatch: pytest.MonkeyPatch, indexed: bool) -> None:
    if indexed:
        pytest.importorskip("faiss")
        monkeypatch.setattr(semantic, "INDEXED", 20)
    monkeypatch.setattr(semantic, "_BLOCK", 16)
    vectors = np.random.default_rng(1).normal(size=(400, 6)).astype(np.float32)
    expected = one_by_one(vectors.astype(np.float64), 0.8)
    assert 40 < len(kept(expected)) < 360
    selection, found = Selection(0.8, 6), list[Choice]()
    for start in range(0, 400, 37):
        found += selection.offer(vectors[start : start + 37], range(start, min(start + 37, 400)))
    assert kept(found) == kept(expected)
    assert [choice.nearest for choice in found] == [choice.nearest for choice in expected]
    assert np.allclose([c.similarity or 0 for c in found], [c.similarity or 0 for c in expected], atol=1e-5)
    assert kept(choose(vectors, [1.0] * 400, threshold=0.8)) == kept(expected)


def test_captions_worded_alike_go_and_say_for_whom(tmp_path: Path) -> None:
    source = table(tmp_path / "t.jsonl", [*DOGS, ""], duration=[10, 20, 30, 40, 50, 60])
    found = filter_pool(source, tmp_path / "out", How(threshold=0.6), {}, SETTINGS)
    assert [row["text"] for row in lines(tmp_path / "out" / "kept.jsonl")] == [DOGS[0], DOGS[1], DOGS[3]]
    dropped = lines(tmp_path / "out" / "dropped.jsonl")
    assert [(row["video"], row["reason"], row["nearest"]) for row in dropped] == [
        ("s0/2.mp4", "similar", "s0/0.mp4"),
        ("s0/4.mp4", "similar", "s1/1.mp4"),
        ("s1/5.mp4", "no caption", None),
    ]
    assert dropped[0]["similarity"] > 0.6
    made = json.loads((tmp_path / "out" / "filter.json").read_text())
    assert (made["kept"], made["left_out"], made["threshold"]) == (3, {"similar": 2, "no caption": 1}, 0.6)
    assert made["how"]["encoder"] == "tfidf"
    assert made["input"]["rows"] == 6
    assert found.kept == 3


def test_the_order_decides_who_of_two_stays_and_a_seed_repeats_it(tmp_path: Path) -> None:
    source = table(tmp_path / "t.jsonl", [f"{DOGS[0]} Take {n}." for n in range(12)])
    stays = {}
    for seed in (1, 1, 2, 3):
        filter_pool(source, tmp_path / "out", How(threshold=0.3, order="shuffled", seed=seed), {}, SETTINGS)
        (row,) = lines(tmp_path / "out" / "kept.jsonl")
        assert stays.setdefault(seed, row["text"]) == row["text"]
    assert len(set(stays.values())) > 1


def test_so_many_stay_by_the_highest_threshold_that_does_it(tmp_path: Path) -> None:
    texts = [f"{noun} {verb} near the {place}." for noun in ("A dog", "A cat", "The old man", "A child")
             for verb in ("runs", "sleeps", "jumps") for place in ("door", "lake", "gate")]  # fmt: skip
    source = table(tmp_path / "t.jsonl", texts)
    found = filter_pool(source, tmp_path / "out", How(keep=10), {}, SETTINGS)
    assert found.kept == len(lines(tmp_path / "out" / "kept.jsonl")) == 10
    again = filter_pool(source, tmp_path / "out", How(threshold=found.threshold), {}, SETTINGS)
    assert again.kept == 10


def test_a_berts_class_token_or_the_mean_of_all(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "ship", "runs", "sails"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(vocab=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=16)  # fmt: skip
    BertModel(config).save_pretrained(tmp_path / "bert")
    texts = ["a dog runs", "a ship sails", "a dog runs", "a dog"]
    found = {name: ENCODERS[name].make(iter(()), str(tmp_path / "bert"), 0)(texts) for name in ("bert", "minilm")}
    network = BertModel.from_pretrained(tmp_path / "bert").eval()
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.inference_mode():
        states = network(ids).last_hidden_state[0]
    assert np.allclose(found["bert"][3], states[0], atol=1e-5)
    assert np.allclose(found["minilm"][3], states.mean(0), atol=1e-5)
    assert np.allclose(found["bert"][0], found["bert"][2], atol=1e-6)
    with pytest.raises(EngineError, match="The encoder no/such isn't here; fetch it with `hf download no/such`"):
        ENCODERS["bert"].make(iter(()), "no/such", 0)


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        (Bounds(max_seconds=5.0), "too long"),
        (Bounds(min_seconds=500.0, max_seconds=None), "too short"),
        (Bounds(max_cuts=1), "too many cuts"),
        (Bounds(min_motion=0.6), "too little motion"),
        (Bounds(min_motion=0.4, max_cuts=2, min_light=0.0), ""),
        (Bounds(min_light=0.99), "too dark"),
    ],
)
def test_what_was_measured(bounds: Bounds, reason: str) -> None:
    gap = Evidence(0.0, 4.0, ("pan left",), cuts=(1.0, 2.0))
    gap = replace(gap, moves=(CameraMove("pan left", 0.0, 4.0, 2.0, "frame widths"),))
    gap = replace(gap, moving=(Moving("left", "up", 0.1, 0.2),))
    given = analysis()
    assert given.video is not None
    found = measured(replace(given, evidence=(gap,), video=replace(given.video, duration=9.0)))
    assert (found.seconds, found.cuts, found.motion) == (9.0, 2, 0.5)
    if found.light is None and reason == "too dark":
        assert bounds.unmeasured(found)
        return
    assert bounds.fault(found) == reason


def test_what_was_not_measured_breaks_no_bound_and_is_counted(tmp_path: Path) -> None:
    source = table(tmp_path / "t.jsonl", DOGS[:2], duration=[10, 300])
    found = filter_pool(source, tmp_path / "out", How(bounds=Bounds(max_cuts=3)), {}, SETTINGS)
    assert found.counts() == {"too long": 1}
    assert found.unmeasured == 1


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips: one, the same encoded anew and smaller, and another; each with a caption of its own."""
    root = tmp_path_factory.mktemp("pictures")
    shots = [texture(1, (220, 60, 40), (256, 144)), texture(2, (30, 120, 200), (256, 144))]
    small = [np.asarray(shot)[::2, ::2] for shot in shots]
    write_shots(root / "one.mp4", shots, each=16, rate=8)
    write_shots(root / "smaller.mp4", small, each=16, rate=8)
    write_shots(root / "other.mp4", [texture(5, (60, 200, 80), (256, 144))], each=32, rate=8)
    names = ("one.mp4", "smaller.mp4", "other.mp4")
    records = [
        to_record(analysis()) | {"video_path": name, "captions": [{"idx": "-1", "content": text}]}
        for name, text in zip(names, (DOGS[0], DOGS[3], "<script>alert(1)</script> A ship."), strict=True)
    ]
    (root / "annotations.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return root


def test_the_same_pictures_encoded_anew_go_whatever_is_said(pool: Path, tmp_path: Path) -> None:
    listed = videos_of(pool, videos(pool))
    found = filter_pool(pool, tmp_path / "out", How(pictures=True), listed, SETTINGS)
    (row,) = lines(tmp_path / "out" / "dropped.jsonl")
    assert (row["video"], row["reason"], row["nearest"]) == ("smaller.mp4", "same pictures", "one.mp4")
    page = report(pool, How(pictures=True), found, listed, SETTINGS)
    assert page.count("<img") >= 2
    assert "data:image/jpeg;base64," in page
    assert "<script>" not in page
    assert "same pictures" in page
    assert "wording, not meaning" in page
    assert "http://" not in page


def test_the_command_writes_what_another_command_reads(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    assert main(["filter", str(pool), "--out", str(out), "--report", str(page), "--pictures"]) == 0
    assert "2 of 3 videos stay (threshold 0.9); 1 same pictures" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8").startswith("\n<!doctype html>") or "<!doctype html>" in page.read_text()
    assert main(["convert", str(out / "kept.jsonl"), "--layout", "metadata", "--out", str(tmp_path / "m.csv")]) == 0
    assert main(["filter", str(pool), "--out", str(out), "--threshold", "0.5", "--keep", "2"]) == 1
    assert "give one of --threshold and --keep" in capsys.readouterr().err
    assert main(["filter", str(tmp_path / "m.csv"), "--out", str(out), "--column", "words"]) == 1
    assert "There is no column “words”; there are file_name, text." in capsys.readouterr().err


def test_columns_of_a_table_by_name(tmp_path: Path) -> None:
    source = table(tmp_path / "t.jsonl", ["x", "x", "y"], words=[*DOGS[:2], DOGS[0]], long=[1, 2, 3])
    how = How(threshold=0.9, columns=Columns("words", "long"), bounds=Bounds(min_seconds=2), wording=Wording("summary"))
    found = filter_pool(source, tmp_path / "out", how, {}, SETTINGS)
    assert [choice.reason for choice in found.choices] == ["too short", "", ""]
    with pytest.raises(SettingsError, match="'x' is no number of seconds"):
        filter_pool(source, tmp_path / "out", How(columns=Columns("words", "text")), {}, SETTINGS)
