"""Mixtures as vocabularies: whatever the sample, Gaussians that descriptors belong to."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.gmm import fit_mixture


def test_finds_the_blobs():
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    sample = np.repeat(centres, 200, axis=0) + rng.normal(size=(600, 2))
    mixture = fit_mixture(sample.astype(np.float32), 3, random_state=0)
    found = mixture.means[np.lexsort(mixture.means.round().T)]
    assert_allclose(found, centres[np.lexsort(centres.T)], atol=0.3)
    assert_allclose(mixture.covariances, 1, atol=0.3)
    assert_allclose(mixture.weights, 1 / 3, atol=0.01)
    assert mixture.converged


@pytest.mark.parametrize(
    ("sample", "n_distinct"),
    [
        (np.ones((9, 4)), 1),
        (np.repeat(np.eye(3, 4), 3, axis=0), 3),
        (np.arange(8.0).reshape(2, 4), 2),
        (np.column_stack([np.arange(9.0), np.full(9, 7.7)]), 9),
    ],
    ids=["equal", "duplicates", "two points", "constant channel"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_more_gaussians_than_distinct_descriptors(sample, n_distinct, dtype):
    mixture = fit_mixture(sample.astype(dtype), 20, random_state=0)
    assert 1 <= len(mixture.weights) <= n_distinct
    assert (mixture.weights * len(sample) > 0.4).all()
    assert (mixture.covariances > 0).all()
    assert np.isfinite(mixture.means).all()
    assert_allclose(mixture.weights.sum(), 1)


def test_seeds_repeat_it():
    sample = np.random.default_rng(0).normal(size=(200, 3))
    first, second = (fit_mixture(sample, 5, random_state=1) for _ in range(2))
    assert_array_equal(first.means, second.means)


def test_an_empty_sample_is_named():
    with pytest.raises(FeatureMapsError, match="no descriptor to learn from"):
        fit_mixture(np.empty((0, 3)), 2)
