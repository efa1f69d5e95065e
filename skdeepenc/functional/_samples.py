"""What is wrong with a sample that nothing can be learned from."""

import numpy as np

from skdeepenc.exceptions import DegenerateDataError, FeatureMapsError


def check_sample(sample):
    """Raise an error for an empty sample, and for one whose squares are too large to be summed."""
    if len(sample) == 0:
        raise FeatureMapsError(
            "There is no descriptor to learn from: no image has one at the chosen scales."
        )
    largest = max(sample.max(), -sample.min())
    if largest > np.sqrt(np.finfo(sample.dtype).max / sample.size):
        raise DegenerateDataError(
            f"Descriptors reach {largest:.3g}: their sums of squares are too large for "
            f"{sample.dtype}. Scale them down, for instance with l2_normalize."
        )


def check_sums(sample):
    """Raise an error for a sample whose values are too large to be summed."""
    largest = max(sample.max(initial=0), -sample.min(initial=0))
    if largest > np.finfo(sample.dtype).max / max(len(sample), 1):
        raise DegenerateDataError(
            f"Descriptors reach {largest:.3g}: their sums are too large for {sample.dtype}. Scale "
            "them down, for instance with l2_normalize."
        )
