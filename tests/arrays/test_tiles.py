"""Tiles cover all rows, in order, and are as equal, or as large, as they can be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skdeepenc.arrays.tiles import tiles, tiles_by_size


@given(n_rows=st.integers(0, 500), size=st.integers(1, 60))
def test_tiles_are_consecutive_and_as_equal_as_can_be(n_rows, size):
    lengths = [rows.stop - rows.start for rows in tiles(n_rows, size)]
    covered = [row for rows in tiles(n_rows, size) for row in range(rows.start, rows.stop)]
    assert covered == list(range(n_rows))
    assert all(length <= size for length in lengths)
    assert not lengths or max(lengths) - min(lengths) <= 1


@given(n_rows=st.integers(0, 500), size=st.integers(1, 60), multiple=st.integers(1, 8))
def test_several_tiles_are_a_multiple(n_rows, size, multiple):
    n_tiles = len(tiles(n_rows, size, multiple=multiple))
    assert n_tiles <= 1 or n_tiles % multiple == 0 or n_tiles == n_rows
    assert all(rows.stop > rows.start for rows in tiles(n_rows, size, multiple=multiple))


@given(sizes=st.lists(st.integers(0, 9), max_size=20), most=st.integers(1, 12))
def test_tiles_by_size_are_as_large_as_allowed(sizes, most):
    cut = list(tiles_by_size(np.array(sizes, dtype=int), most))
    assert [row for rows in cut for row in range(rows.start, rows.stop)] == list(range(len(sizes)))
    for rows in cut:
        assert sum(sizes[rows]) <= most or rows.stop == rows.start + 1
        assert rows.stop == len(sizes) or sum(sizes[rows.start : rows.stop + 1]) > most
