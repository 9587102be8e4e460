"""ShareGPT4Video-8B: answers questions about a video from a grid of its frames, and keeps a conversation going.

Exact to the published network (the golden tests say how exact). Two things differ from the published demo on purpose:
the model sees all tiles, as it was trained, where that demo throws them away; and the picture stands once in a
conversation, where that demo repeats it until it crashes. The first can be undone: `--vision published` reads the whole
view alone, and tokenises earlier answers anew as that demo does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from transformers import PreTrainedTokenizerFast

from sgv_demo.engines import Scene
from sgv_demo.engines.check import TRYING, check_answerer
from sgv_demo.engines.compose import published_indices, shown_grid
from sgv_demo.engines.local.decoding import Sampler, Text
from sgv_demo.engines.local.figures import weight_bytes
from sgv_demo.engines.local.loading import (
    Progress,
    check_memory,
    empty_cache,
    free_memory,
    memory_guard,
    model_label,
    quantization_config,
    resolve_device,
    resolve_dtype,
    resolve_model,
)
from sgv_demo.engines.local.scheduler import Job, Scheduler
from sgv_demo.engines.local.streaming import stream_text
from sgv_demo.engines.prompts import Wording
from sgv_demo.engines.sharegpt4video import MODEL, NAME
from sgv_demo.engines.sharegpt4video.config import Setup, read_setup
from sgv_demo.engines.sharegpt4video.conversation import Prompt, Window, fit_prompt, with_trusted_ids
from sgv_demo.engines.sharegpt4video.figures import (
    PUBLISHED_PINPOINTS,
    bytes_per_position,
    is_quantized,
    published_network,
)
from sgv_demo.engines.sharegpt4video.figures import figures as compute_figures
from sgv_demo.engines.sharegpt4video.network import (
    UNQUANTIZED,
    Network,
    load_network,
    meta_network,
    picture_embeddings,
    prompt_embeddings,
    stop_ids,
)
from sgv_demo.engines.sharegpt4video.prefix import GridPicture, Prefix, PrefixCache, digest
from sgv_demo.engines.sharegpt4video.saving import save_checkpoint
from sgv_demo.engines.sharegpt4video.tiles import normalized, plan_tiles, tile_views, whole_view
from sgv_demo.engines.sharegpt4video.tokens import PICTURE, PromptTokenizer, load_tokenizer
from sgv_demo.errors import EngineError, OutOfMemoryError
from sgv_demo.options import GenerationOptions
from sgv_demo.types import EngineInfo, Frame, Generation, Trace, Turn

__all__ = ["ShareGPT4Video", "figures", "load", "published_indices"]

Vision: TypeAlias = Literal["anyres", "published"]


@dataclass(slots=True)
class _Step:
    """One answer on its way."""

    key: str
    shown: GridPicture | None
    prompt: Prompt
    prefix: Prefix


class ShareGPT4Video:
    """An `Answerer`. Several answers are written side by side; each is the one that it would be alone."""

    default_frames = 16

    def __init__(
        self,
        network: Network,
        tokenizer: PreTrainedTokenizerFast,
        setup: Setup,
        *,
        info: EngineInfo,
        vision: Vision,
        cache_bytes: int,
    ) -> None:
        """
        Args:
            network: loaded weights.
            tokenizer: the checkpoint's.
            setup: the checkpoint's settings.
            info: who this is.
            vision: "anyres" shows all tiles, "published" the whole view alone.
            cache_bytes: most memory that kept prefixes may take.

        Raises:
            EngineError: the tokenizer isn't Llama 3's, or not this network's.
        """
        self._network: Network | None = network
        self._setup = setup
        self._info = info
        self._vision: Vision = vision
        self._tokenizer = PromptTokenizer(tokenizer, setup.text.vocab_size)
        self.window = Window(setup.prompt_limit, setup.text.max_position_embeddings)
        """How much a conversation may take."""
        self._stop_ids = tuple(dict.fromkeys((*stop_ids(network, setup), self._tokenizer.end)))
        self._prefixes = PrefixCache(cache_bytes)
        self._lock = threading.Lock()
        """Held while the kept prefixes are looked at or changed."""
        self._scheduler = Scheduler(network, lambda: free_memory(network.device))

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
        return self.network.device

    def answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        """Streams the answer to `question`; empty pieces say "still at it".

        Args:
            scene: its `frames` make the grid, in order; without frames the question is asked without a picture.
            question: as typed; what looks like a control token or a picture in it stays text.
            history: earlier turns about the same scene, oldest first.
            options: beams are ignored; a temperature of 0 is greedy.

        Raises:
            EngineError: no question, one too long for the model, or an unloaded engine.
            OutOfMemoryError: the answer needs more memory than there is.
        """
        if not question.strip():
            raise EngineError("The question is empty; type one.")
        yield from self._answer(scene, question, history, options)

    def unload(self) -> None:
        """Gives the memory back; later questions raise an `EngineError`."""
        with self._scheduler.alone(), self._lock:
            device = self.network.device
            self._network = self._scheduler.network = None
            self._prefixes.clear()
            empty_cache(device)

    def move(self, device: str) -> None:
        """Takes the weights to another device, as to "cpu" while another model has the GPU; drops kept prefixes."""
        with self._scheduler.alone(), self._lock:
            before = self.network.device
            self._prefixes.clear()
            torch.nn.Module.to(self.network, torch.device(device))
            empty_cache(before)

    def save_quantized(self, out: Path) -> None:
        """Writes the quantized weights and all that loading needs into the new folder `out`.

        Raises:
            EngineError: nothing is quantized, or `out` can't be written.
        """
        with self._scheduler.alone():
            save_checkpoint(self.network, self._setup, out)

    def forget(self) -> None:
        """Drops all kept prefixes."""
        with self._lock:
            self._prefixes.clear()

    @property
    def network(self) -> Network:
        """The loaded network.

        Raises:
            EngineError: it was unloaded.
        """
        if self._network is None:
            raise EngineError("ShareGPT4Video-8B was unloaded; choose it again to load it.")
        return self._network

    def _answer(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> Generation:
        started = time.perf_counter()
        device = self.network.device
        step = self._begin(scene, question, history, options)
        try:
            with memory_guard(device):
                new = yield from self._decode(step, options)
        except OutOfMemoryError as error:
            step.prefix = Prefix(None, [], self.network.new_cache())
            with self._lock:
                self._prefixes.clear()
            empty_cache(device)
            fewer = max(len(scene.frames) // 2, 1)
            raise OutOfMemoryError(
                f"This answer needs more memory than {device.type} has; ask again with {fewer} frames,"
                " a shorter answer, or the published vision mode."
            ) from error
        cut_off = len(new) >= step.prompt.new_tokens and new[-1] not in self._stop_ids
        yield Trace(
            prompt=step.prompt.text,
            token_ids=new,
            prompt_tokens=len(step.prompt.ids),
            seconds=time.perf_counter() - started,
            finish="length" if cut_off else "stop",
            picture=step.shown.picture if step.shown else None,
            tiles=step.shown.tiles if step.shown else None,
            note=self._note(step.prompt, new, options),
        )

    def _begin(self, scene: Scene, question: str, history: Sequence[Turn], options: GenerationOptions) -> _Step:
        longest_side = (scene.wording or Wording()).longest_side
        key = f"{scene.key or digest(scene.frames)} {longest_side}"
        with self._lock:
            shown = self._prefixes.shown(key)
        shown = shown or (self._show(scene.frames, longest_side) if scene.frames else None)
        prompt = fit_prompt(
            self._tokenizer,
            question.encode("utf-8", "replace").decode("utf-8"),
            self._turns(history),
            picture=shown.positions if shown else 0,
            wording=scene.wording,
            window=self.window,
            new_tokens=options.max_new_tokens,
        )
        with self._lock:
            prefix = self._prefixes.take(key)
        return _Step(key, shown, prompt, prefix or Prefix(shown, [], self.network.new_cache()))

    def _turns(self, history: Sequence[Turn]) -> Sequence[Turn]:
        """Earlier answers by their own ids, so that all of the prefix is found again; the published demo tokenises
        their text anew, and so does the published mode."""
        trusted = with_trusted_ids(history, self._tokenizer, self._stop_ids)
        if self._vision == "published":
            return [Turn(turn.question, turn.answer) for turn in trusted]
        return trusted

    def _show(self, frames: Sequence[Frame], longest_side: int | None) -> GridPicture:
        picture = shown_grid([frame.image for frame in frames], longest_side)
        side, patches = self._setup.preprocessing.side, self._setup.patches
        if self._vision == "published":
            return GridPicture(picture, None, patches * patches)
        tiling = plan_tiles((picture.shape[1], picture.shape[0]), self._setup.pinpoints, side)
        return GridPicture(picture, tiling.tiles, patches * patches + tiling.tokens(patches))

    def _decode(self, step: _Step, options: GenerationOptions) -> Generator[str, None, tuple[int, ...]]:
        """Reads what isn't kept yet and generates; afterwards the prefix is kept for the next question.

        When it is closed early, the prefix is cropped back to the prompt; when it fails, the prefix is dropped.
        """
        known: tuple[int, ...] = step.prompt.ids
        try:
            new = yield from stream_text(self._scheduler.run(self._job(step, options)), self._tokenizer.text)
            known += new
        except (GeneratorExit, KeyboardInterrupt):
            self._keep(step, known)
            raise
        self._keep(step, known)
        return new

    def _keep(self, step: _Step, ids: Sequence[int]) -> None:
        step.prefix.settle(ids)
        with self._lock:
            self._prefixes.put(step.key, step.prefix)

    def _job(self, step: _Step, options: GenerationOptions) -> Job:
        """What the scheduler runs: read what isn't kept yet, and decode."""
        network, prompt = self.network, step.prompt

        def begin() -> Text:
            self._make_room(len(prompt.ids) + prompt.new_tokens)
            rest = prompt.ids[step.prefix.match(prompt.ids) :]
            picture = self._see(step.shown) if step.shown and PICTURE in rest else None
            sampler = Sampler(prompt.new_tokens, self._stop_ids, options.temperature, options.top_p)
            return Text(prompt_embeddings(network, rest, picture), step.prefix.cache, sampler)

        each = bytes_per_position(self._setup.text, network.dtype.itemsize)
        return Job(begin, each * (len(prompt.ids) + prompt.new_tokens))

    def _see(self, shown: GridPicture) -> torch.Tensor:
        """(positions, hidden) embeddings of a picture."""
        model, how = self.network, self._setup.preprocessing
        views, tiling = [whole_view(shown.picture, how.side)], None
        if self._vision == "anyres":
            size = (shown.picture.shape[1], shown.picture.shape[0])
            tiling = plan_tiles(size, self._setup.pinpoints, how.side)
            views.append(tile_views(shown.picture, tiling, how.side))
        tower = model.model.vision_tower
        pixels = [torch.from_numpy(normalized(view, how)).to(tower.device, tower.dtype) for view in views]
        return picture_embeddings(model, torch.cat(pixels), tiling)

    def _make_room(self, positions: int) -> None:
        """Drops kept prefixes when the device has too little memory left for `positions` of keys and values."""
        model = self.network
        each = bytes_per_position(self._setup.text, model.dtype.itemsize)
        free = free_memory(model.device)
        needed = 2 * each * positions  # growing copies
        if free is not None and free < needed:
            with self._lock:
                self._prefixes.release(needed - free)
            empty_cache(model.device)

    def _note(self, prompt: Prompt, new: Sequence[int], options: GenerationOptions) -> str:
        notes = list(prompt.notes)
        if options.beams > 1:
            notes.append("Answers are decoded with one beam, so that they stream.")
        if not self._tokenizer.text(new):
            notes.append("The model answered with nothing; ask again, or in other words.")
        return " ".join(notes)


def load(
    model: str,
    *,
    quantization: str,
    dtype: str,
    device: str = "auto",
    vision: str = "anyres",
    cache_megabytes: int = 2048,
    timeout: float = 3.0,
    progress: Progress | None = None,
) -> ShareGPT4Video:
    """Loads a checkpoint in the published layout.

    Args:
        model: folder or hub id.
        quantization: nf4, int8 or none (a checkpoint saved quantized stays as it is).
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        vision: "anyres" as trained, "published" as the published demo.
        cache_megabytes: most that kept prefixes may take.
        timeout: seconds until the hub is given up.
        progress: told what is being done.

    Raises:
        EngineError: the files can't be had, are damaged, or are not ShareGPT4Video's; an option has no such value; or
            the packages that are installed here make this code compute something else.
        OutOfMemoryError: the weights don't fit.
    """
    if vision not in ("anyres", "published"):
        raise EngineError(f"Unknown vision mode {vision!r}; use anyres or published.")
    if progress is not None:
        progress(TRYING, None)
    check_answerer()
    folder = resolve_model(model, timeout=timeout, progress=progress)
    setup = read_setup(folder, progress, timeout)
    place = resolve_device(device)
    kind = resolve_dtype(dtype, place)
    tokenizer = load_tokenizer(setup.folder)
    how = setup.saved_quantization or quantization
    check_memory(model_label(model), weight_bytes(meta_network(setup.network, kind), is_quantized, how), place)
    if progress is not None:
        progress(f"Loading {model_label(model)}", None)
    with memory_guard(place):
        network = load_network(setup, place, kind, quantization_config(quantization, UNQUANTIZED, kind))
    info = EngineInfo(
        name=NAME,
        label="ShareGPT4Video 8B",
        device=place.type.upper(),
        model=model_label(model),
        quantization=how,
        dtype=str(kind).removeprefix("torch."),
        licence=MODEL.licence,
    )
    return ShareGPT4Video(network, tokenizer, setup, info=info, vision=vision, cache_bytes=cache_megabytes << 20)


def figures(folder: str | None = None) -> dict[str, Any]:
    """Memory that a model takes, from real shapes on the meta device: a folder's, otherwise the published model's.

    Raises:
        EngineError: the folder isn't a checkpoint of ShareGPT4Video.
    """
    if folder is not None and Path(folder).expanduser().is_dir():
        setup = read_setup(Path(folder).expanduser())
        return compute_figures(setup.network, setup.pinpoints)
    return compute_figures(published_network(), PUBLISHED_PINPOINTS)
