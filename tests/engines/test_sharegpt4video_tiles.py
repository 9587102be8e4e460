"""Tile geometry beyond the golden tables: ties, waste, and pictures so flat that nothing of a row is left."""

from __future__ import annotations

import numpy as np
import pytest

from sgv_demo.engines.sharegpt4video.tiles import choose_canvas, plan_tiles, tile_views, whole_view

PINPOINTS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))


def test_of_canvases_that_show_as_much_the_smaller_wins_wherever_it_stands():
    assert choose_canvas((100, 100), ((672, 672), (336, 336), (336, 672))) == (336, 336)


def test_of_equals_the_first_wins():
    assert choose_canvas((336, 336), PINPOINTS) == (336, 672)
    assert choose_canvas((336, 336), PINPOINTS[1:]) == (672, 336)


@pytest.mark.parametrize("size", [(2000, 10), (10, 2000), (1, 1), (5, 4000), (333, 1)])
def test_any_shape_gives_whole_tiles_and_a_token_count_that_is_kept(size):
    tiling = plan_tiles(size, PINPOINTS, 336)
    image = np.zeros((size[1], size[0], 3), np.uint8)
    across, down = tiling.tiles
    assert tile_views(image, tiling, 336).shape == (across * down, 336, 336, 3)
    assert whole_view(image, 336).shape == (1, 336, 336, 3)
    rows, columns = tiling.kept(24)
    kept = np.zeros((down * 24, across * 24))[rows, columns]
    assert tiling.tokens(24) == kept.shape[0] * (kept.shape[1] + 1)


def test_tiles_lie_row_by_row_in_a_black_frame():
    image = np.full((200, 400, 3), 255, np.uint8)
    tiling = plan_tiles((400, 200), ((672, 672),), 336)
    tiles = tile_views(image, tiling, 336)
    left, top, right, bottom = tiling.box
    assert (left, top, right, bottom) == (0, 168, 672, 504)
    assert tiles[0, :168].max() == 0
    assert tiles[0, 168:].min() == 255
    assert tiles[3, :168].min() == 255
    assert tiles[3, 168:].max() == 0
