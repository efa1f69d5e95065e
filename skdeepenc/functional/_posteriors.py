"""The posteriors of a mixture's Gaussians given descriptors, and sums that they weight.

Of a mixture of Gaussians k with weights w, means mu and variances sigma^2 along each channel, the
posterior of Gaussian k given a descriptor x is

    g_k(x) = w_k N(x; mu_k, sigma_k) / sum_j w_j N(x; mu_j, sigma_j),

and what the fit of a mixture and a Fisher vector need are the sums over descriptors

    sum_x g_k(x),   sum_x g_k(x) x,   sum_x g_k(x) x^2.

Both cost a matrix product, over tiles of descriptors that stay in the processor's cache. Of the
posteriors of many Gaussians in many dimensions, most are nothing; where so, the product that sums
is a sparse one.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skdeepenc.arrays.tiles import tiles

# Rows whose moments and posteriors (256 Gaussians: 0.8 MB each in float32) stay in the cache.
TILE_ROWS = 768

# Up to this part of posteriors that count, a sparse product is faster: benchmarks/speed/fisher.py.
SPARSE_SHARE = 0.1


def literal_posteriors(descriptors, means, covariances, weights):
    """Return the posteriors (n, K) and the log likelihoods (n,), as the equation reads."""
    densities = np.zeros((len(descriptors), len(means)))
    for i, x in enumerate(descriptors.astype(np.float64)):
        for k, (mean, variances) in enumerate(zip(means, covariances, strict=True)):
            factors = np.exp(-((x - mean) ** 2) / (2 * variances)) / np.sqrt(2 * np.pi * variances)
            densities[i, k] = weights[k] * factors.prod()
    likelihoods = densities.sum(axis=1)
    return densities / likelihoods[:, None], np.log(likelihoods)


class DensityTerms(NamedTuple):
    """The weighted log densities of a mixture as one linear map of ``[x, x**2, 1]``.

    Attributes
    ----------
    origin : ndarray of shape (D,)
        What to subtract from descriptors first, so that squares stay small.
    projection : ndarray of shape (K, 2 * D + 1)
        From moments to log densities.
    """

    origin: np.ndarray
    projection: np.ndarray


def posterior_tiles(n_rows):
    """Return slices of rows whose posteriors stay in the cache."""
    return tiles(n_rows, TILE_ROWS)


def density_terms(means, covariances, weights, *, origin, dtype):
    """Expand ``log(w_k N(x; mu_k, sigma_k))`` into products with values and squared values."""
    centred = np.asarray(means, dtype=np.float64) - origin
    precisions = 1.0 / np.asarray(covariances, dtype=np.float64)
    constants = np.log(2 * np.pi / precisions).sum(axis=1) + (centred**2 * precisions).sum(axis=1)
    # A Gaussian without weight has the log density -inf; the fit reports what overflows.
    with np.errstate(divide="ignore", over="ignore"):
        offset = np.log(weights) - 0.5 * constants
        projection = np.concatenate(
            [centred * precisions, -0.5 * precisions, offset[:, None]], axis=1
        )
        return DensityTerms(np.asarray(origin, dtype), projection.astype(dtype))


def moments_of(descriptors, origin):
    """Return ``[x, x**2, 1]`` of each descriptor x, seen from the origin: (n, 2 D + 1)."""
    n_descriptors, n_channels = descriptors.shape
    moments = np.ones((n_descriptors, 2 * n_channels + 1), dtype=descriptors.dtype)
    values, squares = moments[:, :n_channels], moments[:, n_channels:-1]
    np.square(np.subtract(descriptors, origin, out=values), out=squares)
    return moments


def posteriors(descriptors, terms):
    """Return the posteriors (K, n) of a tile of descriptors."""
    densities, _ = _relative_densities(moments_of(descriptors, terms.origin), terms)
    weights = np.exp(densities, out=densities)
    weights /= weights.sum(axis=0)
    return weights


def sum_by_posterior(descriptors, terms):
    """Return the sums (K, 2 D + 1) of a tile's moments by posterior, and log likelihoods (n,).

    The moments of a descriptor are ``[x, x**2, 1]``, seen from the origin of `terms`.
    """
    moments = moments_of(descriptors, terms.origin)
    densities, largest = _relative_densities(moments, terms)
    counting = _those_that_count(densities)
    if counting.size <= SPARSE_SHARE * densities.size:
        weights = _sparse_exponentials(densities, counting)
    else:
        weights = np.exp(densities, out=densities)
    totals = weights.sum(axis=0)
    moments /= totals[:, None]
    return weights @ moments, largest + np.log(totals)


def _relative_densities(moments, terms):
    """Return log densities (K, n), less the largest of each descriptor, and that (n,)."""
    densities = terms.projection @ moments.T
    largest = densities.max(axis=0)
    densities -= largest
    return densities, largest


def _those_that_count(densities):
    """Return where, in the flat array, a density is large enough to be seen in a sum.

    It is not if, to the type's precision, it is nothing beside another of its Gaussian, or if not
    even its square root is anything beside the largest of its descriptor. What is not a number
    counts, so that it is noticed.
    """
    resolution = np.log(np.finfo(densities.dtype).eps)
    by_gaussian = densities.max(axis=1, keepdims=True)
    return np.flatnonzero(~(densities < np.maximum(by_gaussian, resolution) + resolution))


def _sparse_exponentials(densities, places):
    """Return an array with the exponentials of some densities, by place in the flat array."""
    n_gaussians, n_descriptors = densities.shape
    starts = np.searchsorted(places, n_descriptors * np.arange(n_gaussians + 1))
    parts = np.exp(densities.take(places)), places % n_descriptors, starts
    return sparse.csr_array(parts, shape=densities.shape)
