"""Which frames the published captioning code takes, as frame numbers."""

from __future__ import annotations


def captioner_indices(frame_count: int, fps: float) -> list[int]:
    """Frame numbers of the published captioning demo: 0, step, 2·step, … with step = int(2·fps).

    Below 0.5 frames a second the published code steps by nothing and fails; a step is at least 1 here.
    """
    return list(range(0, frame_count, max(1, int(2 * fps))))
