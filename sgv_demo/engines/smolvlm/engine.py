"""SmolVLM2: a small general model in the four roles of the captioner and as answerer. It runs on a laptop's CPU.

It is not ShareGPT4Video and says so in its label: its captions are shorter and less exact. Pictures go in through the
Pillow processor, so that torchvision is not needed.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast, SmolVLMForConditionalGeneration
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from sgv_demo.engines import offers as catalog
from sgv_demo.engines import prompts
from sgv_demo.engines.compose import resized
from sgv_demo.engines.general import GeneralModel
from sgv_demo.engines.local.loading import (
    Progress,
    check_memory,
    checkpoint_shapes,
    empty_cache,
    memory_guard,
    model_label,
    read_json,
    resolve_device,
    resolve_dtype,
    resolve_model,
)
from sgv_demo.engines.local.streaming import TICK, Put, Work, hold_back, stream_ids, stream_text
from sgv_demo.engines.pictures import thinned
from sgv_demo.engines.smolvlm import NAME
from sgv_demo.engines.smolvlm.checkpoint import faster_on_cpu, figures, load_network
from sgv_demo.engines.smolvlm.generating import generate
from sgv_demo.errors import EngineError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import EngineInfo, Generation, Picture, Trace, Turn

__all__ = ["SmolVLM", "figures", "load"]

LICENCE = "Apache-2.0"
LABEL = "SmolVLM2, a small general model (not ShareGPT4Video)"
MOST_PICTURES = 64
"""Pictures at most in one prompt; more are thinned out evenly."""
CONTEXT_TOKENS = 4000
"""Tokens of captions in one summary: what a small model still keeps together."""
MARKERS = ("<|im_start|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>")


class SmolVLM(GeneralModel):
    """A `Captioner` and an `Answerer` over one network. One text at a time: a second visitor waits for the first."""

    default_frames = 16

    def __init__(
        self,
        network: SmolVLMForConditionalGeneration,
        tokenizer: PreTrainedTokenizerFast,
        processor: SmolVLMImageProcessorPil,
        info: EngineInfo,
    ) -> None:
        """
        Raises:
            EngineError: the tokenizer lacks a marker of SmolVLM2.
        """
        vocabulary = tokenizer.get_vocab()
        lost = [marker for marker in MARKERS if marker not in vocabulary]
        if lost:
            raise EngineError(f"The tokenizer of {info.model} lacks {', '.join(lost)}; fetch the checkpoint again.")
        self._network: SmolVLMForConditionalGeneration | None = network
        self._tokenizer, self._processor, self.info = tokenizer, processor, info
        self._markers = {marker: vocabulary[marker] for marker in MARKERS}
        config: Any = network.config
        self._limit: int = config.text_config.max_position_embeddings
        patches = config.vision_config.image_size // config.vision_config.patch_size
        self.picture_tokens = patches**2 // config.scale_factor**2
        """Tokens that one picture takes, beside its three markers."""
        self.side: int = config.vision_config.image_size
        """Pixels: every picture becomes a square of this side."""
        self._stops = _stop_ids(network, self._markers["<end_of_utterance>"])
        self._lock = threading.Lock()

    @property
    def context_tokens(self) -> int:
        """Tokens of text that one summary may read."""
        return min(CONTEXT_TOKENS, self._limit // 2)

    def count_tokens(self, text: str) -> int:
        """Tokens that `text` takes in a prompt."""
        return len(self._plain(text))

    @property
    def loaded(self) -> bool:
        """Whether it still has its weights."""
        return self._network is not None

    def unload(self) -> None:
        """Frees the weights. Later calls raise `EngineError`."""
        with self._lock:
            device = self._loaded().device
            self._network = None
            empty_cache(device)

    def _say(
        self,
        text: str,
        pictures: Sequence[tuple[float, Picture]],
        options: GenerationOptions,
        history: Sequence[Turn] = (),
        duration: float = 0.0,
    ) -> Generation:
        while not self._lock.acquire(timeout=TICK):
            yield ""
        try:
            yield from self._generation(text, pictures, options, duration, history)
        finally:
            self._lock.release()

    def _generation(
        self,
        text: str,
        pictures: Sequence[tuple[float, Picture]],
        options: GenerationOptions,
        duration: float,
        history: Sequence[Turn],
    ) -> Generation:
        network, started = self._loaded(), time.perf_counter()
        shown = thinned(pictures, MOST_PICTURES)
        times = [seconds for seconds, _ in shown]
        pieces = prompts.smol_prompt(text, times, duration or max(times, default=0.0), history)
        ids = self._encode(pieces)
        new = self._room(len(ids), options.max_new_tokens)
        inputs = self._see([image for _, image in shown])
        with memory_guard(network.device):
            work = self._work(network, ids, inputs, options, new)
            made = yield from stream_text(stream_ids(work), self._decode)
        notes = [f"{len(shown)} of {len(pictures)} pictures were shown."] if len(shown) < len(pictures) else []
        if not self._decode(made, True):
            notes.append("The model ended its answer without a word.")
        yield Trace(
            prompt="".join(piece.text for piece in pieces),
            token_ids=made,
            prompt_tokens=len(ids),
            seconds=time.perf_counter() - started,
            finish="length" if len(made) >= new and made[-1] not in self._stops else "stop",
            picture=contact_sheet([image for _, image in shown], self.side) if shown else None,
            note=" ".join(notes),
        )

    def _work(
        self,
        network: SmolVLMForConditionalGeneration,
        ids: list[int],
        inputs: dict[str, torch.Tensor],
        options: GenerationOptions,
        new: int,
    ) -> Work:
        """What runs in the thread: see the pictures, read the prompt, decode."""
        sampling: dict[str, Any] = {"do_sample": False}
        if options.temperature > 0 and options.beams == 1:
            sampling = {"do_sample": True, "temperature": options.temperature, "top_p": options.top_p, "top_k": 0}
        prompt = torch.tensor([ids], device=network.device)

        def work(put: Put, stop: threading.Event) -> None:
            generate(
                network,
                prompt,
                put,
                stop,
                num_beams=options.beams,
                max_new_tokens=new,
                eos_token_id=self._stops,
                pad_token_id=self._stops[0],
                **inputs,
                **sampling,
            )

        return work

    def _encode(self, pieces: Sequence[prompts.Piece]) -> list[int]:
        """Token ids; what a person typed never becomes a marker."""
        ids: list[int] = []
        for piece in pieces:
            if piece is prompts.IMAGE:
                around = self._markers["<fake_token_around_image>"]
                seen = [self._markers["<image>"]] * self.picture_tokens
                ids += [around, self._markers["<global-img>"], *seen, around]
            else:
                ids += [self._markers[piece.text]] if piece.marker else self._plain(piece.text)
        return ids

    def _plain(self, text: str) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return list(encoded["input_ids"])

    def _decode(self, ids: Sequence[int], final: bool) -> str:
        text = str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).lstrip()
        return text.rstrip() if final else hold_back(text)

    def _see(self, images: Sequence[Picture]) -> dict[str, torch.Tensor]:
        """(1, n, 3, side, side) pixels and their mask; nothing without pictures."""
        if not images:
            return {}
        network = self._loaded()
        process: Any = self._processor  # takes more options than its annotations name
        made = process(
            [list(images)],
            do_resize=False,  # it would first blow every picture up to four sides; the square comes after it anyway
            do_image_splitting=False,
            max_image_size={"longest_edge": self.side},
            return_tensors="pt",
        )
        pixels: Any = made["pixel_values"]
        mask: Any = made["pixel_attention_mask"]
        return {
            "pixel_values": pixels.to(network.device, network.dtype),
            "pixel_attention_mask": mask.to(network.device),
        }

    def _room(self, length: int, wanted: int) -> int:
        if length >= self._limit:
            raise EngineError(
                f"The prompt takes {length:,} tokens and the model reads {self._limit:,};"
                " take fewer frames or a shorter text."
            )
        return max(min(wanted, self._limit - length), 1)

    def _loaded(self) -> SmolVLMForConditionalGeneration:
        if self._network is None:
            raise EngineError("SmolVLM2 was unloaded; load it again.")
        return self._network


def contact_sheet(images: Sequence[Picture], side: int) -> Picture:
    """All pictures as the model saw them, squares of `side` pixels, in rows; for people to look at."""
    across = math.ceil(math.sqrt(len(images)))
    small = side if len(images) < 3 else max(side // 2, 1)
    sheet = np.zeros((math.ceil(len(images) / across) * small, across * small, 3), np.uint8)
    for i, image in enumerate(images):
        y, x = i // across * small, i % across * small
        sheet[y : y + small, x : x + small] = resized(image, (small, small))
    return sheet


def load(
    model: str,
    *,
    dtype: str = "auto",
    device: str = "auto",
    timeout: float = 3.0,
    progress: Progress | None = None,
) -> SmolVLM:
    """Makes the engine from a folder or a hub id.

    Args:
        model: published layout.
        dtype: bfloat16, float16, float32, or auto: half on a GPU, on a CPU whichever of two is measured to be faster.
        device: auto, cuda, mps or cpu.
        timeout: seconds until the hub is given up.
        progress: told what is going on.

    Raises:
        EngineError: not found, not SmolVLM2, or damaged.
        OutOfMemoryError: the weights don't fit.
    """
    tell = progress or (lambda _text, _share: None)
    where = resolve_device(device)
    kind = faster_on_cpu() if dtype == "auto" and where.type == "cpu" else resolve_dtype(dtype, where)
    label = model_label(model)
    tell(f"Looking for {label}", None)
    folder = resolve_model(model, timeout=timeout, progress=progress)
    if read_json(folder / "config.json").get("model_type") != "smolvlm":
        raise EngineError(f"{label} is not a SmolVLM2 checkpoint; choose one, such as {catalog.SMOL_500M.hub_id}.")
    shapes = checkpoint_shapes(folder)
    check_memory(label, sum(math.prod(shape) for shape in shapes.values()) * kind.itemsize, where)
    tell(f"Loading {label}", None)
    network = load_network(folder, kind, where)
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        processor = SmolVLMImageProcessorPil.from_pretrained(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"The tokenizer or processor of {label} is missing or damaged; fetch it again.") from error
    tell(f"{label} is ready", 1.0)
    info = EngineInfo(
        name=NAME,
        label=LABEL,
        device=torch.cuda.get_device_name(where) if where.type == "cuda" else where.type.upper(),
        model=label,
        dtype=str(kind).removeprefix("torch."),
        licence=LICENCE,
        sees_several=True,
    )
    return SmolVLM(network, tokenizer, processor, info)


def _stop_ids(network: SmolVLMForConditionalGeneration, end: int) -> list[int]:
    config: Any = network.generation_config
    found = getattr(config, "eos_token_id", None)
    listed = found if isinstance(found, list) else [found]
    return sorted({end, *(value for value in listed if isinstance(value, int))})
