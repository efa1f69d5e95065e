"""The levels of MOP-CNN against their equations."""

from dataclasses import replace

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


def vlad_level(column, **variation):
    projection = variation.pop("projection", fit_pca(column.values, 4))
    words = np.random.default_rng(1).normal(size=(3, 6 if projection is None else 4))
    level = VLADLevel(projection, words, 2, 1.5, 0.5, **variation)
    return replace(level, reduction=fit_pca(normalized_vlad(column, level), 2))


@pytest.mark.parametrize(
    "variation",
    [
        {},
        {"normalize_descriptors": True},
        {"intra_normalize": True},
        {"projection": None, "normalize_descriptors": True, "intra_normalize": True},
    ],
)
def test_levels_equal_the_equations(column, variation):
    first, second = PooledLevel(6, "avg"), vlad_level(column.at_scale(1), **variation)
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
