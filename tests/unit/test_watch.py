"""What is promised before a run is what the run does."""

from __future__ import annotations

from pathlib import Path

import pytest

from sgv_demo.events import Opened, Sampled
from sgv_demo.settings import Settings
from sgv_demo.types import SamplingOptions
from sgv_demo.watch import expected_samples, watch

CLIP = Path(__file__).resolve().parents[2] / "assets" / "examples" / "ball.mp4"


@pytest.mark.parametrize(
    "sampling",
    [
        SamplingOptions(every=2.0, read_text=False),
        SamplingOptions(every=5.0, read_text=False),
        SamplingOptions(every=2.0, start=1.5, end=6.0, read_text=False),
    ],
    ids=["whole seconds", "with a rest", "a range"],
)
def test_as_many_samples_as_expected(sampling: SamplingOptions) -> None:
    events = list(watch(CLIP, sampling, Settings()))
    video = next(event.info for event in events if isinstance(event, Opened))
    assert sum(isinstance(event, Sampled) for event in events) == expected_samples(video, sampling)
