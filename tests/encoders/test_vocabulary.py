"""Principal components and words equal scikit-learn's, on samples of every shape."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from skdeepenc.encoders import vocabulary
from skdeepenc.encoders.vocabulary import fit_codebook, fit_pca
from skdeepenc.exceptions import FeatureMapsError

FITTED = [
    "mean_",
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "noise_variance_",
]


def correlated_sample(n_samples, n_channels, dtype):
    rng = np.random.RandomState(0)
    mixing = rng.standard_normal((n_channels, n_channels)) / np.sqrt(n_channels)
    return (rng.standard_normal((n_samples, n_channels)) @ mixing + 3).astype(dtype)


@pytest.mark.parametrize("block_size", [7, 2048])
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(300, 20), (20, 300), (40, 40)])
def test_components_equal_those_of_scikit_learn(shape, dtype, whiten, block_size, monkeypatch):
    monkeypatch.setattr(vocabulary, "_BLOCK_SIZE", block_size)
    sample = correlated_sample(*shape, dtype)
    kept = sample.copy()
    ours = fit_pca(sample, 8, whiten=whiten)
    theirs = PCA(8, whiten=whiten, svd_solver="full").fit(sample.astype(np.float64))
    assert_array_equal(sample, kept)
    tolerance = 2e-3 if dtype == np.float32 else 1e-9
    for name in FITTED:
        expected = getattr(theirs, name)
        atol = tolerance * np.abs(expected).max()
        assert_allclose(getattr(ours, name), expected, rtol=tolerance, atol=atol, err_msg=name)
    vectors = ours.transform(sample)
    assert vectors.dtype == dtype
    assert_allclose(vectors, theirs.transform(sample), atol=tolerance * np.abs(vectors).max())


@pytest.mark.parametrize("spectrum", ["falls", "is flat", "ends"])
def test_few_components_of_many_channels_keep_the_variance(spectrum):
    """A flat spectrum takes more walks than are allowed, and then the covariance."""
    rng = np.random.default_rng(0)
    scales = {
        "falls": np.arange(1, 1025) ** -0.5,
        "is flat": np.ones(1024),
        "ends": np.arange(1024) < 5,
    }[spectrum]
    sample = (rng.standard_normal((1500, 1024)) * scales + 1).astype(np.float32)
    ours, best = fit_pca(sample, 16), PCA(16, svd_solver="full").fit(sample.astype(np.float64))
    assert ours.explained_variance_.sum() > 0.9999 * best.explained_variance_.sum()
    kept = np.square(ours.transform(sample), dtype=np.float64).sum() / (len(sample) - 1)
    assert_allclose(kept, ours.explained_variance_.sum(), rtol=1e-4)
    n_directions = 5 if spectrum == "ends" else 16
    expected = np.diag(np.arange(16) < n_directions)
    assert_allclose(ours.components_ @ ours.components_.T, expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (1, 4), (2, 2)])
def test_the_number_of_components_is_clipped(shape):
    pca = fit_pca(correlated_sample(*shape, np.float32), 100)
    assert pca.n_components_ == pca.n_components == min(shape)
    assert pca.components_.shape == (min(shape), shape[1])


@pytest.mark.parametrize("n_samples", [6, 60])
def test_whitening_leaves_directions_without_variance_at_zero(n_samples):
    plane = correlated_sample(n_samples, 2, np.float32) @ np.ones((2, 20), np.float32)
    whitened = fit_pca(plane, 5, whiten=True).transform(plane)
    assert_allclose(whitened[:, 0].std(ddof=1), 1, rtol=1e-4)
    assert_array_equal(whitened[:, 2:], 0)


def test_one_sample_has_no_direction():
    pca = fit_pca(np.ones((1, 4)), whiten=True)
    assert_array_equal(pca.transform(np.eye(4)), 0)


def test_words_are_those_of_k_means():
    sample = correlated_sample(200, 5, np.float32)
    codebook = fit_codebook(sample, 8, random_state=0)
    assert codebook.dtype == np.float32
    inertia = ((sample[:, None] - codebook) ** 2).sum(axis=2).min(axis=1).sum()
    assert_allclose(inertia, KMeans(8, n_init=5, random_state=1).fit(sample).inertia_, rtol=0.1)
    assert_array_equal(codebook, fit_codebook(sample, 8, random_state=0))
    state = np.random.RandomState(0)
    assert_array_equal(codebook, fit_codebook(sample, 8, random_state=state))


def test_repeated_samples_make_no_word_twice():
    sample = np.repeat(correlated_sample(3, 2, np.float64), 20, axis=0)
    codebook = fit_codebook(sample, 10, random_state=0)
    assert_allclose(np.unique(codebook, axis=0), np.unique(sample, axis=0))
    assert fit_codebook(np.zeros((4, 2)), 10, random_state=0).shape == (1, 2)


@pytest.mark.parametrize("fit", [fit_pca, fit_codebook])
def test_nothing_to_learn_from(fit):
    with pytest.raises(FeatureMapsError, match="no descriptor"):
        fit(np.empty((0, 3), np.float32), 2)
