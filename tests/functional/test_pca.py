"""Principal components equal scikit-learn's, on samples of every shape."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import fit_pca, project
from skdeepenc.functional import pca as pca_module
from skdeepenc.functional.pca import literal_components, project_to_unit
from skdeepenc.functional.visual_words import fit_codebook

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


@pytest.mark.parametrize("n_channels", [1, 2, 40])
def test_two_vectors_are_enough(n_channels):
    sample = np.random.default_rng(0).random((2, n_channels))
    variances = fit_pca(sample, 1).explained_variance_
    assert_allclose(variances, sample.var(axis=0, ddof=1).sum())


def test_all_components_leave_no_noise():
    assert fit_pca(correlated_sample(30, 4, np.float64)).noise_variance_ == 0


@pytest.mark.parametrize("block_size", [7, 2048])
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(300, 20), (20, 300), (40, 40)])
def test_components_equal_those_of_scikit_learn(shape, dtype, whiten, block_size, monkeypatch):
    monkeypatch.setattr(pca_module, "_BLOCK_SIZE", block_size)
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
def test_few_components_of_many_channels_keep_the_variance(spectrum, monkeypatch):
    """A flat spectrum takes more passes than are allowed, and then the covariance."""
    assert pca_module._choose_solver(1500, 1024, 16) is pca_module._solve_krylov
    monkeypatch.setattr(pca_module, "_MANY_CHANNELS", 256)
    monkeypatch.setattr(pca_module, "_PASS_BLOCK_SIZE", 150)
    rng = np.random.default_rng(0)
    scales = {
        "falls": np.arange(1, 257) ** -0.5,
        "is flat": np.ones(256),
        "ends": np.arange(256) < 5,
    }[spectrum]
    sample = (rng.standard_normal((400, 256)) * scales + 1).astype(np.float32)
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


@pytest.mark.parametrize("shape", [(300, 20), (40, 40)])
def test_components_equal_the_equation(shape):
    sample = correlated_sample(*shape, np.float64)
    mean, components, variances = literal_components(sample, 5)
    pca = fit_pca(sample, 5)
    signs = np.sign(np.sum(pca.components_ * components, axis=1))
    assert_allclose(pca.components_, signs[:, None] * components, atol=1e-8)
    assert_allclose(pca.explained_variance_, variances)
    assert_allclose(project(sample, pca), (sample - mean) @ components.T * signs, atol=1e-8)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_projecting_equals_transform(whiten, dtype):
    sample = correlated_sample(60, 8, np.float64)
    pca = fit_pca(sample, 5, whiten=whiten)
    components = project(sample.astype(dtype), pca)
    assert components.dtype == dtype
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    assert_allclose(components, pca.transform(sample), atol=tolerance)


def test_with_offsets_no_image_depends_on_the_others():
    sample = correlated_sample(90, 8, np.float32)
    pca, offsets = fit_pca(sample, 5, whiten=True), np.array([0, 30, 30, 37, 90])
    together = project(sample, pca, offsets)
    for start, stop in pairwise(offsets):
        alone = project(sample[start:stop], pca, np.array([0, stop - start]))
        assert_array_equal(together[start:stop], alone)


def test_vectors_of_zeros_stay_zero():
    sample = correlated_sample(30, 4, np.float64)
    sample[3] = 0
    unit = project_to_unit(sample, fit_pca(sample, 3))
    assert_array_equal(unit[3], 0)
    assert_allclose(np.linalg.norm(np.delete(unit, 3, axis=0), axis=1), 1)


@pytest.mark.parametrize("fit", [fit_pca, fit_codebook])
def test_nothing_to_learn_from(fit):
    with pytest.raises(FeatureMapsError, match="no descriptor"):
        fit(np.empty((0, 3), np.float32), 2)
