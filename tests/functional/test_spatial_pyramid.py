"""Cells of a spatial pyramid hold the positions whose centres lie in them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.functional.spatial_pyramid import (
    cells_of_images,
    check_pyramid,
    literal_cell,
    pyramid_cells,
    pyramid_pieces,
)

LEVELS = ((1, 1), (3, 1), (2, 4))


@pytest.mark.parametrize("size", [(7, 5), (1, 1), (3, 8)])
def test_cells_equal_the_formula(size):
    first = np.cumsum([0, 1, 3])
    for numbers, level, start in zip(pyramid_cells(*size, LEVELS), LEVELS, first, strict=True):
        expected = [literal_cell(y, x, *size, *level) for y, x in np.ndindex(*size)]
        assert_array_equal(numbers, np.array(expected) + start)


def test_pieces_make_up_every_cell():
    order, offsets, membership = pyramid_pieces(7, 5, LEVELS)
    cells = pyramid_cells(7, 5, LEVELS)
    for cell, pieces in enumerate(membership):
        own = [order[offsets[piece] : offsets[piece + 1]] for piece in np.flatnonzero(pieces)]
        found = np.sort(np.concatenate(own)) if own else []
        assert_array_equal(found, np.flatnonzero((cells == cell).any(axis=0)))


def test_cells_of_images_join_all_scales_of_an_image():
    grids = np.array([[[2, 2], [1, 2]], [[0, 0], [4, 2]]])
    ((order, offsets),) = cells_of_images(grids, ((1, 2),))
    assert_array_equal(offsets, [0, 3, 6, 10, 14])
    left, right = order[:3], order[3:6]
    assert_array_equal(left, [0, 2, 4])
    assert_array_equal(right, [1, 3, 5])


@pytest.mark.parametrize("given", [[], [(1,)], [(0, 1)], [(1.5, 1)]])
def test_what_is_no_pyramid_is_said(given):
    with pytest.raises(ValueError, match="spatial_pyramid should be None or a list"):
        check_pyramid(given)
