"""IndexedRanker finds what it promises; fusion finds its candidates by an index, too."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.retrieval import IndexedRanker, LayerFusionRanker, NearestNeighborRanker
from skdeepenc.retrieval import index as index_module

pytest.importorskip("faiss")


@pytest.fixture
def clustered(rng):
    """Vectors around 40 centres, as those of real images are."""
    centers = rng.normal(size=(40, 24))
    draw = centers[rng.integers(40, size=1200)] + 0.4 * rng.normal(size=(1200, 24))
    return draw[:1180].astype(np.float32), draw[1180:].astype(np.float32)


@parametrize_with_checks([IndexedRanker()])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_finds_the_stated_share_of_the_exact_answer(clustered, metric):
    gallery, queries = clustered
    exact = NearestNeighborRanker(metric=metric, n_neighbors=10).fit(gallery)
    indexed = IndexedRanker(metric=metric, n_neighbors=10, recall=0.9, random_state=0).fit(gallery)
    distances, indices = indexed.kneighbors(queries)
    expected_distances, expected = exact.kneighbors(queries)
    shares = [np.isin(row, found).mean() for row, found in zip(expected, indices, strict=True)]
    assert indexed.recall_ >= 0.9
    assert np.mean(shares) >= 0.85
    same = indices == expected
    assert_allclose(distances[same], expected_distances[same], atol=1e-4)
    assert_allclose(indexed.transform(queries), exact.transform(queries))


def test_asked_for_much_of_the_gallery_it_is_exact(clustered):
    gallery, queries = clustered
    ranker = IndexedRanker(random_state=0).fit(gallery)
    exact = NearestNeighborRanker().fit(gallery)
    assert_array_equal(ranker.rank(queries, 1180), exact.rank(queries))


def test_lists_that_hold_too_few_are_completed(clustered):
    gallery, queries = clustered
    ranker = IndexedRanker(n_neighbors=5, recall=0.1, random_state=0).fit(gallery)
    indices = ranker.rank(queries, 500)
    assert indices.min() >= 0
    assert all(len(np.unique(row)) == 500 for row in indices)


def test_expands_adds_and_survives_pickling(clustered):
    gallery, queries = clustered
    whole = IndexedRanker(n_neighbors=5, expansion=3, random_state=0).fit(gallery)
    parts = IndexedRanker(n_neighbors=5, expansion=3, random_state=0)
    parts.partial_fit(gallery[:700]).partial_fit(gallery[700:])
    assert_array_equal(parts.rank(queries), whole.rank(queries))
    assert_array_equal(pickle.loads(pickle.dumps(whole)).rank(queries), whole.rank(queries))


def test_fusion_finds_candidates_by_an_index(monkeypatch, clustered, rng):
    gallery, queries = clustered
    words = rng.poisson(0.2, size=(1200, 30)).astype(np.float32)
    blocks = [gallery, words[:1180]]
    full = LayerFusionRanker().fit(blocks)
    monkeypatch.setattr(index_module, "FEWEST_IMAGES_TO_INDEX", 100)
    monkeypatch.setattr(index_module, "N_CHECKED_NEIGHBORS", 20)
    few = LayerFusionRanker(n_candidates=100).fit(blocks)
    assert min(few.candidate_recall_) >= 0.95
    assert few._searches[0]._index is not None
    similarities = few.transform([queries, words[1180:]])
    scored = similarities > -2
    assert scored.sum(axis=1).max() <= 200
    assert_allclose(
        similarities[scored], full.transform([queries, words[1180:]])[scored], rtol=1e-4
    )
    first = few.rank([queries, words[1180:]], 10)
    expected = full.rank([queries, words[1180:]], 10)
    assert np.mean([np.isin(*rows).mean() for rows in zip(expected, first, strict=True)]) > 0.9
    monkeypatch.setattr(index_module, "CANDIDATE_RECALL", 1.1)
    unserved = LayerFusionRanker(n_candidates=100).fit(blocks)
    assert unserved._searches[0]._index is None
    monkeypatch.setattr(index_module, "find_spec", lambda name: None)
    exact = LayerFusionRanker(n_candidates=100).fit(blocks)
    assert exact.candidate_recall_ == [1.0, 1.0]
