"""Position embeddings on other grids, against values that PyTorch's interpolation gave."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.backbones.transformers.positions import cubic_weights, resample_positions

RECORDED = np.load(Path(__file__).parent / "exports" / "resampled.npz")
sizes = st.integers(1, 30)


@pytest.mark.parametrize("grid", [(5, 7), (2, 3), (3, 8), (6, 2)])
def test_equals_pytorchs_antialiased_bicubic(grid):
    """A 3 x 4 grid, by `interpolate(mode="bicubic", antialias=True, align_corners=False)`."""
    expected = RECORDED[f"{grid[0]}x{grid[1]}"].reshape(-1, 2)
    assert_allclose(resample_positions(RECORDED["table"], (3, 4), grid), expected, atol=1e-5)


def test_vectors_of_other_tokens_are_kept():
    table = np.random.default_rng(0).normal(size=(1 + 4 + 2, 3))
    resampled = resample_positions(table, (2, 2), (3, 5), before=1)
    assert_array_equal(resampled[:1], table[:1])
    assert_array_equal(resampled[-2:], table[-2:])
    assert_allclose(resampled[1:-2], resample_positions(table[1:5], (2, 2), (3, 5)))


def test_the_own_grid_changes_nothing():
    table = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float16)
    assert resample_positions(table, (2, 3), (2, 3), before=1) is table
    assert resample_positions(table, (2, 3), (4, 4), before=1).dtype == np.float16


@given(sizes, sizes)
def test_a_constant_stays_constant_and_mirrors_stay_mirrors(n, n_new):
    weights = cubic_weights(n, n_new)
    assert_allclose(weights.sum(axis=1), 1)
    assert_allclose(weights, weights[::-1, ::-1], atol=1e-12)
