"""Exact search in tiles against all distances; an index against the exact search."""

import pickle
from importlib import util

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import euclidean_distances

from skdeepenc.arrays import nearest
from skdeepenc.arrays.nearest import build_index, nearest_vectors, search_index
from skdeepenc.exceptions import DegenerateDataError, MissingDependencyError

needs_faiss = pytest.mark.skipif(util.find_spec("faiss") is None, reason="needs faiss")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiles_find_the_nearest(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    queries, vectors = rng.random((70, 5)).astype(dtype), rng.random((90, 5)).astype(dtype)
    monkeypatch.setattr(nearest, "_TILE", (16, 7))
    indices, squared = nearest_vectors(queries, vectors)
    expected = euclidean_distances(queries.astype(float), vectors.astype(float), squared=True)
    assert_array_equal(indices, expected.argmin(axis=1))
    assert squared.dtype == dtype
    assert_allclose(squared, expected.min(axis=1), rtol=1e-3, atol=1e-6)


def test_of_equal_vectors_the_first_is_found():
    indices, squared = nearest_vectors(np.ones((3, 2)), np.ones((5, 2)))
    assert_array_equal(indices, 0)
    assert_array_equal(squared, 0)


@needs_faiss
def test_an_index_finds_what_it_promises():
    rng = np.random.default_rng(0)
    vectors = rng.random((3000, 80), dtype=np.float32)
    queries = rng.random((200, 80), dtype=np.float32)
    index, found = build_index(vectors, queries[:100], recall=0.9)
    expected, expected_squared = nearest_vectors(queries, vectors)
    indices, squared = search_index(index, queries)
    right = indices[:, 0] == expected
    assert found >= 0.9
    assert right.mean() >= 0.8
    assert_allclose(squared[right, 0], expected_squared[right], rtol=1e-4)
    again = pickle.loads(pickle.dumps(index))
    assert_array_equal(search_index(again, queries)[0], indices)


@needs_faiss
def test_an_index_finds_several_and_is_seeded():
    rng = np.random.default_rng(0)
    vectors = rng.random((400, 6), dtype=np.float32)
    first, found = build_index(vectors, vectors[:50], n_neighbors=8)
    second, _ = build_index(vectors, vectors[:50], n_neighbors=8)
    indices, squared = search_index(first, vectors, 8)
    assert found >= 0.95
    assert_array_equal(indices[:, 0], np.arange(400))
    assert (np.diff(squared, axis=1) >= 0).all()
    assert_array_equal(indices, search_index(second, vectors, 8)[0])


@needs_faiss
def test_an_index_of_compressed_vectors_finds_them_among_more():
    rng = np.random.default_rng(0)
    vectors = rng.random((2000, 30), dtype=np.float32)
    index, found = build_index(vectors, vectors[:50], n_neighbors=5, n_found=100, compared=False)
    indices, _ = search_index(index, vectors, 100)
    expected = euclidean_distances(vectors).argsort(axis=1)[:, :5]
    shares = [np.isin(row, some).mean() for row, some in zip(expected, indices, strict=True)]
    assert found >= 0.95
    assert np.mean(shares) >= 0.9
    few, found = build_index(vectors[:9], vectors[:9], compared=False)
    assert found == 1
    assert_array_equal(search_index(few, vectors[:9])[0][:, 0], np.arange(9))


def test_says_how_to_install_faiss(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingDependencyError, match=r"\.\[ann\]"):
        build_index(np.ones((2, 2)), np.ones((1, 2)))


@needs_faiss
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_nearest_of_extreme_vectors_is_that_of_their_directions(scale):
    """Whose squares are not numbers of float32."""
    rng = np.random.default_rng(0)
    queries, vectors = (rng.standard_normal((n, 4)).astype(np.float32) for n in (20, 30))
    expected, _ = nearest_vectors(queries, vectors)
    scaled = queries * np.float32(scale), vectors * np.float32(scale)
    found, extreme = nearest_vectors(*scaled)
    assert_array_equal(found, expected)
    assert not np.isnan(extreme).any()
    with pytest.raises(DegenerateDataError, match="scale the vectors"):
        build_index(scaled[1], scaled[0])


def test_what_cannot_be_compared_is_near_the_first():
    queries = np.full((3, 2), np.nan, dtype=np.float32)
    assert_array_equal(nearest_vectors(queries, np.ones((5, 2), np.float32))[0], 0)


@needs_faiss
def test_an_index_says_what_it_does_not_find():
    vectors = np.random.default_rng(0).random((400, 6), dtype=np.float32)
    index, _ = build_index(vectors, vectors[:50])
    indices, _ = search_index(index, np.full((1, 6), 1e30, np.float32))
    assert_array_equal(indices, -1)
