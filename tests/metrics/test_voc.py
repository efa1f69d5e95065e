"""VOC 2007's eleven-point average precision: by hand, against its rule, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import precision_recall_curve

from skdeepenc.metrics import voc_average_precision


def eleven_points_of_sklearns_curve(y_true, scores):
    """Take the eleven highest precisions from sklearn's curve; recalls compared with some slack."""
    precision, recall, _ = precision_recall_curve(y_true == 1, scores)
    precision, recall = precision[:-1], recall[:-1]  # the last point is sklearn's own addition
    return np.mean([precision[recall >= step / 10 - 1e-9].max() for step in range(11)])


def test_worked_by_hand():
    # Precision 1 up to recall 1/2 (six points), 2/3 beyond (five points).
    assert_allclose(voc_average_precision([1, -1, 1], [3, 2, 1]), (6 + 5 * 2 / 3) / 11)
    # The ignored image stands first and changes nothing.
    assert_allclose(voc_average_precision([0, 1, -1, 1], [4, 3, 2, 1]), (6 + 5 * 2 / 3) / 11)


@given(st.integers(0, 10_000))
def test_equals_eleven_points_of_sklearns_curve(seed):
    rng = np.random.default_rng(seed)
    y_true = np.r_[1, -1, rng.choice([-1, 1], size=rng.integers(1, 40))]
    scores = rng.permutation(len(y_true)).astype(float)
    expected = eleven_points_of_sklearns_curve(y_true, scores)
    assert_allclose(voc_average_precision(y_true, scores), expected, rtol=1e-12)


def test_exact_recalls_are_reached():
    # Ten positives ranked first reach every one of the recalls exactly.
    assert voc_average_precision([1] * 10 + [-1], np.arange(11, 0, -1)) == 1.0


def test_several_classes():
    y_true = np.array([[1, -1], [-1, 1], [1, 0]])
    scores = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 9.0]])
    each = voc_average_precision(y_true, scores, average=None)
    expected = [voc_average_precision(y_true[:, c], scores[:, c]) for c in range(2)]
    assert_allclose(each, expected)
    assert voc_average_precision(y_true, scores) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("y_true", "scores", "message"),
    [
        ([1, 0, 0], [3, 2, 1], "no negative image"),
        ([-1, -1], [2, 1], "no positive image"),
        ([2, -1], [2, 1], r"got \[2\]"),
        ([1, -1], [2, 1, 0], "same shape"),
        ([1, -1], [np.nan, 1], "NaN"),
    ],
)
def test_refuses_what_would_give_an_absurd_number(y_true, scores, message):
    with pytest.raises(ValueError, match=message):
        voc_average_precision(y_true, scores)


def test_refuses_an_unknown_average():
    with pytest.raises(ValueError, match="macro"):
        voc_average_precision([1, -1], [2, 1], average="micro")
