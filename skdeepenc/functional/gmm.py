"""Fit Gaussian mixtures with diagonal covariances to many descriptors, fast and in little memory.

Expectation maximisation: with the posteriors g_k(x) of Gaussian k given each of n descriptors x,
a step from one mixture to the next, more likely one is

    w_k = 1/n sum_x g_k(x),   mu_k = sum_x g_k(x) x / (n w_k),
    sigma_k^2 = sum_x g_k(x) (x - mu_k)^2 / (n w_k),

channel by channel. scikit-learn's mixture keeps every posterior of every descriptor at once, in
several copies. Here expectation and maximisation go through tiles of rows that stay in the
processor's cache: a tile costs two matrix products in the descriptors' own precision, and only sums
of the size of the mixture are kept, in float64.
"""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances_argmin

from skdeepenc._typing import Floats, Integers
from skdeepenc.arrays.threads import for_each, kept_threads
from skdeepenc.exceptions import DegenerateDataError
from skdeepenc.functional._posteriors import (
    density_terms,
    literal_posteriors,
    moments_of,
    posterior_tiles,
    posteriors,
    sum_by_posterior,
)
from skdeepenc.functional.visual_words import fit_codebook

# A Gaussian may shrink to this part of a channel's variance, and a channel counts as varying by at
# least that part of the mean variance: float32 cannot resolve distances in sharper units.
VARIANCE_FLOOR = 1e-4
CHANNEL_FLOOR = 1e-3


def literal_step(descriptors, weights, means, covariances):
    """Return weights, means and variances after one step, Gaussian by Gaussian."""
    descriptors = descriptors.astype(np.float64)
    posteriors, _ = literal_posteriors(descriptors, means, covariances, weights)
    weights, means = posteriors.mean(axis=0), np.zeros(means.shape)
    covariances = np.zeros(means.shape)
    for k, posterior in enumerate(posteriors.T):
        means[k] = sum(g * x for g, x in zip(posterior, descriptors, strict=True)) / posterior.sum()
        deviations = (descriptors - means[k]) ** 2
        covariances[k] = posterior @ deviations / posterior.sum()
    return weights, means, covariances


class DiagonalMixture(NamedTuple):
    """A mixture of K Gaussians in D dimensions and how its fit ended.

    Attributes
    ----------
    weights : ndarray of shape (K,)
        Prior probabilities; they sum to 1.
    means : ndarray of shape (K, D)
        Centres.
    covariances : ndarray of shape (K, D)
        Variances along each channel.
    n_iter : int
        Steps of expectation maximisation taken.
    converged : bool
        Whether the last step changed the mean log likelihood by less than the tolerance.
    lower_bound : float
        Mean log likelihood of the descriptors before the last step.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    n_iter: int = 0
    converged: bool = False
    lower_bound: float = -np.inf


def fit_mixture(sample, n_gaussians, *, max_iter=100, random_state=None):
    """Learn a mixture of Gaussians with diagonal covariances, starting from k-means.

    Parameters
    ----------
    sample : ndarray of shape (n_samples, D)
        The descriptors, float32 or float64.
    n_gaussians : int
        Number of Gaussians, clipped to the number of distinct samples. One that ends with less than
        half a sample is left out: its gradients would be divided by a weight of almost zero.
    max_iter : int, default=100
        Most steps of expectation maximisation.
    random_state : int, RandomState or None, default=None
        Seed of the first centres.

    Returns
    -------
    DiagonalMixture
        Weights, means, covariances, and how the fit ended.

    Raises
    ------
    FeatureMapsError
        If the sample is empty.
    DegenerateDataError
        If the mixture collapses, because descriptors are too large to be squared.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.gmm import fit_mixture
    >>> mixture = fit_mixture(np.array([[0.0], [0.2], [4.0], [4.2]]), 2, random_state=0)
    >>> np.sort(mixture.means, axis=0).round(2)
    array([[0.1],
           [4.1]])
    """
    centers = fit_codebook(sample, n_gaussians, random_state=random_state)
    nearest = pairwise_distances_argmin(sample, centers)
    _, labels = np.unique(nearest, return_inverse=True)
    start = mixture_from_labels(sample, labels)
    mixture = fit_diagonal_mixture(sample, start, max_iter=max_iter)
    kept = mixture.weights * len(sample) > 0.5
    weights = mixture.weights[kept]
    return mixture._replace(
        weights=weights / weights.sum(),
        means=mixture.means[kept],
        covariances=mixture.covariances[kept],
    )


def responsibilities(
    descriptors: Floats, means: Floats, covariances: Floats, weights: Floats
) -> Floats:
    """Return the probability of each Gaussian given each descriptor.

    Parameters
    ----------
    descriptors : ndarray of shape (n, D)
        Floating point descriptors.
    means : ndarray of shape (K, D)
        Centres of the Gaussians.
    covariances : ndarray of shape (K, D)
        Their variances along each channel.
    weights : ndarray of shape (K,)
        Their prior probabilities.

    Returns
    -------
    ndarray of shape (n, K)
        Rows sum to 1, in the type of `descriptors`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import responsibilities
    >>> means, covariances = np.array([[0.0], [4.0]]), np.ones((2, 1))
    >>> responsibilities(np.array([[2.0]]), means, covariances, np.array([0.5, 0.5]))
    array([[0.5, 0.5]])
    """
    dtype = descriptors.dtype
    origin = np.average(means, axis=0, weights=weights)
    terms = density_terms(means, covariances, weights, origin=origin, dtype=dtype)
    probabilities = np.empty((len(descriptors), len(means)), dtype=dtype)
    for rows in posterior_tiles(len(descriptors)):
        probabilities[rows] = posteriors(descriptors[rows], terms).T
    return probabilities


def fit_diagonal_mixture(
    descriptors: Floats, initial: DiagonalMixture, *, tol: float = 1e-3, max_iter: int = 100
) -> DiagonalMixture:
    """Fit a mixture of Gaussians with diagonal covariances by expectation maximisation.

    Parameters
    ----------
    descriptors : ndarray of shape (n, D)
        Of float32 or float64; products are computed in this type, sums kept in float64.
    initial : DiagonalMixture
        Where to start, for instance :func:`mixture_from_labels` of a k-means clustering.
    tol : float, default=1e-3
        Stop once a step changes the mean log likelihood by less.
    max_iter : int, default=100
        Most steps to take.

    Returns
    -------
    DiagonalMixture
        Parameters in float64. No variance falls under a small part of its channel's, and a Gaussian
        that loses all its descriptors stays where it was, with weight 0.

    Raises
    ------
    DegenerateDataError
        If the likelihood stops being a number, because descriptors are too large to be squared, or
        so small that the inverse of their square is.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import fit_diagonal_mixture, mixture_from_labels
    >>> descriptors = np.array([[-1.0], [1.0], [9.0], [11.0]])
    >>> initial = mixture_from_labels(descriptors, np.array([0, 0, 1, 1]))
    >>> mixture = fit_diagonal_mixture(descriptors, initial)
    >>> mixture.means.round(3), mixture.converged
    (array([[ 0.],
           [10.]]), True)
    """
    origin, floor = _origin_and_floor(descriptors)
    mixture = initial._replace(lower_bound=-np.inf)
    with kept_threads():
        for n_iter in range(1, max_iter + 1):
            sums, lower_bound = _expect(descriptors, origin, mixture)
            if not (np.isfinite(lower_bound) and np.isfinite(sums).all()):
                size = "large" if np.abs(descriptors).max() > 1 else "small"
                raise DegenerateDataError(
                    f"the mixture of {len(mixture.means)} Gaussians collapsed at step {n_iter}: "
                    f"the mean log likelihood is {lower_bound}. The descriptors are too {size} for "
                    f"{descriptors.dtype}; scale them, for instance with l2_normalize."
                )
            converged = abs(lower_bound - mixture.lower_bound) < tol
            mixture = _maximize(sums, origin, floor, mixture)
            mixture = mixture._replace(n_iter=n_iter, converged=converged, lower_bound=lower_bound)
            if converged:
                break
    return mixture


def mixture_from_labels(descriptors: Floats, labels: Integers) -> DiagonalMixture:
    """Return the mixture whose Gaussians are the clusters of a hard assignment.

    Parameters
    ----------
    descriptors : ndarray of shape (n, D)
        Of float32 or float64.
    labels : ndarray of shape (n,)
        The cluster of each descriptor, 0 to K - 1; each cluster must own one at least.

    Returns
    -------
    DiagonalMixture
        Share, mean and variances of each cluster; the start that scikit-learn's mixture takes.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import mixture_from_labels
    >>> mixture_from_labels(np.array([[-1.0], [1.0], [9.0]]), np.array([0, 0, 1])).weights
    array([0.66666667, 0.33333333])
    """
    origin, floor = _origin_and_floor(descriptors)
    clusters = np.arange(labels.max() + 1)
    sums = np.zeros((len(clusters), 2 * descriptors.shape[1] + 1))
    for rows in posterior_tiles(len(descriptors)):
        members = (labels[rows, None] == clusters).astype(descriptors.dtype)
        sums += members.T @ moments_of(descriptors[rows], origin)
    return _maximize(sums, origin, floor)


def _origin_and_floor(descriptors):
    """Return the mean descriptor and the smallest variance that each channel may have."""
    origin = descriptors.mean(axis=0, dtype=np.float64)
    variances = np.zeros_like(origin)
    for rows in posterior_tiles(len(descriptors)):
        variances += np.square(descriptors[rows] - origin).sum(axis=0) / len(descriptors)
    floor = VARIANCE_FLOOR * np.maximum(variances, CHANNEL_FLOOR * variances.mean())
    # Equal values differ from their rounded mean: what is under that noise is not variance.
    noise = np.square(np.finfo(np.float32).eps * np.abs(descriptors).max().astype(np.float64))
    return origin.astype(descriptors.dtype), np.maximum(floor, noise if noise > 0 else 1.0)


def _expect(descriptors, origin, mixture):
    """Return the sums of ``[x, x**2, 1]`` by posterior (K, 2 D + 1), the mean log likelihood."""
    terms = density_terms(
        mixture.means, mixture.covariances, mixture.weights, origin=origin, dtype=descriptors.dtype
    )

    def expect_tile(rows):
        with np.errstate(over="ignore", invalid="ignore"):  # the caller reports it, once
            tile_sums, log_likelihoods = sum_by_posterior(descriptors[rows], terms)
            return tile_sums, log_likelihoods.sum()

    sums = np.zeros((len(mixture.means), 2 * descriptors.shape[1] + 1))
    log_likelihoods = []

    def add(tile):  # in order, so the sums do not depend on the number of threads
        np.add(sums, tile[0], out=sums)
        log_likelihoods.append(float(tile[1]))

    for_each(expect_tile, posterior_tiles(len(descriptors)), add)
    return sums, sum(log_likelihoods) / len(descriptors)


def _maximize(sums, origin, floor, previous=None):
    """Turn posterior sums into weights, means and variances; empty Gaussians keep theirs."""
    counts = sums[:, -1]
    alive = counts > 0
    first, second = np.split(sums[:, :-1] / np.where(alive, counts, 1)[:, None], 2, axis=1)
    means, covariances = first + origin, np.maximum(second - first**2, floor)
    if not alive.all():
        means[~alive], covariances[~alive] = previous.means[~alive], previous.covariances[~alive]
    return DiagonalMixture(counts / counts.sum(), means, covariances)
