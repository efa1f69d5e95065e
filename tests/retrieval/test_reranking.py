"""Rankers around rankers, against their papers' equations as they read."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.utils.estimator_checks import parametrize_with_checks

import skdeepenc
from skdeepenc.encoders import GlobalPooler
from skdeepenc.exceptions import StorageError
from skdeepenc.functional import l2_normalize
from skdeepenc.functional.diffusion import literal_diffusion
from skdeepenc.functional.k_reciprocal import literal_distances
from skdeepenc.functional.refinement import literal_refinement
from skdeepenc.retrieval import (
    DiffusionRanker,
    KReciprocalRanker,
    LayerFusionRanker,
    NearestNeighborRanker,
    RefiningRanker,
    make_retrieval_pipeline,
)


@parametrize_with_checks(
    [
        KReciprocalRanker(),
        KReciprocalRanker(k1=3, ranker=NearestNeighborRanker(metric="euclidean")),
        DiffusionRanker(),
        RefiningRanker(),
    ]
)
def test_sklearn_checks(estimator, check):
    check(estimator)


def cosine_distances(vectors):
    unit = l2_normalize(vectors)
    distances = np.maximum(1 - unit @ unit.T, 0)
    np.fill_diagonal(distances, 0)
    return distances


@pytest.mark.parametrize("n_images", [2, 9, 60])
@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (5, 1), (3, 9)])
def test_k_reciprocal_distances_of_the_gallery_are_those_of_the_equations(rng, n_images, k1, k2):
    gallery = rng.normal(size=(n_images, 4))
    ranker = KReciprocalRanker(k1=k1, k2=k2, weight=0.2).fit(gallery)
    expected = literal_distances(cosine_distances(gallery), k1, k2, 0.2)
    assert_allclose(1 - ranker.transform(gallery), expected, atol=1e-9)
    distances, indices = ranker.kneighbors(gallery[:1], n_images)
    assert_allclose(distances[0], expected[0, indices[0]], atol=1e-9)


def literal_stranger(gallery, query, k1, k2, weight):
    """Encode a query that joined the gallery, whose images do not know of it."""
    n_images = len(gallery)
    scaled = cosine_distances(gallery)
    radii = np.sort(scaled, axis=1)[:, k1]
    order = np.argsort(scaled, axis=1)
    scaled /= scaled.max(axis=1, keepdims=True)
    unscaled = 1 - l2_normalize(gallery) @ l2_normalize(query)
    distances = unscaled / unscaled.max()

    def mutual(image, k):
        return {g for g in order[image][: k + 1] if image in order[g][: k + 1]}

    def grown(near):
        sets = [mutual(q, round(k1 / 2)) for q in near]
        return near.union(*(s for s in sets if len(near & s) > 2 / 3 * len(s)))

    def encoded(members, distances, own):
        values = np.zeros(n_images)
        values[list(members)] = np.exp(-distances[list(members)])
        return values / (values.sum() + own)

    encodings = [encoded(grown(mutual(g, k1)), scaled[g], 0) for g in range(n_images)]
    means = np.array(
        [np.mean([encodings[g] for g in order[p][:k2]], axis=0) for p in range(n_images)]
    )
    nearest = np.argsort(distances)
    near = {g for g in nearest[:k1] if unscaled[g] < radii[g]}
    own = encoded(grown(near), distances, 1)
    mean = np.mean([own, *(encodings[g] for g in nearest[: k2 - 1])], axis=0)
    shared = np.minimum(mean, means).sum(axis=1)
    return (1 - weight) * (1 - shared / (2 - shared)) + weight * distances


def test_k_reciprocal_queries_are_encoded_as_if_they_had_joined_the_gallery(rng):
    gallery = rng.normal(size=(40, 4))
    queries = np.concatenate([rng.normal(size=(5, 4)), gallery[:3] + 0.05])
    together = KReciprocalRanker(k1=8, k2=4).fit(gallery).transform(queries)
    for query, row in zip(queries, together, strict=True):
        assert_allclose(1 - row, literal_stranger(gallery, query, 8, 4, 0.3), atol=1e-9)


def test_k_reciprocal_weight_goes_from_sets_to_the_ranker_inside(rng):
    gallery, queries = rng.normal(size=(30, 3)), rng.normal(size=(4, 3))
    plain = KReciprocalRanker(k1=4, weight=1).fit(gallery).transform(queries)
    distances = 1 - l2_normalize(queries) @ l2_normalize(gallery).T
    assert_allclose(1 - plain, distances / distances.max(axis=1, keepdims=True))
    assert KReciprocalRanker().weight == 0.3


def test_minus_similarities_are_measured_from_the_least(rng):
    gallery = np.abs(rng.normal(size=(30, 3)))
    ranker = KReciprocalRanker(k1=4, weight=1, ranker=NearestNeighborRanker(metric="inner_product"))
    distances = 1 - ranker.fit(gallery).transform(gallery)
    assert_allclose(distances.min(axis=1), 0, atol=1e-12)
    assert_allclose(distances.max(axis=1), 1)


@pytest.mark.parametrize("n_images", [1, 9, 60])
@pytest.mark.parametrize("n_neighbors", [3, 50])
def test_diffusion_is_the_closed_form(rng, n_images, n_neighbors):
    gallery, queries = rng.normal(size=(n_images, 3)), rng.normal(size=(5, 3))
    ranker = DiffusionRanker(n_neighbors=n_neighbors, n_query_neighbors=4, tol=1e-10)
    diffused = ranker.fit(gallery).transform(queries)
    unit, settings = l2_normalize(gallery), {"damping": 0.99, "gamma": 3.0}
    for query, row in zip(l2_normalize(queries), diffused, strict=True):
        expected = literal_diffusion(
            unit @ unit.T,
            unit @ query,
            n_neighbors=n_neighbors,
            n_query_neighbors=4,
            **settings,
        )
        assert_allclose(np.maximum(row, 0), expected, atol=1e-8)


def test_what_diffusion_does_not_reach_follows_in_the_order_of_the_ranker_inside():
    angles = np.array([0.0, 0.3, 0.6, 2.6, 2.9])  # two groups at more than a right angle
    gallery = np.column_stack([np.cos(angles), np.sin(angles)])
    ranker = DiffusionRanker(n_neighbors=2, n_query_neighbors=1).fit(gallery)
    assert len(set(ranker.graph_.components)) == 2
    similarities = ranker.transform(gallery[:1])[0]
    assert (similarities[:3] > 0).all()
    assert (similarities[3:] < 0).all()
    assert_array_equal(ranker.rank(gallery[:1])[0, 3:], [3, 4])


def test_truncated_diffusion_stays_among_the_candidates(rng):
    gallery = np.abs(rng.normal(size=(40, 3)))
    ranker = DiffusionRanker(n_neighbors=9, n_candidates=12).fit(gallery)
    plain = NearestNeighborRanker().fit(gallery).rank(gallery[:3])
    ranked = ranker.rank(gallery[:3])
    assert_array_equal(np.sort(ranked[:, :12]), np.sort(plain[:, :12]))
    assert_array_equal(ranked[:, 12:], plain[:, 12:])
    assert_array_equal(
        ranker.set_params(n_candidates=40).fit(gallery).rank(gallery),
        ranker.set_params(n_candidates=None).fit(gallery).rank(gallery),
    )


def test_diffusion_of_distances_is_refused(rng):
    ranker = DiffusionRanker(ranker=NearestNeighborRanker(metric="euclidean"))
    with pytest.raises(ValueError, match="take cosines"):
        ranker.fit(rng.normal(size=(9, 3)))


def test_neighbors_of_the_graph_are_not_those_that_are_listed(rng):
    gallery = rng.normal(size=(9, 3))
    ranker = DiffusionRanker(n_neighbors=2).fit(gallery)
    assert ranker.rank(gallery).shape == (9, 9)
    assert ranker.rank(gallery, 3).shape == (9, 3)


@pytest.mark.parametrize(("n_candidates", "n_refining"), [(12, 3), (400, 9), (3, 9), (1, 0)])
def test_refined_similarities_are_those_of_the_equations(rng, n_candidates, n_refining):
    gallery, queries = rng.normal(size=(30, 4)), rng.normal(size=(5, 4))
    ranker = RefiningRanker(n_candidates=n_candidates, n_refining=n_refining, weight=0.3)
    similarities, ranked = ranker.fit(gallery).transform(queries), ranker.rank(queries)
    unit, queries = l2_normalize(gallery), l2_normalize(queries)
    for query, row, ranks in zip(queries, similarities, ranked, strict=True):
        order = np.argsort(-unit @ query)
        candidates, others = np.split(order, [n_candidates])
        expected = literal_refinement(query, unit[candidates], n_refining, 0.3)
        assert_allclose(row[candidates], expected)
        assert_array_equal(ranks[len(candidates) :], others)
        assert (row[others] < expected.min()).all()


def test_refinement_needs_vectors(rng):
    ranker = RefiningRanker(ranker=LayerFusionRanker(block_widths=[2, 2]))
    with pytest.raises(ValueError, match="one dense vector per image"):
        ranker.fit(rng.random((5, 4)))
    with pytest.raises(ValueError, match="one dense vector per image"):
        RefiningRanker().fit(sparse.csr_array(np.eye(4)))
    assert RefiningRanker().get_params() == {
        "n_candidates": 400,
        "n_refining": 9,
        "weight": 0.15,
        "ranker": None,
        "n_neighbors": None,
        "n_jobs": None,
    }


@pytest.mark.parametrize(
    "ranker",
    [KReciprocalRanker(k1=3), DiffusionRanker(n_neighbors=3), RefiningRanker(n_refining=2)],
)
def test_a_pipeline_may_stand_inside_or_around(rng, ranker):
    maps = rng.random((12, 3, 3, 5))
    vectors = GlobalPooler().fit_transform(maps)
    expected = ranker.fit(vectors, np.arange(12) % 3).transform(vectors[:4])
    around = make_retrieval_pipeline(GlobalPooler(), ranker).fit(maps)
    assert_allclose(around.transform(maps[:4]), expected)
    inside = type(ranker)(**ranker.get_params(deep=False))
    inside.set_params(ranker=make_retrieval_pipeline(GlobalPooler(), NearestNeighborRanker()))
    inside.fit(maps[:10], np.arange(10) % 3).partial_fit(maps[10:], np.arange(10, 12) % 3)
    assert_allclose(inside.transform(maps[:4]), expected)
    assert 0 < inside.score(maps, np.arange(12) % 3) <= 1


def test_the_graph_is_made_anew_only_when_it_is_asked_for(rng, monkeypatch):
    made = []
    learn = KReciprocalRanker._learn
    monkeypatch.setattr(KReciprocalRanker, "_learn", lambda self: made.append(1) or learn(self))
    ranker = KReciprocalRanker(k1=3).fit(rng.normal(size=(9, 3)))
    ranker.partial_fit(rng.normal(size=(2, 3))).remove(0)
    assert made == [1]
    ranker.rank(rng.normal(size=(2, 3)))
    ranker.rank(rng.normal(size=(2, 3)))
    assert made == [1, 1]


@pytest.mark.parametrize(
    ("ranker", "rows"), [(KReciprocalRanker(), "means"), (DiffusionRanker(), "transitions")]
)
def test_graphs_of_a_file_must_be_whole(tmp_path, rng, ranker, rows):
    ranker.fit(np.abs(rng.normal(size=(9, 3))))
    graph = getattr(ranker.graph_, rows)
    assert sparse.issparse(graph)
    graph.indices[0] = 99
    skdeepenc.save(ranker, tmp_path / "ranker.skops")
    with pytest.raises(StorageError, match=r"ranker\.skops"):
        skdeepenc.load(tmp_path / "ranker.skops")
