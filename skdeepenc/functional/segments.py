"""Sum, average or take the maximum of descriptors image by image.

Images own different numbers of descriptors, so they lie in one long array, and `offsets` says where
each image's segment starts: no padding. Segment i is ``values[offsets[i] : offsets[i + 1]]``; an
empty one is legal.
"""

import numpy as np

__all__ = ["segment_max", "segment_mean", "segment_sum", "take_segments"]

# From so many values a segment on, calling numpy once for each costs less than one reduceat.
_LARGE_SEGMENT = 512


def segment_sum(values, offsets):
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
    >>> from skdeepenc.functional import segment_sum
    >>> segment_sum(np.array([[1.0], [2.0], [4.0]]), [0, 2, 2, 3])
    array([[3.],
           [0.],
           [4.]])
    """
    return _reduce_segments(np.add, values, offsets, empty=0)


def segment_max(values, offsets, empty=0):
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
    >>> from skdeepenc.functional import segment_max
    >>> segment_max(np.array([[1.0], [-2.0], [-4.0]]), [0, 1, 1, 3])
    array([[ 1.],
           [ 0.],
           [-2.]])
    """
    return _reduce_segments(np.maximum, values, offsets, empty=empty)


def segment_mean(values, offsets):
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
    >>> from skdeepenc.functional import segment_mean
    >>> segment_mean(np.array([[1.0], [2.0], [4.0]]), [0, 2, 2, 3])
    array([[1.5],
           [0. ],
           [4. ]])
    """
    sums = segment_sum(values, offsets)
    counts = np.maximum(np.diff(offsets), 1).astype(sums.dtype)
    return sums / counts.reshape(-1, *(1,) * (sums.ndim - 1))


def take_segments(values, starts, stops):
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
    >>> from skdeepenc.functional.segments import take_segments
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


def _reduce_segments(ufunc, values, offsets, empty):
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
