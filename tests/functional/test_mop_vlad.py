"""The levels of MOP-CNN against their equations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.arrays.column import Column
from skdeepenc.functional import fit_pca
from skdeepenc.functional.mop_vlad import (
    MOPRecord,
    PooledLevel,
    VLADLevel,
    literal_level,
    multiscale_vlad,
    normalized_vlad,
)


@pytest.fixture
def column():
    """Five images at two scales: one descriptor, and up to twelve; the fourth has none."""
    grids = np.array([[[1, 1], [h, w]] for h, w in [(3, 4), (1, 1), (2, 2), (0, 0), (4, 2)]])
    grids[3] = 0
    return Column(np.random.default_rng(0).random((grids.prod(axis=2).sum(), 6)), grids)


def vlad_level(column):
    rng = np.random.default_rng(1)
    level = VLADLevel(fit_pca(column.values, 4), rng.normal(size=(3, 4)), 2, 1.5, 0.5)
    vectors = normalized_vlad(column, level)
    return VLADLevel(level.projection, level.codebook, 2, 1.5, 0.5, fit_pca(vectors, 2))


def test_levels_equal_the_equations(column):
    first, second = PooledLevel(6, "avg"), vlad_level(column.at_scale(1))
    vectors = multiscale_vlad(column, MOPRecord((first, second), union=False))
    for image in (0, 1, 2, 4):
        whole, windows = column.by_image[image]
        expected = literal_level(windows.reshape(-1, 6), second)
        assert_allclose(vectors[image, :6], whole.ravel() / np.linalg.norm(whole))
        assert_allclose(vectors[image, 6:], expected, atol=1e-10)
    assert_array_equal(vectors[3], 0)


def test_a_union_is_one_level_of_all_scales(column):
    level = vlad_level(column)
    vectors = multiscale_vlad(column, MOPRecord((level,), union=True))
    for image in (0, 2):
        descriptors = np.concatenate([part.reshape(-1, 6) for part in column.by_image[image]])
        assert_allclose(vectors[image], literal_level(descriptors, level), atol=1e-10)
