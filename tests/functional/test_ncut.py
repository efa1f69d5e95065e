"""Normalized Cut against a dense float64 reference written from Shi's code, and on hard input."""

import functools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import SpectralClustering
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from skdeepenc.functional import _eigen, normalized_cut
from skdeepenc.functional._affinity import feature_affinity, literal_affinity, weighted_coordinates
from skdeepenc.functional._discretization import discretize, literal_discretization
from skdeepenc.functional.ncut import _first_equals, literal_embedding


def smooth_features(n_positions, seed, n_components=4):
    """Draw descriptors as a PCA of activations gives: a few heavy-tailed groups and outliers."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(7, n_components)) * [4, 2, 1.5, 1]
    groups = rng.integers(0, 7, n_positions)
    spread = rng.gamma(2, 0.15, size=(n_positions, 1))
    return (centers[groups] + spread * rng.normal(size=(n_positions, n_components))).astype("f4")


@functools.cache
def reference_labels(seed, n_clusters, affinity):
    """Cut smooth features once, however many solvers are compared with it."""
    embedding = literal_embedding(smooth_features(600, seed), n_clusters, affinity, 0.05)
    return literal_discretization(embedding)


@pytest.mark.parametrize("affinity", ["exponential", "gaussian"])
@pytest.mark.parametrize("solver", ["exact", "krylov", "auto"])
def test_labels_agree_with_the_dense_reference(affinity, solver):
    agreement = []
    for seed in range(4):
        ours = normalized_cut(
            smooth_features(600, seed),
            (5, 20),
            affinity=affinity,
            eigen_solver=solver,
            random_state=0,
        )
        for column, k in enumerate((5, 20)):
            expected = reference_labels(seed, k, affinity)
            agreement.append(adjusted_rand_score(expected, ours[:, column]))
    assert np.median(agreement) > 0.95


def test_krylov_agrees_with_exact_on_a_large_map():
    features = smooth_features(1500, 0)
    ours = normalized_cut(features, (5, 20), eigen_solver="krylov", random_state=0)
    exact = normalized_cut(features, (5, 20), eigen_solver="exact")
    scores = [adjusted_rand_score(a, b) for a, b in zip(ours.T, exact.T, strict=True)]
    assert min(scores) > 0.9


def test_the_exact_eigenvectors_are_the_literal_ones():
    similarities = feature_affinity(weighted_coordinates(smooth_features(60, 0)), scale=0.3)
    ours = _eigen.exact(similarities, 5)
    expected = _eigen.literal_eigenvectors(similarities, 5)
    signs = np.sign(np.sum(ours * expected, axis=0))
    assert_allclose(ours * signs, expected, atol=1e-9)


@pytest.mark.parametrize("affinity", ["exponential", "gaussian"])
def test_krylov_converges_to_the_exact_eigenvectors(affinity, monkeypatch):
    """Without the fallback, down to what float32 allows."""
    points = weighted_coordinates(smooth_features(1500, 1))
    similarities = feature_affinity(points, affinity=affinity)
    monkeypatch.setattr("skdeepenc.functional._eigen._TOLERANCE", 1.1e-3)
    ours = _eigen.block_krylov(similarities, 5)
    expected = _eigen.exact(similarities, 5)
    signs = np.sign(np.sum(ours * expected, axis=0))
    assert_allclose(ours * signs, expected, atol=2e-2 * np.abs(expected).max())


def test_nystroem_finds_clear_clusters_of_a_large_map():
    features, truth = make_blobs(8000, centers=5, n_features=4, cluster_std=0.3, random_state=0)
    ours = normalized_cut(features, 5, random_state=0)  # more positions than krylov takes
    assert adjusted_rand_score(truth, ours) > 0.99


def test_clear_clusters_are_those_of_scikit_learn():
    features, truth = make_blobs(300, centers=4, n_features=3, cluster_std=0.2, random_state=3)
    points = weighted_coordinates(features)
    similarities = feature_affinity(points, scale=0.2)
    peer = SpectralClustering(
        4, affinity="precomputed", assign_labels="discretize", random_state=0
    ).fit_predict(similarities.astype(np.float64))
    ours = normalized_cut(features, 4, affinity_scale=0.2)
    assert adjusted_rand_score(peer, ours) > 0.99
    assert adjusted_rand_score(truth, ours) > 0.99


@pytest.mark.parametrize("affinity", ["exponential", "gaussian"])
def test_affinity_equals_equation_3(affinity):
    features = smooth_features(90, 0)
    ours = feature_affinity(weighted_coordinates(features), affinity=affinity, scale=0.1)
    assert_allclose(ours, literal_affinity(features, affinity, 0.1), atol=2e-6)
    assert ours.dtype == np.float32


def test_affinity_in_tiles_is_the_affinity(monkeypatch):
    points = weighted_coordinates(smooth_features(90, 0))
    whole = feature_affinity(points)
    monkeypatch.setattr("skdeepenc.functional._affinity._TILE_BYTES", 4 * 90 * 7)
    assert_allclose(feature_affinity(points), whole, rtol=1e-6)


def test_given_weights_replace_the_shares_of_variance():
    features = smooth_features(50, 0)
    ours = weighted_coordinates(features, weights=[1, 0, 0.25, 0])
    difference = features[3] - features[8]
    expected = np.sqrt(difference[0] ** 2 + 0.25 * difference[2] ** 2)
    assert_allclose(np.linalg.norm(ours[3] - ours[8]), expected, rtol=1e-6)


@pytest.mark.parametrize("solver", ["exact", "krylov", "nystroem"])
def test_the_same_seed_gives_the_same_labels(solver):
    features = smooth_features(1200, 1)
    first, second = (
        normalized_cut(features, (5, 20), eigen_solver=solver, random_state=7) for _ in range(2)
    )
    assert_array_equal(first, second)


def test_a_sequence_gives_the_columns_of_each_count():
    features = smooth_features(200, 2)
    both = normalized_cut(features, (5, 20))
    for column, k in enumerate((5, 20)):
        alone = normalized_cut(features, k)
        assert adjusted_rand_score(both[:, column], alone) > 0.99
        assert len(np.unique(both[:, column])) <= k


@pytest.mark.parametrize("solver", ["auto", "exact", "krylov", "nystroem"])
@pytest.mark.parametrize("n_positions", [1, 2, 3, 19])
def test_maps_smaller_than_the_number_of_clusters(n_positions, solver):
    features = smooth_features(n_positions, 0)
    labels = normalized_cut(features, (5, 20), eigen_solver=solver, random_state=0)
    assert labels.shape == (n_positions, 2)
    assert labels.min() >= 0


def test_a_map_without_positions():
    assert normalized_cut(np.empty((0, 4)), (5, 20)).shape == (0, 2)
    assert normalized_cut(np.empty((0, 4)), 5).shape == (0,)


def test_a_constant_map_is_one_cluster():
    labels = normalized_cut(np.full((600, 4), 0.1, dtype=np.float32), (5, 20))
    assert_array_equal(labels, 0)


def test_each_descriptor_is_represented_by_the_first_that_equals_it():
    points = np.array([[1, 2], [0, 5], [1, 2], [0, 5], [0, 4], [1, 2]])
    assert_array_equal(_first_equals(points), [0, 1, 0, 1, 4, 0])


@pytest.mark.parametrize("repeats", [30, 400])
def test_equal_descriptors_share_a_cluster(repeats):
    distinct = smooth_features(3, 0)
    labels = normalized_cut(np.repeat(distinct, repeats, axis=0), 5, random_state=0)
    assert_array_equal(labels, np.repeat(labels[::repeats], repeats))
    assert len(np.unique(labels)) == 3


def test_descriptors_out_of_reach_join_their_nearest_neighbour():
    """More far-away groups than clusters: the eigenvectors leave rows of zeros."""
    groups = np.arange(8.0)[:, None] ** 2
    features = np.repeat(groups, 12, axis=0) + 1e-4 * np.tile(np.arange(12.0), 8)[:, None]
    labels = normalized_cut(features, 3)
    assert labels.min() >= 0
    assert len(np.unique(labels)) == 3


def test_discretization_marks_rows_of_zeros():
    embedding = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.9, 0.1]])
    labels = discretize(embedding)
    assert labels[1] == -1
    assert labels[0] == labels[3] != labels[2]


def test_discretization_of_zeros_alone():
    assert_array_equal(discretize(np.zeros((4, 3))), -1)


def test_discretization_equals_the_reference():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(200, 4)) + 4 * np.eye(4)[rng.integers(0, 4, 200)]
    assert_array_equal(discretize(embedding), literal_discretization(embedding))


def test_krylov_falls_back_on_exact_where_it_does_not_converge(monkeypatch):
    features = smooth_features(600, 0)
    monkeypatch.setattr("skdeepenc.functional._eigen._TOLERANCE", 0.0)
    labels = normalized_cut(features, 5, eigen_solver="krylov", random_state=0)
    assert_array_equal(labels, normalized_cut(features, 5, eigen_solver="exact"))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("affinity", "cosine"), ("affinity_scale", 0.0), ("eigen_solver", "fast"), ("n_clusters", 0)],
)
def test_wrong_parameters_are_named(parameter, value):
    arguments = {"n_clusters": 3, parameter: value}
    with pytest.raises(ValueError, match=parameter):
        normalized_cut(smooth_features(20, 0), **arguments)


@pytest.mark.parametrize("factor", [2.0**-100, 2.0**90, 2.0**400])
def test_the_unit_of_features_does_not_matter(factor):
    features = smooth_features(60, seed=0).astype(np.float64)
    assert_array_equal(normalized_cut(factor * features, 4), normalized_cut(features, 4))
