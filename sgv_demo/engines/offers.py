"""The models on offer: what each is, what it weighs, what memory it takes. Plain numbers, so that no library is loaded
just to decide; a test recomputes every one of them from the networks' shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

CAPTIONER_MODEL = "Lin-Chen/ShareCaptioner-Video"
ANSWERER_MODEL = "Lin-Chen/sharegpt4video-8b"

Role = Literal["captioner", "answerer"]


@dataclass(frozen=True, slots=True)
class Model:
    """One checkpoint."""

    engine: str
    """The engine that runs it."""
    hub_id: str
    label: str
    roles: tuple[Role, ...]
    licence: str
    download: int
    """Bytes on the hub, about."""
    weights: Mapping[str, int] = field(hash=False)
    """Bytes in memory by quantization; "none" is 16 bit."""
    working: int
    """Bytes beside the weights at the largest step: keys and values, passing tensors."""
    also: tuple[str, ...] = ()
    """Other hub ids that it can't run without."""


SHARECAPTIONER = Model(
    engine="sharecaptioner",
    hub_id=CAPTIONER_MODEL,
    label="ShareCaptioner-Video 7B",
    roles=("captioner",),
    licence="Apache-2.0 code; weights free for research, commercial use on request (InternLM-XComposer2)",
    download=17_200_000_000,
    weights={"nf4": 6_840_000_000, "int8": 10_220_000_000, "none": 17_190_000_000},
    working=910_000_000,
)
SHAREGPT4VIDEO = Model(
    engine="sharegpt4video",
    hub_id=ANSWERER_MODEL,
    label="ShareGPT4Video 8B",
    roles=("answerer",),
    licence="weights under their model card's terms (Meta Llama 3 Community License)",
    download=18_400_000_000,
    weights={"nf4": 6_350_000_000, "int8": 9_740_000_000, "none": 16_710_000_000},
    working=780_000_000,
    also=("openai/clip-vit-large-patch14-336",),
)


def _smol(size: str, hub_id: str, parameters: int, working: int) -> Model:
    return Model(
        engine="smolvlm2",
        hub_id=f"HuggingFaceTB/{hub_id}",
        label=f"SmolVLM2 {size}",
        roles=("captioner", "answerer"),
        licence="Apache-2.0",
        download=4 * parameters,
        weights={"none": 2 * parameters},
        working=working,
    )


SMOL_256M = _smol("256M", "SmolVLM2-256M-Video-Instruct", 256_484_928, 800_000_000)
SMOL_500M = _smol("500M", "SmolVLM2-500M-Video-Instruct", 507_482_304, 1_000_000_000)
SMOL_2B = _smol("2.2B", "SmolVLM2-2.2B-Instruct", 2_246_784_880, 2_000_000_000)
SMOL = (SMOL_500M, SMOL_256M, SMOL_2B)
"""In the order in which a CPU takes them: 2.2 billion parameters are slow there."""

OFFICIAL = (SHARECAPTIONER, SHAREGPT4VIDEO)
MODELS = (*OFFICIAL, *SMOL)


def gigabytes(count: float) -> str:
    """Bytes for people: 5.3 GB, 12 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
