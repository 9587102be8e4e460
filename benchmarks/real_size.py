"""A dry run of ShareCaptioner-Video at its real size, with random weights: does it load, in how much memory and time?

Writes an fp16 checkpoint of 17.2 GB in the published layout (sharded `.bin`, Partial LoRA of rank 8 for `wqkv` and 256
for the rest), loads it in nf4 on the CPU file by file, writes two tokens about a pair of keyframes and reports peak
memory and time. Skips itself where the disk has less than 20 GB.

    python -m benchmarks.real_size [--folder DIR] [--keep] [--quantization nf4]

Run it alone: it takes minutes and about 10 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import torch

from sgv_demo.engines.local.loading import gigabytes
from sgv_demo.engines.sharecaptioner import engine as sharecaptioner
from sgv_demo.engines.sharecaptioner.checkpoint import expected_shapes
from sgv_demo.engines.sharecaptioner.config import ARCHITECTURE, SIZES, XComposer2Config
from sgv_demo.options import GenerationOptions
from sgv_demo.steps import whole
from sgv_demo.types import Frame, Keyframe

NEEDED = 20_000_000_000
SHARD = 2_000_000_000
"""Bytes of a shard at most, as published ones have."""
TOKENIZER = Path(__file__).parents[1] / "tests" / "golden" / "sharecaptioner" / "checkpoint"


class PeakAnonymous(threading.Thread):
    """Samples this process's memory; what it shares with files, and the system takes back at will, doesn't count."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.05):
            self.peak = max(self.peak, self.now())

    @staticmethod
    def now() -> int:
        """Bytes."""
        used = psutil.Process().memory_info()
        return used.rss - getattr(used, "shared", 0)

    def stop(self) -> int:
        """Ends the sampling; the highest value seen."""
        self._end.set()
        self.join()
        return self.peak


def write_checkpoint(folder: Path) -> int:
    """Random fp16 weights under the published names; returns their bytes."""
    config = XComposer2Config()
    block = torch.randn(1 << 24).half() * 0.02
    parts: list[dict[str, torch.Tensor]] = [{}]
    sizes = [0]
    table: dict[str, str] = {}
    total = 0
    shapes = expected_shapes(config)
    for position, (name, shape) in enumerate(shapes.items()):
        count = torch.Size(shape).numel()
        value = block.repeat(-(-count // block.numel()))[:count].reshape(shape).clone()
        parts[-1][name] = torch.ones_like(value) if "norm" in name and value.ndim == 1 else value
        sizes[-1] += 2 * count
        total += 2 * count
        file = f"pytorch_model-{len(sizes):05d}.bin"
        table[name] = file
        if sizes[-1] > SHARD or position + 1 == len(shapes):
            torch.save(parts[-1], folder / file)
            parts, sizes = [{}], [*sizes, 0]
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": table}))
    raw = {name: getattr(config, name) for name in SIZES}
    (folder / "config.json").write_text(json.dumps({"architectures": [ARCHITECTURE], "rope_theta": 1e6, **raw}))
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / name, folder / name)
    return total


def measure(folder: Path, quantization: str) -> dict[str, object]:
    """Loads, writes two tokens of a pair step; bytes and seconds."""
    memory = PeakAnonymous()
    memory.start()
    began = time.perf_counter()
    engine = sharecaptioner.load(str(folder), quantization=quantization, dtype="bfloat16", device="cpu")
    loaded = time.perf_counter()
    loading_peak, resting = memory.peak, memory.now()
    before, after = (
        Keyframe(i, Frame(2.0 * i, np.full((360, 640, 3), 60 + 90 * i, np.uint8)), None, 2.0 * i) for i in range(2)
    )
    _, trace = whole(engine.difference(before, after, None, "A boat.", GenerationOptions(max_new_tokens=2)))
    return {
        "load_seconds": round(loaded - began, 1),
        "pair_step_seconds": round(time.perf_counter() - loaded, 1),
        "prompt_tokens": trace.prompt_tokens,
        "tokens": len(trace.token_ids),
        "peak_loading_bytes": loading_peak,
        "resting_bytes": resting,
        "peak_bytes": memory.stop(),
    }


def main() -> None:
    """Writes a random checkpoint, loads it, prints memory and seconds, and deletes it unless told to keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--keep", action="store_true", help="keep the checkpoint, and use one that is there")
    parser.add_argument("--quantization", default="nf4", choices=["nf4", "int8", "none"])
    options, _ = parser.parse_known_args()  # `python -m benchmarks real_size` leaves its own name there
    folder = options.folder or Path(tempfile.mkdtemp(prefix="real-size-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not (folder / "config.json").is_file():
            free = shutil.disk_usage(folder).free
            if free < NEEDED:
                print(f"Skipped: the disk has {gigabytes(free)} left, {gigabytes(NEEDED)} are needed.")
                return
            began = time.perf_counter()
            total = write_checkpoint(folder)
            print(f"Wrote {gigabytes(total)} of fp16 in {time.perf_counter() - began:.0f} s", flush=True)
        print(json.dumps(measure(folder, options.quantization), indent=1))
    finally:
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
