"""NearestNeighborRanker against full sorting, scikit-learn, and its own promises."""

import pickle
from unittest.mock import patch

import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.arrays import top_k
from skdeepenc.metrics import mean_average_precision
from skdeepenc.retrieval import NearestNeighborRanker

METRICS = {
    "cosine": cosine_similarity,
    "inner_product": lambda queries, gallery: queries @ gallery.T,
    "euclidean": lambda queries, gallery: -euclidean_distances(queries, gallery),
}


@parametrize_with_checks([NearestNeighborRanker(), NearestNeighborRanker(expansion=2, alpha=3.0)])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_similarities_and_ranks_are_those_of_sorting_everything(rng, metric, dtype, container):
    gallery, queries = rng.normal(size=(40, 6)).astype(dtype), rng.normal(size=(7, 6)).astype(dtype)
    ranker = NearestNeighborRanker(metric=metric).fit(container(gallery))
    similarities = ranker.transform(container(queries))
    assert similarities.dtype == dtype
    assert_allclose(similarities, METRICS[metric](queries, gallery), rtol=1e-5, atol=1e-6)
    order = np.argsort(-METRICS[metric](queries, gallery), axis=1)
    assert_array_equal(ranker.rank(container(queries)), order)
    assert_array_equal(ranker.rank(container(queries), n_neighbors=5), order[:, :5])


@pytest.mark.parametrize("metric", METRICS)
def test_first_results_of_many_blocks_are_those_of_one(rng, metric):
    gallery = rng.normal(size=(2 * top_k.ROWS_A_BLOCK + 77, 4)).astype(np.float32)
    queries = rng.normal(size=(9, 4)).astype(np.float32)
    ranker = NearestNeighborRanker(metric=metric, n_neighbors=20).fit(gallery)
    _, indices = ranker.kneighbors(queries)
    exact = METRICS[metric](queries.astype(float), gallery.astype(float))
    # Neighbours closer than float32 tells may swap: their true similarities must be in order.
    found = np.take_along_axis(exact, indices, axis=1)
    assert_allclose(found, -np.sort(-exact, axis=1)[:, :20], rtol=1e-5, atol=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 9))
def test_selection_in_blocks_breaks_ties_by_position(seed, n_kept, n_rows):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, size=(3, 30)).astype(np.float32)
    with patch.object(top_k, "ROWS_A_BLOCK", n_rows):
        similarities, indices = top_k.top_k_of_blocks(lambda rows: values[:, rows], 30, n_kept)
    expected = np.argsort(-values, axis=1, kind="stable")[:, :n_kept]
    assert_array_equal(indices, expected)
    assert_array_equal(similarities, np.take_along_axis(values, expected, axis=1))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_kneighbors_agrees_with_sklearn(rng, metric):
    gallery, queries = rng.normal(size=(50, 5)), rng.normal(size=(6, 5))
    ours = NearestNeighborRanker(metric=metric, n_neighbors=7).fit(gallery)
    theirs = NearestNeighbors(metric=metric, n_neighbors=7, algorithm="brute").fit(gallery)
    for given_queries in (queries, None):
        for found, expected in zip(
            ours.kneighbors(given_queries), theirs.kneighbors(given_queries), strict=True
        ):
            assert_allclose(found, expected, atol=1e-12)
    assert_array_equal(
        ours.kneighbors(queries, 3, return_distance=False), theirs.kneighbors(queries, 3)[1]
    )


def test_kneighbors_leaves_an_image_out_even_among_its_copies():
    ranker = NearestNeighborRanker(metric="euclidean").fit(np.zeros((5, 2)))
    indices = ranker.kneighbors(n_neighbors=2, return_distance=False)
    assert all(image not in row for image, row in enumerate(indices))
    assert ranker.kneighbors(return_distance=False).shape == (5, 4)
    with pytest.raises(ValueError, match="n_neighbors <= n_samples_fit"):
        ranker.kneighbors(n_neighbors=5)


def test_close_neighbors_are_told_apart_far_from_the_origin(rng):
    gallery = (1000 + 0.01 * rng.normal(size=(300, 8))).astype(np.float32)
    _, indices = NearestNeighborRanker(metric="euclidean", n_neighbors=5).fit(gallery).kneighbors()
    exact = euclidean_distances(gallery.astype(float))
    np.fill_diagonal(exact, np.inf)
    assert_allclose(
        np.take_along_axis(exact, indices, axis=1), np.sort(exact, axis=1)[:, :5], rtol=1e-4
    )


def test_neither_working_memory_nor_threads_change_the_answer(rng):
    gallery, queries = rng.normal(size=(500, 6)), rng.normal(size=(90, 6))
    ranker = NearestNeighborRanker(n_neighbors=4).fit(gallery)
    expected = ranker.transform(queries), ranker.rank(queries)
    with sklearn.config_context(working_memory=1):
        small = ranker.transform(queries), ranker.rank(queries)
    threads = ranker.set_params(n_jobs=2)
    for similarities, ranks in (small, (threads.transform(queries), threads.rank(queries))):
        assert_allclose(similarities, expected[0], rtol=1e-12)
        assert_array_equal(ranks, expected[1])


def test_partial_fit_adds_rows(labelled):
    X, y = labelled
    whole = NearestNeighborRanker().fit(X, y)
    parts = NearestNeighborRanker().partial_fit(X[:20], y[:20]).partial_fit(X[20:], y[20:])
    assert_array_equal(parts.rank(X), whole.rank(X))
    assert parts.score(X, y) == whole.score(X, y)
    with pytest.raises(ValueError, match="Give y for all"):
        parts.partial_fit(X)
    stacked = NearestNeighborRanker().partial_fit(sparse.csr_matrix(X)).partial_fit(X)
    assert stacked.transform(X).shape == (60, 120)


def test_the_gallery_is_not_copied(rng):
    gallery = rng.normal(size=(10, 3)).astype(np.float32)
    assert NearestNeighborRanker().fit(gallery).gallery_ is gallery


def test_a_query_in_the_gallery_is_no_hit_for_itself(labelled):
    X, y = labelled
    ranker = NearestNeighborRanker().fit(X, y)
    rankings = [row[row != query] for query, row in enumerate(ranker.rank(X))]
    positives = [np.setdiff1d(np.flatnonzero(y == y[query]), query) for query in range(len(y))]
    expected = mean_average_precision(rankings, positives)
    assert ranker.score(X, y) == pytest.approx(expected)
    # Rounding by another batch does not make it another image.
    assert ranker.score(X * (1 + 1e-6), y) == pytest.approx(expected)


def test_new_queries_keep_all_their_hits(labelled):
    X, y = labelled
    ranker = NearestNeighborRanker().fit(X[::2], y[::2])
    rankings = ranker.rank(X[1::2])
    positives = [np.flatnonzero(y[::2] == label) for label in y[1::2]]
    assert ranker.score(X[1::2], y[1::2]) == pytest.approx(
        mean_average_precision(rankings, positives)
    )


def test_of_identical_images_one_is_the_query():
    X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert NearestNeighborRanker().fit(X, ["a", "a", "b"]).score(X[:1], ["a"]) == 1.0
    with pytest.raises(ValueError, match="Nothing to score"):
        NearestNeighborRanker().fit(X, ["a", "b", "c"]).score(X, ["a", "b", "c"])
    with pytest.raises(ValueError, match="without y"):
        NearestNeighborRanker().fit(X).score(X, ["a", "b", "c"])
    with pytest.raises(ValueError, match="3 queries have 2 labels"):
        NearestNeighborRanker().fit(X, ["a", "b", "c"]).score(X, ["a", "b"])


def test_expansion_ranks_by_the_expanded_query(rng):
    gallery, queries = rng.normal(size=(30, 5)), rng.normal(size=(4, 5))
    unit = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    for query in queries:
        query = query / np.linalg.norm(query)
        first = np.argsort(-(unit @ query))[:3]
        weights = np.maximum(unit[first] @ query, 0) ** 2
        mean = query + weights @ unit[first]
        expected = unit @ (mean / np.linalg.norm(mean))
        ranker = NearestNeighborRanker(expansion=3, alpha=2.0).fit(gallery)
        assert_allclose(ranker.transform([query])[0], expected)
        assert_array_equal(ranker.rank([query], 6)[0], np.argsort(-expected)[:6])


def test_expansion_needs_the_cosine():
    with pytest.raises(ValueError, match='metric="cosine"'):
        NearestNeighborRanker(metric="euclidean", expansion=2).fit([[1.0], [2.0]])


def test_zero_vectors_are_like_nothing():
    similarities = NearestNeighborRanker().fit([[0.0, 0.0], [1.0, 0.0]]).transform([[2.0, 0.0]])
    assert_array_equal(similarities, [[0.0, 1.0]])


def test_ends_a_pipeline_and_survives_pickling(labelled):
    X, y = labelled
    pipeline = Pipeline([("scale", StandardScaler()), ("rank", NearestNeighborRanker())]).fit(X, y)
    again = pickle.loads(pickle.dumps(pipeline))
    assert again.score(X, y) == pipeline.score(X, y)
    assert_array_equal(again.transform(X), pipeline.transform(X))


def test_similarities_come_as_a_data_frame(labelled):
    pytest.importorskip("pandas")
    X, _ = labelled
    frame = NearestNeighborRanker().set_output(transform="pandas").fit(X).transform(X)
    assert list(frame.columns[:2]) == ["nearestneighborranker0", "nearestneighborranker1"]


@pytest.mark.parametrize("size", [1e-25, 1e30])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_the_cosine_is_that_of_directions(rng, size, container):
    gallery, queries = rng.normal(size=(9, 4)), rng.normal(size=(3, 4))
    expected = cosine_similarity(queries, gallery)
    scaled = [container((size * rows).astype(np.float32)) for rows in (gallery, queries)]
    for given_gallery, given_queries in (scaled, (container(gallery), scaled[1])):
        ranker = NearestNeighborRanker().fit(given_gallery)
        assert_allclose(ranker.transform(given_queries), expected, atol=1e-5)


@pytest.mark.parametrize("expansion", [0, 1])
def test_one_neighbor_is_the_best_of_all(rng, expansion):
    gallery, queries = rng.normal(size=(30, 6)), rng.normal(size=(7, 6))
    every = NearestNeighborRanker(expansion=expansion).fit(gallery)
    one = NearestNeighborRanker(expansion=expansion, n_neighbors=1).fit(gallery)
    assert_array_equal(one.rank(queries), every.rank(queries)[:, :1])
    assert_array_equal(one.kneighbors(queries)[1], every.rank(queries)[:, :1])
    assert_array_equal(one.kneighbors()[1], every.kneighbors(n_neighbors=29)[1][:, :1])
