"""Devices, dtypes, quantization, memory, and checkpoints that are damaged in every way that was thought of."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sgv_demo.engines.local import hub, loading
from sgv_demo.engines.local.loading import (
    check_shapes,
    checkpoint_shapes,
    memory_guard,
    quantization_config,
    resolve_model,
)
from sgv_demo.errors import EngineError, OutOfMemoryError

CPU = torch.device("cpu")
TENSORS = {"a.weight": torch.ones(3, 4), "b": torch.zeros(2)}
SHAPES = {"a.weight": (3, 4), "b": (2,)}


def write_shards(folder: Path) -> None:
    for number, name in enumerate(TENSORS):
        torch.save({name: TENSORS[name]}, folder / f"pytorch_model-{number}.bin")
    table = {name: f"pytorch_model-{number}.bin" for number, name in enumerate(TENSORS)}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": table}))


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: save_file(TENSORS, folder / "model.safetensors"),
        lambda folder: torch.save(TENSORS, folder / "pytorch_model.bin"),
        lambda folder: torch.save(TENSORS, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False),
        write_shards,
    ],
    ids=["safetensors", "bin", "old bin", "shards"],
)
def test_shapes_of_every_layout(tmp_path, write):
    write(tmp_path)
    assert checkpoint_shapes(tmp_path) == SHAPES


def test_empty_folder_is_not_a_checkpoint(tmp_path):
    with pytest.raises(EngineError, match="is not a checkpoint"):
        checkpoint_shapes(tmp_path)


def test_missing_shard_is_named(tmp_path):
    write_shards(tmp_path)
    (tmp_path / "pytorch_model-1.bin").unlink()
    with pytest.raises(EngineError, match=r"lacks pytorch_model-1\.bin"):
        checkpoint_shapes(tmp_path)


def test_shard_outside_the_folder_is_refused(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    torch.save(TENSORS, tmp_path / "x.bin")
    (inner / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a.weight": "../x.bin"}}))
    with pytest.raises(EngineError, match="lacks"):
        checkpoint_shapes(inner)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"weight_map": []}'])
def test_damaged_index(tmp_path, text):
    (tmp_path / "pytorch_model.bin.index.json").write_text(text)
    with pytest.raises(EngineError, match="fetch it again"):
        checkpoint_shapes(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_truncated_file_is_named(tmp_path, name, share):
    path = tmp_path / name
    save_file(TENSORS, path) if name.endswith("safetensors") else torch.save(TENSORS, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(EngineError, match=rf"{name} is (cut short|damaged)"):
        checkpoint_shapes(tmp_path)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("bomb",))


def test_pickle_with_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Bomb()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(EngineError, match=r"pytorch_model\.bin .*code is never run"):
        checkpoint_shapes(tmp_path)
    assert not (tmp_path / "bomb").exists()


def test_file_that_holds_something_else(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "pytorch_model.bin")
    with pytest.raises(EngineError, match="plain table of tensors"):
        checkpoint_shapes(tmp_path)


def test_unfitting_tensors_are_named():
    expected = {"a": (2, 2), "b": (1,), "old": (1,)}
    check_shapes({"a": (2, 2), "b": (1,)}, expected, optional=[r"^old$"])
    with pytest.raises(EngineError) as caught:
        check_shapes({"a": (2, 3), "c": (1,)}, expected, optional=[r"^old$"])
    assert "missing b; unexpected c; misshapen a [2, 3] instead of [2, 2]" in str(caught.value)


def test_many_unfitting_tensors_are_counted():
    with pytest.raises(EngineError, match=r"missing t0, t1, t2 and 7 more"):
        check_shapes({}, {f"t{i}": (1,) for i in range(10)})


def test_device_and_dtype():
    assert loading.resolve_device("cpu") == CPU
    assert loading.resolve_dtype("auto", CPU) is torch.bfloat16
    assert loading.resolve_dtype("auto", torch.device("cuda")) is torch.float16
    assert loading.resolve_dtype("float32", CPU) is torch.float32
    with pytest.raises(EngineError, match="Unknown dtype"):
        loading.resolve_dtype("fp8", CPU)
    with pytest.raises(EngineError, match="not available"):
        loading.resolve_device("tpu")


def test_quantization_is_nf4_with_double_quantization():
    made = quantization_config("nf4", ["output"], torch.bfloat16)
    assert made is not None
    assert made.load_in_4bit
    assert made.bnb_4bit_quant_type == "nf4"
    assert made.bnb_4bit_use_double_quant
    assert made.bnb_4bit_compute_dtype is torch.bfloat16
    assert made.llm_int8_skip_modules == ["output"]
    assert quantization_config("none", [], torch.float32) is None
    with pytest.raises(EngineError, match="Unknown quantization"):
        quantization_config("int3", [], torch.float32)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_running_out_of_memory_is_told(error):
    with pytest.raises(OutOfMemoryError, match="more memory"), memory_guard(CPU):
        raise error


def test_other_errors_pass_the_memory_guard():
    with pytest.raises(RuntimeError, match="shape"), memory_guard(CPU):
        raise RuntimeError("shape mismatch")


def test_memory_is_checked_before_loading():
    loading.check_memory("It", 1, CPU)
    with pytest.raises(OutOfMemoryError, match=r"It needs .* are free"):
        loading.check_memory("It", 10**18, CPU)


def test_folder_is_taken_as_it_is(tmp_path):
    assert resolve_model(str(tmp_path)) == tmp_path
    assert loading.model_label(str(tmp_path)) == tmp_path.name
    assert loading.model_label("owner/name") == "owner/name"


@pytest.mark.parametrize("name", ["no-such-folder", "a/b/c", "", "x y"])
def test_neither_folder_nor_hub_id(name):
    with pytest.raises(EngineError, match="neither a folder nor a hub id"):
        resolve_model(name)


def test_hub_that_never_answers_is_given_up(monkeypatch):
    download = hub.snapshot_download
    monkeypatch.setattr(
        hub,
        "snapshot_download",
        lambda *given, **more: time.sleep(30) if "dry_run" in more else download(*given, **more),
    )
    began = time.monotonic()
    with pytest.raises(EngineError, match=re.escape("give a folder that holds the checkpoint")):
        resolve_model("nobody/no-such-model-at-all", timeout=0.2)
    assert time.monotonic() - began < 10


def test_progress_bar_counts_bytes():
    told = []
    bar = hub._bar("owner/name", 4_000_000_000, lambda text, share: told.append((text, share)))
    bytes_bar = bar(unit="B", total=0, name="x")
    bytes_bar.update(1_000_000_000)
    bar(unit="it").update(1)
    assert told == [("Downloading owner/name (1.0 GB of 4.0 GB)", 0.25)]


def test_progress_bar_says_how_fast(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(hub.time, "monotonic", lambda: clock[0])
    told = []
    bar = hub._bar("owner/name", 4_000_000_000, lambda text, share: told.append(text))(
        unit="B", total=0, name="x", initial=1_000_000_000
    )
    clock[0] += 20.0
    bar.update(1_000_000_000)
    assert told == ["Downloading owner/name (2.0 GB of 4.0 GB, 50 MB a second, about 40 s left)"]
