"""Fisher vectors: the equations literally, scikit-image, and what they must not depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.mixture import GaussianMixture

from skdeepenc.functional import fisher_vector
from skdeepenc.functional._fisher_scores import literal_scores, score_each_alone
from skdeepenc.functional.fisher import fisher_terms, literal_fisher_vector


def random_mixture(rng, n_gaussians, n_channels):
    """Return means, covariances and weights."""
    return (
        rng.normal(size=(n_gaussians, n_channels)) + 5,
        rng.uniform(0.3, 2, size=(n_gaussians, n_channels)),
        rng.dirichlet(np.full(n_gaussians, 3.0)),
    )


def sklearn_mixture(means, covariances, weights):
    mixture = GaussianMixture(len(means), covariance_type="diag")
    mixture.means_, mixture.covariances_, mixture.weights_ = means, covariances, weights
    mixture.precisions_cholesky_ = 1 / np.sqrt(covariances)
    return mixture


@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 30),
    n_channels=st.integers(1, 8),
    n_gaussians=st.integers(1, 6),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_equals_the_equations(seed, n, n_channels, n_gaussians, dtype):
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, n_gaussians, n_channels)
    descriptors = (rng.normal(size=(n, n_channels)) + 5).astype(dtype)
    expected = literal_fisher_vector(descriptors, *mixture)
    actual = fisher_vector(descriptors, *mixture)
    assert actual.dtype == dtype
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_scores_of_single_descriptors_equal_the_equation(power):
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, 4, 3)
    descriptors, coefficients = rng.normal(size=(9, 3)) + 5, rng.normal(size=(2, 2, 4, 3))
    terms = fisher_terms(*mixture, dtype=np.float64)
    scores = score_each_alone(descriptors, terms, coefficients, power)
    assert_allclose(scores, literal_scores(descriptors, mixture, coefficients, power))


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_image(seed):
    """Theirs starts with gradients by weights, and its deviation part has the other sign."""
    feature = pytest.importorskip("skimage.feature")
    rng = np.random.default_rng(seed)
    n_gaussians, n_channels = 16, 10
    mixture = random_mixture(rng, n_gaussians, n_channels)
    descriptors = rng.normal(size=(3000, n_channels)) + 5
    theirs = feature.fisher_vector(descriptors, sklearn_mixture(*mixture))[n_gaussians:]
    by_mean, by_deviation = np.split(theirs, 2)
    expected = np.concatenate([by_mean, -by_deviation])
    assert_allclose(fisher_vector(descriptors, *mixture), expected, atol=1e-10)
    in_float32 = fisher_vector(descriptors.astype(np.float32), *mixture)
    assert_allclose(in_float32, expected, atol=1e-4 * np.abs(expected).max())


def test_by_hand():
    """One Gaussian, mean 1, variance 4: descriptors 2 and 4 lie 0.5 and 1.5 deviations away."""
    actual = fisher_vector([[2.0], [4.0]], [[1.0]], [[4.0]], [1.0])
    assert_allclose(actual, [(0.5 + 1.5) / 2, (0.25 - 1 + 2.25 - 1) / 2 / np.sqrt(2)])


def test_a_sample_of_the_mixture_has_a_small_gradient():
    rng = np.random.default_rng(0)
    means, covariances, weights = random_mixture(rng, 4, 3)
    drawn = rng.choice(4, size=40_000, p=weights)
    descriptors = rng.normal(means[drawn], np.sqrt(covariances[drawn]))
    assert np.abs(fisher_vector(descriptors, means, covariances, weights)).max() < 0.03


def test_tiles_and_order_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    mixture = random_mixture(rng, 5, 4)
    descriptors = rng.normal(size=(70, 4)) + 5
    whole = fisher_vector(descriptors, *mixture)
    monkeypatch.setattr("skdeepenc.functional._posteriors.TILE_ROWS", 16)
    assert_allclose(fisher_vector(rng.permutation(descriptors), *mixture), whole, atol=1e-12)


def test_no_descriptors_give_zeros():
    mixture = random_mixture(np.random.default_rng(0), 3, 2)
    assert_array_equal(fisher_vector(np.empty((0, 2)), *mixture), np.zeros(12))


def test_distant_descriptor_belongs_to_the_nearest_gaussian():
    """Every density underflows; the posteriors must not become 0 / 0."""
    means, covariances = np.array([[0.0], [1.0]]), np.ones((2, 1))
    vector = fisher_vector([[1e4]], means, covariances, [0.5, 0.5])
    assert np.isfinite(vector).all()
    assert_array_equal(vector[[0, 2]], 0)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"means": np.zeros((3, 5))}, r"shape \(K, D\).*\(3, 5\)"),
        ({"weights": np.zeros(3)}, "3 of the weights are not positive: the mixture collapsed"),
        ({"covariances": np.diag([0.0, 1, 1])}, "7 of the covariances are not positive"),
        ({"descriptors": np.zeros((4, 2))}, "2 channels, the mixture was fitted on 3"),
        ({"descriptors": np.full((4, 3), np.nan)}, "NaN"),
    ],
)
def test_bad_input_is_named(broken, message):
    arguments = {
        "descriptors": np.zeros((4, 3)),
        "means": np.zeros((3, 3)),
        "covariances": np.ones((3, 3)),
        "weights": np.full(3, 1 / 3),
    }
    with pytest.raises(ValueError, match=message):
        fisher_vector(**(arguments | broken))
