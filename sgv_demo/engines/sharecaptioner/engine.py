"""ShareCaptioner-Video: captions, overviews, summaries and re-captions, decoded as published or streamed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers.utils import logging as transformers_logging

from sgv_demo.engines import prompts
from sgv_demo.engines.check import TRYING, check_captioner
from sgv_demo.engines.local import figures as memory
from sgv_demo.engines.local.decoding import Beams, Chooser, Sampler, Text, prefill
from sgv_demo.engines.local.loading import (
    Progress,
    check_memory,
    empty_cache,
    free_memory,
    memory_guard,
    model_label,
    resolve_device,
    resolve_dtype,
    resolve_model,
)
from sgv_demo.engines.local.scheduler import Job, Scheduler
from sgv_demo.engines.local.streaming import stream_text
from sgv_demo.engines.sharecaptioner import MODEL, NAME, tiling
from sgv_demo.engines.sharecaptioner.checkpoint import (
    COMPANIONS,
    empty_network,
    fingerprint,
    is_quantized,
    is_repacked,
    load_network,
    quantized_parameter,
    read_checked_config,
)
from sgv_demo.engines.sharecaptioner.config import XComposer2Config
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM, pixels
from sgv_demo.engines.sharecaptioner.questions import COLUMN_BUDGET, Question, Roles
from sgv_demo.engines.sharecaptioner.tokenizer import Tokenizer
from sgv_demo.errors import EngineError, OutOfMemoryError
from sgv_demo.options import GenerationOptions
from sgv_demo.times import gigabytes
from sgv_demo.types import EngineInfo, Generation, Picture, Trace

CONTEXT_TOKENS = 16_000
"""Tokens of captions in one summary."""


class ShareCaptioner(Roles):
    """The four roles of ShareCaptioner-Video over one loaded network. Holds nothing of any user."""

    def __init__(self, network: InternLMXComposer2ForCausalLM, tokenizer: Tokenizer, info: EngineInfo, folder: Path):
        self._network: InternLMXComposer2ForCausalLM | None = network
        self._tokenizer = tokenizer
        self._info = info
        self._folder = folder
        self._device = network.device
        self._limit = network.config.max_position_embeddings
        self._scheduler = Scheduler(network, lambda: free_memory(self._device))

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def scheduler(self) -> Scheduler:
        """Whose texts run side by side."""
        return self._scheduler

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._device

    @property
    def context_tokens(self) -> int:
        """Tokens of text that one summary may read."""
        return min(CONTEXT_TOKENS, self._limit // 2)

    def count_tokens(self, text: str) -> int:
        """Tokens that `text` takes in a prompt."""
        return self._tokenizer.count(text)

    def ask(self, question: Question, options: GenerationOptions) -> Generation:
        """One step; when memory runs out before the first word, once more with a smaller picture.

        Raises:
            OutOfMemoryError: the smaller picture didn't fit either, or there is none, or words were out already.
            EngineError: the engine was unloaded, or the prompt is too long.
        """
        budgets = [question.budget, _smaller(question.budget)] if question.picture is not None else [0]
        note = ""
        for attempt, budget in enumerate(budgets):
            began = False
            pieces = self._attempt(question, budget, options, note)
            try:
                for piece in pieces:
                    began = began or bool(piece)
                    yield piece
                return
            except OutOfMemoryError:
                if began or attempt + 1 == len(budgets):
                    raise
            finally:
                pieces.close()
            note = f"Memory ran out; tried again with a picture of at most {budgets[1]} tiles instead of {budget}. "
        raise AssertionError("every attempt returns or raises")

    def _attempt(self, question: Question, budget: int, options: GenerationOptions, note: str) -> Generation:
        network = self._loaded()
        started = time.perf_counter()
        fitted = tiling.fit(question.picture, budget) if question.picture is not None else None
        tiles = tiling.tiles_of(fitted) if fitted is not None else None
        ids = self._tokenizer.encode_turn(question.text, typed=question.typed)
        length = len(ids) + (tiling.visual_tokens(*tiles) if tiles else 0)
        new = self._room(length, options.max_new_tokens)
        job = self._job(network, ids, fitted, options, length, new)
        with memory_guard(self._device):
            token_ids = yield from stream_text(self._scheduler.run(job), self._tokenizer.response)
        cut_off = len(token_ids) >= new and token_ids[-1] not in self._stops(options.beams)
        notes = [note.strip(), network.config.scaling_note, _decoding_note(options)]
        if not self._tokenizer.response(token_ids):
            notes.append("The model ended its answer without a word.")
        if cut_off:
            notes.append(f"Cut off after {new} tokens.")
        yield Trace(
            prompt=prompts.captioner_prompt(question.text),
            token_ids=token_ids,
            prompt_tokens=length,
            seconds=time.perf_counter() - started,
            finish="length" if cut_off else "stop",
            picture=fitted,
            tiles=tiles,
            note=" ".join(filter(None, notes)),
        )

    def _room(self, length: int, wanted: int) -> int:
        """New tokens that fit after a prompt of `length` positions.

        Raises:
            EngineError: the prompt alone is too long.
        """
        if length >= self._limit:
            raise EngineError(
                f"The prompt takes {length:,} tokens and the model reads {self._limit:,}; shorten the text."
            )
        return max(min(wanted, self._limit - length), 1)

    def _stops(self, beams: int) -> list[int]:
        """Ids that end an answer; for a greedy one also the end of its turn, where its text is cut anyway.

        Beams are compared by their length, so an earlier end could change which one wins.
        """
        return [*self._loaded().config.ends, *(self._tokenizer.turn_ends if beams == 1 else ())]

    def _chooser(self, options: GenerationOptions, new: int) -> Chooser:
        stops = self._stops(options.beams)
        if options.beams > 1:
            return Beams(options.beams, new, stops)
        return Sampler(new, stops, options.temperature, options.top_p)

    def _job(
        self,
        network: InternLMXComposer2ForCausalLM,
        ids: list[int],
        fitted: Picture | None,
        options: GenerationOptions,
        length: int,
        new: int,
    ) -> Job:
        """What the scheduler runs: see the picture, read the prompt of `length` positions, decode."""

        def begin() -> Text:
            picture = network.embed_picture(pixels(fitted)) if fitted is not None else None
            prompt, image = network.embed_prompt(ids, picture)
            return Text(prompt, network.new_cache(), self._chooser(options, new), image)

        return Job(begin, network.cache_shape.position_bytes * (length + options.beams * new))

    def _loaded(self) -> InternLMXComposer2ForCausalLM:
        if self._network is None:
            raise EngineError(f"{self._info.label} was unloaded; load it again.")
        return self._network

    def unload(self) -> None:
        """Frees the weights, once nothing runs. Later calls raise `EngineError`."""
        with self._scheduler.alone():
            self._network = self._scheduler.network = None
        empty_cache(self._device)

    def move(self, device: str) -> None:
        """Takes the weights to another device, such as "cpu" while another model has the GPU; not during a step."""
        before, self._device = self._device, torch.device(device)
        with self._scheduler.alone():
            torch.nn.Module.to(self._loaded(), self._device)
        empty_cache(before)

    def save_quantized(self, out: Path) -> None:
        """Writes the quantized weights and the tokenizer; loading that folder gives the same numbers, faster.

        Raises:
            EngineError: the weights aren't quantized, or can't be written.
        """
        if self._info.quantization == "none":
            raise EngineError("These weights are not quantized; load with --quantization nf4 or int8 first.")
        network = self._loaded()
        if any(is_repacked(module) for module in network.modules()):
            raise EngineError(
                "This engine has answered already, which rounds 4-bit scales on a CPU; load it again first."
            )
        try:
            out.mkdir(parents=True, exist_ok=True)
            network.save_pretrained(out, save_original_format=False)
            for name in COMPANIONS:
                if (self._folder / name).is_file():
                    shutil.copyfile(self._folder / name, out / name)
        except OSError as error:
            raise EngineError(f"{out} can't be written ({error.strerror}); choose another folder.") from error


def load(
    model: str,
    *,
    quantization: str,
    dtype: str,
    device: str = "auto",
    timeout: float = 3.0,
    progress: Progress | None = None,
) -> ShareCaptioner:
    """Makes the engine from a folder or a hub id.

    Args:
        model: published layout, or a folder written by `save_quantized`.
        quantization: nf4, int8 or none.
        dtype: bfloat16, float16, float32 or auto.
        device: auto, cuda, mps or cpu.
        timeout: seconds until the hub is given up.
        progress: told what is going on.

    Raises:
        EngineError: not found, not this model, damaged, not for this device; or the packages that are installed here
            make this code compute something else.
        OutOfMemoryError: the weights don't fit.
    """
    tell = progress or (lambda _text, _share: None)
    where = resolve_device(device)
    kind = resolve_dtype(dtype, where)
    label = model_label(model)
    tell(TRYING, None)
    check_captioner()
    tell(f"Looking for {label}", None)
    folder = resolve_model(model, timeout=timeout, progress=progress)
    tell(f"Checking the files of {label}", None)
    config = read_checked_config(folder)
    tokenizer = Tokenizer.load(folder, config.vocab_size)
    quantization = is_quantized(folder) or quantization
    empty = cast(nn.Module, empty_network(config))
    size = memory.weight_bytes(empty.to(dtype=kind), quantized_parameter, quantization)
    check_memory(label, size, where)
    tell(f"Loading {label}: {gigabytes(size)} of weights, {quantization}", None)
    transformers_logging.disable_progress_bar()
    network = load_network(folder, config, quantization=quantization, dtype=kind, device=where)
    tell(f"{label} is ready", 1.0)
    info = EngineInfo(
        name=NAME,
        label="ShareCaptioner-Video",
        device=_device_name(where),
        model=label,
        quantization=quantization,
        dtype=str(kind).removeprefix("torch."),
        licence=MODEL.licence,
        fingerprint=fingerprint(folder),
    )
    return ShareCaptioner(network, tokenizer, info, folder)


def figures(model: str | None = None) -> dict[str, Any]:
    """Parameters and memory, computed from a checkpoint's shapes, or from those of the published 7B model.

    Bytes: weights per quantization, with the rest in float16; cache per 1,000 tokens of one beam; `prefill_bytes`, what
    the largest prompt (16 tiles) needs at its worst beside weights and cache; `fast_nf4_bytes`, the sum of all three
    for fast captions in nf4 with the default number of new tokens; and the most that 3 beams hold at any one time.

    Args:
        model: a local folder; anything else means the published sizes, as nothing is downloaded for figures.

    Raises:
        EngineError: the folder isn't a checkpoint of this model.
    """
    folder = Path(model).expanduser() if model else None
    config = read_checked_config(folder) if folder is not None and folder.is_dir() else XComposer2Config()
    network = empty_network(config).half()
    most = max(tiling.visual_tokens(1, down) for down in range(1, COLUMN_BUDGET + 1))
    prompt = most + PROMPT_TOKENS
    cache = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * network.dtype.itemsize
    blank = torch.empty(1, 3, tiling.TILE * COLUMN_BUDGET, tiling.TILE, device="meta")
    embeds = torch.empty(1, prompt, config.hidden_size, dtype=network.dtype, device="meta")
    seeing = memory.peak_bytes(lambda: network.embed_picture(blank))
    text = Text(embeds, network.new_cache(), Sampler(1, ()), slice(1, 1 + most))
    reading = memory.peak_bytes(lambda: prefill(network, text)) - cache * prompt
    # A 4-bit linear is widened to float16 as a whole while it works on a long prompt.
    widened = max(p.numel() for n, p in network.named_parameters() if quantized_parameter(n)) * network.dtype.itemsize
    weights = {kind: memory.weight_bytes(network, quantized_parameter, kind) for kind in ("none", "int8", "nf4")}
    passing = max(seeing, reading + widened)
    new = GenerationOptions().max_new_tokens
    decoding = cache * (prompt + 3 * new)  # the prompt once, and each beam's own tokens
    return {
        "parameters": sum(value.numel() for value in network.parameters()),
        "weights_bytes": weights,
        "cache_bytes_per_1000_tokens": 1000 * cache,
        "largest_prompt_tokens": prompt,
        "prefill_bytes": passing,
        "fast_nf4_bytes": weights["nf4"] + cache * (prompt + new) + passing,
        "fast_nf4_peak_3_beams_bytes": weights["nf4"] + max(cache * prompt + passing, decoding),
    }


PROMPT_TOKENS = 48
"""Tokens of the fast prompt with its markers, rounded up; the tokenizer isn't at hand where figures are wanted."""


def _smaller(budget: int) -> int:
    """The picture budget after memory ran out: about half, at least one tile."""
    return max(budget // 2, 1)


def _decoding_note(options: GenerationOptions) -> str:
    if options.beams > 1 and options.temperature > 0:
        return "Beams are decoded without sampling; the temperature was not used."
    return ""


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
