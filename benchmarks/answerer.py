"""Time to the first token of a second question: with the kept prefix against reading everything again.

Random weights of a middling size, the same in both; one run; the answers' tokens must be equal.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaNextConfig,
    PreTrainedTokenizerFast,
)

from sgv_demo.engines import Scene
from sgv_demo.engines.sharegpt4video.config import Setup
from sgv_demo.engines.sharegpt4video.engine import ShareGPT4Video
from sgv_demo.engines.sharegpt4video.figures import PUBLISHED_PINPOINTS
from sgv_demo.engines.sharegpt4video.network import Network
from sgv_demo.engines.sharegpt4video.tiles import Preprocessing
from sgv_demo.engines.sharegpt4video.tokens import MARKERS
from sgv_demo.options import GenerationOptions
from sgv_demo.steps import whole
from sgv_demo.types import EngineInfo, Frame, Trace, Turn, VideoInfo

GOAL = 10.0
PICTURE_POSITIONS = 576 + 1372
"""Of 16 frames of 640 x 360, in the published geometry."""
NEW_TOKENS = 12
ROUNDS = 3
"""The shortest time of each counts: another process can only lengthen it."""
FIRST, SECOND = "What happens in this video?", "And what happens at the end?"


def main() -> None:
    """Prints both times, their ratio and whether the answers are equal.

    Raises:
        SystemExit: the answers differ.
    """
    torch.manual_seed(0)
    torch.set_num_threads(2)
    engine = random_engine()
    colours = np.random.default_rng(0).integers(0, 256, (16, 1, 1, 3), np.uint8)
    frames = tuple(Frame(float(i), np.broadcast_to(colour, (360, 640, 3)).copy()) for i, colour in enumerate(colours))
    scene = Scene(VideoInfo(Path("clip.mp4"), 16.0, 25.0, (640, 360), "h264"), frames, key="benchmark")

    _, text, first = _ask(engine, scene, FIRST, [])
    history = [Turn(FIRST, text, first.token_ids)]
    again: list[float] = []
    kept: list[float] = []
    traces: list[tuple[Trace, Trace]] = []
    for _ in range(ROUNDS):
        engine.forget()
        seconds, _, recomputed = _ask(engine, scene, SECOND, history)
        again.append(seconds)
        engine.forget()
        _ask(engine, scene, FIRST, [])
        seconds, _, reused = _ask(engine, scene, SECOND, history)
        kept.append(seconds)
        traces.append((recomputed, reused))

    parameters = sum(value.numel() for value in engine.network.parameters())
    equal = all(one.token_ids == other.token_ids for one, other in traces)
    ratio = min(again) / min(kept)
    print(f"network               {parameters / 1e6:.0f} M random parameters, float32, 2 threads")
    print(f"prompt of question 2  {traces[0][1].prompt_tokens} positions, {PICTURE_POSITIONS} of them the picture")
    print(f"everything again      {min(again):.3f} s to the first token")
    print(f"kept prefix           {min(kept):.3f} s to the first token")
    print(f"ratio                 {ratio:.1f} times sooner (goal {GOAL:.0f})")
    print(f"answers               {'equal' if equal else 'DIFFERENT'}: {NEW_TOKENS} greedy tokens")
    if not equal:
        raise SystemExit(1)


def _ask(engine: ShareGPT4Video, scene: Scene, question: str, history: list[Turn]) -> tuple[float, str, Trace]:
    """Seconds to the first token, the answer's text, how it came about."""
    seconds: list[float] = []
    start = time.perf_counter()

    def note(module: torch.nn.Module, args: object, output: object) -> None:
        seconds.append(time.perf_counter() - start)

    handle = engine.network.lm_head.register_forward_hook(note)  # the text of half a character shows up later
    stream = engine.answer(scene, question, history, GenerationOptions(max_new_tokens=NEW_TOKENS))
    text, trace = whole(stream)
    handle.remove()
    return seconds[0], text, trace


def random_engine() -> ShareGPT4Video:
    """A network of a middling size with random weights and a token for each byte."""
    tokenizer = _byte_tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    text = LlamaConfig(
        vocab_size=320,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=8,
        num_attention_heads=12,
        num_key_value_heads=4,
        max_position_embeddings=8192,
        eos_token_id=end,
    )
    vision = CLIPVisionConfig(
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=4,
        image_size=336,
        patch_size=14,
    )
    both = LlavaNextConfig(vision_config=vision, text_config=text)
    preprocessing = Preprocessing(336, (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    setup = Setup(Path("random"), text, vision, both, PUBLISHED_PINPOINTS, preprocessing, None, 6144, {})
    network = Network(both).eval()
    info = EngineInfo("sharegpt4video", "ShareGPT4Video, random weights")
    return ShareGPT4Video(network, tokenizer, setup, info=info, vision="anyres", cache_bytes=1 << 30)


def _byte_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    inner.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    inner.add_special_tokens([AddedToken(marker, special=True, normalized=False) for marker in MARKERS])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token=MARKERS[0], eos_token=MARKERS[-1])


if __name__ == "__main__":
    main()
