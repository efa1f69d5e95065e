"""Holidays, UKB and recall at k: by hand, and what each refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.metrics import average_precision, holidays_map, recall_at_k, ukb_score


def test_holidays_takes_the_query_out_of_its_own_list():
    rankings = [[100, 200, 101, 102], [200, 100, 101, 201]]
    expected = [
        average_precision([200, 101, 102], [101, 102]),
        average_precision([100, 101, 201], [201]),
    ]
    measured = holidays_map(rankings, queries=[100, 200], positives=[[101, 102], [201]])
    assert_allclose(measured, np.mean(expected))
    # By hand: (0/1 + 1/2 + 1/2 + 2/3) / 4 and (0/2 + 1/3) / 2.
    assert_allclose(measured, ((1 + 2 / 3) / 4 + 1 / 6) / 2)


def test_holidays_reads_names_and_rankings_without_the_query():
    assert holidays_map([["b", "c"]], ["a"], [["b"]]) == 1.0


def test_holidays_refuses_a_query_among_its_own_positives():
    with pytest.raises(ValueError, match="among its own positives"):
        holidays_map([[0, 1]], queries=[0], positives=[[0, 1]])
    with pytest.raises(ValueError, match="queries has 2 entries"):
        holidays_map([[0, 1]], queries=[0, 1], positives=[[1]])


def test_ukb_counts_the_query_and_reaches_four():
    labels = np.repeat([0, 1], 4)
    perfect = [
        np.r_[image, np.setdiff1d(np.flatnonzero(labels == labels[image]), image)]
        for image in range(8)
    ]
    assert ukb_score(perfect, labels) == 4.0
    spoiled = [
        np.r_[image, (image + 4) % 8, (image + 5) % 8, (image + 6) % 8] for image in range(8)
    ]
    assert ukb_score(spoiled, labels) == np.mean(
        [np.sum(labels[row] == labels[row[0]]) for row in np.array(spoiled)]
    )


@pytest.mark.parametrize(
    ("rankings", "labels", "message"),
    [
        ([[0, 1, 2, 3]], [0, 0, 0, 0], "1 rankings for 4 labels"),
        ([[0, 1, 2]] * 3, [0, 0, 0], "at least four"),
        ([[0, 1, 2, 4]] * 4, [0] * 4, "from 0 to 3"),
        ([[0, 1, 2, 2]] * 4, [0] * 4, "twice"),
        ([np.setdiff1d(range(5), image) for image in range(5)], [0] * 5, "UKB counts"),
    ],
)
def test_ukb_refuses_what_is_not_its_protocol(rankings, labels, message):
    with pytest.raises(ValueError, match=message):
        ukb_score(rankings, labels)


def test_recall_is_the_share_of_queries_with_a_hit():
    rankings = [[5, 3, 1], [0, 2, 4], [1, 0, 2]]
    positives = [[3, 1], [4], [9]]
    assert_allclose(recall_at_k(rankings, positives, [1, 2, 3]), [0, 1 / 3, 2 / 3])
    assert recall_at_k(rankings, positives, 2) == pytest.approx(1 / 3)
    assert recall_at_k(rankings, [[3], [], []], 2) == 1.0


def test_recall_refuses_what_it_cannot_see():
    with pytest.raises(ValueError, match="fewer than k = 4"):
        recall_at_k([[0, 1, 2]], [[0]], 4)
    with pytest.raises(ValueError, match="No query has a positive"):
        recall_at_k([[0, 1, 2]], [[]], 1)
    with pytest.raises(ValueError, match="positive integer"):
        recall_at_k([[0, 1, 2]], [[0]], 1.5)
