"""Oxford's average precision against its definition, sklearn's curve, and absurd input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import auc, precision_recall_curve

from skdeepenc.metrics import average_precision, mean_average_precision


def reference_average_precision(ranked, positives, junk=()):
    """Walk down the list and sum trapezoids, one image after the other."""
    area, recall_before, precision_before, hits, seen = 0.0, 0.0, 1.0, 0, 0
    for image in ranked:
        if image in junk:
            continue
        hits, seen = hits + (image in positives), seen + 1
        recall, precision = hits / len(positives), hits / seen
        area += (recall - recall_before) * (precision + precision_before) / 2
        recall_before, precision_before = recall, precision
    return area


@st.composite
def queries(draw):
    ranked = draw(st.permutations(range(draw(st.integers(2, 30)))))
    kinds = draw(
        st.lists(st.sampled_from("pjn"), min_size=len(ranked), max_size=len(ranked)).filter(
            lambda kinds: "p" in kinds
        )
    )
    positives = [image for image, kind in enumerate(kinds) if kind == "p"]
    return ranked, positives, [image for image, kind in enumerate(kinds) if kind == "j"]


def test_worked_by_hand():
    # Hits at ranks 1 and 3: (0/1 + 1/2) / 4 + (1/3 + 2/4) / 4.
    assert_allclose(average_precision([7, 5, 6, 4], [5, 4]), 0.125 + 5 / 24)
    assert average_precision([5, 4, 7], [4, 5]) == 1.0
    # Without the junk at rank 0 the only hit stands first.
    assert average_precision([9, 5, 7], [5], junk=[9]) == 1.0


@given(queries())
def test_equals_the_walk_down_the_list(query):
    assert_allclose(average_precision(*query), reference_average_precision(*query), rtol=1e-12)


@given(queries())
def test_equals_the_area_under_sklearns_curve(query):
    ranked, positives, junk = query
    kept = [image for image in ranked if image not in junk]
    precision, recall, _ = precision_recall_curve(np.isin(kept, positives), -np.arange(len(kept)))
    assert_allclose(average_precision(ranked, positives, junk), auc(recall, precision), rtol=1e-12)


@given(queries())
def test_junk_changes_nothing_wherever_it_stands(query):
    ranked, positives, junk = query
    without = [image for image in ranked if image not in junk]
    assert average_precision(ranked, positives, junk) == average_precision(without, positives)


def test_names_rank_as_indices_do():
    assert average_precision(["b", "a", "c"], ["a"], ["b"]) == average_precision(
        [1, 0, 2], [0], [1]
    )


def test_queries_without_positives_are_left_out():
    assert np.isnan(average_precision([0, 1], []))
    assert mean_average_precision([[0, 1], [1, 0]], [[0], []]) == 1.0
    with pytest.raises(ValueError, match="No query has a positive"):
        mean_average_precision([[0, 1]], [[]])


def test_mean_takes_arrays_and_junk():
    rankings = np.array([[2, 0, 1], [0, 1, 2]])
    expected = (average_precision([2, 0, 1], [0], [2]) + average_precision([0, 1, 2], [2])) / 2
    assert mean_average_precision(rankings, [[0], [2]], junk=[[2], []]) == expected


@pytest.mark.parametrize(
    ("ranked", "positives", "junk", "message"),
    [
        ([], [1], [], "is empty"),
        ([1, 1, 2], [1], [], "names an image twice"),
        ([1, 2], [3], [], r"3 are not in ranked"),
        ([0], np.arange(1, 9), [], "1, 2, 3, 4, 5 and 3 more are not in ranked"),
        ([1, 2], [1], [1], "positive and junk at once"),
        ([0.9, 0.1], [0], [], "argsort"),
        ([[0, 1]], [0], [], "flat list"),
        ([0, 1], [True, False], [], "indices or names"),
        ([0, 1], ["a"], [], "mixes indices and names"),
    ],
)
def test_refuses_what_would_give_an_absurd_number(ranked, positives, junk, message):
    with pytest.raises(ValueError, match=message):
        average_precision(ranked, positives, junk)


def test_refuses_lists_that_do_not_match():
    with pytest.raises(ValueError, match="positives has 1 entries and rankings has 2"):
        mean_average_precision([[0, 1], [1, 0]], [[0]])
    with pytest.raises(ValueError, match="no query"):
        mean_average_precision([], [])
    with pytest.raises(ValueError, match="one entry per query"):
        mean_average_precision([[0, 1]], {"a": [0]})
    with pytest.raises(ValueError, match=r"rankings\[1\]"):
        mean_average_precision([[0, 1], [1]], [[0], [0]])
