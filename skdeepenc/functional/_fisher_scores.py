"""Score descriptors as if each were an image, without building its Fisher vector.

With the Fisher vector G(x) of a descriptor x alone and the weights w_c of a linear classifier,
class c scores

    w_c . P(G(x)) / |P(G(x))|_2,   P(v) = sign(v) |v|^power.

The part of G(x) that belongs to a Gaussian is its posterior times what belongs to the descriptor's
place in it, and so is its power. A classifier adds such products up Gaussian by Gaussian, and a
Gaussian whose posterior is nothing adds nothing. So the vectors of K times 2 D values are never
made.
"""

import numpy as np

from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles
from skdeepenc.functional._posteriors import posterior_tiles, posteriors
from skdeepenc.functional.fisher import literal_fisher_vector
from skdeepenc.functional.normalize import power_normalize

__all__ = ["score_each_alone"]

# Enough that what a Gaussian costs in Python is small beside what its descriptors cost.
ROWS_AT_ONCE = 4096


def literal_scores(descriptors, mixture, coefficients, power):
    """Score Fisher vector by Fisher vector, as the equation reads; `mixture` as for those."""
    scores = []
    for descriptor in descriptors:
        gradients = literal_fisher_vector(descriptor[None], *mixture)
        vector = np.sign(gradients) * np.abs(gradients) ** power
        scores.append(coefficients.reshape(len(coefficients), -1) @ vector / np.linalg.norm(vector))
    return np.array(scores)


def score_each_alone(descriptors, terms, coefficients, power):
    """Return the products of each descriptor's normalised Fisher vector with coefficients.

    Parameters
    ----------
    descriptors : ndarray of shape (n, D)
        Each is taken for an image of its own.
    terms : FisherTerms
        The mixture, in the type of `descriptors`.
    coefficients : ndarray of shape (n_classes, 2, K, D)
        Weights of the gradients by means and by deviations.
    power : float
        Exponent of the power normalisation, above 0, which L2 normalisation follows.

    Returns
    -------
    ndarray of shape (n, n_classes)
        The scores; zero for a descriptor whose Fisher vector is zero.
    """
    by_gaussian = np.ascontiguousarray(coefficients.transpose(2, 1, 3, 0), dtype=descriptors.dtype)
    scores = np.empty((len(descriptors), len(coefficients)), dtype=descriptors.dtype)

    def score_rows(rows):
        scores[rows] = _score_rows(descriptors[rows], terms, by_gaussian, power)

    for_each(score_rows, tiles(len(descriptors), ROWS_AT_ONCE))
    return scores


def _score_rows(descriptors, terms, by_gaussian, power):
    """Add up the scores of descriptors Gaussian by Gaussian; divide by the vectors' lengths."""
    scores = np.zeros((len(descriptors), by_gaussian.shape[-1]), dtype=descriptors.dtype)
    energies = np.zeros(len(descriptors), dtype=descriptors.dtype)
    probabilities, values = _posteriors_and_values(descriptors, terms)
    # What is raised to `power` below the type's resolution cannot be seen beside the largest.
    negligible = (0.01 * np.finfo(descriptors.dtype).eps) ** (1 / power)
    for gaussian, weights in enumerate(by_gaussian):
        rows = np.flatnonzero(probabilities[gaussian] > negligible)
        gradients = _gradients_in(values[rows], probabilities[gaussian, rows], terms, gaussian)
        normalized = power_normalize(gradients, power)
        scores[rows] += normalized @ weights.reshape(normalized.shape[1], -1)
        energies[rows] += np.einsum("nd,nd->n", normalized, normalized)
    return scores / np.sqrt(np.where(energies > 0, energies, 1))[:, None]


def _posteriors_and_values(descriptors, terms):
    """Return posteriors (K, n), and the descriptors seen from the mixture's origin."""
    probabilities = np.empty((len(terms.means), len(descriptors)), dtype=descriptors.dtype)
    for rows in posterior_tiles(len(descriptors)):
        probabilities[:, rows] = posteriors(descriptors[rows], terms.density)
    return probabilities, descriptors - terms.density.origin


def _gradients_in(values, probabilities, terms, gaussian):
    """Return the gradients (m, 2 D) by mean and deviation of one Gaussian, of each descriptor."""
    n_channels = values.shape[1]
    gradients = np.empty((len(values), 2 * n_channels), dtype=values.dtype)
    by_mean, by_deviation = gradients[:, :n_channels], gradients[:, n_channels:]
    distances = values - terms.means[gaussian]
    np.multiply(distances, terms.mean_scale[gaussian], out=by_mean)
    np.subtract(distances**2, terms.variances[gaussian], out=by_deviation)
    by_deviation *= terms.deviation_scale[gaussian]
    gradients *= probabilities[:, None]
    return gradients
