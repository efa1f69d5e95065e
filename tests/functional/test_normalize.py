"""Unit length and shrunken bursts, for every float type and extreme size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skdeepenc.functional import l2_normalize, power_normalize
from skdeepenc.functional.normalize import literal_l2, literal_power, unit_rows


def test_by_hand():
    assert_allclose(l2_normalize([[3.0, -4.0], [0.0, 0.0]]), [[0.6, -0.8], [0, 0]])
    assert_allclose(l2_normalize([[3.0, 1.0], [4.0, 0.0]], axis=0), [[0.6, 1], [0.8, 0]])
    assert_allclose(l2_normalize([3.0, 4.0]), [0.6, 0.8])
    assert_allclose(power_normalize([4.0, -9.0, 0.0]), [2, -3, 0])
    assert_allclose(power_normalize([-8.0, 27.0], 1 / 3), [-2, 3])
    assert_array_equal(power_normalize([-8.0, 27.0, 0.0], 0), [-1, 1, 0])
    assert_array_equal(power_normalize([-8.0, 27.0], 1), [-8, 27])


def test_equal_the_equations():
    x = np.random.default_rng(0).normal(size=7)
    assert_allclose(l2_normalize(x), literal_l2(x))
    assert_allclose(power_normalize(x, 0.3), literal_power(x, 0.3))


@given(arrays(np.float64, (3, 4), elements={"min_value": -1e9, "max_value": 1e9}))
def test_lengths_are_one_or_zero(x):
    x = np.where(np.abs(x) < 1e-100, 0, x)  # whose squares would vanish even in float64
    lengths = np.linalg.norm(l2_normalize(x), axis=1)
    assert_allclose(lengths, x.any(axis=1), atol=1e-12)


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1, 1e20, 1e30])
def test_single_precision_neither_overflows_nor_vanishes(size):
    unit = l2_normalize(np.array([3, 4], dtype=np.float32) * np.float32(size))
    assert_allclose(unit, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_any_magnitude_are_normalised_beside_each_other(dtype):
    info = np.finfo(dtype)
    sizes = [0, info.smallest_subnormal, info.tiny, 1e-25, 1, 1e30, info.max / 4]
    rows = np.array(sizes, dtype)[:, None] * np.array([0, 3, 4], dtype)
    unit = l2_normalize(rows)
    assert_allclose(unit[1:], np.tile([0, 0.6, 0.8], (6, 1)), rtol=1e-6)
    assert_array_equal(unit[0], 0)
    assert_array_equal(l2_normalize(rows.T, axis=0).T, unit)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_unit_rows_are_dense_or_sparse(container):
    rows = container(np.array([[3e-25, 4e-25], [0, 0], [3e30, -4e30]], np.float32))
    unit = unit_rows(rows)
    assert sparse.issparse(unit) == sparse.issparse(rows)
    dense = unit.toarray() if sparse.issparse(unit) else unit
    assert_allclose(dense, [[0.6, 0.8], [0, 0], [0.6, -0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    ("given_type", "kept"), [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("i4", "f8")]
)
@pytest.mark.parametrize("function", [l2_normalize, power_normalize])
def test_float_types(function, given_type, kept):
    assert function(np.array([[1, 4]], dtype=given_type)).dtype == np.dtype(kept)


@pytest.mark.parametrize("exponent", [0, 0.3, 0.5, 1])
def test_inputs_stay_as_they_are(exponent):
    x = np.array([1.0, -4.0])
    power_normalize(x, exponent)[:] = 7
    l2_normalize(x)[:] = 7
    assert_array_equal(x, [1, -4])
