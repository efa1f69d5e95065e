"""Mixtures: equal to scikit-learn's from an equal start, unharmed by degenerate descriptors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from skdeepenc.exceptions import DegenerateDataError
from skdeepenc.functional import fit_diagonal_mixture, mixture_from_labels, responsibilities
from skdeepenc.functional import gmm as gmm_module


def blobs(seed, n=600, n_channels=6, n_blobs=4, dtype=np.float32):
    """Return overlapping clusters far from the origin, and k-means labels."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_blobs, n_channels)) * 2 + 20
    descriptors = centres[rng.integers(n_blobs, size=n)] + rng.normal(size=(n, n_channels))
    descriptors = descriptors.astype(dtype)
    return descriptors, KMeans(n_blobs, n_init=1, random_state=seed).fit_predict(descriptors)


def sklearn_mixture(start, **parameters):
    """Return scikit-learn's mixture, to start from the same weights, means and variances."""
    return GaussianMixture(
        len(start.means),
        covariance_type="diag",
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=1 / start.covariances,
        reg_covar=0,
        **parameters,
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_sklearn_from_an_equal_start(seed, dtype):
    descriptors, labels = blobs(seed, dtype=dtype)
    start = mixture_from_labels(descriptors, labels)
    ours = fit_diagonal_mixture(descriptors, start)
    theirs = sklearn_mixture(start).fit(descriptors.astype(np.float64))
    assert_allclose(ours.means, theirs.means_, atol=1e-4)
    assert_allclose(ours.covariances, theirs.covariances_, rtol=1e-3)
    assert_allclose(ours.weights, theirs.weights_, atol=1e-4)
    assert_allclose(ours.lower_bound, theirs.lower_bound_, atol=1e-4)
    assert ours.n_iter == theirs.n_iter_
    assert ours.converged == theirs.converged_


def test_a_step_is_the_literal_one():
    descriptors, labels = blobs(0, n=80, dtype=np.float64)
    start = mixture_from_labels(descriptors, labels)
    step = fit_diagonal_mixture(descriptors, start, max_iter=1)
    expected = gmm_module.literal_step(descriptors, *start[:3])
    for ours, literal in zip(step[:3], expected, strict=True):
        assert_allclose(ours, literal, rtol=1e-8)


def test_start_is_the_one_sklearn_takes_from_kmeans():
    descriptors, labels = blobs(0, dtype=np.float64)
    start = mixture_from_labels(descriptors, labels)
    for cluster in range(4):
        members = descriptors[labels == cluster]
        assert_allclose(start.weights[cluster], len(members) / len(descriptors))
        assert_allclose(start.means[cluster], members.mean(axis=0))
        assert_allclose(start.covariances[cluster], members.var(axis=0))


def test_responsibilities_equal_sklearn_far_from_the_origin():
    descriptors, labels = blobs(1)
    start = mixture_from_labels(descriptors + 1000, labels)
    theirs = GaussianMixture(4, covariance_type="diag")
    theirs.weights_, theirs.means_ = start.weights, start.means
    theirs.precisions_cholesky_ = 1 / np.sqrt(start.covariances)
    ours = responsibilities(descriptors + 1000, start.means, start.covariances, start.weights)
    assert ours.dtype == np.float32
    expected = theirs.predict_proba((descriptors + 1000).astype(np.float64))
    assert_allclose(ours, expected, atol=2e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), n_steps=st.integers(1, 6))
def test_likelihood_never_falls(seed, n_steps):
    descriptors, labels = blobs(seed, n=100, n_blobs=5)
    start = mixture_from_labels(descriptors, labels)
    bounds = [
        fit_diagonal_mixture(descriptors, start, tol=0, max_iter=step).lower_bound
        for step in range(1, n_steps + 2)
    ]
    assert (np.diff(bounds) > -1e-4).all()


def test_tiles_and_threads_change_nothing(monkeypatch):
    descriptors, labels = blobs(2, dtype=np.float64)
    start = mixture_from_labels(descriptors, labels)
    whole = fit_diagonal_mixture(descriptors, start)
    monkeypatch.setattr("skdeepenc.functional._posteriors.TILE_ROWS", 64)
    tiled = fit_diagonal_mixture(descriptors, start)
    assert_allclose(tiled.means, whole.means, rtol=1e-9)
    posteriors = responsibilities(descriptors, start.means, start.covariances, start.weights)
    assert_allclose(posteriors.sum(axis=1), 1)


def test_stops_at_max_iter_and_says_so():
    descriptors, labels = blobs(3)
    mixture = fit_diagonal_mixture(
        descriptors, mixture_from_labels(descriptors, labels), tol=0, max_iter=2
    )
    assert mixture.n_iter == 2
    assert not mixture.converged


@pytest.mark.parametrize(
    "descriptors",
    [
        np.ones((9, 4)),
        np.zeros((9, 4)),
        np.full((9, 4), 0.1) * [1, 1e3, 1e-3, -1],
        np.repeat(np.eye(3, 4), 3, axis=0),
        np.column_stack([np.arange(9.0), np.full(9, 7.7)]),
        np.arange(8.0).reshape(2, 4),
    ],
    ids=["equal", "zero", "unequal constants", "duplicates", "constant channel", "two points"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_degenerate_descriptors_give_a_finite_mixture(descriptors, dtype):
    descriptors = descriptors.astype(dtype)
    labels = np.arange(len(descriptors)) % 2
    mixture = fit_diagonal_mixture(descriptors, mixture_from_labels(descriptors, labels))
    assert np.isfinite(mixture.means).all()
    assert (mixture.covariances > 0).all()
    assert_allclose(mixture.weights.sum(), 1)
    posteriors = responsibilities(descriptors, *mixture_parameters(mixture))
    assert np.isfinite(posteriors).all()


def mixture_parameters(mixture):
    return mixture.means, mixture.covariances, mixture.weights


def test_a_gaussian_that_loses_every_descriptor_stays_where_it_was():
    descriptors = np.array([[-1.0], [1.0], [0.0]])
    start = mixture_from_labels(descriptors, np.zeros(3, int))
    lonely = start._replace(
        weights=np.array([0.5, 0.5]),
        means=np.array([[0.0], [1e6]]),
        covariances=np.ones((2, 1)),
    )
    mixture = fit_diagonal_mixture(descriptors, lonely)
    assert_array_equal(mixture.weights, [1, 0])
    assert_allclose(mixture.means[:, 0], [0, 1e6])


def test_descriptors_too_large_to_square_are_named():
    descriptors = np.array([[1e30], [-1e30], [2e30], [5.0]], dtype=np.float32)
    start = gmm_module.DiagonalMixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)))
    with pytest.raises(DegenerateDataError, match=r"collapsed at step 1.*float32.*l2_normalize"):
        fit_diagonal_mixture(descriptors, start)


def test_descriptors_too_small_to_divide_by_their_squares_are_named():
    descriptors = np.array([[1e-22], [-1e-22], [2e-22], [0]], dtype=np.float32)
    start = mixture_from_labels(descriptors, np.array([0, 1, 0, 1]))
    with pytest.raises(DegenerateDataError, match="too small for float32"):
        fit_diagonal_mixture(descriptors, start)
