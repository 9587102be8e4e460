"""Which engines run here: a pure decision from facts, with its reason in one sentence.

Memory is compared in bytes. What "fits" means: weights, the largest step's working memory and `MARGIN`, in what is
free now. Both big models stay on the GPU when both weights and one working memory fit (one step runs at a time);
otherwise they take turns (`take_turns`) when each fits alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sgv_demo.engines import MEASURED as MEASURED_ENGINE
from sgv_demo.engines.offers import (
    OFFICIAL,
    SHARECAPTIONER,
    SHAREGPT4VIDEO,
    SMOL,
    SMOL_2B,
    SMOL_256M,
    SMOL_500M,
    Model,
)
from sgv_demo.times import gigabytes

MARGIN = 200_000_000
"""Bytes left free for fragments and small buffers."""
CLICK_FREE = 50_000_000
"""Bytes that may be fetched without a click."""
FLOAT32 = 2
"""Times the 16-bit weights: what SmolVLM2 takes on a CPU where float32 is the faster type."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the machine has; bytes."""

    gpu: str = ""
    """Name of the CUDA device; empty: none."""
    gpu_free: int = 0
    mps_free: int = 0
    """What Metal recommends to use, less what is used; 0: no Apple GPU."""
    ram_free: int = 0
    here: frozenset[str] = field(default_factory=frozenset)
    """Hub ids whose files are complete in the local cache."""
    hub: bool = False
    """Whether the hub answered in time."""
    space: bool = False
    zero_gpu: bool = False
    trouble: str = ""
    """Why a GPU that seems to be there can't be used."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What fills a role."""

    engine: str
    model: Model | None = None
    """None for an engine without weights."""
    download: int = 0
    """Bytes to fetch first."""


MEASURED = Pick(MEASURED_ENGINE.name)


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision."""

    captioner: Pick
    answerer: Pick
    why: str
    """One sentence for the page and the command line."""


def needed(model: Model, quantization: str, device: str) -> int:
    """Bytes that a model takes on "cuda", "mps" or "cpu" at its largest step."""
    weights = model.weights.get(quantization, model.weights["none"])
    if device == "cpu" and quantization == "none":
        weights *= FLOAT32
    return weights + model.working


def fits(model: Model, quantization: str, free: int, device: str = "cuda") -> bool:
    """Whether a model fits alone."""
    return needed(model, quantization, device) + MARGIN <= free


def take_turns(facts: Facts, models: Collection[Model], quantization: str) -> bool:
    """Whether several models share one GPU that doesn't hold all their weights beside the largest working memory.

    The one place where this is decided: one step runs at a time, and who doesn't run makes room. A ZeroGPU slot is
    large enough, and main memory can be larger than is free.
    """
    device, free, _ = _device(facts)
    if device == "cpu" or facts.zero_gpu or len(models) < 2:
        return False
    weights = sum(model.weights[quantization] for model in models)
    return weights + max(model.working for model in models) + MARGIN > free


def choose(facts: Facts, quantization: str = "nf4") -> Plan:
    """The engines for `--engine auto`; pure.

    Args:
        facts: what is there.
        quantization: what the operator wants on a CUDA device (Apple's has no 4- or 8-bit weights here).
    """
    device, free, place = _device(facts)
    quantization = quantization if device == "cuda" else "none"
    big = {m.roles[0]: _big(m, facts, quantization, device, free) for m in OFFICIAL}
    taken = sum(needed(pick.model, quantization, device) for pick in big.values() if pick and pick.model)
    small = None if all(big.values()) else _small(facts, device, free - taken)
    captioner = big["captioner"] or small or MEASURED
    answerer = big["answerer"] or small or MEASURED
    return Plan(captioner, answerer, _why(facts, captioner, answerer, quantization, place, free))


def _device(facts: Facts) -> tuple[str, int, str]:
    """Kind, free bytes, and words for it."""
    if facts.zero_gpu:
        return "cuda", 70_000_000_000, "a ZeroGPU slot"
    if facts.gpu:
        return "cuda", facts.gpu_free, f"{facts.gpu} with {gigabytes(facts.gpu_free)} free"
    if facts.mps_free:
        return "mps", facts.mps_free, f"Apple's GPU with {gigabytes(facts.mps_free)} free"
    return "cpu", facts.ram_free, f"this CPU with {gigabytes(facts.ram_free)} of memory free"


def _missing(model: Model, facts: Facts) -> int:
    """Bytes to fetch."""
    return 0 if model.hub_id in facts.here else model.download


def _may_fetch(size: int, facts: Facts) -> bool:
    return size == 0 or (facts.hub and (facts.space or size <= CLICK_FREE))


def _big(model: Model, facts: Facts, quantization: str, device: str, free: int) -> Pick | None:
    size = _missing(model, facts)
    if device == "cpu" or not fits(model, quantization, free, device) or not _may_fetch(size, facts):
        return None
    return Pick(model.engine, model, size)


def _small(facts: Facts, device: str, free: int) -> Pick | None:
    """The best SmolVLM2 that is here; if none is, the best that may be fetched."""
    order = SMOL if device == "cpu" else (SMOL_2B, SMOL_500M, SMOL_256M)
    usable = [m for m in order if fits(m, "none", free, device) and _may_fetch(_missing(m, facts), facts)]
    best = min(usable, key=lambda m: _missing(m, facts) > 0, default=None)
    return Pick(best.engine, best, _missing(best, facts)) if best else None


def _why(facts: Facts, captioner: Pick, answerer: Pick, quantization: str, place: str, free: int) -> str:
    names = [pick.model.label for pick in (captioner, answerer) if pick.model]
    chosen = " and ".join(dict.fromkeys(names)) or "Measured, no language model"
    if captioner.model is SHARECAPTIONER and answerer.model is SHAREGPT4VIDEO:
        in_turns = take_turns(facts, OFFICIAL, quantization)
        turns = "taking turns, as only one fits at a time" if in_turns else "both kept in memory"
        return f"{chosen} in {_precision(quantization)}, {turns}: {place}."
    return f"{chosen}: {_why_not_both(facts, quantization, place, free)}."


def _why_not_both(facts: Facts, quantization: str, place: str, free: int) -> str:
    if facts.trouble:
        return f"the GPU can't be used ({facts.trouble})"
    device = _device(facts)[0]
    if device == "cpu":
        return f"{place} and no GPU; ShareGPT4Video's own models want one (--engine official runs them anyway, slowly)"
    tight = [m for m in OFFICIAL if not fits(m, quantization, free, device)]
    if tight:
        model = tight[0]
        return f"{place}, and {model.label} needs {gigabytes(needed(model, quantization, device) + MARGIN)}"
    lacking = [m for m in OFFICIAL if _missing(m, facts)]
    size = gigabytes(sum(_missing(m, facts) for m in lacking))
    fetched = "load them on the page or with --engine official" if facts.hub else "the hub does not answer just now"
    return f"{place} would do, but {' and '.join(m.label for m in lacking)} ({size}) must be fetched first; {fetched}"


def _precision(quantization: str) -> str:
    return {"nf4": "4 bit (nf4)", "int8": "8 bit"}.get(quantization, "16 bit")
