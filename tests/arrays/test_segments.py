"""Segments of every length, empty ones among them, equal a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.arrays.segments import segment_max, segment_mean, segment_sum, take_segments

lengths_of_segments = st.lists(st.integers(0, 4), max_size=8)


@pytest.mark.parametrize(
    ("function", "reduce"),
    [(segment_sum, np.sum), (segment_max, np.max), (segment_mean, np.mean)],
)
@given(lengths=lengths_of_segments, seed=st.integers(0, 9))
def test_reductions_equal_a_loop(function, reduce, lengths, seed):
    values = np.random.RandomState(seed).randn(sum(lengths), 3).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    reduced = function(values, offsets)
    assert reduced.shape == (len(lengths), 3)
    assert reduced.dtype == np.float32
    for row, start, stop in zip(reduced, offsets[:-1], offsets[1:], strict=True):
        expected = reduce(values[start:stop], axis=0) if stop > start else np.zeros(3)
        assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_rows_outside_the_segments_are_left_out():
    values = np.arange(10.0)[:, None]
    assert_array_equal(segment_sum(values, [2, 4, 6]), [[5], [9]])


def test_empty_maxima_are_what_is_asked():
    assert_array_equal(segment_max(np.ones((1, 2)), [0, 0, 1], empty=-np.inf)[0], [-np.inf] * 2)


@given(lengths=lengths_of_segments, order=st.randoms(use_true_random=False))
def test_taking_segments_equals_concatenating_slices(lengths, order):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    chosen = np.array([order.randrange(len(lengths)) for _ in lengths], dtype=int)
    values = np.arange(sum(lengths))
    slices = [values[offsets[i] : offsets[i + 1]] for i in chosen]
    expected = np.concatenate([values[:0], *slices])
    assert_array_equal(take_segments(values, offsets[chosen], offsets[chosen + 1]), expected)


def test_segments_that_lie_together_are_not_copied():
    values = np.arange(10)
    assert np.shares_memory(take_segments(values, [2, 4], [4, 7]), values)


def test_the_mean_of_large_values_is_finite():
    values = np.full((5, 2), 3e38, np.float32)
    values[0] = 1
    assert_allclose(segment_mean(values, [0, 1, 1, 5]), [[1, 1], [0, 0], [3e38, 3e38]], rtol=1e-6)
    assert_allclose(segment_mean(values, [1, 3]), [[3e38, 3e38]], rtol=1e-6)
