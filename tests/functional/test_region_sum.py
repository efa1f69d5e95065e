"""Sums over regions against their equation, and alone as in company."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.arrays.column import Column
from skdeepenc.functional import fit_pca
from skdeepenc.functional.region_sum import (
    ClusterRegions,
    GridRegions,
    RegionSum,
    WholeRegion,
    literal_region_sum,
    sum_over_regions,
    unit_maxima,
)
from skdeepenc.functional.regions import region_maxima, rmac_regions


@pytest.fixture
def column():
    """Four images at two scales; the third has no descriptor."""
    grids = np.array([[[6, 5], [3, 3]], [[6, 5], [0, 0]], [[0, 0], [0, 0]], [[4, 7], [2, 9]]])
    values = np.random.default_rng(0).random((grids.prod(axis=2).sum(), 8)).astype(np.float32)
    return Column(values, grids)


def regions_of(kind, column):
    projection = fit_pca(column.values, 3)
    return {
        "clusters": ClusterRegions(projection, (2, 3)),
        "rmac": GridRegions(),
        "mac": WholeRegion(),
    }[kind]


@pytest.mark.parametrize("kind", ["clusters", "rmac", "mac"])
def test_equal_the_equation(kind, column):
    regions = regions_of(kind, column)
    vectors, offsets = unit_maxima(column, None, regions)
    whitening = fit_pca(vectors, 4, whiten=True)
    encoded = sum_over_regions(column, None, RegionSum(regions, whitening))
    maxima = regions.maxima(column)
    for image in (0, 1, 3):
        expected = literal_region_sum(np.concatenate(maxima[2 * image :][:2]), whitening)
        assert_allclose(encoded[image], expected, atol=1e-4)
    assert_array_equal(encoded[2], 0)
    assert offsets[2] == offsets[3]


@pytest.mark.parametrize("kind", ["clusters", "rmac", "mac"])
def test_no_image_depends_on_the_others(kind, column):
    regions = regions_of(kind, column)
    record = RegionSum(regions, fit_pca(unit_maxima(column, None, regions)[0], 4, whiten=True))
    together, bounds = sum_over_regions(column, None, record), column.image_offsets
    for image, (start, stop) in enumerate(pairwise(bounds)):
        alone = Column(column.values[start:stop], column.grids[image : image + 1])
        assert_allclose(sum_over_regions(alone, None, record)[0], together[image], rtol=1e-5)


def test_the_squares_of_a_map_are_those_of_its_grid(column):
    expected = region_maxima(next(iter(column.maps)), rmac_regions(6, 5))
    assert_array_equal(GridRegions().maxima(column)[0], expected)
