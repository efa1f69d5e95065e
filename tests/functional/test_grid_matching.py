import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import match_grids
from skdeepenc.functional.grid_matching import cells_along, literal_pool_to_grid, pool_to_grid


@pytest.mark.parametrize(
    ("fine", "coarse"), [((27, 27), (13, 13)), ((8, 6), (4, 3)), ((5, 7), (5, 2)), ((3, 3), (1, 1))]
)
def test_pooling_equals_the_literal_loop(fine, coarse):
    maps = np.random.default_rng(0).standard_normal((*fine, 4))
    assert_allclose(pool_to_grid(maps, *coarse), literal_pool_to_grid(maps, *coarse))


@given(st.integers(1, 60), st.data())
def test_every_cell_has_a_position_and_sizes_differ_by_one(n_positions, data):
    n_cells = data.draw(st.integers(1, n_positions))
    sizes = np.bincount(cells_along(n_positions, n_cells), minlength=n_cells)
    assert len(sizes) == n_cells
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


def test_many_images_are_pooled_as_one_is():
    maps = np.random.default_rng(0).standard_normal((3, 9, 8, 2)).astype(np.float32)
    pooled = pool_to_grid(maps, 4, 5)
    assert pooled.dtype == np.float32
    assert_array_equal(pooled, [pool_to_grid(image, 4, 5) for image in maps])


def test_the_finer_side_is_pooled_whichever_it_is():
    fine, coarse = np.ones((4, 4, 2)), np.full((2, 2, 3), -5.0)
    assert_array_equal(match_grids(fine, coarse)[0], np.full((2, 2, 2), 2.0))
    assert_array_equal(match_grids(fine, coarse)[1], coarse)
    assert_array_equal(match_grids(coarse, fine)[1], np.full((2, 2, 2), 2.0))


def test_equal_grids_stay_as_they_are():
    features, guidance = np.ones((4, 3, 2)), np.ones((4, 3, 5))
    assert match_grids(features, guidance)[0] is features
    assert match_grids(features, guidance)[1] is guidance


@pytest.mark.parametrize(("fine", "coarse"), [((4, 2), (2, 4)), ((0, 0), (2, 2)), ((3, 3), (0, 3))])
def test_grids_that_cannot_be_matched_are_named(fine, coarse):
    message = f"grid of {fine[0]} x {fine[1]} and guidance on {coarse[0]} x {coarse[1]} cannot"
    with pytest.raises(FeatureMapsError, match=message):
        match_grids(np.ones((*fine, 2)), np.ones((*coarse, 2)))


def test_a_grid_of_one_position_takes_the_root_of_the_sum_of_the_other():
    fine, coarse = np.random.default_rng(0).random((2, 3, 5, 4)), np.ones((2, 1, 1, 2))
    pooled, kept = match_grids(fine, coarse)
    assert_allclose(pooled, np.sqrt(fine.sum(axis=(1, 2), keepdims=True)))
    assert_array_equal(kept, coarse)
    assert_allclose(match_grids(coarse, fine)[1], pooled)
