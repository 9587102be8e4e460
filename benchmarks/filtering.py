"""The semantic filter at 25,000 and 100,000 made-up captions: time, memory, and what a million would take.

Half of the captions are new, a fifth copies with a word changed, the rest are drawn from few templates, as captions of
one source are. Each size runs in a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = (25_000, 100_000)
_WORDS = 4000


def main() -> None:
    """Prints a line for each size, and a million extrapolated: the comparing grows with the square."""
    found = [json.loads(subprocess.check_output([sys.executable, "-m", "benchmarks.filtering", str(n)])) for n in SIZES]
    for size, told in zip(SIZES, found, strict=True):
        print(f"{size:7,} captions: {told['seconds']:.0f} s, {told['megabytes']:.0f} MB at most, {told['kept']:,} stay")
    (small, large), grown = found, SIZES[1] / SIZES[0]
    line = (large["megabytes"] - small["megabytes"]) / (SIZES[1] - SIZES[0])
    square = max(0.0, large["seconds"] - grown * small["seconds"]) / (1 - 1 / grown)
    linear, more = large["seconds"] - square, 1_000_000 / SIZES[1]
    print(
        f"a million, extrapolated: {(linear * more + square * more**2) / 60:.0f} min, "
        f"{large['megabytes'] + line * (1_000_000 - SIZES[1]):.0f} MB"
    )


def measure(count: int) -> None:
    """One size, as JSON on standard output."""
    from sgv_demo.annotation.filtering.run import How, filter_pool
    from sgv_demo.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "captions.jsonl"
        _write(source, count)
        began = time.monotonic()
        found = filter_pool(source, Path(folder) / "out", How(), {}, Settings())
        seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "kept": found.kept}))


def _write(path: Path, count: int) -> None:
    drawn = random.Random(0)
    words = ["".join(drawn.choices("abcdefghijklmnopqrstuvwxyz", k=drawn.randint(3, 9))) for _ in range(_WORDS)]
    earlier: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            chance = drawn.random()
            if chance < 0.2 and earlier:
                text = drawn.choice(earlier).split()
                text[drawn.randrange(len(text))] = drawn.choice(words)
            elif chance < 0.5:
                text = f"a {drawn.choice(words[:300])} moves to the {drawn.choice(words[:40])} of the picture".split()
            else:
                text = [words[min(int(drawn.expovariate(1 / 400)), _WORDS - 1)] for _ in range(drawn.randint(8, 24))]
            earlier.append(" ".join(text))
            if len(earlier) > 5000:
                earlier.pop(0)
            file.write(json.dumps({"file_name": f"{number}.mp4", "text": earlier[-1], "duration": 10}) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]))
    else:
        main()
