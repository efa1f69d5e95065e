"""Find images of equal size that lie side by side.

A stack of equal maps is one call to BLAS an image, without a Python loop. Images of one network
mostly have one size, so that a batch of them is a single run.
"""

from itertools import pairwise

import numpy as np

__all__ = ["equal_runs", "matmul_by_segment"]


def equal_runs(rows):
    """Yield where each run of equal rows starts and stops.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
        Sizes, or whatever else makes neighbours equal.

    Yields
    ------
    start, stop : int
        The bounds of a run.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.runs import equal_runs
    >>> list(equal_runs(np.array([4, 4, 9, 4])))
    [(0, 2), (2, 3), (3, 4)]
    """
    if len(rows) == 0:
        return
    rows = rows.reshape(len(rows), -1)
    changes = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
    yield from pairwise([0, *changes.tolist(), len(rows)])


def matmul_by_segment(values, offsets, matrix):
    """Multiply the rows of each segment by a matrix, each segment alone.

    One product over all rows would round a row differently in other company.

    Parameters
    ----------
    values : ndarray of shape (total, D)
        Rows of all segments.
    offsets : ndarray of int of shape (n_segments + 1,)
        Where each segment starts, and where the last one ends.
    matrix : ndarray of shape (D, K)
        The matrix.

    Returns
    -------
    ndarray of shape (total, K)
        The products.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.runs import matmul_by_segment
    >>> matmul_by_segment(np.eye(2), np.array([0, 1, 2]), np.array([[3.0], [4.0]]))
    array([[3.],
           [4.]])
    """
    products = np.empty((len(values), matrix.shape[1]), np.result_type(values, matrix))
    lengths = np.diff(offsets)
    for first, last in equal_runs(lengths):
        rows, shape = slice(offsets[first], offsets[last]), (last - first, lengths[first], -1)
        if lengths[first]:
            np.matmul(values[rows].reshape(shape), matrix, out=products[rows].reshape(shape))
    return products
