"""Texts side by side: tokens a second of 1, 4, 8 and 16 at once in one scheduler, and how soon a newcomer is heard.

Random networks of 8 layers × 768 and 12 × 1024 in the captioner's proportions, float32, the same prompts; every text's
ids must be those that it gets alone. Beside it, what a GPU's memory bandwidth allows at the published sizes in nf4.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import torch

from benchmarks.captioner import middling, random_network
from sgv_demo.engines.local.decoding import Sampler, Text
from sgv_demo.engines.local.scheduler import Job, Scheduler
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner.network import InternLMXComposer2ForCausalLM

GOAL = 3.0
COUNTS = (1, 4, 8, 16)
SIZES = ((8, 768), (12, 1024))
PROMPT, NEW_TOKENS = 8, 32
"""Positions of the shortest prompt, so that it is decoding that is measured; and tokens."""
BANDWIDTH = {"T4": 320e9, "A10G": 600e9, "L4": 300e9, "L40S": 864e9, "A100": 2039e9, "H100": 3350e9}
"""Bytes a second of a card's memory, from its maker's data sheet; 80 % of it can be had."""


def main() -> None:
    """Prints speeds and ratios, and whether the ids are equal.

    Raises:
        SystemExit: the ids differ.
    """
    torch.manual_seed(0)
    torch.set_num_threads(2)
    equal = [measured(layers, width) for layers, width in SIZES]
    told = sharecaptioner.figures()
    weights, position = told["weights_bytes"]["nf4"], told["cache_bytes_per_1000_tokens"] / 1000
    for name, speed in BANDWIDTH.items():
        one, eight = (count * 0.8 * speed / (weights + count * 1600 * position) for count in (1, 8))
        print(
            f"{name:12} memory's limit, nf4, 1,600 positions each: {one:,.0f} tokens/s alone, {eight:,.0f} of 8 at once"
        )
    if not all(equal):
        raise SystemExit(1)


def measured(layers: int, width: int) -> bool:
    """One size: prints its speeds; whether all ids are equal to those of the text alone."""
    config = middling()
    config.num_hidden_layers, config.hidden_size, config.intermediate_size = layers, width, width * 7 // 2
    network: Any = random_network(InternLMXComposer2ForCausalLM, config)
    prompts = [network.embed(torch.randint(3, config.vocab_size, (PROMPT + i,))).detach() for i in range(max(COUNTS))]
    alone = [written(network, prompts[i : i + 1])[1][0] for i in range(max(COUNTS))]
    same, one = True, 0.0
    for count in COUNTS:
        speed, found = written(network, prompts[:count])
        one = one or speed
        same = same and found == alone[:count]
        goal = f" (goal {GOAL:.0f})" if count == 8 else ""
        print(
            f"{layers} × {width:5} {count:3} at once: {speed:6.1f} tokens a CPU second, {speed / one:4.1f} times{goal}"
        )
    print(f"{layers} × {width:5} a newcomer's first token while 8 write: {newcomer(network, prompts):.2f} s")
    print(f"{layers} × {width:5} ids {'equal' if same else 'DIFFERENT'}")
    return same


def written(network: Any, prompts: list[torch.Tensor]) -> tuple[float, list[list[int]]]:
    """New tokens in each CPU second of this process, prompts included, and every text's ids."""
    scheduler = Scheduler(network, lambda: None)
    found: dict[int, list[int]] = {}

    def visit(i: int) -> None:
        job = Job(lambda: Text(prompts[i], network.new_cache(), Sampler(NEW_TOKENS, ())))
        found[i] = [token for piece in scheduler.run(job) for token in piece]

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(len(prompts))]
    began = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.process_time() - began
    return len(prompts) * NEW_TOKENS / spent, [found[i] for i in range(len(prompts))]


def newcomer(network: Any, prompts: list[torch.Tensor]) -> float:
    """Seconds from asking to the first token while 8 texts are being written."""
    scheduler = Scheduler(network, lambda: None)
    running = [
        scheduler.run(Job(lambda i=i: Text(prompts[i], network.new_cache(), Sampler(10_000, ())))) for i in range(8)
    ]
    for stream in running:
        while not next(stream):
            pass
    began = time.perf_counter()
    stream = scheduler.run(Job(lambda: Text(prompts[8], network.new_cache(), Sampler(1, ()))))
    while not next(stream):
        pass
    seconds = time.perf_counter() - began
    for one in (stream, *running):
        one.close()
    return seconds


if __name__ == "__main__":
    main()
