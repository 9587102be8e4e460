"""The benchmarks there are."""

from __future__ import annotations

from sgv_demo.errors import SettingsError
from sgv_demo.evaluation import mvbench, tempcompass, videobench
from sgv_demo.evaluation.benchmark import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    one.name: one for one in (mvbench.BENCHMARK, videobench.BENCHMARK, tempcompass.BENCHMARK)
}


def benchmark(name: str) -> Benchmark:
    """One by its name.

    Raises:
        SettingsError: there is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise SettingsError(f"There is no benchmark {name!r}; choose one of {', '.join(BENCHMARKS)}.")
    return BENCHMARKS[name]
