"""How alike the positions of a map are: the similarity matrix of Normalized Cut.

Equations 2 and 3 of Chen et al., 2017. With the share w_k of component k in the variance of the
features f of all positions,

    d_ij = sqrt(sum_k w_k (f_ik - f_jk)^2),   S_ij = exp(-d_ij / z)^2,   z = 0.05 max d.

Distances come from matrix products, a tile of rows at a time: a tile is squared, rooted and raised
to its exponential while it is in the processor's cache.
"""

from functools import partial

import numpy as np

from skdeepenc.arrays.threads import for_each, kept_threads
from skdeepenc.arrays.tiles import tiles

__all__ = ["feature_affinity", "weighted_coordinates"]

_TILE_BYTES = 2**20
_LARGE_EXPONENT = 40  # distances of such coordinates are squared in float32
# Shi's code drops similarities under 1e-6; an exponent says so before the exponential is taken.
_SMALLEST_EXPONENT = np.float32(np.log(1e-6))


def literal_affinity(features, affinity="exponential", scale=0.05):
    """Return the similarities of all pairs, as equations 2 and 3 read."""
    features = features.astype(np.float64)
    variances = features.var(axis=0)
    weights = variances / variances.sum()
    differences = features[:, None] - features[None]
    distances = np.sqrt((weights * differences**2).sum(axis=2))
    z = scale * distances.max()
    similarities = (
        np.exp(-distances / z) ** 2
        if affinity == "exponential"
        else np.exp(-((distances / z) ** 2))
    )
    return np.where(similarities < 1e-6, 0, similarities)


def weighted_coordinates(features, weights=None):
    """Scale features such that plain Euclidean distances are the paper's weighted ones.

    Parameters
    ----------
    features : array-like of shape (n, C)
        One descriptor per row.
    weights : array-like of shape (C,) or None, default=None
        Weight of each squared difference (equation 2); None takes each component's share of the
        features' variance.

    Returns
    -------
    ndarray of float64 of shape (n, C)
        Centred coordinates.

    Examples
    --------
    >>> from skdeepenc.functional._affinity import weighted_coordinates
    >>> weighted_coordinates([[0.0, 1.0], [4.0, 1.0]])
    array([[-2.,  0.],
           [ 2.,  0.]])
    """
    features = np.asarray(features, dtype=np.float64)
    if weights is None:
        variances = features.var(axis=0)
        total = variances.sum()
        weights = variances / total if total > 0 else np.ones_like(variances)
    points = (features - features.mean(axis=0)) * np.sqrt(np.asarray(weights, dtype=np.float64))
    # By a power of two, so that no digit changes: similarities depend on no unit, and float32 does.
    _, exponent = np.frexp(np.abs(points).max(initial=0))
    return np.ldexp(points, -exponent) if abs(exponent) > _LARGE_EXPONENT else points


def feature_affinity(points, others=None, *, affinity="exponential", scale=0.05):
    """Compute the similarities of points by their distances (equation 3).

    Parameters
    ----------
    points : ndarray of float64 of shape (n, C)
        One point per row.
    others : ndarray of float64 of shape (m, C) or None, default=None
        What to compare with, None for the points themselves.
    affinity : {"exponential", "gaussian"}, default="exponential"
        ``exp(-2 d / z)``, equation 3 as it is printed, or ``exp(-(d / z)**2)``, Shi's code.
    scale : float, default=0.05
        The scale z, as a fraction of the largest distance.

    Returns
    -------
    ndarray of float32 of shape (n, m)
        Similarities from 0 to 1; those under 1e-6 are 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional._affinity import feature_affinity
    >>> feature_affinity(np.array([[0.0], [0.1], [1.0]]), scale=0.2).round(3)
    array([[1.   , 0.368, 0.   ],
           [0.368, 1.   , 0.   ],
           [0.   , 0.   , 1.   ]], dtype=float32)
    """
    others = points if others is None else others
    similarities = np.empty((len(points), len(others)), dtype=np.float32)
    rows = _TILE_BYTES // max(similarities.itemsize * similarities.shape[1], 1)
    by_rows = tiles(len(points), max(rows, 1))
    with kept_threads():
        farthest = _squared_distances(points, others, similarities, by_rows)
        if farthest <= 0:
            similarities.fill(1)
            return similarities
        to_similarities = partial(_raise, affinity=affinity, scale=scale, farthest=farthest)
        for_each(to_similarities, (similarities[tile] for tile in by_rows))
    return similarities


def _squared_distances(points, others, out, by_rows):
    """Write squared distances to `out` and return the largest.

    In float64 until they are rounded: the distances of near neighbours decide the clusters, and
    they are small differences of large products.
    """
    ones = np.ones((len(points), 1)), np.ones((1, len(others)))
    left = np.hstack([-2 * points, np.sum(points**2, axis=1, keepdims=True), ones[0]])
    right = np.vstack([others.T, ones[1], np.sum(others**2, axis=1)])

    def fill(tile):
        squared = left[tile] @ right
        out[tile] = np.abs(squared, out=squared)  # rounding can make them negative
        return squared.max()

    farthest = max(for_each(fill, by_rows))
    if others is points:
        np.fill_diagonal(out, 0)
    return farthest


def _raise(squared, affinity, scale, farthest):
    """Turn squared distances into similarities, in place."""
    if affinity == "gaussian":
        squared *= -1 / (scale**2 * farthest)
    else:
        np.sqrt(squared, out=squared)
        squared *= -2 / (scale * np.sqrt(farthest))
    kept = squared >= _SMALLEST_EXPONENT
    np.maximum(squared, _SMALLEST_EXPONENT, out=squared)  # far below it an exponential is slow
    np.exp(squared, out=squared)
    squared *= kept
