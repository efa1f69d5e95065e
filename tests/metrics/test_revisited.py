"""The revisited protocol against a hand-worked query and its rule written out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.metrics import (
    average_precision,
    mean_average_precision,
    revisited_map,
    revisited_precision_at_k,
)

RANKED = [8, 0, 5, 3, 1, 7, 2, 6, 4, 9]
EASY, HARD, JUNK = [0, 1], [2, 3], [8, 9]


def random_query(rng):
    images = rng.permutation(30)
    return rng.permutation(30), images[:4], images[4:9], images[9:12]


def test_setups_worked_by_hand():
    measured = revisited_map([RANKED], [EASY], [HARD], [JUNK])
    # Easy, without 2, 3, 8 and 9: 0 5 1 7 6 4, hits at 0 and 2.
    assert_allclose(measured["easy"], (2 + 1 / 2 + 2 / 3) / 4)
    # Medium, without 8 and 9: 0 5 3 1 7 2 6 4, hits at 0, 2, 3 and 5.
    assert_allclose(measured["medium"], (2 + 1 / 2 + 2 / 3 + 2 / 3 + 3 / 4 + 3 / 5 + 4 / 6) / 8)
    # Hard, without 0, 1, 8 and 9: 5 3 7 2 6 4, hits at 1 and 3.
    assert_allclose(measured["hard"], (0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)


def test_setups_are_oxford_with_other_lists():
    rng = np.random.default_rng(0)
    queries = [random_query(rng) for _ in range(20)]
    measured = revisited_map(*zip(*queries, strict=True))
    medium = [average_precision(r, [*e, *h], j) for r, e, h, j in queries]
    hard = [average_precision(r, h, [*j, *e]) for r, e, h, j in queries]
    assert_allclose([measured["medium"], measured["hard"]], [np.mean(medium), np.mean(hard)])


def test_precision_divides_by_the_last_positive_when_it_comes_before_k():
    measured = revisited_precision_at_k([RANKED], [EASY], [HARD], [JUNK], k=(1, 3, 10))
    # Medium: hits at the positions 1, 3, 4, 6; the last stands before 10.
    assert_allclose(measured["medium"], [1, 2 / 3, 4 / 6])
    assert_allclose(measured["hard"], [0, 1 / 3, 2 / 4])
    single = revisited_precision_at_k([RANKED], [EASY], [HARD], [JUNK], k=3)
    assert single["medium"] == pytest.approx(2 / 3)


def test_queries_without_positives_in_a_setup_are_left_out():
    rankings, easy, hard, junk = [RANKED, RANKED], [EASY, []], [HARD, HARD], [JUNK, JUNK]
    both = revisited_map(rankings, easy, hard, junk)
    assert both["easy"] == revisited_map([RANKED], [EASY], [HARD], [JUNK])["easy"]
    assert both["medium"] == mean_average_precision(rankings, [EASY + HARD, HARD], junk)
    none = revisited_map([RANKED], [[]], [HARD], [JUNK])
    assert np.isnan(none["easy"])
    assert np.isnan(revisited_precision_at_k([RANKED], [[]], [HARD], [JUNK])["easy"]).all()


def test_refuses_an_image_of_two_kinds():
    with pytest.raises(ValueError, match="two of the lists"):
        revisited_map([RANKED], [EASY], [[1, 2]], [JUNK])
    with pytest.raises(ValueError, match="positive integer"):
        revisited_precision_at_k([RANKED], [EASY], [HARD], [JUNK], k=0)
