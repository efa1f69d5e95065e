"""Rotary tables on other grids, against the formula that made them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.backbones.transformers.rotary import resample_rotary

GRIDS = [((14, 14), (20, 16)), ((4, 4), (6, 5)), ((16, 16), (8, 30)), ((5, 7), (9, 9))]


def dinov3_angles(rows, columns, width=32, base=100.0):
    """DINOv3's angles: periods of the place in [-1, 1], for rows and then for columns, twice."""
    periods = base ** (2 * np.arange(width // 4) / (width // 2))
    places = [(np.arange(n) + 0.5) / n * 2 - 1 for n in (rows, columns)]
    grid = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 2, 1)
    return np.tile((2 * np.pi * grid / periods).reshape(rows * columns, -1), 2)


@pytest.mark.parametrize(("grid", "new_grid"), GRIDS)
@pytest.mark.parametrize("wave", [np.cos, np.sin])
def test_angles_from_the_middle_are_computed_anew(wave, grid, new_grid):
    """On 4 x 4 places the first cosine vanishes everywhere, and still follows the rows."""
    table = wave(dinov3_angles(*grid)).astype(np.float32)
    expected = wave(dinov3_angles(*new_grid))
    assert_allclose(resample_rotary(table, grid, new_grid), expected, atol=1e-5)


def test_other_tokens_are_kept():
    table = np.cos(dinov3_angles(4, 6))
    with_others = np.concatenate([np.full((2, 32), 7.0), table, np.full((1, 32), 9.0)])
    resampled = resample_rotary(with_others, (4, 6), (5, 5), before=2)
    assert_array_equal(resampled[:2], 7)
    assert_array_equal(resampled[-1], 9)
    assert_allclose(resampled[2:-1], resample_rotary(table, (4, 6), (5, 5)))


@pytest.mark.parametrize("wave", [np.cos, np.sin])
def test_angles_from_the_first_patch_are_refused(wave):
    angles = np.arange(4)[:, None, None] * np.array([1.0, 0.3]) + np.zeros((4, 5, 2))
    assert resample_rotary(wave(angles).reshape(20, 2), (4, 5), (6, 6)) is None


def test_tables_that_are_no_waves_are_refused():
    table = np.random.default_rng(0).normal(size=(20, 2))
    assert resample_rotary(table, (4, 5), (6, 6)) is None
