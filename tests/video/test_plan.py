"""Where decoding begins for a wanted picture, on scripted packets."""

from __future__ import annotations

import numpy as np
import pytest

from sgv_demo.video.decoding.packets import Scan
from sgv_demo.video.decoding.plan import Plan, Strategy


def scripted(pts: list[int], keys: list[int]) -> Scan:
    times = np.array(pts, np.int64)
    return Scan(len(pts), min(pts), max(pts) + 1, times, times, np.array(keys, np.int64), np.sort(times))


OPEN = scripted([0, 3, 1, 2, 6, 4, 5, 9, 7, 8], [0, 4])
"""The keyframe at 6 is followed by two pictures that are shown before it and need the group before."""
LONG = scripted(list(range(100)), list(range(0, 100, 10)))


def test_pictures_are_placed_in_decoding_order() -> None:
    plan = Plan(OPEN)
    assert [plan.place(tick) for tick in range(10)] == [0, 2, 3, 1, 5, 6, 4, 8, 9, 7]
    assert [plan.place_or_none(tick) for tick in (5, 9, 10, -1)] == [6, 7, None, None]
    assert Plan(scripted([0, 2], [0])).place_or_none(1) is None


def test_a_picture_is_decoded_from_the_keyframe_that_it_needs() -> None:
    plan = Plan(OPEN)
    assert [plan.entry(tick) for tick in (0, 3, 4, 5, 6, 9)] == [0, 0, 0, 0, 4, 4]
    assert Plan(scripted([0, 1, 2], [2])).entry(1) is None


@pytest.mark.parametrize(
    ("strategy", "position", "tick", "entry"),
    [
        ("auto", 0, 95, 90),
        ("auto", 0, 12, None),  # going on is cheaper
        ("auto", 91, 95, None),  # its group is being decoded
        ("in order", 0, 95, None),
        ("seek", 0, 12, 10),
        ("seek", 91, 95, 90),
    ],
)
def test_the_cheaper_way_is_taken(strategy: Strategy, position: int, tick: int, entry: int | None) -> None:
    assert Plan(LONG, strategy).seek_to(tick, position) == entry
