"""`make bench [ARGS]`: all benchmarks, or those named: `python -m benchmarks sampling camera`."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "start",
    "sampling",
    "stages",
    "camera",
    "captioner",
    "many",
    "listing",
    "filtering",
    "pool",
    "quantization",
    "answerer",
    "questions",
)
"""`real_size` is left out: it writes 17 GB to disk; run `python -m benchmarks real_size`."""


def main() -> int:
    """Runs the named benchmarks one after the other; returns 2 for an unknown name."""
    names = sys.argv[1:] or NAMES
    unknown = set(names) - {*NAMES, "real_size"}
    if unknown:
        print(f"error: no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)} and real_size.")
        return 2
    for name in names:
        print(f"\n== {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
