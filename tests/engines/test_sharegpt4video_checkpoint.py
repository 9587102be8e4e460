"""Checkpoints of ShareGPT4Video: the variants that load, the damaged ones that are refused, the quantized ones."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from sgv_demo.engines import Scene
from sgv_demo.engines.local.clip import MEAN, STD, clip_l_336
from sgv_demo.engines.local.loading import checkpoint_shapes
from sgv_demo.engines.sharegpt4video.config import read_setup
from sgv_demo.engines.sharegpt4video.engine import ShareGPT4Video, figures, load
from sgv_demo.engines.sharegpt4video.figures import is_quantized, published_network
from sgv_demo.engines.sharegpt4video.network import check_checkpoint, meta_network, picture_embeddings
from sgv_demo.engines.sharegpt4video.tiles import Preprocessing
from sgv_demo.errors import EngineError, OutOfMemoryError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import Frame, Trace, VideoInfo
from tests.support.scripted import said
from tests.support.tiny_llava import MARKERS, Tiny, make_checkpoint

VIDEO = VideoInfo(Path("clip.mp4"), 4.0, 25.0, (64, 48), "h264")


def scene(frames: int = 4, seed: int = 0) -> Scene:
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, 48, 64, 3), np.uint8)
    return Scene(VIDEO, tuple(Frame(float(i), image) for i, image in enumerate(pixels)))


def ask(engine: ShareGPT4Video, new_tokens: int = 8, question: str = "What happens?", **options: Any) -> Trace:
    stream = engine.answer(scene(), question, (), GenerationOptions(max_new_tokens=new_tokens, **options))
    return said(stream)[1]


def load_plain(folder: Path) -> ShareGPT4Video:
    return load(str(folder), quantization="none", dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture
def copy(checkpoint, tmp_path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def seen(folder: Path) -> torch.Tensor:
    """What the language model reads of one picture."""
    views = torch.linspace(-2, 2, 3 * 28 * 28).reshape(1, 3, 28, 28)
    return picture_embeddings(load_plain(folder).network, views, None)


def rewrite(path: Path, **changes: Any) -> None:
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def change_weights(folder: Path, changes: dict[str, torch.Tensor | None]) -> None:
    weights = {**load_file(folder / "model.safetensors"), **changes}
    kept = {name: value for name, value in weights.items() if value is not None}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("tiny", [Tiny(shards=3), Tiny(binary=True), Tiny(binary=True, shards=2)], ids=str)
def test_weights_in_other_files_answer_the_same(tiny, checkpoint, tmp_path):
    other = load_plain(make_checkpoint(tmp_path / "other", tiny))
    assert ask(other).token_ids == ask(load_plain(checkpoint)).token_ids


@pytest.mark.parametrize(
    "tiny",
    [
        Tiny(hidden=96, layers=1),
        Tiny(config={"num_key_value_heads": None}),
        Tiny(config={"tie_word_embeddings": True}),
        Tiny(config={"image_grid_pinpoints": "[(28, 56), (56, 28), (84, 28)]"}),
        Tiny(config={"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
        Tiny(config={"mm_vision_select_layer": -1}),
        Tiny(adds_begin=False),
    ],
    ids=str,
)
def test_other_settings_load_and_answer(tiny, tmp_path):
    assert len(ask(load_plain(make_checkpoint(tmp_path / "other", tiny))).token_ids) > 0


def test_settings_reach_the_network(tmp_path):
    changes = {"rope_theta": 1234.0, "rms_norm_eps": 1e-3, "max_position_embeddings": 2048}
    setup = read_setup(make_checkpoint(tmp_path / "other", Tiny(config=changes)))
    assert (setup.text.rope_parameters or {}).get("rope_theta") == 1234.0
    assert setup.text.rms_norm_eps == 1e-3
    assert setup.prompt_limit == 2048


def test_the_checkpoints_own_tower_wins(checkpoint, copy):
    """A tower folder with other weights changes nothing when the tower was trained along."""
    prefix = "model.vision_tower.vision_tower."
    weights = load_file(checkpoint / "model.safetensors")
    tower = {name.removeprefix(prefix): value + 1 for name, value in weights.items() if name.startswith(prefix)}
    save_file(tower, copy / "tower" / "model.safetensors", metadata={"format": "pt"})
    assert torch.equal(seen(copy), seen(checkpoint))


@pytest.mark.parametrize("also_inside", [False, True])
def test_a_frozen_tower_comes_from_its_own_folder(checkpoint, also_inside, tmp_path):
    """The same weights, split over two folders, answer the same; stale ones inside the checkpoint are passed over."""
    split = make_checkpoint(tmp_path / "split", Tiny(own_tower=False))
    if also_inside:
        inside = load_file(checkpoint / "model.safetensors")
        change_weights(split, {name: value + 1 for name, value in inside.items() if ".vision_tower." in name})
    assert torch.equal(seen(split), seen(checkpoint))
    other = load_file(split / "tower" / "model.safetensors")
    save_file({n: v * 3 for n, v in other.items()}, split / "tower" / "model.safetensors", metadata={"format": "pt"})
    assert not torch.allclose(seen(split), seen(checkpoint), atol=0.1)
    assert len(ask(load_plain(split)).token_ids) > 0


def test_a_tower_folder_may_be_a_whole_clip_named_absolutely(checkpoint, tmp_path):
    split = make_checkpoint(tmp_path / "split", Tiny(own_tower=False))
    tower = Path(shutil.move(split / "tower", tmp_path / "clip"))
    rewrite(split / "config.json", mm_vision_tower=str(tower))
    plain = json.loads((tower / "config.json").read_text())
    (tower / "config.json").write_text(json.dumps({"model_type": "clip", "vision_config": plain, "text_config": {}}))
    weights = load_file(tower / "model.safetensors")
    extra = {"text_model.final_layer_norm.weight": torch.ones(8), "logit_scale": torch.ones(())}
    save_file({**weights, **extra}, tower / "model.safetensors", metadata={"format": "pt"})
    assert torch.equal(seen(split), seen(checkpoint))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model.image_newline": None}, "missing model.image_newline"),
        ({"model.layers.1.mlp.up_proj.weight": None}, "missing model.layers.1.mlp.up_proj.weight"),
        ({"model.mm_projector.4.weight": torch.ones(2)}, "unexpected model.mm_projector.4.weight"),
        ({"model.norm.weight": torch.ones(3)}, r"misshapen model.norm.weight \[3\] instead of \[64\]"),
        ({"model.vision_tower.vision_tower.vision_model.pre_layrnorm.bias": None}, "missing .*pre_layrnorm.bias"),
    ],
)
def test_tensors_that_do_not_fit_are_named(changes, named, copy):
    change_weights(copy, changes)
    with pytest.raises(EngineError, match=named):
        load_plain(copy)


CLIP_L = "model.vision_tower.vision_tower.vision_model."


def write_shapes(folder: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of zeros that takes no room on the disk."""
    (folder / "model.safetensors").unlink()
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    written = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(written).to_bytes(8, "little") + written)
        file.truncate(8 + len(written) + end)


@pytest.fixture
def with_clip_l(copy) -> Path:
    """A checkpoint with a tower of CLIP-L/14-336's shapes inside, as it was trained, and no description of it."""
    shutil.rmtree(copy / "tower")
    language = {name: tuple(v.shape) for name, v in load_file(copy / "model.safetensors").items() if CLIP_L not in name}
    language |= {"model.mm_projector.0.weight": (64, 1024)}
    tower = {
        CLIP_L + name.removeprefix("vision_model."): tuple(value.shape)
        for name, value in meta_network(published_network()).model.vision_tower.named_parameters()
    }
    write_shapes(copy, language | tower)
    rewrite(copy / "config.json", image_grid_pinpoints=[[336, 672], [672, 336]])
    return copy


@pytest.mark.parametrize(
    "named", ["openai/clip-vit-large-patch14-336", "pretrained/vision_encoder/clip-vit-large-patch14-336", None]
)
def test_a_clip_l_inside_the_checkpoint_needs_no_second_repository(named, with_clip_l, monkeypatch):
    monkeypatch.setattr("sgv_demo.engines.sharegpt4video.config.resolve_model", lambda *_, **__: pytest.fail("asked"))
    rewrite(with_clip_l / "config.json", mm_vision_tower=named)
    setup = read_setup(with_clip_l)
    check_checkpoint(setup)
    assert setup.own_tower
    assert setup.vision.to_dict() == clip_l_336().to_dict()
    assert setup.preprocessing == Preprocessing(336, MEAN, STD, 1 / 255)
    assert setup.patches == 24


@pytest.mark.parametrize(
    "changes",
    [
        {CLIP_L + "embeddings.position_embedding.weight": (257, 1024)},
        {CLIP_L + "embeddings.patch_embedding.weight": (1024, 3, 16, 16)},
        {CLIP_L + "encoder.layers.24.mlp.fc1.weight": (4096, 1024)},
    ],
)
def test_another_tower_inside_the_checkpoint_is_looked_up(changes, with_clip_l):
    write_shapes(with_clip_l, checkpoint_shapes(with_clip_l) | changes)
    rewrite(with_clip_l / "config.json", mm_vision_tower="elsewhere")
    with pytest.raises(EngineError, match="neither a folder nor a hub id"):
        read_setup(with_clip_l)


def test_tables_that_old_checkpoints_store_are_passed_over(copy):
    positions = "model.vision_tower.vision_tower.vision_model.embeddings.position_ids"
    change_weights(copy, {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8), positions: torch.arange(5)})
    assert ask(load_plain(copy)).token_ids


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "is a 'llama' model, not ShareGPT4Video-8B"),
        ({"hidden_size": None}, "config.json lacks hidden_size"),
        ({"num_attention_heads": 7}, "contradict"),
        ({"mm_vision_tower": None}, "names no mm_vision_tower"),
        ({"mm_vision_tower": "elsewhere"}, "neither a folder nor a hub id"),
        ({"mm_projector_type": "linear"}, "mm_projector_type 'linear'"),
        ({"mm_patch_merge_type": "flat"}, "mm_patch_merge_type 'flat'"),
        ({"image_grid_pinpoints": None}, "not a list of sizes"),
        ({"image_grid_pinpoints": "[[28, 5"}, "not a list of sizes"),
        ({"image_grid_pinpoints": [[30, 56]]}, "multiples of the tower's 28 px"),
    ],
)
def test_settings_that_can_not_be_used_are_named(changes, message, copy):
    rewrite(copy / "config.json", **changes)
    with pytest.raises(EngineError, match=message):
        load_plain(copy)


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("tower/preprocessor_config.json", {"image_mean": None}, "incomplete"),
        ("tower/preprocessor_config.json", {"crop_size": 56}, "makes views of"),
        ("tower/config.json", {"patch_size": None}, "lacks patch_size"),
        ("generation_config.json", {"eos_token_id": "end"}, "eos_token_id"),
    ],
)
def test_companion_files_that_can_not_be_used_are_named(file, changes, message, copy):
    rewrite(copy / file, **changes)
    with pytest.raises(EngineError, match=message):
        load_plain(copy)


@pytest.mark.parametrize(
    "file", ["config.json", "tokenizer.json", "tower/preprocessor_config.json", "model.safetensors"]
)
def test_a_missing_file_is_one_clear_error(file, copy):
    (copy / file).unlink()
    with pytest.raises(EngineError):
        load_plain(copy)


def test_a_cut_weight_file_is_one_clear_error(copy):
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineError, match=r"model\.safetensors is cut short or damaged"):
        load_plain(copy)


def test_a_tokenizer_without_the_markers_is_refused(tmp_path):
    folder = make_checkpoint(tmp_path / "other", Tiny(markers=(MARKERS[0], MARKERS[4])))
    with pytest.raises(EngineError, match=re.escape("lacks <|start_header_id|>, <|end_header_id|>")):
        load_plain(folder)


def test_a_tokenizer_of_a_larger_model_is_refused(tmp_path):
    folder = make_checkpoint(tmp_path / "other", Tiny(config={"vocab_size": 200}))
    with pytest.raises(EngineError, match="embeds only 200 tokens"):
        load_plain(folder)


@pytest.mark.parametrize("special", [True, False])
def test_an_added_token_beyond_the_vocabulary_is_no_reason_to_refuse(special, copy):
    """Its text can be typed: it is split like any other."""
    tokenizer = Tokenizer.from_file(str(copy / "tokenizer.json"))
    size = tokenizer.get_vocab_size()
    assert tokenizer.add_special_tokens(["<pad>"]) if special else tokenizer.add_tokens(["<pad>"])
    tokenizer.save(str(copy / "tokenizer.json"))
    rewrite(copy / "config.json", vocab_size=size)
    state = load_file(copy / "model.safetensors")
    change_weights(copy, {name: state[name][:size] for name in ("model.embed_tokens.weight", "lm_head.weight")})
    assert len(ask(load_plain(copy), question="What is <pad>?").token_ids) > 0


def test_the_end_of_a_turn_ends_an_answer_whatever_the_files_name(copy):
    end = Tokenizer.from_file(str(copy / "tokenizer.json")).token_to_id("<|eot_id|>")
    assert end is not None
    rewrite(copy / "generation_config.json", eos_token_id=end - 1)
    plain = ask(load_plain(copy), new_tokens=12).token_ids
    before = plain.index(plain[3])
    head = load_file(copy / "model.safetensors")["lm_head.weight"]
    head[[end, plain[3]]] = head[[plain[3], end]]
    change_weights(copy, {"lm_head.weight": head})
    assert ask(load_plain(copy), new_tokens=12).token_ids == (*plain[:before], end)


def test_generation_config_decides_what_ends_an_answer(copy):
    """Its ids win over config.json's, and without them config.json's count."""
    plain = ask(load_plain(copy), new_tokens=12).token_ids
    third = plain[2]
    cut = plain[: plain.index(third) + 1]
    rewrite(copy / "generation_config.json", eos_token_id=[third, 300])
    assert ask(load_plain(copy), new_tokens=12).token_ids == cut
    (copy / "generation_config.json").unlink()
    assert ask(load_plain(copy), new_tokens=12).token_ids == plain
    rewrite(copy / "config.json", eos_token_id=third)
    assert ask(load_plain(copy), new_tokens=12).token_ids == cut


@pytest.mark.parametrize(("kind", "linear"), [("nf4", "Linear4bit"), ("int8", "Linear8bitLt")])
@pytest.mark.parametrize("own_tower", [True, False])
def test_only_the_language_models_linears_are_quantized_and_saved_bit_exact(kind, linear, own_tower, tmp_path):
    folder = make_checkpoint(tmp_path / "plain", Tiny(own_tower=own_tower))
    engine = load(str(folder), quantization=kind, dtype="float32", device="cpu")
    quantized = {name for name, module in engine.network.named_modules() if type(module).__name__ == linear}
    projections = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
    projections += ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    assert quantized == {f"model.language_model.layers.{i}.{name}" for i in range(2) for name in projections}
    assert quantized == {n.removesuffix(".weight") for n, _ in engine.network.named_parameters() if is_quantized(n)}
    trace = ask(engine, new_tokens=16)
    assert len(trace.token_ids) > 1

    engine.save_quantized(tmp_path / "saved")
    shutil.rmtree(folder)
    again = load(str(tmp_path / "saved"), quantization="none", dtype="float32", device="cpu")
    before, after = engine.network.state_dict(), again.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before if isinstance(before[name], torch.Tensor))
    assert ask(again, new_tokens=16).token_ids == trace.token_ids
    assert again.info.quantization == kind


@pytest.mark.parametrize(("saved", "loaded"), [("bfloat16", "float32"), ("float32", "bfloat16")])
def test_a_saved_checkpoint_loads_in_another_dtype(saved, loaded, checkpoint, tmp_path):
    load(str(checkpoint), quantization="nf4", dtype=saved, device="cpu").save_quantized(tmp_path / "saved")
    engine = load(str(tmp_path / "saved"), quantization="nf4", dtype=loaded, device="cpu")
    kinds = {value.dtype for value in engine.network.parameters() if value.is_floating_point()}
    assert kinds == {getattr(torch, loaded)}
    assert len(ask(engine).token_ids) > 0


def test_saving_what_is_not_quantized_or_over_something_is_refused(checkpoint, tmp_path):
    with pytest.raises(EngineError, match="aren't quantized"):
        load_plain(checkpoint).save_quantized(tmp_path / "saved")
    engine = load(str(checkpoint), quantization="nf4", dtype="float32", device="cpu")
    with pytest.raises(EngineError, match="there already"):
        engine.save_quantized(checkpoint)


def test_widths_that_a_cpu_would_quantize_wrongly_are_refused(tmp_path):
    folder = make_checkpoint(tmp_path / "odd", Tiny(hidden=96))
    with pytest.raises(EngineError, match="width 96 can't be quantized on a CPU"):
        load(str(folder), quantization="nf4", dtype="float32", device="cpu")


def test_figures_of_the_published_shapes_stay_under_eight_gigabytes_in_nf4():
    found = figures()
    assert 8.3e9 < found["parameters"] < 8.4e9
    assert found["frames"] == 16
    assert found["new_tokens"] == 1024
    assert found["largest_prompt_tokens"] == 576 + 48 * 49 + 300
    weights = found["weights_bytes"]
    assert 6e9 < weights["nf4"] < found["nf4_bytes"] <= 8e9 < weights["int8"] < weights["none"]
    assert found["nf4_bytes"] > weights["nf4"] + found["cache_bytes_per_1000_tokens"] * (3228 + 1024) / 1000


def test_weights_that_do_not_fit_are_refused_before_loading(checkpoint, monkeypatch):
    monkeypatch.setattr("sgv_demo.engines.local.loading.free_memory", lambda device: 1000)
    with pytest.raises(OutOfMemoryError, match=r"checkpoint needs .* and 0 MB are free"):
        load_plain(checkpoint)


def test_an_unknown_vision_mode_is_refused(checkpoint):
    with pytest.raises(EngineError, match="Unknown vision mode 'all'"):
        load(str(checkpoint), quantization="none", dtype="float32", vision="all")


def test_figures_of_a_folder_count_its_own_weights(checkpoint):
    weights = load_file(checkpoint / "model.safetensors")
    assert figures(str(checkpoint))["parameters"] == sum(value.numel() for value in weights.values())
