"""The published rule, on scripted similarities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from sgv_demo.keyframes.select import Decision, KeyframeSelector, Limited, limit


def alike(a: float, b: float) -> float:
    """Scripted similarity: embeddings are numbers, a whole number apart is entirely different."""
    return max(0.0, 1 - abs(a - b))


def choosing(similarity: Callable[[float, float], float] = alike, *, keep_all: bool = False) -> KeyframeSelector[float]:
    return KeyframeSelector[float](0.9, keep_all=keep_all, every=2.0, similarity=similarity)


def run(values: Sequence[float], blanks: Sequence[int] = (), *, keep_all: bool = False) -> list[Decision]:
    selector = choosing(keep_all=keep_all)
    return [selector.offer(2.0 * i, value, i in blanks) for i, value in enumerate(values)]


def kept(decisions: Sequence[Decision]) -> list[int]:
    return [i for i, decision in enumerate(decisions) if decision.kept]


def test_a_sample_is_compared_with_the_last_kept_one() -> None:
    decisions = run([0.0, 0.05, 0.09, 0.15, 0.2, 0.3])
    assert kept(decisions) == [0, 3, 5]
    assert [d.similarity for d in decisions][1:] == pytest.approx([0.95, 0.91, 0.85, 0.95, 0.85])
    assert decisions[0].similarity is None


def test_a_similarity_at_the_threshold_is_not_kept() -> None:
    selector = choosing(lambda a, b: 0.9)
    assert selector.offer(0, 0.0, False).kept
    assert not selector.offer(2, 1.0, False).kept


def test_blank_frames_are_skipped_only_before_the_first() -> None:
    decisions = run([0.0, 0.0, 1.0, 0.0, 1.0], blanks=[0, 1, 3])
    assert kept(decisions) == [2, 3, 4]
    assert decisions[0] == decisions[1] == Decision(False, None)


def test_every_sample() -> None:
    assert kept(run([0.0, 0.0, 0.0], blanks=[0], keep_all=True)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("values", "time", "end", "closes"),
    [
        ([0.0], 0.9, 1.0, True),  # it would be the second keyframe
        ([0.0], 0.0, 9.0, False),  # there is one picture only
        ([0.0, 1.0], 3.9, 4.0, True),  # a whole interval after the last kept one
        ([0.0, 1.0], 3.0, 3.1, False),  # less than that
        ([0.0, 1.0], 3.9, 3.985, True),  # as good as a whole interval
        ([0.0, 1.0], 3.9, 3.97, False),
        ([0.0, 1.0], 2.0, 9.0, False),  # shown for long, but kept already
        ([0.0, 1.0, 1.0], 4.5, 4.6, True),  # the last kept one is at 2 s
        ([0.0, 1.0, 2.0], 4.0, 4.1, False),  # it is the last kept one itself
    ],
)
def test_the_last_frame_closes(values: Sequence[float], time: float, end: float, closes: bool) -> None:
    selector = choosing()
    for i, value in enumerate(values):
        selector.offer(2.0 * i, value, False)
    assert selector.close(time, values[-1], end=end).kept is closes


def test_something_is_kept_of_an_entirely_blank_video() -> None:
    selector = choosing()
    assert not selector.offer(0, 0.0, True).kept
    assert selector.close(1.9, 0.0, end=2.0) == Decision(True, None)


def test_rows_are_compared_by_their_dot_product() -> None:
    selector = KeyframeSelector(0.5, keep_all=False, every=2.0)
    a, b = np.array([1, 0], np.float32), np.array([0.6, 0.8], np.float32)
    selector.offer(0, a, False)
    decision = selector.offer(2, b, False)
    assert not decision.kept
    assert decision.similarity == pytest.approx(0.6)


def test_limit_keeps_the_most_different_and_the_ends() -> None:
    values = [0.0, 0.11, 0.9, 1.9, 2.01, 3.0, 3.1]
    result = limit(values, 4, similarity=alike)
    assert result.indices == (0, 2, 3, 6)
    assert result.dropped == 3
    assert result.similarities[0] is None
    assert result.similarities[1:] == pytest.approx((0.1, 0.0, 0.0))


@pytest.mark.parametrize("maximum", range(1, 9))
def test_limit_keeps_as_many_as_allowed(maximum: int) -> None:
    values = [0.0, 0.3, 0.35, 1.2, 1.3, 1.8]
    result = limit(values, maximum, similarity=alike)
    assert len(result.indices) == len(result.similarities) == min(maximum, 6)
    assert result.dropped == 6 - len(result.indices)
    assert result.indices[0] == 0
    if maximum > 1:
        assert result.indices[-1] == 5


def test_limit_of_nothing() -> None:
    assert limit([], 3, similarity=alike) == Limited((), (), 0)


def test_limit_refuses_zero() -> None:
    with pytest.raises(ValueError, match="At least one"):
        limit([0.0], 0, similarity=alike)
