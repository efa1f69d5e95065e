"""Sum, average, multiply or take the maximum of descriptors image by image.

Images own different numbers of descriptors, so they lie in one long array, and `offsets` says where
each image's segment starts: no padding. Segment i is ``values[offsets[i] : offsets[i + 1]]``; an
empty one is legal. Images of one network mostly have one size, so that a batch of them is a single
run, and a stack of equal maps is one call to BLAS an image, without a Python loop.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skdeepenc._typing import Integers

__all__ = [
    "equal_runs",
    "matmul_by_segment",
    "offsets_of",
    "segment_max",
    "segment_mean",
    "segment_sum",
    "take_segments",
]

# From so many values a segment on, calling numpy once for each costs less than one reduceat.
_LARGE_SEGMENT = 512


def offsets_of(lengths: ArrayLike) -> NDArray[np.intp]:
    """Return where segments of these lengths start, and where the last one ends.

    Parameters
    ----------
    lengths : array-like of int of shape (n_segments,)
        Number of rows of each segment.

    Returns
    -------
    ndarray of int of shape (n_segments + 1,)
        The offsets, from 0.

    Examples
    --------
    >>> from skdeepenc.arrays.segments import offsets_of
    >>> offsets_of([3, 0, 2])
    array([0, 3, 3, 5])
    """
    offsets = np.zeros(np.size(lengths) + 1, dtype=np.intp)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def segment_sum(values: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Sum the rows of every segment.

    Parameters
    ----------
    values : ndarray of shape (total, ...)
        The rows of all segments, one segment after the other.
    offsets : array-like of shape (n_segments + 1,)
        Where each segment starts, and where the last one ends.

    Returns
    -------
    ndarray of shape (n_segments, ...)
        The sums, zero for an empty segment, in the type of `values`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.segments import segment_sum
    >>> segment_sum(np.array([[1.0], [2.0], [4.0]]), [0, 2, 2, 3])
    array([[3.],
           [0.],
           [4.]])
    """
    return _reduce_segments(np.add, values, offsets, empty=0)


def segment_max(values: NDArray[Any], offsets: ArrayLike, empty: float = 0) -> NDArray[Any]:
    """Take the maximum over the rows of every segment, component by component.

    Parameters
    ----------
    values : ndarray of shape (total, ...)
        The rows of all segments, one segment after the other.
    offsets : array-like of shape (n_segments + 1,)
        Where each segment starts, and where the last one ends.
    empty : float, default=0
        What an empty segment gets.

    Returns
    -------
    ndarray of shape (n_segments, ...)
        The maxima, in the type of `values`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.segments import segment_max
    >>> segment_max(np.array([[1.0], [-2.0], [-4.0]]), [0, 1, 1, 3])
    array([[ 1.],
           [ 0.],
           [-2.]])
    """
    return _reduce_segments(np.maximum, values, offsets, empty=empty)


def segment_mean(values: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Average the rows of every segment.

    Parameters
    ----------
    values : ndarray of shape (total, ...)
        The rows of all segments, one segment after the other.
    offsets : array-like of shape (n_segments + 1,)
        Where each segment starts, and where the last one ends.

    Returns
    -------
    ndarray of shape (n_segments, ...)
        The means, zero for an empty segment, in the type of `values`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.segments import segment_mean
    >>> segment_mean(np.array([[1.0], [2.0], [4.0]]), [0, 2, 2, 3])
    array([[1.5],
           [0. ],
           [4. ]])
    """
    offsets = np.asarray(offsets)
    with np.errstate(over="ignore", invalid="ignore"):  # seen to below
        sums = segment_sum(values, offsets)
    counts = np.maximum(np.diff(offsets), 1).astype(sums.dtype)
    counts = counts.reshape(-1, *(1,) * (sums.ndim - 1))
    means = sums / counts
    overflown = ~np.isfinite(means)
    if overflown.any():  # the mean of large values is no larger than they are
        own = np.asarray(values)[offsets[0] : offsets[-1]]
        shares = own / np.repeat(counts, np.diff(offsets), axis=0)
        means[overflown] = segment_sum(shares, offsets - offsets[0])[overflown]
    return means


def take_segments(values: NDArray[Any], starts: ArrayLike, stops: ArrayLike) -> NDArray[Any]:
    """Put chosen segments of a long array one after the other.

    Parameters
    ----------
    values : ndarray of shape (total, ...)
        Rows of which segments are taken.
    starts, stops : ndarray of int of shape (n_segments,)
        The segments, in the order wanted: ``values[starts[i] : stops[i]]``.

    Returns
    -------
    ndarray of shape (sum of stops - starts, ...)
        The rows: a view where the segments already lie one after the other, a copy elsewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.segments import take_segments
    >>> take_segments(np.arange(6), np.array([4, 0]), np.array([6, 1]))
    array([4, 5, 0])
    """
    starts, stops = np.asarray(starts), np.asarray(stops)
    if len(starts) == 0:
        return values[:0]
    if np.array_equal(starts[1:], stops[:-1]):
        return values[starts[0] : stops[-1]]
    lengths = stops - starts
    places = np.cumsum(lengths) - lengths  # where each segment lands
    return values[np.repeat(starts - places, lengths) + np.arange(lengths.sum())]


def equal_runs(rows: NDArray[Any]) -> Iterator[tuple[int, int]]:
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
    >>> from skdeepenc.arrays.segments import equal_runs
    >>> list(equal_runs(np.array([4, 4, 9, 4])))
    [(0, 2), (2, 3), (3, 4)]
    """
    if len(rows) == 0:
        return
    rows = rows.reshape(len(rows), -1)
    changes = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
    yield from pairwise([0, *changes.tolist(), len(rows)])


def matmul_by_segment(
    values: NDArray[Any], offsets: Integers, matrix: NDArray[Any]
) -> NDArray[Any]:
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
    >>> from skdeepenc.arrays.segments import matmul_by_segment
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


def _reduce_segments(
    ufunc: np.ufunc, values: NDArray[Any], offsets: ArrayLike, empty: float
) -> NDArray[Any]:
    values, offsets = np.asarray(values), np.asarray(offsets)
    reduced = np.full((len(offsets) - 1, *values.shape[1:]), empty, dtype=values.dtype)
    occupied = np.flatnonzero(offsets[1:] > offsets[:-1])
    if len(occupied) and values.size >= _LARGE_SEGMENT * len(occupied):
        # Measured: this loop takes from half of reduceat's time, for segments of 512 values, to a
        # twentieth; reduceat does without the processor's vector instructions.
        for segment in occupied:
            rows = values[offsets[segment] : offsets[segment + 1]]
            ufunc.reduce(rows, axis=0, out=reduced[segment, ...])
    elif len(occupied):
        # reduceat gives an empty segment its neighbour's first row, so only the others take part.
        end = offsets[occupied[-1] + 1]
        reduced[occupied] = ufunc.reduceat(values[:end], offsets[occupied], axis=0)
    return reduced
