"""The captioner's checkpoint in every published layout, and in every state that can't be used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from sgv_demo.engines.local.loading import checkpoint_shapes
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner.checkpoint import (
    expected_shapes,
    fingerprint,
    load_network,
    published_name,
    read_checked_config,
)
from sgv_demo.engines.sharecaptioner.config import ARCHITECTURES, LINEARS, VISION, XComposer2Config, read_config
from sgv_demo.engines.sharecaptioner.tokenizer import Tokenizer
from sgv_demo.errors import EngineError
from tests.support.tiny_captioner import GOLDEN, Layout, tiny_config, write_checkpoint, write_weights

CPU = torch.device("cpu")
PUBLISHED = GOLDEN / "checkpoint"


def load(folder: Path) -> Any:
    config = read_checked_config(folder)
    return load_network(folder, config, quantization="none", dtype=torch.float32, device=CPU)


def published_state() -> dict[str, torch.Tensor]:
    return torch.load(PUBLISHED / "pytorch_model.bin", weights_only=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The golden checkpoint without its weights."""
    for file in PUBLISHED.iterdir():
        if file.suffix != ".bin":
            shutil.copyfile(file, tmp_path / file.name)
    return tmp_path


@pytest.mark.parametrize("layout", ["bin", "shards", "safetensors"])
def test_every_layout_gives_the_same_weights(copy: Path, layout: Layout):
    state = published_state()
    write_weights(copy, state, layout)
    loaded = {published_name(name): value for name, value in load(copy).state_dict().items()}
    assert loaded
    for name, value in loaded.items():
        assert torch.equal(value, state[name]), name


def test_unused_tensors_may_be_there_or_not(copy: Path):
    state = {name: value for name, value in published_state().items() if "post_layernorm" not in name}
    state |= {f"{VISION}embeddings.position_ids": torch.arange(577)[None]}
    state |= {"model.layers.0.attention.rotary_emb.inv_freq": torch.ones(8)}
    write_weights(copy, state, "bin")
    load(copy)


def test_rank_and_vocabulary_are_read_from_the_files(tmp_path: Path):
    config = tiny_config(rank=4, vocabulary=1064)
    read = read_checked_config(write_checkpoint(tmp_path, config, layout="shards"))
    assert (read.plora_rank, read.vocab_size) == (dict.fromkeys(LINEARS, 4), 1064)


RANKS = {"wqkv": 4, "wo": 12, "w1": 16, "w2": 20, "w3": 24}


def set_config(folder: Path, **changes: Any) -> None:
    raw = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({name: value for name, value in raw.items() if value is not None}))


@pytest.mark.parametrize("layout", ["bin", "shards", "safetensors"])
def test_every_linear_has_the_rank_of_its_own_tensors(tmp_path: Path, layout: Layout):
    network = load(write_checkpoint(tmp_path, tiny_config(rank=RANKS), layout=layout))
    found = {
        name.rpartition(".")[2]: module.Plora_A.out_features
        for name, module in network.named_modules()
        if hasattr(module, "Plora_A")
    }
    assert found == RANKS == network.config.plora_rank


@pytest.mark.parametrize(
    ("ranks", "alpha", "scalings"),
    [
        ({"wqkv": 8, "wo": 24, "w1": 24, "w2": 24, "w3": 24}, None, {"wqkv": 2.0}),  # as InternLM-XComposer2-4KHD
        ({"wqkv": 4, "wo": 12, "w1": 8, "w2": 8, "w3": 16}, None, {"wqkv": 4.0}),
        (dict.fromkeys(LINEARS, 8), None, {}),
        (dict.fromkeys(LINEARS, 16), 32, dict.fromkeys(LINEARS, 2.0)),
        (RANKS, 6, {"wqkv": 1.5, "wo": 0.5, "w1": 0.375, "w2": 0.3, "w3": 0.25}),
        (RANKS, {"w1": 64}, {"wqkv": 4.0, "w1": 4.0}),
        (RANKS, {"wqkv": 4}, {}),
    ],
)
def test_scaling_follows_the_published_code_or_what_the_config_says(tmp_path: Path, ranks, alpha, scalings):
    folder = write_checkpoint(tmp_path, tiny_config(rank=ranks))
    set_config(folder, plora_alpha=alpha)
    network = load(folder)
    for layer in network.model.layers:
        found = {name: layer.get_submodule(module).scaling for name, module in LINEARS.items()}
        assert found == dict.fromkeys(LINEARS, 1.0) | scalings


def test_scaling_changes_image_rows_alone(tmp_path: Path):
    linear = load(write_checkpoint(tmp_path, tiny_config(rank=RANKS))).model.layers[0].attention.wqkv
    x = torch.randn(1, 3, 128)
    with torch.inference_mode():
        low = linear.Plora_B(linear.Plora_A(x))
        assert torch.allclose(linear(x, slice(0, 2))[:, :2], linear.base(x)[:, :2] + 4 * low[:, :2], atol=1e-5)
        assert torch.equal(linear(x, slice(0, 2))[:, 2:], linear.base(x)[:, 2:])


def test_a_scaling_that_no_shape_decides_is_said(tmp_path: Path):
    uniform = read_checked_config(write_checkpoint(tmp_path / "8", tiny_config(rank=8)))
    assert "rank 8 and was scaled by 1" in uniform.scaling_note
    assert not read_checked_config(write_checkpoint(tmp_path / "16", tiny_config(rank=16))).scaling_note
    set_config(tmp_path / "8", plora_alpha=16)
    assert not read_checked_config(tmp_path / "8").scaling_note


@pytest.mark.parametrize("names", [*([name] for name in ARCHITECTURES), [*ARCHITECTURES], [], None])
def test_the_tensors_say_what_the_model_is(tmp_path: Path, names: list[str] | None):
    folder = write_checkpoint(tmp_path)
    set_config(folder, architectures=names)
    load(folder)


@pytest.mark.parametrize("names", [["InternLM2ForCausalLM"], None])
def test_a_plain_internlm2_gets_its_own_sentence(copy: Path, names: list[str] | None):
    state = published_state()
    plain = {n: v for n, v in state.items() if "lora" not in n.lower() and n.startswith(("model.", "output."))}
    write_weights(copy, plain, "bin")
    set_config(copy, architectures=names)
    with pytest.raises(EngineError) as caught:
        read_checked_config(copy)
    assert str(caught.value) == (
        f"{copy.name} is InternLM2 without a vision tower or Partial LoRA; ShareCaptioner-Video is needed."
    )


W2 = "model.layers.1.feed_forward.w2.Plora_A.weight"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({W2: (4, 128)}, f"{W2} is [4, 128] where the other layers have [16, 128]"),
        ({W2: (16,)}, f"{W2} is [16] where the other layers have [16, 128]"),
        ({W2: None}, f"missing {W2}"),
        ({W2.replace("_A", "_B"): (64, 4)}, f"misshapen {W2.replace('_A', '_B')} [64, 4] instead of [64, 16]"),
        (
            {W2: (16, 100), W2.replace("1", "0"): (16, 100)},
            "model.layers.0.feed_forward.w2.Plora_A.weight is [16, 100] instead of [rank, 128]",
        ),
        (
            {W2: None, W2.replace("1", "0"): None},
            "has no Partial LoRA for feed_forward.w2 (model.layers.0.feed_forward.w2.Plora_A.weight, [rank, 128])",
        ),
    ],
)
def test_a_low_rank_tensor_that_does_not_fit_is_named_with_both_shapes(copy: Path, changes, message):
    state = published_state()
    for name, shape in changes.items():
        state.pop(name)
        if shape is not None:
            state[name] = torch.ones(shape)
    write_weights(copy, state, "bin")
    with pytest.raises(EngineError) as caught:
        read_checked_config(copy)
    assert message in str(caught.value)


@pytest.mark.parametrize("alpha", ["16", True, 0, {"wk": 16}, [16], {"wo": "x"}])
def test_an_alpha_that_is_none_is_told(tmp_path: Path, alpha: object):
    folder = write_checkpoint(tmp_path)
    set_config(folder, plora_alpha=alpha)
    with pytest.raises(EngineError, match=r"plora_alpha in config\.json"):
        read_checked_config(folder)


@pytest.mark.parametrize(
    ("generation", "config", "ends"),
    [
        ({"eos_token_id": 5}, 7, [5]),
        ({"eos_token_id": [2, 998]}, 7, [2, 998]),
        ({}, 7, [7]),
        ({}, [7, 8], [7, 8]),
        (None, 7, [7]),
        (None, None, [2]),
    ],
)
def test_the_generation_config_says_first_what_ends_an_answer(tmp_path: Path, generation, config, ends):
    folder = write_checkpoint(tmp_path)
    set_config(folder, eos_token_id=config)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    assert read_checked_config(folder).ends == ends


@pytest.mark.parametrize("ids", ["end", [2, "end"], [], [True], -1])
def test_ends_that_are_no_ids_are_told(tmp_path: Path, ids: object):
    folder = write_checkpoint(tmp_path)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    with pytest.raises(EngineError, match="eos_token_id"):
        read_checked_config(folder)


def test_an_added_token_beyond_the_vocabulary_is_left_out(tmp_path: Path):
    folder = write_checkpoint(tmp_path)
    told = json.loads((folder / "tokenizer_config.json").read_text())
    told["added_tokens_decoder"]["1000"] = {"content": "<pad>", "special": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    tokenizer = Tokenizer.load(folder, read_checked_config(folder).vocab_size)
    assert max(tokenizer.encode("a <pad> b")) < 1000


def test_tower_is_read_from_shapes_where_no_file_describes_it(tmp_path: Path):
    config = tiny_config()
    read = read_checked_config(write_checkpoint(tmp_path, config, vision_file=False)).vision
    told = config.vision
    assert (read.hidden_size, read.num_hidden_layers, read.intermediate_size) == (64, 2, 128)
    assert (read.num_attention_heads, read.image_size, read.patch_size) == (told.num_attention_heads, 336, 14)


def test_misleading_entries_of_the_config_are_ignored(copy: Path):
    write_weights(copy, published_state(), "bin")
    raw = json.loads((copy / "config.json").read_text())
    raw |= {"torch_dtype": "float16", "use_cache": False, "model_type": "internlm", "max_length": 1}
    (copy / "config.json").write_text(json.dumps(raw))
    network = load(copy)
    assert network.dtype is torch.float32
    assert network.generation_config.max_length in (None, 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "another model (LlamaForCausalLM)"),
        ({"hidden_size": None}, "lacks a valid hidden_size"),
        ({"num_hidden_layers": "2"}, "lacks a valid num_hidden_layers"),
        ({"vocab_size": 0}, "lacks a valid vocab_size"),
        ({"num_attention_heads": 3}, "contradicts itself"),
        ({"num_key_value_heads": 3}, "contradicts itself"),
        ({"num_attention_heads": 64, "num_key_value_heads": 64}, "contradicts itself"),  # channels turn in pairs
        ({"rope_scaling": {"rope_type": "yarn"}}, "rotary scaling 'yarn'"),
        ({"num_hidden_layers": 3}, "missing model.layers.2.attention.wqkv.weight"),
        ({"vocab_size": 900}, "misshapen model.tok_embeddings.weight [1000, 64] instead of [900, 64]"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rotary scaling 'linear'"),
    ],
)
def test_unfitting_config(copy: Path, change: dict[str, Any], message: str):
    write_weights(copy, published_state(), "bin")
    raw = json.loads((copy / "config.json").read_text()) | change
    (copy / "config.json").write_text(json.dumps(raw))
    with pytest.raises(EngineError) as caught:
        read_checked_config(copy)
    assert message in str(caught.value)


def test_what_the_config_says_is_taken(copy: Path):
    write_weights(copy, published_state(), "bin")
    raw = json.loads((copy / "config.json").read_text())
    change = {"rope_theta": 5e5, "rms_norm_eps": 1e-3, "bias": True}
    (copy / "config.json").write_text(json.dumps(raw | change))
    read = read_config(copy, checkpoint_shapes(copy))
    assert (read.rotary_base, read.rms_norm_eps, read.bias) == (5e5, 1e-3, True)


def test_a_tower_for_other_tiles_is_told(copy: Path):
    write_weights(copy, published_state(), "bin")
    shapes = checkpoint_shapes(copy)
    name = f"{VISION}embeddings.position_embedding.weight"
    shapes[name] = (257, shapes[name][1])
    with pytest.raises(EngineError, match="is for 224 px"):
        read_config(copy, shapes)


def test_weights_that_went_away_after_the_check_are_told(copy: Path):
    write_weights(copy, published_state(), "bin")
    config = read_checked_config(copy)
    write_weights(copy, {name: value for name, value in published_state().items() if name != "output.weight"}, "bin")
    with pytest.raises(EngineError, match=r"left tensors without weights: output\.weight"):
        load_network(copy, config, quantization="none", dtype=torch.float32, device=CPU)


def test_a_loaded_network_is_ready_to_answer(copy: Path):
    write_weights(copy, published_state(), "bin")
    config = read_checked_config(copy)
    network = load_network(copy, config, quantization="none", dtype=torch.bfloat16, device=CPU)
    assert not network.training
    assert {value.dtype for value in network.vit.parameters()} == {torch.float32}  # a CPU has no autocast for it
    assert network.output.weight.dtype is torch.bfloat16
    told = network.generation_config
    assert told
    assert (told.bos_token_id, told.eos_token_id, told.pad_token_id, told.do_sample) == (1, [2], 2, False)


def test_missing_unexpected_and_misshapen_tensors_are_named(copy: Path):
    state = published_state()
    del state["output.weight"]
    state["model.layers.9.extra"] = torch.ones(1)
    state["plora_glb_GN"] = torch.ones(1, 1, 5)
    write_weights(copy, state, "shards")
    with pytest.raises(EngineError) as caught:
        read_checked_config(copy)
    for part in ("missing output.weight", "unexpected model.layers.9.extra", "misshapen plora_glb_GN [1, 1, 5]"):
        assert part in str(caught.value)


def test_checkpoint_without_partial_lora(copy: Path):
    write_weights(copy, {name: value for name, value in published_state().items() if "Plora" not in name}, "bin")
    with pytest.raises(EngineError, match="no Partial LoRA"):
        read_checked_config(copy)


def test_folder_that_is_no_checkpoint(tmp_path: Path):
    with pytest.raises(EngineError, match=r"is not a checkpoint: config\.json is missing"):
        sharecaptioner.load(str(tmp_path), quantization="none", dtype="float32", device="cpu")


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_unusable_tokenizer(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(EngineError, match=r"tokenizer\.model"):
        Tokenizer.load(tmp_path, 1000)


def test_markers_beyond_the_embedding():
    with pytest.raises(EngineError, match="lacks the turn marker"):
        Tokenizer.load(PUBLISHED, 998)


def test_fingerprint_tells_weights_apart(tmp_path: Path):
    first = write_checkpoint(tmp_path / "a" / "same", seed=1)
    again = write_checkpoint(tmp_path / "b" / "same", seed=1)
    other = write_checkpoint(tmp_path / "c" / "same", seed=2)
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.model"])
def test_fingerprint_sees_a_change_at_the_end_of_any_file(tmp_path: Path, name: str):
    folder = write_checkpoint(tmp_path / "a", layout="safetensors")
    before = fingerprint(folder)
    (file,) = folder.glob(name)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert fingerprint(folder) != before


def published_shapes(layers: int, width: int, inner: int, kv: int) -> dict[str, tuple[int, ...]]:
    """The decoder's tensors as the published 7B checkpoint names them."""
    shapes = {
        "model.tok_embeddings.weight": (92544, width),
        "output.weight": (92544, width),
        "model.norm.weight": (width,),
        "plora_glb_GN": (1, 1, 4096),
        "plora_sub_GN": (1, 1, 1, 4096),
    }
    for index in (0, 2):
        shapes |= {f"vision_proj.{index}.weight": (width, 4096), f"vision_proj.{index}.bias": (width,)}
    linears = {
        "attention.wqkv": (width + 2 * kv, width),
        "attention.wo": (width, width),
        "feed_forward.w1": (inner, width),
        "feed_forward.w3": (inner, width),
        "feed_forward.w2": (width, inner),
    }
    for layer in range(layers):
        start = f"model.layers.{layer}."
        shapes |= {f"{start}attention_norm.weight": (width,), f"{start}ffn_norm.weight": (width,)}
        for name, (outputs, inputs) in linears.items():
            rank = 8 if name == "attention.wqkv" else 256
            shapes[f"{start}{name}.weight"] = (outputs, inputs)
            shapes[f"{start}{name}.Plora_A.weight"] = (rank, inputs)
            shapes[f"{start}{name}.Plora_B.weight"] = (outputs, rank)
    return shapes


def test_real_size_network_has_the_published_names_and_shapes():
    built = expected_shapes(XComposer2Config())
    decoder = {name: shape for name, shape in built.items() if not name.startswith(VISION)}
    assert decoder == published_shapes(layers=32, width=4096, inner=14336, kv=1024)
    assert decoder["model.layers.31.attention.wqkv.weight"] == (6144, 4096)
    tower = {name.removeprefix(VISION): shape for name, shape in built.items() if name.startswith(VISION)}
    assert tower["embeddings.position_embedding.weight"] == (577, 1024)
    assert tower["embeddings.patch_embedding.weight"] == (1024, 3, 14, 14)
    assert tower["pre_layrnorm.weight"] == (1024,)
    assert tower["encoder.layers.23.mlp.fc1.weight"] == (4096, 1024)
    assert len(tower) == 3 + 2 + 24 * 16
    numbers = {name: torch.Size(shape).numel() for name, shape in built.items()}
    assert sum(count for name, count in numbers.items() if "Plora" in name) == 522_715_136
    assert sum(numbers.values()) == pytest.approx(8.60e9, rel=1e-3)
