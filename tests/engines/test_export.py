"""The exported answerer under stock transformers, without code of ours: the published ids."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, LlavaForConditionalGeneration, LlavaNextForConditionalGeneration

from sgv_demo.engines.compose import shown_grid
from sgv_demo.engines.sharegpt4video import export as module
from sgv_demo.engines.sharegpt4video.config import read_setup
from sgv_demo.engines.sharegpt4video.export import View, export
from sgv_demo.errors import EngineError

HERE = Path(__file__).resolve().parents[1] / "golden" / "sharegpt4video"
CHECKPOINT = HERE / "tiny-sharegpt4video"
GOLDEN = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
CASES = {
    case["id"]: case
    for case in GOLDEN["cases"]
    if case["kind"] in ("single_turn", "text_only") and case.get("source", {}).get("type") != "video_grid"
}
ROUNDED = "img_656x205"
"""The picture whose padding is cut at an exact half, where both layouts round differently."""
MODES: dict[View, str] = {"anyres": "spatial_unpad", "base": "as_shipped"}
CLASSES: dict[View, Any] = {"anyres": LlavaNextForConditionalGeneration, "base": LlavaForConditionalGeneration}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[View, tuple[Any, Any]]:
    """View → stock model and processor."""
    found: dict[View, tuple[Any, Any]] = {}
    for view in MODES:
        out = tmp_path_factory.mktemp(view) / "out"
        export(read_setup(CHECKPOINT), out, dtype="float32", view=view)
        model, told = CLASSES[view].from_pretrained(out, dtype=torch.float32, output_loading_info=True)
        assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
        found[view] = (model.eval(), AutoProcessor.from_pretrained(out, backend="pil"))
    return found


def picture(case: dict[str, Any]) -> Image.Image | None:
    source = case.get("source")
    if not source:
        return None
    files = source["files"] if "files" in source else [source["file"]]
    return Image.fromarray(shown_grid([np.asarray(Image.open(HERE / file).convert("RGB")) for file in files]))


def ids(model: Any, processor: Any, case: dict[str, Any]) -> tuple[list[int], str]:
    """(what is generated, the prompt) of the last question, put as a chat."""
    image = picture(case)
    question = re.findall(r"<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>", case["prompt"], re.DOTALL)[1]
    text = question.removeprefix("<image>\n")
    parts = [{"type": "image"}] if image else []
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}], add_generation_prompt=True
    )
    given = processor(images=image, text=prompt, return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        out = model.generate(**given, max_new_tokens=24)
    return out[0, given["input_ids"].shape[1] :].tolist(), prompt


@pytest.mark.parametrize("view", MODES)
@pytest.mark.parametrize("name", CASES)
def test_stock_transformers_gives_the_published_ids(
    exported: dict[View, tuple[Any, Any]], name: str, view: View
) -> None:
    case = CASES[name]
    found, prompt = ids(*exported[view], case)
    expected = case if case["kind"] == "text_only" else case[MODES[view]]
    assert prompt == "<|begin_of_text|>" + case["prompt"]  # the published function has it twice
    same = found == expected["generated_ids"]
    assert same != (name == ROUNDED and view == "anyres"), found


def test_it_says_what_it_is_and_how_to_serve_it(tmp_path: Path) -> None:
    told: list[float | None] = []
    export(
        read_setup(CHECKPOINT),
        tmp_path / "out",
        dtype="auto",
        view="anyres",
        progress=lambda _, part: told.append(part),
    )
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["sgv_demo_export"]["prompts"] == "official"
    assert config["image_token_index"] == 640
    assert config["text_config"]["vocab_size"] == 641
    assert config["dtype"] == "float16"
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "vllm serve" in readme
    assert str(CHECKPOINT.parent) not in readme
    assert told == sorted(part or 0.0 for part in told)
    assert told[-1] == 1.0


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_shards_are_written_one_after_another_whatever_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(CHECKPOINT, tmp_path / "source"))
    original = load_file(folder / "model.safetensors")
    if suffix == ".bin":
        torch.save(original, folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    monkeypatch.setattr(module, "SHARD_BYTES", 100_000)
    held: list[int] = []
    save = module.save_file

    def watched(shard: dict[str, torch.Tensor], *rest: Any, **more: Any) -> None:
        held.append(sum(tensor.nbytes for tensor in shard.values()))
        save(shard, *rest, **more)

    monkeypatch.setattr(module, "save_file", watched)
    export(read_setup(folder), tmp_path / "out", dtype="float32", view="anyres")
    largest = max(tensor.numel() for tensor in original.values()) * 4 + 64 * 4
    assert len(held) > 3
    assert max(held) <= max(100_000, largest)
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) == len(held)
    written = load_file(tmp_path / "out" / index["weight_map"]["language_model.model.norm.weight"])
    assert torch.equal(written["language_model.model.norm.weight"], original["model.norm.weight"].float())


def test_what_can_not_be_exported_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("")
    with pytest.raises(EngineError, match="out is there already; name a new folder"):
        export(read_setup(CHECKPOINT), tmp_path / "out", dtype="float32", view="anyres")
    folder = Path(shutil.copytree(CHECKPOINT, tmp_path / "source"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"load_in_4bit": True}}))
    with pytest.raises(EngineError, match="saved in 4 or 8 bit; export the one that it was made from"):
        export(read_setup(folder), tmp_path / "new", dtype="float32", view="anyres")


def test_a_tokenizer_that_adds_no_begin_token_loses_the_line_break_as_published(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CHECKPOINT, tmp_path / "source"))
    for file in (HERE / "tokenizer_without_bos").iterdir():
        shutil.copy(file, folder)
    export(read_setup(folder), tmp_path / "out", dtype="float32", view="anyres")
    processor = AutoProcessor.from_pretrained(tmp_path / "out", backend="pil")
    arrays = np.load(HERE / "arrays.npz")
    case = CASES["img_336x336"]
    question = re.findall(r"<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>", case["prompt"], re.DOTALL)[1]
    parts = [{"type": "image"}, {"type": "text", "text": question.removeprefix("<image>\n")}]
    chat = [{"role": "user", "content": parts}]
    prompt = processor.apply_chat_template(chat, add_generation_prompt=True)
    found = processor.tokenizer(prompt, add_special_tokens=False)["input_ids"]
    expected = arrays["img_336x336.input_ids_without_bos_tokenizer"].tolist()
    assert [-200 if token == 640 else token for token in found] == expected
