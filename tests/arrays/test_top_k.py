"""The largest few of many values; what is not a number comes last."""

import numpy as np
from numpy.testing import assert_array_equal

from skdeepenc.arrays.top_k import top_k, top_k_of_blocks


def test_not_a_number_is_less_than_any_number():
    nan = np.nan
    values = np.array(
        [[nan, 1, nan, 3], [nan, nan, nan, nan], [4, 3, 2, 1], [-np.inf, nan, nan, 0]]
    )
    assert_array_equal(top_k(values, 2), [[1, 3], [0, 1], [0, 1], [0, 3]])
    similarities, indices = top_k_of_blocks(lambda rows: values[:, rows], 4, 2)
    assert_array_equal(indices[0], [3, 1])
    assert_array_equal(similarities[0], [3, 1])
    assert set(indices[1]) <= set(range(4))
