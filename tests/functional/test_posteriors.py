"""Posteriors and their sums: the sparse product, the dense one and the definition agree."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import norm

from skdeepenc.functional import _posteriors as module
from skdeepenc.functional._posteriors import density_terms, literal_posteriors, sum_by_posterior


def drawn_from_many(seed, spread, dtype, n=40, n_gaussians=60, n_channels=12):
    """Return descriptors and mixture; few posteriors of a descriptor count if the spread is."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n_gaussians, n_channels))
    covariances = spread**2 * rng.uniform(0.5, 2, size=means.shape)
    weights = rng.dirichlet(np.full(n_gaussians, 3.0))
    drawn = rng.choice(n_gaussians, n)
    return rng.normal(means[drawn], np.sqrt(covariances[drawn])).astype(dtype), (
        means,
        covariances,
        weights,
    )


def literal_sums(descriptors, *mixture):
    """Return the sums and log likelihoods by the definition, in float64."""
    posteriors, likelihoods = literal_posteriors(descriptors, *mixture)
    x = descriptors.astype(np.float64)
    return posteriors.T @ np.concatenate([x, x**2, np.ones((len(x), 1))], axis=1), likelihoods


def test_the_definition_is_that_of_scipy():
    descriptors, (means, covariances, weights) = drawn_from_many(0, 1.0, np.float64)
    posteriors, likelihoods = literal_posteriors(descriptors, means, covariances, weights)
    densities = norm.logpdf(descriptors[:, None], means, np.sqrt(covariances)).sum(axis=2)
    expected = logsumexp(densities + np.log(weights), axis=1)
    assert_allclose(likelihoods, expected)
    assert_allclose(posteriors, np.exp(densities + np.log(weights) - expected[:, None]))


@pytest.mark.parametrize("share", [-1, 1], ids=["dense", "sparse"])
@pytest.mark.parametrize("spread", [0.1, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_products_equal_the_definition(share, spread, dtype, monkeypatch):
    monkeypatch.setattr(module, "SPARSE_SHARE", share)
    descriptors, mixture = drawn_from_many(0, spread, dtype)
    terms = density_terms(*mixture, origin=np.zeros(12), dtype=dtype)
    sums, likelihoods = sum_by_posterior(descriptors, terms)
    expected, expected_likelihoods = literal_sums(descriptors, *mixture)
    tolerance = 1e-3 if dtype == np.float32 else 1e-10  # densities are sums of large terms
    assert sums.dtype == likelihoods.dtype == dtype
    assert_allclose(likelihoods, expected_likelihoods, atol=tolerance)
    assert_allclose(sums, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("spread", "is_sparse"), [(0.1, True), (1.0, False)])
def test_the_sparse_product_is_taken_where_few_posteriors_count(spread, is_sparse, monkeypatch):
    taken = []
    exponentials = module._sparse_exponentials
    monkeypatch.setattr(
        module, "_sparse_exponentials", lambda *args: taken.append(1) or exponentials(*args)
    )
    descriptors, mixture = drawn_from_many(1, spread, np.float32)
    sum_by_posterior(descriptors, density_terms(*mixture, origin=np.zeros(12), dtype=np.float32))
    assert bool(taken) == is_sparse


def test_small_sums_keep_their_digits():
    """A far Gaussian's sum is tiny, but the square root of power normalisation will see it."""
    mixture = np.array([[0.0], [7.0]]), np.ones((2, 1)), np.array([0.5, 0.5])
    terms = density_terms(*mixture, origin=np.zeros(1), dtype=np.float32)
    sums, _ = sum_by_posterior(np.zeros((1, 1), np.float32), terms)
    assert_allclose(sums[1, -1], np.exp(-24.5), rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_what_is_not_a_number_stays_visible():
    descriptors, mixture = drawn_from_many(0, 0.1, np.float32)
    descriptors[3] = 1e30
    terms = density_terms(*mixture, origin=np.zeros(12), dtype=np.float32)
    assert not np.isfinite(sum_by_posterior(descriptors, terms)[0]).all()
