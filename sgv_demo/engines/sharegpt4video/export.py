"""Writes ShareGPT4Video-8B in the Hub's own LLaVA layouts, so that engines which know those serve it without our code.

Weights go from file to file tensor by tensor; nothing of the network is built. The picture's placeholder becomes a
token of its own, the vocabulary grows by it: what a visitor types can't be taken for it in our code, but engines that
tokenize a whole prompt at once split any text that reads like a marker.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import (
    AddedToken,
    GenerationConfig,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextImageProcessorPil,
    LlavaNextProcessor,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from sgv_demo import __version__
from sgv_demo.engines.local.loading import Progress, tensor_shapes, weight_files
from sgv_demo.engines.prompts import ANSWERER_SYSTEM
from sgv_demo.engines.remote.answerer import OFFICIAL_NAME
from sgv_demo.engines.sharegpt4video.config import Setup
from sgv_demo.engines.sharegpt4video.network import HARMLESS, check_checkpoint
from sgv_demo.engines.sharegpt4video.tokens import load_tokenizer
from sgv_demo.errors import EngineError

View = Literal["anyres", "base"]

SHARD_BYTES = 600 << 20
"""A shard is written when the next tensor would make it larger; one larger tensor is a shard of its own."""

_NAMES = (
    (r"^model\.(embed_tokens|layers|norm)\.", r"language_model.model.\1."),
    (r"^lm_head\.", "language_model.lm_head."),
    (r"^model\.mm_projector\.0\.", "multi_modal_projector.linear_1."),
    (r"^model\.mm_projector\.2\.", "multi_modal_projector.linear_2."),
    (r"^model\.image_newline$", "image_newline"),
    (r"^(?:model\.vision_tower\.vision_tower\.)?vision_model\.", "vision_tower.vision_model."),
)
"""The checkpoint's names, and its tower's folder's, to the Hub's."""
_GROWN = ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight")
_IMAGE = "<image>"
_TEMPLATE = (
    "BEGIN<|start_header_id|>system<|end_header_id|>\n\n"
    "{% if messages[0].role == 'system' %}"
    "{{ messages[0].content if messages[0].content is string else messages[0].content[0].text }}"
    "{% else %}SYSTEM{% endif %}<|eot_id|>"
    "{% for message in messages if message.role != 'system' %}"
    "<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content if part.type in ('image', 'image_url') %}<image>BREAK{% endfor %}"
    "{% for part in message.content if part.type == 'text' %}{{ part.text }}{% endfor %}"
    "{% endif %}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
"""The conversation as it was trained (`prompts.answerer_prompt`); pictures stand first in their turn."""


@dataclass(frozen=True, slots=True)
class _Plan:
    setup: Setup
    dtype: torch.dtype
    view: View
    image: int
    """Id of the picture's token, the last one."""


def export(setup: Setup, out: Path, *, dtype: str, view: View, progress: Progress | None = None) -> None:
    """Writes config, weights in shards, processor, tokenizer, chat template, generation settings and a README.

    Args:
        setup: the checkpoint's.
        out: a new or empty folder.
        dtype: of the weights: "auto" keeps the checkpoint's.
        view: anyres: LLaVA-NeXT with all tiles, as trained; base: plain LLaVA with the whole picture alone, as the
            published demo runs.
        progress: hears what is written and how far that is.

    Raises:
        EngineError: the checkpoint is saved in 4 or 8 bit or doesn't fit its network, `out` isn't empty or can't be
            written.
    """
    if setup.saved_quantization:
        raise EngineError("This checkpoint is saved in 4 or 8 bit; export the one that it was made from.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise EngineError(f"{out.name} is there already; name a new folder.")
    check_checkpoint(setup)
    tokenizer = load_tokenizer(setup.folder)
    image = max(setup.text.vocab_size or 0, len(tokenizer))
    named = str(setup.raw.get("torch_dtype") or "float16") if dtype == "auto" else dtype
    plan = _Plan(setup, getattr(torch, named), view, image)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_weights(plan, out, progress)
        _write_config(plan, out)
        _write_processor(plan, tokenizer, out)
        (out / "README.md").write_text(_readme(plan, named), encoding="utf-8")
    except OSError as error:
        raise EngineError(f"{out.name} can't be written: {error.strerror or error}.") from error


def _write_weights(plan: _Plan, out: Path, progress: Progress | None) -> None:
    files: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}
    total = held = 0
    size = plan.dtype.itemsize
    tensors = list(_listed(plan))
    whole = sum(count for _, _, count in tensors) * size

    def flush() -> None:
        nonlocal held
        if shard:
            name = f"model-{len(set(files.values())) + 1:05d}.safetensors"
            save_file(shard, out / name, metadata={"format": "pt"})
            (out / name).chmod(0o644)
            files.update(dict.fromkeys(shard, name))
            shard.clear()
            held = 0
            if progress:
                progress("writing weights", total / whole)

    for file, names in _by_file(tensors):
        with _opened(file) as source:
            for name in names:
                count = source.count(name)
                if held + count * size > SHARD_BYTES:
                    flush()
                shard[_hub_name(name)] = _converted(plan, _hub_name(name), source.tensor(name))
                held, total = held + count * size, total + count * size
    flush()
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(files.items()))}
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")


def _listed(plan: _Plan) -> Iterator[tuple[Path, str, int]]:
    """(file, name, numbers) of every tensor that is wanted."""
    setup = plan.setup
    places = [(setup.folder, r"^(?!model\.vision_tower\.)" if setup.tower else ""), (setup.tower, r"^vision_model\.")]
    for folder, wanted in places:
        if folder is None:
            continue
        for file in weight_files(folder):
            for name, shape in tensor_shapes(file).items():
                harmless = any(re.search(pattern, name) for pattern in HARMLESS)
                newline = plan.view == "base" and name == "model.image_newline"
                if re.search(wanted, name) and not harmless and not newline:
                    yield file, name, int(torch.Size(shape).numel())


def _by_file(tensors: list[tuple[Path, str, int]]) -> Iterator[tuple[Path, list[str]]]:
    for file in dict.fromkeys(file for file, _, _ in tensors):
        yield file, [name for at, name, _ in tensors if at == file]


class _opened:  # noqa: N801
    """A weight file, one tensor in memory at a time."""

    def __init__(self, file: Path) -> None:
        self._safe: Any = None
        if file.suffix == ".safetensors":
            self._safe = safe_open(file, "pt")
        else:
            self._tensors = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))

    def __enter__(self) -> _opened:
        return self

    def __exit__(self, *error: object) -> None:
        self._safe, self._tensors = None, {}

    def count(self, name: str) -> int:
        """Numbers in a tensor."""
        shape = self._safe.get_slice(name).get_shape() if self._safe else self._tensors[name].shape
        return int(torch.Size(shape).numel())

    def tensor(self, name: str) -> torch.Tensor:
        """It."""
        return self._safe.get_tensor(name) if self._safe else self._tensors[name]


def _hub_name(name: str) -> str:
    for pattern, replacement in _NAMES:
        name, changed = re.subn(pattern, replacement, name)
        if changed:
            break
    return name


def _converted(plan: _Plan, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """In the wanted dtype; the vocabulary's tensors with a row for every id up to the picture's.

    The new rows repeat the first one: in greedy decoding the first of equals wins, so they are never written.
    """
    rows = plan.image + 1 if name in _GROWN else tensor.shape[0]
    made = torch.empty((rows, *tensor.shape[1:]), dtype=plan.dtype)
    made[: tensor.shape[0]] = tensor
    made[tensor.shape[0] :] = tensor[:1].to(plan.dtype)
    return made


def _write_config(plan: _Plan, out: Path) -> None:
    setup = plan.setup
    text = setup.text.to_dict() | {"vocab_size": plan.image + 1}
    both: dict[str, Any] = {
        "vision_config": setup.vision.to_dict(),
        "text_config": text,
        "image_token_index": plan.image,
        "vision_feature_layer": setup.network.vision_feature_layer,
        "vision_feature_select_strategy": "default",
        "tie_word_embeddings": bool(setup.text.tie_word_embeddings),
        "dtype": plan.dtype,
    }
    config: Any
    if plan.view == "base":
        config = LlavaConfig(**both, image_seq_length=setup.patches**2)
        config.architectures = ["LlavaForConditionalGeneration"]
    else:
        config = LlavaNextConfig(**both, image_grid_pinpoints=[[high, wide] for wide, high in setup.pinpoints])
        config.architectures = ["LlavaNextForConditionalGeneration"]
    config.sgv_demo_export = {"version": __version__, "prompts": "official", "view": plan.view}
    config.save_pretrained(out)
    end = setup.text.eos_token_id
    GenerationConfig(
        do_sample=False, bos_token_id=setup.text.bos_token_id, eos_token_id=end, pad_token_id=_first(end)
    ).save_pretrained(out)


def _first(ids: Any) -> Any:
    return ids[0] if isinstance(ids, list) else ids


def _write_processor(plan: _Plan, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    how, template = plan.setup.preprocessing, _template(tokenizer)
    pixels: dict[str, Any] = {
        "image_mean": list(how.mean),
        "image_std": list(how.std),
        "rescale_factor": how.rescale,
        "resample": 3,  # bicubic
        "do_center_crop": False,
    }
    tokenizer.add_tokens([AddedToken(_filler(i)) for i in range(len(tokenizer), plan.image)], special_tokens=True)
    tokenizer.add_tokens([AddedToken(_IMAGE, special=True, normalized=False)], special_tokens=True)
    assert tokenizer.convert_tokens_to_ids(_IMAGE) == plan.image
    common: dict[str, Any] = {
        "tokenizer": tokenizer,
        "patch_size": plan.setup.vision.patch_size,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "image_token": _IMAGE,
        "chat_template": template,
    }
    square = {"height": how.side, "width": how.side}
    processor: Any
    if plan.view == "base":
        processor = LlavaProcessor(image_processor=CLIPImageProcessorPil(size=square, **pixels), **common)
    else:
        pinpoints = [[high, wide] for wide, high in plan.setup.pinpoints]
        images = LlavaNextImageProcessorPil(
            size=square, crop_size=square, image_grid_pinpoints=pinpoints, do_pad=True, **pixels
        )
        processor = LlavaNextProcessor(image_processor=images, **common)
    processor.save_pretrained(out)


def _template(tokenizer: PreTrainedTokenizerFast) -> str:
    """The chat template; its beginning and the line after a picture are as the published function tokenises them.

    A tokenizer that adds the begin token by itself gives it twice there, and one that doesn't loses the line break
    (`PromptTokenizer.ids`).
    """
    begin = str(tokenizer.bos_token)
    adds = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    words = {"BEGIN": begin * 2 if adds else begin, "BREAK": "\n" if adds else "", "SYSTEM": ANSWERER_SYSTEM}
    return re.sub("|".join(words), lambda match: words[match[0]], _TEMPLATE)


def _filler(number: int) -> str:
    """A name for an id that the network embeds and the tokenizer doesn't know."""
    return f"<|unused_{number}|>"


def _readme(plan: _Plan, dtype: str) -> str:
    form = {"anyres": "LLaVA-NeXT, all tiles, as trained", "base": "plain LLaVA, the whole picture alone, as published"}
    return f"""# {OFFICIAL_NAME}

ShareGPT4Video-8B in the layout of the Hub's LLaVA models ({form[plan.view]}), made from `{plan.setup.folder.name}` by
sgv-demo {__version__}; weights in {dtype}. Its licences are those of the original weights (Llama 3 Community License).

    vllm serve . --served-model-name {OFFICIAL_NAME} --max-model-len {plan.setup.prompt_limit} --tensor-parallel-size 1
    python -m sgv_demo serve --engine remote --base-url http://127.0.0.1:8000/v1

The page recognises that name and asks with the published prompts (`--prompts auto`). Greedy decoding gives the same
tokens as the original in float32, but for pictures whose padding is cut at an exact half (656 x 205 pixels, 2 of some
70,000 sizes, none of the grids of common videos): there the layouts round differently.
"""
