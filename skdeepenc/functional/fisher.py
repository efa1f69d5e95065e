"""Fisher vectors: how the descriptors of an image would move a mixture of Gaussians.

With the posteriors ``g_k(x)`` of Gaussian k, of weight w, mean mu and deviations sigma, and the n
descriptors x of an image (section 2.1 of Yoo et al., 2014),

    G_mu_k    = 1 / (n sqrt(w_k))   sum_x g_k(x) (x - mu_k) / sigma_k
    G_sigma_k = 1 / (n sqrt(2 w_k)) sum_x g_k(x) (((x - mu_k) / sigma_k)^2 - 1).

Both gradients are affine in three sums over the descriptors, each weighted by the posteriors of the
Gaussians: of 1, of the values and of their squares. So an image costs two matrix products, one for
the posteriors and one for the sums, and no array of the size descriptors x Gaussians x channels.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array

from skdeepenc._typing import Floats
from skdeepenc.arrays.threads import for_each
from skdeepenc.functional._posteriors import (
    DensityTerms,
    density_terms,
    posterior_tiles,
    sum_by_posterior,
)


def literal_fisher_vector(descriptors, means, covariances, weights):
    """Return all gradients by means, then all by deviations, as the equations read."""
    sigma = np.sqrt(covariances)
    by_mean, by_deviation = np.zeros(means.shape), np.zeros(means.shape)
    for x in descriptors.astype(np.float64):
        standard = (x - means) / sigma
        densities = np.log(weights) - np.log(sigma).sum(axis=1) - 0.5 * (standard**2).sum(axis=1)
        posterior = np.exp(densities - densities.max())
        posterior /= posterior.sum()
        by_mean += posterior[:, None] * standard
        by_deviation += posterior[:, None] * (standard**2 - 1)
    n = max(len(descriptors), 1)
    by_mean /= n * np.sqrt(weights)[:, None]
    by_deviation /= n * np.sqrt(2 * weights)[:, None]
    return np.concatenate([by_mean.ravel(), by_deviation.ravel()])


class FisherTerms(NamedTuple):
    """What Fisher vectors need of a mixture, computed once for all images.

    Attributes
    ----------
    density : DensityTerms
        Gives the posteriors.
    means : ndarray of shape (K, D)
        Centres, seen from the origin of `density`.
    variances : ndarray of shape (K, D)
        ``sigma**2``.
    mean_scale : ndarray of shape (K, D)
        ``1 / (sigma sqrt(w))``.
    deviation_scale : ndarray of shape (K, D)
        ``1 / (sigma**2 sqrt(2 w))``.
    """

    density: DensityTerms
    means: np.ndarray
    variances: np.ndarray
    mean_scale: np.ndarray
    deviation_scale: np.ndarray


def fisher_terms(means, covariances, weights, dtype):
    """Prepare a mixture for :func:`fisher_sums` and :func:`fisher_gradients`."""
    weights = np.asarray(weights, dtype=np.float64)[:, None]
    covariances = np.asarray(covariances, dtype=np.float64)
    origin = (weights * means).sum(axis=0) / weights.sum()
    centred = means - origin
    arrays = (
        centred,
        covariances,
        1.0 / np.sqrt(weights * covariances),
        1.0 / (covariances * np.sqrt(2.0 * weights)),
    )
    density = density_terms(means, covariances, weights[:, 0], origin=origin, dtype=dtype)
    return FisherTerms(density, *(array.astype(dtype) for array in arrays))


def fisher_sums(descriptors, terms):
    """Return the sums of ``[x, x**2, 1]`` over descriptors, by posterior: (K, 2 D + 1)."""

    def sum_tile(rows):
        return sum_by_posterior(descriptors[rows], terms.density)[0]

    n_gaussians, n_channels = terms.means.shape
    sums = np.zeros((n_gaussians, 2 * n_channels + 1), dtype=descriptors.dtype)
    for_each(sum_tile, posterior_tiles(len(descriptors)), partial(np.add, sums, out=sums))
    return sums


def fisher_gradients(sums, n_descriptors, terms):
    """Return gradients (..., 2, K, D) by means and deviations, given sums (..., K, 2 D + 1).

    Each is divided by its `n_descriptors` (...); without descriptors it is zero.
    """
    n_channels = terms.means.shape[1]
    first, second, counts = np.split(sums, [n_channels, 2 * n_channels], axis=-1)
    gradients = np.empty((*sums.shape[:-2], 2, *terms.means.shape), dtype=sums.dtype)
    by_mean, by_deviation = gradients[..., 0, :, :], gradients[..., 1, :, :]
    np.subtract(first, counts * terms.means, out=by_mean)
    by_mean *= terms.mean_scale
    # sum g ((x - mu)^2 - sigma^2) = sum g x^2 - 2 mu sum g x + (mu^2 - sigma^2) sum g
    np.add(second, counts * (terms.means**2 - terms.variances), out=by_deviation)
    by_deviation -= 2 * terms.means * first
    by_deviation *= terms.deviation_scale
    gradients /= np.maximum(n_descriptors, 1).astype(sums.dtype)[..., None, None, None]
    return gradients


def fisher_vector(
    descriptors: Floats, means: Floats, covariances: Floats, weights: Floats
) -> Floats:
    """Return the Fisher vector of descriptors under a mixture of Gaussians, unnormalised.

    With the posteriors ``g_k(x)`` of Gaussian k,
    ``G_mu_k = 1 / (n sqrt(w_k)) sum_x g_k(x) (x - mu_k) / sigma_k`` and
    ``G_sigma_k = 1 / (n sqrt(2 w_k)) sum_x g_k(x) (((x - mu_k) / sigma_k)**2 - 1)``.

    Parameters
    ----------
    descriptors : array-like of shape (n, D)
        Descriptors of one image; float32 is computed in float32.
    means : array-like of shape (K, D)
        Centres of the Gaussians.
    covariances : array-like of shape (K, D)
        Their variances along each channel.
    weights : array-like of shape (K,)
        Their prior probabilities.

    Returns
    -------
    ndarray of shape (2 * K * D,)
        All gradients by means, Gaussian after Gaussian, then all gradients by deviations; zeros if
        there are no descriptors.

    Raises
    ------
    ValueError
        If shapes disagree, or a weight or variance is not positive.

    References
    ----------
    Section 2.1 of Yoo et al., "Fisher Kernel for Deep Neural Activations", 2014; Perronnin, Sanchez
    and Mensink, "Improving the Fisher kernel for large-scale image classification", ECCV 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import fisher_vector
    >>> fisher_vector(np.array([[2.0], [4.0]]), means=[[1.0]], covariances=[[4.0]], weights=[1.0])
    array([1.        , 0.1767767])
    """
    descriptors = check_array(descriptors, dtype=[np.float64, np.float32], ensure_min_samples=0)
    means, covariances, weights = (
        np.asarray(part, float) for part in (means, covariances, weights)
    )
    _check_mixture(means, covariances, weights, descriptors.shape[1])
    terms = fisher_terms(means, covariances, weights, descriptors.dtype)
    sums = fisher_sums(descriptors, terms)
    return fisher_gradients(sums, len(descriptors), terms).ravel()


def _check_mixture(means, covariances, weights, n_channels):
    """Say what is wrong with a mixture that has no Fisher vector."""
    if means.ndim != 2 or covariances.shape != means.shape or weights.shape != means.shape[:1]:
        raise ValueError(
            "a mixture of K Gaussians in D channels needs means and covariances of shape (K, D), "
            f"weights of shape (K,); got {means.shape}, {covariances.shape} and {weights.shape}"
        )
    if means.shape[1] != n_channels:
        raise ValueError(
            f"descriptors have {n_channels} channels, the mixture was fitted on {means.shape[1]}"
        )
    for name, values in (("covariances", covariances), ("weights", weights)):
        if not (values > 0).all():
            raise ValueError(
                f"{np.sum(~(values > 0))} of the {name} are not positive: the mixture collapsed; "
                "leave such Gaussians out, or fit fewer"
            )
