"""Soft VLAD equals the paper's equations, written out descriptor by descriptor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.functional import soft_assign, vlad, vlad_of_segments
from skdeepenc.functional.vlad import literal_vlad


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    n=st.integers(0, 20),
    n_centers=st.integers(1, 15),
    n_neighbors=st.integers(1, 15),
    sigma=st.sampled_from([0.5, 1, 10]),
    seed=st.integers(0, 100),
)
def test_vlad_equals_the_equations(dtype, n, n_centers, n_neighbors, sigma, seed):
    rng = np.random.RandomState(seed)
    descriptors, centers = rng.randn(n, 4).astype(dtype), rng.randn(n_centers, 4).astype(dtype)
    indices, weights = soft_assign(descriptors, centers, n_neighbors, sigma)
    assert indices.shape == weights.shape == (n, min(n_neighbors, n_centers))
    assert weights.dtype == dtype
    vectors = vlad(descriptors, centers, indices, weights)
    assert vectors.dtype == dtype
    expected = literal_vlad(descriptors, centers, n_neighbors, sigma)
    assert_allclose(vectors, expected, atol=1e-4 if dtype == np.float32 else 1e-10)


@pytest.mark.parametrize("n_neighbors", [3, 12])
def test_neighbours_are_the_nearest_in_order(n_neighbors):
    rng = np.random.RandomState(0)
    descriptors, centers = rng.randn(50, 6), rng.randn(20, 6)
    indices, weights = soft_assign(descriptors, centers, n_neighbors, 1.0)
    distances = np.linalg.norm(descriptors[:, None] - centers, axis=2)
    assert_array_equal(indices, np.argsort(distances, axis=1)[:, :n_neighbors])
    assert np.all(np.diff(weights, axis=1) <= 0)
    assert_allclose(weights.sum(axis=1), 1)


def test_weights_by_hand():
    # Squared distances 0 and 1: the weights are as 1 to exp(-1/2).
    _, weights = soft_assign([[0.0]], [[0.0], [1.0]], 2, 1.0)
    assert_allclose(weights, [[1 / (1 + np.exp(-0.5)), np.exp(-0.5) / (1 + np.exp(-0.5))]])


def test_five_neighbours_and_a_wide_kernel_unless_others_are_asked_for():
    descriptors, centers = 20 * np.random.RandomState(0).rand(2, 9, 3)
    default, asked = soft_assign(descriptors, centers), soft_assign(descriptors, centers, 5, 10.0)
    for ours, expected in zip(default, asked, strict=True):
        assert_array_equal(ours, expected)


def test_one_neighbour_is_hard_assignment():
    rng = np.random.RandomState(0)
    descriptors, centers = rng.randn(30, 3), rng.randn(4, 3)
    _, weights = soft_assign(descriptors, centers, 1, 1e-3)
    assert_array_equal(weights, 1)
    nearest = np.linalg.norm(descriptors[:, None] - centers, axis=2).argmin(axis=1)
    expected = [(descriptors[nearest == k] - centers[k]).sum(axis=0) for k in range(4)]
    assert_allclose(vlad(descriptors, centers, *soft_assign(descriptors, centers, 1)), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sigma", [1e-300, 1e-30, 1e-3])
@pytest.mark.parametrize("far", [1.0, 1e3, 1e15])
def test_underflow_gives_the_limit(dtype, sigma, far):
    centers = far * np.array([[0], [0.9], [-5]], dtype)
    indices, weights = soft_assign(np.array([[far]], dtype), centers, 3, sigma)
    assert_array_equal(indices[0, 0], 1)
    assert_array_equal(weights, [[1, 0, 0]])


def test_centres_that_are_equally_near_share_the_weight():
    _, weights = soft_assign([[0.0, 0.0]], [[1.0, 0], [0, 1.0], [5.0, 5.0]], 3, 1e-10)
    assert_array_equal(weights, [[0.5, 0.5, 0]])


def test_a_wide_kernel_weighs_all_neighbours_alike():
    _, weights = soft_assign(np.random.RandomState(0).randn(5, 2), np.eye(2), 2, 1e30)
    assert_array_equal(weights, 0.5)


@given(counts=st.lists(st.integers(0, 5), max_size=6), seed=st.integers(0, 9))
def test_images_together_equal_images_alone(counts, seed):
    rng = np.random.RandomState(seed)
    descriptors, centers = rng.randn(sum(counts), 3), rng.randn(4, 3)
    indices, weights = soft_assign(descriptors, centers, 2, 1.0)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    together = vlad_of_segments(descriptors, offsets, centers, indices, weights)
    assert together.shape == (len(counts), 4, 3)
    for image, start, stop in zip(together, offsets[:-1], offsets[1:], strict=True):
        own = slice(start, stop)
        assert_allclose(image, vlad(descriptors[own], centers, indices[own], weights[own]))


def test_the_sum_over_centres_is_the_sum_of_descriptors_less_the_weighted_centres():
    rng = np.random.RandomState(0)
    descriptors, centers = rng.randn(30, 3), rng.randn(6, 3)
    indices, weights = soft_assign(descriptors, centers, 3, 1.0)
    vectors = vlad(descriptors, centers, indices, weights)
    expected = descriptors.sum(axis=0) - np.einsum("nr,nrd->d", weights, centers[indices])
    assert_allclose(vectors.sum(axis=0), expected)


def test_inputs_stay_as_they_are():
    descriptors, centers = np.ones((2, 3)), np.eye(3)
    vlad(descriptors, centers, *soft_assign(descriptors, centers))
    assert_array_equal(descriptors, 1)
    assert_array_equal(centers, np.eye(3))
