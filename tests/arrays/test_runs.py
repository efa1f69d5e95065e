import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.arrays.segments import equal_runs, matmul_by_segment


@given(st.lists(st.integers(0, 2), max_size=12))
def test_runs_cover_all_rows_and_each_is_as_long_as_can_be(rows):
    rows = np.array(rows, dtype=int)
    runs = list(equal_runs(rows))
    assert [row for start, stop in runs for row in range(start, stop)] == list(range(len(rows)))
    for start, stop in runs:
        assert len(set(rows[start:stop])) == 1
        assert stop == len(rows) or rows[stop] != rows[start]


def test_rows_are_equal_when_all_their_values_are():
    assert list(equal_runs(np.array([[1, 2], [1, 2], [1, 3]]))) == [(0, 2), (2, 3)]


def test_products_of_segments_are_those_of_their_rows():
    rng = np.random.default_rng(0)
    values, matrix = rng.standard_normal((12, 5)), rng.standard_normal((5, 3))
    products = matmul_by_segment(values, np.array([0, 4, 8, 8, 9, 12]), matrix)
    assert_allclose(products, values @ matrix)


@pytest.mark.parametrize("n_neighbors", [1, 7])
def test_products_do_not_depend_on_the_other_segments(n_neighbors):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((169 * 8, 64)).astype(np.float32)
    matrix = rng.standard_normal((64, 33)).astype(np.float32)
    alone = matmul_by_segment(values[:169], np.array([0, 169]), matrix)
    together = values[: 169 * (n_neighbors + 1)]
    offsets = 169 * np.arange(n_neighbors + 2)
    assert_array_equal(matmul_by_segment(together, offsets, matrix)[:169], alone)
