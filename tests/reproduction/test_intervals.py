"""Differences are taken pair by pair, and their interval is Student's."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from skdeepenc.reproduction.intervals import Difference, paired_difference


def test_a_worked_case():
    """Differences 1, 2 and 3: mean 2, error 1 / sqrt(3), and t of two degrees of freedom 4.303."""
    found = paired_difference([2, 4, 6], [1, 2, 3])
    assert found.mean == 2
    assert found.low == pytest.approx(2 - 4.302653 / 3**0.5)
    assert found.high == pytest.approx(2 + 4.302653 / 3**0.5)
    assert str(found) == "+2.0 (-0.5 to +4.5)"


def test_the_interval_is_that_of_the_paired_t_test():
    first, second = np.random.default_rng(0).normal(size=(2, 20))
    expected = ttest_rel(first, second).confidence_interval(0.95)
    found = paired_difference(first, second)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_one_pair_says_nothing():
    assert paired_difference([3], [1]).verdict() == "not shown"


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdict"),
    [
        (0.1, 2, 0, "holds"),
        (0, 2, 0, "not shown"),
        (-2, -0.1, 0, "reversed"),
        (-1.9, -0.1, 2, "holds"),
        (-4, -2.1, 2, "reversed"),
        (-3, 1, 2, "not shown"),
    ],
)
def test_a_verdict_needs_the_whole_interval(low, high, margin, verdict):
    assert Difference((low + high) / 2, low, high).verdict(margin) == verdict
