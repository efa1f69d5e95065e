"""What is wrong with a sample that nothing can be learned from.

How large values may be depends on their float type alone, not on how many there are: an image that
`fit` refuses is one that `transform` refuses.
"""

import numpy as np

from skdeepenc.exceptions import DegenerateDataError, FeatureMapsError

__all__ = ["check_sample", "check_sums", "largest_to_square", "largest_to_sum", "unit_of"]

# Under this, the inverse of a variance that is a small part of the largest square may overflow.
_SMALLEST = 2.0**-32


def largest_to_square(dtype):
    """Return up to which magnitude a billion values can be squared and summed."""
    return float(np.sqrt(np.finfo(dtype).max) * 2.0**-15)


def largest_to_sum(dtype):
    """Return up to which magnitude sixteen million values can be summed."""
    return float(np.finfo(dtype).max) * 2.0**-24


def unit_of(sample):
    """Return what to divide a sample by so that its squares are not lost: 1, or a power of 2."""
    largest = max(sample.max(initial=0), -sample.min(initial=0))
    if largest == 0 or largest >= _SMALLEST:
        return sample.dtype.type(1)
    power = np.ldexp(sample.dtype.type(1), np.frexp(largest)[1])
    return max(power, np.finfo(sample.dtype).tiny)  # of which there is an inverse


def check_sample(sample):
    """Raise an error for an empty sample, and for one whose squares are too large to be summed."""
    if len(sample) == 0:
        raise FeatureMapsError(
            "There is no descriptor to learn from: no image has one at the chosen scales."
        )
    largest = max(sample.max(), -sample.min())
    if largest > largest_to_square(sample.dtype):
        raise DegenerateDataError(
            f"Descriptors reach {largest:.3g}: their sums of squares are too large for "
            f"{sample.dtype}. Scale them down, for instance with l2_normalize."
        )


def check_sums(sample):
    """Raise an error for a sample whose values are too large to be summed."""
    largest = max(sample.max(initial=0), -sample.min(initial=0))
    if largest > largest_to_sum(sample.dtype):
        raise DegenerateDataError(
            f"Descriptors reach {largest:.3g}: their sums are too large for {sample.dtype}. Scale "
            "them down, for instance with l2_normalize."
        )
