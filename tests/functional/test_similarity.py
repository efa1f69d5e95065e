"""The similarity map against the paper's Eq. 3, at its corners and for its order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.functional import map_similarity
from skdeepenc.functional.similarity import literal_map

similarities = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20)
shares = st.floats(0, 1)


def test_worked_by_hand():
    # t = 0.2: 0.2 + 0.8 * sqrt(0.2 / 0.8) = 0.6.
    assert_allclose(map_similarity([0.1, 0.4, 1.0], 0.2, 0.5), [0.1, 0.6, 1.0])


@given(similarities, st.floats(0, 0.99), st.floats(0.01, 1))
def test_equals_the_equation(values, threshold, power):
    expected = [literal_map(value, threshold, power) for value in values]
    assert_allclose(map_similarity(values, threshold, power), expected, rtol=1e-9, atol=1e-12)


def test_float32_keeps_float32_accuracy():
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    mapped = map_similarity(values, 0.2, 0.45)
    assert mapped.dtype == np.float32
    # Just above t the power is steep: what float32 does not know of S - t, it cannot know of f.
    expected = [
        literal_map(np.float64(value), np.float64(np.float32(0.2)), 0.45) for value in values
    ]
    assert_allclose(mapped, expected, rtol=2e-6)


@given(similarities, shares)
def test_the_corners_are_exact(values, threshold):
    values = np.array(values)
    assert_array_equal(map_similarity(values, 1.0, 0.3), values)
    assert_array_equal(map_similarity(values, threshold, 1.0), values)
    assert_array_equal(
        map_similarity(values, threshold, 0.0), np.where(values > threshold, 1, values)
    )
    assert map_similarity(threshold, threshold, 0.5) == threshold


@given(similarities, shares, shares)
def test_keeps_the_order_and_never_lowers(values, threshold, power):
    values = np.sort(values)
    mapped = map_similarity(values, threshold, power)
    assert (np.diff(mapped) >= -1e-12).all()
    assert (mapped >= values - 1e-12).all()


@pytest.mark.parametrize(
    ("threshold", "power"), [(1.1, 0.5), (0.2, -0.1), (0.2, 1.1), (np.nan, 0.5)]
)
def test_refuses_what_is_no_map(threshold, power):
    with pytest.raises(ValueError, match="power between 0 and 1"):
        map_similarity([0.5], threshold, power)
