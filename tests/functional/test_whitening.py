"""Whitenings equal their equations, written out vector by vector."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skdeepenc.exceptions import DegenerateDataError
from skdeepenc.functional.whitening import (
    Whitening,
    fit_learned_whitening,
    fit_power_whitening,
    literal_learned_whitening,
    literal_power_whitening,
    whiten,
)


@pytest.fixture(scope="module")
def classes():
    """Sixty vectors of eight classes of unequal size, one of a single vector."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), [18, 11, 10, 7, 6, 5, 2, 1])
    mixing = rng.normal(size=(6, 6))
    return rng.normal(size=(8, 6))[labels] * 3 + rng.normal(size=(60, 6)) @ mixing + 7, labels


def up_to_signs(rows, expected):
    return rows * np.sign(np.einsum("kd,kd->k", rows, expected))[:, None]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_components", [None, 2])
def test_learned_whitening_equals_its_equation(classes, dtype, n_components):
    vectors, labels = classes
    record, shrinkage = fit_learned_whitening(vectors.astype(dtype), labels, n_components)
    expected = literal_learned_whitening(vectors, labels)[:n_components]
    assert shrinkage == 0
    assert record.components.dtype == record.mean.dtype == dtype
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    assert_allclose(up_to_signs(record.components, expected), expected, atol=tolerance)
    assert_allclose(record.mean, vectors.mean(axis=0), rtol=1e-6)


def test_classes_are_white_within_and_apart_in_the_first_components(classes):
    vectors, labels = classes
    white = whiten(vectors, fit_learned_whitening(vectors, labels)[0])
    means = np.array([white[labels == label].mean(axis=0) for label in range(8)])
    residuals = white - means[labels]
    assert_allclose(residuals.T @ residuals / (60 - 8), np.eye(6), atol=1e-9)
    total = white.T @ white / 59
    assert_allclose(total, np.diag(np.diag(total)), atol=1e-9)
    assert (np.diff(np.diag(total)) < 0).all()


def test_pairs_of_equal_classes_give_the_directions_of_the_paper(classes):
    """Differences of matching pairs, as Radenovic et al. sum them, are twice the scatter."""
    vectors, _ = classes
    labels = np.repeat(np.arange(15), 4)
    pairs = [(i, j) for i in range(60) for j in range(i) if labels[i] == labels[j]]
    differences = np.array([vectors[i] - vectors[j] for i, j in pairs])
    matching = differences.T @ differences / len(pairs)
    white = fit_learned_whitening(vectors, labels)[0].components
    assert_allclose(white @ matching @ white.T, 2 * np.eye(6), atol=1e-9)


def test_few_vectors_are_shrunk_and_stay_tame():
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 4
    vectors = rng.normal(size=(12, 30))
    record, shrinkage = fit_learned_whitening(vectors, labels)
    assert 0 < shrinkage <= 1
    assert record.components.shape == (11, 30)  # as many as 12 vectors vary in
    lengths = np.linalg.norm(whiten(rng.normal(size=(50, 30)), record), axis=1)
    assert lengths.max() < 3 * lengths.min()
    with pytest.raises(DegenerateDataError, match='shrinkage="auto"'):
        fit_learned_whitening(vectors, labels, shrinkage=0.0)


def test_the_scatter_is_shrunk_to_an_even_one_of_the_same_size(classes):
    vectors, labels = classes
    residuals = vectors - np.array([vectors[labels == k].mean(axis=0) for k in range(8)])[labels]
    scatter = residuals.T @ residuals / 52
    scatter = 0.7 * scatter + 0.3 * np.trace(scatter) / 6 * np.eye(6)
    white, _ = fit_learned_whitening(vectors, labels, shrinkage=0.3)
    assert_allclose(white.components @ scatter @ white.components.T, np.eye(6), atol=1e-9)


def test_twice_as_many_vectors_as_dimensions_need_no_shrinkage():
    vectors = np.random.default_rng(0).normal(size=(16, 6))
    labels = np.arange(16) % 4
    assert fit_learned_whitening(vectors, labels)[1] == 0
    assert fit_learned_whitening(vectors[:15], labels[:15])[1] > 0


def test_directions_without_variance_are_left_out(classes):
    vectors, labels = classes
    padded = np.hstack([vectors, np.full((60, 2), 3.0), vectors[:, :1]])
    record, shrinkage = fit_learned_whitening(padded, labels)
    assert shrinkage == 0
    assert record.components.shape == (6, 9)
    white = whiten(vectors, fit_learned_whitening(vectors, labels)[0])
    assert_allclose(np.abs(whiten(padded, record)), np.abs(white), atol=1e-8)


def test_vectors_that_match_no_other_teach_nothing(classes):
    with pytest.raises(DegenerateDataError, match="No two vectors of one class differ"):
        fit_learned_whitening(classes[0], np.arange(60))


def test_equal_vectors_of_a_class_teach_nothing(classes):
    repeated = np.repeat(classes[0][:3], 4, axis=0)
    with pytest.raises(DegenerateDataError, match="No two vectors of one class differ"):
        fit_learned_whitening(repeated, np.repeat(np.arange(3), 4))


@pytest.mark.parametrize("power", [0, 0.5, 1, 1.7])
def test_power_whitening_equals_its_equation(classes, power):
    vectors, _ = classes
    record = fit_power_whitening(vectors, 4, power=power)
    expected = literal_power_whitening(vectors, power)[:4]
    assert_allclose(up_to_signs(record.components, expected), expected, rtol=1e-8, atol=1e-10)


def test_the_ends_of_power_whitening_are_pca_and_whitening(classes):
    vectors, _ = classes
    for power, whitened in ((0, False), (1, True)):
        white = whiten(vectors, fit_power_whitening(vectors, power=power))
        expected = PCA(whiten=whitened).fit_transform(vectors)
        assert_allclose(np.abs(white), np.abs(expected), atol=1e-9)


def test_components_without_variance_are_zero():
    vectors = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    record = fit_power_whitening(vectors, power=1)
    assert record.components.dtype == np.float32
    assert np.isfinite(record.components).all()
    assert_allclose(record.components[3], 0)


def test_the_float_type_of_vectors_is_kept():
    record = Whitening(np.ones(2), np.eye(2))
    assert whiten(np.ones((3, 2), np.float32), record).dtype == np.float32
    assert_allclose(whiten(np.ones((3, 2)), record), 0)
