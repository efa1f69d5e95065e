"""R-MAC's grid against its rule, and regional maxima against slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.functional import rmac, rmac_regions
from skdeepenc.functional.regions import literal_regions, region_maxima


def test_regions_follow_the_rule_for_all_sizes_to_64():
    for height in range(1, 65):
        for width in range(1, 65):
            expected = literal_regions(height, width, 3)
            assert_array_equal(rmac_regions(height, width), expected, err_msg=f"{height}x{width}")


@pytest.mark.parametrize(
    ("height", "width", "count"), [(7, 7, 14), (24, 32, 20), (32, 24, 20), (1, 1, 1)]
)
def test_number_of_regions(height, width, count):
    assert len(rmac_regions(height, width, 3)) == count


@pytest.mark.parametrize("n_levels", [1, 2, 4, 5])
def test_regions_of_other_numbers_of_levels(n_levels):
    assert_array_equal(rmac_regions(30, 40, n_levels), literal_regions(30, 40, n_levels))


def test_regions_lie_inside_the_map():
    for height, width in [(3, 64), (64, 3), (1, 64), (17, 23)]:
        y0, x0, y1, x1 = rmac_regions(height, width).T
        assert (y0 >= 0).all()
        assert (x0 >= 0).all()
        assert (y1 <= height).all()
        assert (x1 <= width).all()
        assert (y1 > y0).all()
        assert (x1 - x0 == y1 - y0).all()


def test_regions_handed_out_can_be_changed():
    rmac_regions(6, 6)[:] = 0
    assert rmac_regions(6, 6).any()


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 1000))
def test_region_maxima_equal_those_of_slices(height, width, seed):
    rng = np.random.default_rng(seed)
    feature_map = rng.normal(size=(height, width, 3)).astype(np.float32)
    corners = np.sort(rng.integers(0, [[[height + 1, width + 1]]], size=(5, 2, 2)), axis=1)
    regions = corners.reshape(5, 4)
    regions = regions[(regions[:, 2] > regions[:, 0]) & (regions[:, 3] > regions[:, 1])]
    expected = [feature_map[a:c, b:d].max(axis=(0, 1)) for a, b, c, d in regions]
    assert_array_equal(region_maxima(feature_map, regions), np.reshape(expected, (-1, 3)))


def test_rmac_sums_normalized_maxima():
    feature_map = np.abs(np.random.default_rng(0).normal(size=(9, 13, 4)))
    total = np.zeros(4)
    for a, b, c, d in literal_regions(9, 13, 3):
        vector = feature_map[a:c, b:d].max(axis=(0, 1))
        total += vector / np.linalg.norm(vector)
    assert_allclose(rmac(feature_map), total / np.linalg.norm(total))


def test_rmac_of_empty_and_zero_maps_is_zero():
    assert_array_equal(rmac(np.empty((0, 5, 3))), np.zeros(3))
    assert_array_equal(rmac(np.zeros((4, 5, 3))), np.zeros(3))


def test_rmac_keeps_float32():
    assert rmac(np.ones((4, 4, 2), dtype=np.float32)).dtype == np.float32
