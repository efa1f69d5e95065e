"""Average precision as PASCAL VOC 2007 defines it, at eleven recalls."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import assert_all_finite

from skdeepenc._typing import Floats


def voc_average_precision(
    y_true: ArrayLike, scores: ArrayLike, *, average: Literal["macro"] | None = "macro"
) -> float | Floats:
    """Measure a classification by the PASCAL VOC 2007 protocol.

    The precision at each of the recalls 0, 0.1 ... 1 is the highest precision at that recall or
    beyond it; average precision is the mean of the eleven. Images marked 0 ("difficult") are left
    out. Images of equal score keep their order.

    Parameters
    ----------
    y_true : array-like of shape (n_images,) or (n_images, n_classes)
        1 for images of the class, -1 for others, 0 for images that do not count.
    scores : array-like of the same shape
        How sure the classifier is that the image is of the class.
    average : {"macro"} or None, default="macro"
        With several classes, the mean over classes, or None for each class's own.

    Returns
    -------
    float or ndarray of shape (n_classes,)
        Average precision from 0 to 1.

    Raises
    ------
    ValueError
        If shapes differ, labels are not -1, 0 and 1, scores are not finite, or a class has no
        positive or no negative image: with labels 0 and 1 every negative would be ignored.

    References
    ----------
    M. Everingham, L. Van Gool, C. Williams, J. Winn, A. Zisserman, "The PASCAL Visual Object
    Classes Challenge 2007", development kit, section 3.4.1.

    Examples
    --------
    >>> from skdeepenc.metrics import voc_average_precision
    >>> voc_average_precision([1, -1, 1, 0, -1], [0.9, 0.8, 0.7, 0.6, 0.1])
    0.8484848484848484
    """
    y_true, scores = np.asarray(y_true), np.asarray(scores)
    if y_true.shape != scores.shape or y_true.ndim not in (1, 2):
        raise ValueError(
            f"y_true {y_true.shape} and scores {scores.shape} must have the same shape."
        )
    if average not in ("macro", None):
        raise ValueError(f'average must be "macro" or None, got {average!r}.')
    assert_all_finite(scores, input_name="scores")
    if y_true.ndim == 1:
        return _eleven_points(y_true, scores)
    classes = zip(y_true.T, scores.T, strict=True)
    precisions = np.array([_eleven_points(*pair, f"class {c}") for c, pair in enumerate(classes)])
    return precisions if average is None else float(precisions.mean())


def _eleven_points(y_true: NDArray[Any], scores: NDArray[Any], name: str = "y_true") -> float:
    _check_labels(y_true, name)
    counted = y_true != 0
    order = np.argsort(-scores[counted], kind="stable")
    hits = np.cumsum(y_true[counted][order] == 1)
    precision = hits / np.arange(1, len(hits) + 1)
    beyond = np.maximum.accumulate(precision[::-1])[::-1]
    # Whole numbers: 3 of 10 hits reach the recall 0.3, which floats cannot promise.
    first = np.searchsorted(10 * hits, np.arange(11) * hits[-1])
    return float(beyond[first].mean())


def _check_labels(y_true: NDArray[Any], name: str) -> None:
    unknown = np.setdiff1d(y_true, [-1, 0, 1])
    if unknown.size:
        raise ValueError(f"{name} must hold 1, -1 and 0 (ignored), got {unknown.tolist()[:5]}.")
    for label, kind in ((1, "positive"), (-1, "negative")):
        if not (y_true == label).any():
            raise ValueError(
                f"{name} has no {kind} image ({label}): VOC marks negatives by -1, 0 is ignored."
            )
