"""A sample is refused where sums of it overflow, and divided where its squares would vanish."""

import numpy as np
import pytest

from skdeepenc.exceptions import DegenerateDataError, FeatureMapsError
from skdeepenc.functional.samples import (
    check_sample,
    check_sums,
    largest_to_square,
    largest_to_sum,
    unit_of,
)

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
def test_half_a_billion_squares_of_the_largest_value_have_a_sum_and_two_billion_have_none(dtype):
    square = dtype(largest_to_square(dtype)) ** 2
    assert np.isfinite(square * dtype(2**29))
    with np.errstate(over="ignore"):
        assert np.isinf(square * dtype(2**31))


@DTYPES
def test_eight_million_of_the_largest_value_have_a_sum_and_thirty_million_have_none(dtype):
    largest = dtype(largest_to_sum(dtype))
    assert np.isfinite(largest * dtype(2**23))
    with np.errstate(over="ignore"):
        assert np.isinf(largest * dtype(2**25))


@DTYPES
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("check", "bound"), [(check_sample, largest_to_square), (check_sums, largest_to_sum)]
)
def test_values_up_to_the_bound_are_taken_and_others_refused(check, bound, sign, dtype):
    largest = np.nextafter(dtype(bound(dtype)), dtype(0))
    check(np.array([[0, sign * largest]], dtype))
    with pytest.raises(DegenerateDataError, match="Scale them down"):
        check(np.array([[0, sign * 1.001 * largest]], dtype))


def test_of_nothing_nothing_is_learned():
    with pytest.raises(FeatureMapsError, match="no descriptor to learn from"):
        check_sample(np.empty((0, 3)))
    check_sums(np.empty((0, 3)))  # which says so later


@DTYPES
@pytest.mark.parametrize("values", [[], [0], [3, -4], [2.0**-32, 0], [-(2.0**-32)]])
def test_values_whose_squares_are_kept_stay_as_they_are(values, dtype):
    unit = unit_of(np.array(values, dtype))
    assert unit == 1
    assert unit.dtype == dtype


@DTYPES
@pytest.mark.parametrize("largest", [2.0**-33, -1e-20, 1.7e-30])
def test_small_values_are_divided_by_the_next_power_of_two(largest, dtype):
    unit = unit_of(np.array([0, largest], dtype))
    assert np.frexp(unit)[0] == 0.5
    assert 0.5 <= abs(dtype(largest)) / unit < 1


@DTYPES
def test_denormal_values_are_divided_by_what_has_an_inverse(dtype):
    unit = unit_of(np.array([np.finfo(dtype).smallest_subnormal]))
    assert unit == np.finfo(dtype).tiny
    assert np.isfinite(1 / unit)
