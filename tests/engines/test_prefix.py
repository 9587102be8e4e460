"""Kept prefixes: what is found again, what is forgotten, how much memory they may take."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sgv_demo.engines.local.cache import GROWTH, Batch, Cache, CacheShape, Span
from sgv_demo.engines.sharegpt4video.prefix import GridPicture, Prefix, PrefixCache

SHAPE = CacheShape(layers=2, heads=1, width=8, dtype=torch.float32, device=torch.device("cpu"))
POSITION = SHAPE.position_bytes


def prefix(ids: list[int], shown: GridPicture | None = None) -> Prefix:
    cache = Cache(SHAPE)
    batch = Batch([Span(cache, len(ids))], SHAPE.device)
    states = torch.tensor(ids, dtype=torch.float32).reshape(-1, 1, 1).repeat(1, 1, SHAPE.width)
    for layer in range(SHAPE.layers):
        batch.attend(layer, states, states, states)
    batch.finish()
    assert cache.nbytes == (len(ids) + GROWTH) * POSITION
    cache.trim()
    return Prefix(shown, ids, cache)


def held(kept: Prefix) -> list[int]:
    keys, values = kept.cache._shared.read(1)
    assert torch.equal(keys, values)
    return [int(value) for value in keys[0, 0, :, 0]]


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4]),
        ([1, 2, 3, 4], [1, 2, 3]),
        ([1, 2, 9, 4, 5], [1, 2]),
        ([9, 2, 3, 4, 5], []),
        ([1, 2], [1]),
        ([1], []),
    ],
)
def test_the_common_beginning_is_kept_and_one_position_left_to_compute(ids, kept):
    found = prefix([1, 2, 3, 4])
    assert found.match(ids) == len(kept)
    assert found.ids == kept == held(found)


def test_settling_names_what_is_there_and_forgets_what_has_no_name():
    longer = prefix([1, 2, 3, 4])
    longer.settle([1, 2, 3])
    assert longer.ids == held(longer) == [1, 2, 3]
    shorter = prefix([1, 2])
    shorter.settle([1, 2, 3])
    assert shorter.ids == held(shorter) == [1, 2]


def test_an_empty_prefix_matches_nothing():
    empty = Prefix(None, [], Cache(SHAPE))
    assert empty.match([1, 2, 3]) == 0
    assert empty.nbytes == 0


def test_memory_counts_keys_values_and_picture():
    picture = GridPicture(np.zeros((10, 20, 3), np.uint8), (1, 1), 4)
    assert prefix([1, 2, 3]).nbytes == 3 * POSITION
    assert prefix([1, 2, 3], picture).nbytes == 3 * POSITION + 600


def test_the_least_recently_used_go_first():
    cache = PrefixCache(3 * POSITION)
    for key in "abc":
        cache.put(key, prefix([1]))
    taken = cache.take("a")
    assert taken is not None
    cache.put("a", taken)
    cache.put("d", prefix([1]))
    assert cache.nbytes == 3 * POSITION
    assert cache.take("b") is None
    assert all(cache.take(key) is not None for key in "acd")


def test_one_that_is_larger_than_the_budget_is_not_kept_and_drops_nothing():
    cache = PrefixCache(2 * POSITION)
    cache.put("small", prefix([1]))
    cache.put("large", prefix([1, 2, 3]))
    assert cache.take("large") is None
    assert cache.take("small") is not None


def test_a_budget_of_nothing_keeps_nothing():
    cache = PrefixCache(0)
    cache.put("a", prefix([1]))
    assert len(cache) == 0


def test_what_was_taken_is_no_longer_kept():
    cache = PrefixCache(100 * POSITION)
    cache.put("a", prefix([1]))
    assert cache.take("a") is not None
    assert cache.take("a") is None
    assert cache.shown("a") is None


def test_putting_again_replaces():
    cache = PrefixCache(100 * POSITION)
    cache.put("a", prefix([1, 2, 3]))
    cache.put("a", prefix([1]))
    assert cache.nbytes == POSITION


def test_memory_is_released_oldest_first():
    cache = PrefixCache(100 * POSITION)
    for key in "abc":
        cache.put(key, prefix([1, 2]))
    cache.release(POSITION)
    assert cache.take("a") is None
    assert len(cache) == 2
    cache.release(100 * POSITION)
    assert len(cache) == 0
