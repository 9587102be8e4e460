"""Where decoding begins for a wanted picture, on scripted packets."""

from __future__ import annotations

import numpy as np
import pytest

from sgv_demo.video.decoding.index import Index
from sgv_demo.video.decoding.seeking import SeekPlan, Strategy


def scripted(pts: list[int], keys: list[int]) -> Index:
    times = np.array(pts, np.int64)
    position = np.argsort(times)
    number = np.argsort(position)
    seconds = np.sort(times).astype(np.float64)
    return Index(
        seconds, max(pts) + 1, number, position, np.array(keys), times, times, number, clocked=True, jumped=False
    )


OPEN = scripted([0, 3, 1, 2, 6, 4, 5, 9, 7, 8], [0, 4])
"""The keyframe at 6 is followed by two pictures that are shown before it and need the group before."""
LONG = scripted(list(range(100)), list(range(0, 100, 10)))


def test_pictures_are_placed_in_decoding_order() -> None:
    assert [SeekPlan(OPEN).place(number) for number in range(10)] == [0, 2, 3, 1, 5, 6, 4, 8, 9, 7]


def test_a_picture_is_decoded_from_the_keyframe_that_it_needs() -> None:
    plan = SeekPlan(OPEN)
    assert [plan.entry(number) for number in (0, 3, 4, 5, 6, 9)] == [0, 0, 0, 0, 4, 4]
    assert SeekPlan(scripted([0, 1, 2], [2])).entry(1) is None


def test_an_earlier_keyframe_is_further_back() -> None:
    assert [SeekPlan(LONG).entry(55, back) for back in (0, 1, 3, 5, 6)] == [50, 40, 20, 0, None]


def test_a_struck_keyframe_is_not_tried_again() -> None:
    plan = SeekPlan(LONG)
    plan.strike(40, 55)
    assert [plan.entry(number) for number in (39, 45, 59, 60)] == [30, 30, 30, 60]


@pytest.mark.parametrize(
    ("strategy", "position", "number", "entry"),
    [
        ("auto", 0, 95, 90),
        ("auto", 0, 12, None),  # going on is cheaper
        ("auto", 91, 95, None),  # its group is being decoded
        ("in order", 0, 95, None),
        ("seek", 0, 12, 10),
        ("seek", 91, 95, 90),
    ],
)
def test_the_cheaper_way_is_taken(strategy: Strategy, position: int, number: int, entry: int | None) -> None:
    assert SeekPlan(LONG, strategy).seek_to(number, position) == entry
