"""Generalized means of a map, channel by channel: between the average and the maximum.

With the descriptors x_i at the n positions i of a map, channel by channel,

    GeM   (1/n sum_i max(x_i, 0)^p)^(1/p)       Radenović et al., 2019, equation 3
    LP    (1/n sum_i |x_i|^p)^(1/p)             Sermanet et al., 2012, equation 1, equal weights

p = 1 averages, and the larger p is, the more the largest value counts. The two differ where
activations are negative, as those of vision transformers are. A map without positions gives zeros.
"""

import numpy as np

from skdeepenc._typing import Floats
from skdeepenc.arrays.floats import as_floats
from skdeepenc.arrays.segments import segment_max, segment_mean
from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles_by_size

__all__ = ["gem", "lp", "segment_gem", "segment_lp"]

_LARGEST_PRODUCT = 16  # whole exponents up to here are products
# Values that go through all steps together: what is made of them stays in the cache.
_TILE_SIZE = 1 << 16
# Mean powers in between lost nothing to overflow or underflow, even in float32.
_SMALLEST, _LARGEST = 1e-25, 1e25


def literal_gem(feature_map, p):
    """Take the p-th root of the mean p-th power, position by position."""
    places = np.ndindex(feature_map.shape[:2])
    powers = [np.maximum(feature_map[place], 0) ** p for place in places]
    return (sum(powers) / len(powers)) ** (1 / p)


def literal_lp(feature_map, p):
    """Take the p-th root of the mean p-th power of magnitudes, position by position."""
    powers = [np.abs(feature_map[place]) ** p for place in np.ndindex(feature_map.shape[:2])]
    return (sum(powers) / len(powers)) ** (1 / p)


def gem(feature_map: Floats, p: float = 3.0) -> Floats:
    """Take the generalized mean of every channel: between the average (p=1) and the maximum.

    Negative activations count as zero, as in the paper's code: a power of them is not a number.

    Parameters
    ----------
    feature_map : array-like of shape (..., D)
        One map.
    p : float, default=3.0
        The exponent, greater than zero.

    Returns
    -------
    ndarray of shape (D,)
        The p-th root of the mean p-th power; zeros if the map has no positions.

    See Also
    --------
    skdeepenc.functional.lp : The same of magnitudes.

    References
    ----------
    Radenović et al., "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019,
    equation 3.

    Examples
    --------
    >>> from skdeepenc.functional import gem
    >>> gem([[[3.0, -1.0], [5.0, -2.0]]], p=1)
    array([4., 0.])
    """
    descriptors = _flatten(feature_map)
    return segment_gem(descriptors, [0, len(descriptors)], p)[0]


def lp(feature_map: Floats, p: float = 3.0) -> Floats:
    """Take the generalized mean of every channel's magnitudes (Lp pooling).

    Parameters
    ----------
    feature_map : array-like of shape (..., D)
        One map.
    p : float, default=3.0
        The exponent, greater than zero.

    Returns
    -------
    ndarray of shape (D,)
        The p-th root of the mean p-th power; zeros if the map has no positions.

    See Also
    --------
    skdeepenc.functional.gem : The same with negative activations as zeros.

    References
    ----------
    Sermanet et al., "Convolutional neural networks applied to house numbers digit classification",
    ICPR 2012, equation 1; the positions of a map weigh the same here.

    Examples
    --------
    >>> from skdeepenc.functional import lp
    >>> lp([[[3.0, -1.0], [5.0, -2.0]]], p=1)
    array([4. , 1.5])
    """
    descriptors = _flatten(feature_map)
    return segment_lp(descriptors, [0, len(descriptors)], p)[0]


def segment_gem(values, offsets, p):
    """Take the generalized mean of the rows of every segment, component by component.

    Parameters
    ----------
    values : ndarray of shape (total, D)
        The rows of all segments, one segment after the other.
    offsets : array-like of shape (n_segments + 1,)
        Where each segment starts, and where the last one ends.
    p : float
        The exponent, greater than zero.

    Returns
    -------
    ndarray of shape (n_segments, D)
        What `gem` gives for each segment.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.power_means import segment_gem
    >>> segment_gem(np.array([[3.0], [5.0], [-2.0]]), [0, 2, 3], 1)
    array([[4.],
           [0.]])
    """
    return _segment_power_means(values, offsets, p, _positive_part)


def segment_lp(values, offsets, p):
    """Take the generalized mean of the magnitudes of every segment, component by component.

    Parameters
    ----------
    values : ndarray of shape (total, D)
        The rows of all segments, one segment after the other.
    offsets : array-like of shape (n_segments + 1,)
        Where each segment starts, and where the last one ends.
    p : float
        The exponent, greater than zero.

    Returns
    -------
    ndarray of shape (n_segments, D)
        What `lp` gives for each segment.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.power_means import segment_lp
    >>> segment_lp(np.array([[3.0], [5.0], [-2.0]]), [0, 2, 3], 1)
    array([[4.],
           [2.]])
    """
    return _segment_power_means(values, offsets, p, np.abs)


def _flatten(feature_map):
    feature_map = as_floats(feature_map)
    return feature_map.reshape(-1, feature_map.shape[-1])


def _positive_part(values):
    return np.maximum(values, 0)


def _segment_power_means(values, offsets, p, part):
    """Take the power means of segments, tile by tile; `part` makes values that may be raised."""
    offsets = np.asarray(offsets)
    means = np.empty((len(offsets) - 1, values.shape[1]), values.dtype)

    def fill(segments):
        own = offsets[segments.start : segments.stop + 1]
        rows = part(values[own[0] : own[-1]])
        means[segments] = _power_means(rows, own - own[0], p)

    for_each(fill, tiles_by_size(np.diff(offsets) * values.shape[1], _TILE_SIZE))
    return means


def _power_means(rows, offsets, p):
    with np.errstate(over="ignore", under="ignore"):  # seen to below
        powers = segment_mean(_power(rows, p), offsets)
    means = _root(powers, p)
    doubtful = ~((powers > _SMALLEST) & (powers < _LARGEST))
    if doubtful.any():  # most are means of nothing but zeros
        doubtful &= segment_max(rows, offsets) > 0
    for segment in np.flatnonzero(doubtful.any(axis=1)):
        own, columns = rows[offsets[segment] : offsets[segment + 1]], doubtful[segment]
        means[segment, columns] = _power_mean_of_fractions(own[:, columns], p)
    return means


def _power_mean_of_fractions(rows, p):
    """Take powers of fractions of the maximum, which can neither overflow nor all vanish."""
    ends = [0, len(rows)]
    peaks = segment_max(rows, ends)
    fractions = rows / np.where(peaks > 0, peaks, 1)
    return (peaks * segment_mean(_power(fractions, p), ends) ** (1 / p))[0]


def _power(x, p):
    """Raise to a power: a small whole one by products, which take a tenth of the time."""
    if p not in range(1, _LARGEST_PRODUCT + 1):
        return x**p
    powers = x if p % 2 else None
    square, rest = x, int(p) // 2
    while rest:
        square = square * square
        if rest % 2:
            powers = square if powers is None else powers * square
        rest //= 2
    return powers


def _root(x, p):
    roots = {1: np.positive, 2: np.sqrt, 3: np.cbrt}
    return roots[p](x) if p in roots else x ** (1 / p)
