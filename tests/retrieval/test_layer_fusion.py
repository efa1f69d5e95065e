"""LayerFusionRanker against the paper's sum written out, in every form of input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.arrays import top_k
from skdeepenc.retrieval import LayerFusionRanker

WIDTHS = [4, 7]
PAPERS = (0.2, 1.0)  # thresholds


def word_counts(rng, n_images, n_words=7):
    return rng.poisson(0.6, size=(n_images, n_words)).astype(float)


@pytest.fixture
def blocks(rng):
    return [rng.normal(size=(50, 4)), word_counts(rng, 50)]


@pytest.fixture
def queries(rng):
    return [rng.normal(size=(6, 4)), word_counts(rng, 6)]


def reference_similarity(queries, gallery, thresholds, powers):
    """Eq. 2 and 3 of the paper, one pair of images after the other."""
    n_queries, n_gallery = len(queries[0]), len(gallery[0])
    total = np.zeros((n_queries, n_gallery))
    for query_block, gallery_block, t, p in zip(queries, gallery, thresholds, powers, strict=True):
        cosines = cosine_similarity(query_block, gallery_block)
        for pair, similarity in np.ndenumerate(cosines):
            above = t < similarity
            total[pair] += t + (1 - t) * ((similarity - t) / (1 - t)) ** p if above else similarity
    return total


@parametrize_with_checks([LayerFusionRanker(), LayerFusionRanker(n_candidates=3)])
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_worked_by_hand():
    # Cosines 1 and 0.6 become 1 and 0.2 + 0.8 sqrt(0.5); the low layer adds 0.6 and 1.
    gallery = [np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([[0.6, 0.8], [1.0, 0.0]])]
    ranker = LayerFusionRanker(thresholds=PAPERS, power=0.5).fit(gallery)
    query = [np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])]
    assert_allclose(ranker.transform(query), [[1.6, 1.2 + 0.8 * np.sqrt(0.5)]])


def test_equals_the_papers_sum(blocks, queries):
    ranker = LayerFusionRanker(thresholds=(0.1, 0.4), power=(0.45, 0.7)).fit(blocks)
    expected = reference_similarity(queries, blocks, (0.1, 0.4), (0.45, 0.7))
    assert_allclose(ranker.transform(queries), expected, rtol=1e-9)
    assert_array_equal(ranker.rank(queries), np.argsort(-expected, axis=1, kind="stable"))
    distances, indices = ranker.kneighbors(queries, 4)
    assert_allclose(distances, 2 - np.take_along_axis(expected, indices, axis=1), atol=1e-9)


def test_three_layers(rng, blocks, queries):
    third = [rng.normal(size=(50, 3)), rng.normal(size=(6, 3))]
    ranker = LayerFusionRanker(thresholds=(0.2, 0.4, 1.0)).fit([*blocks, third[0]])
    expected = reference_similarity(
        [*queries, third[1]], [*blocks, third[0]], (0.2, 0.4, 1.0), [0.45] * 3
    )
    assert_allclose(ranker.transform([*queries, third[1]]), expected, rtol=1e-9)


@pytest.mark.parametrize(
    "form",
    [
        lambda blocks: np.hstack(blocks),
        lambda blocks: sparse.hstack([sparse.csr_matrix(block) for block in blocks], format="csr"),
        lambda blocks: {"fc": blocks[0], "conv": blocks[1]},
        lambda blocks: (blocks[0], sparse.csr_matrix(blocks[1])),
        lambda blocks: [sparse.coo_array(block) for block in blocks],
    ],
    ids=["stacked", "stacked sparse", "dict", "dense and sparse", "sparse"],
)
def test_every_form_of_input_gives_the_same(blocks, queries, form):
    X = form(blocks)
    layers = None if isinstance(X, dict | list | tuple) else WIDTHS
    ranker = LayerFusionRanker(layers=layers).fit(X)
    expected = LayerFusionRanker().fit(blocks)
    assert_allclose(ranker.transform(form(queries)), expected.transform(queries), rtol=1e-9)
    assert_array_equal(ranker.rank(form(queries), 5), expected.rank(queries, 5))
    assert ranker.n_features_in_ == sum(WIDTHS)
    again = pickle.loads(pickle.dumps(ranker))
    assert_array_equal(again.transform(form(queries)), ranker.transform(form(queries)))


def test_a_dict_of_queries_is_read_by_name(blocks, queries):
    ranker = LayerFusionRanker().fit({"fc": blocks[0], "conv": blocks[1]})
    swapped = {"conv": queries[1], "fc": queries[0]}
    assert_allclose(ranker.transform(swapped), LayerFusionRanker().fit(blocks).transform(queries))
    with pytest.raises(ValueError, match=r"\['conv'\] are missing"):
        ranker.transform({"fc": queries[0]})


def test_float32_stays_float32(blocks, queries):
    single = [block.astype(np.float32) for block in blocks]
    similarities = (
        LayerFusionRanker().fit(single).transform([block.astype(np.float32) for block in queries])
    )
    assert similarities.dtype == np.float32
    assert_allclose(
        similarities, LayerFusionRanker().fit(blocks).transform(queries), rtol=1e-4, atol=1e-6
    )


def test_corners_of_the_map(blocks, queries):
    plain = sum(cosine_similarity(*pair) for pair in zip(queries, blocks, strict=True))
    for constants in ({"thresholds": (1, 1)}, {"power": 1}):
        ranker = LayerFusionRanker(**constants).fit(blocks)
        assert_allclose(ranker.transform(queries), plain)
    # p = 0: the low layer re-ranks what the high layer puts above its threshold.
    high, low = (cosine_similarity(*pair) for pair in zip(queries, blocks, strict=True))
    ranker = LayerFusionRanker(thresholds=PAPERS, power=0).fit(blocks)
    reranked = ranker.transform(queries)
    assert_allclose(reranked, np.where(high > 0.2, 1, high) + low)


def test_thresholds_are_learned_from_the_pairs_of_the_gallery(blocks):
    """A pair in a hundred of each high layer is more similar; the last layer stays as it is."""
    ranker = LayerFusionRanker().fit([*blocks, blocks[0]])
    pairs = np.triu_indices(len(blocks[0]), k=1)
    learned = [np.quantile(cosine_similarity(block)[pairs], 0.99) for block in blocks]
    assert_allclose(ranker.thresholds_, [*learned, 1])


def test_one_block_is_ranked_by_its_cosine(blocks, queries):
    for X, Q in ((blocks[0], queries[0]), ([blocks[0]], [queries[0]])):
        ranker = LayerFusionRanker().fit(X)
        assert_allclose(ranker.transform(Q), cosine_similarity(queries[0], blocks[0]))


def test_blocks_of_gallery_rows_change_nothing(monkeypatch, blocks, queries):
    expected = LayerFusionRanker().fit(blocks)
    ranks, similarities = expected.rank(queries, 7), expected.transform(queries)
    monkeypatch.setattr(top_k, "ROWS_A_BLOCK", 9)
    assert_array_equal(expected.rank(queries, 7), ranks)
    assert_allclose(expected.transform(queries), similarities, rtol=1e-12)


def test_candidates_are_scored_exactly_and_come_first(blocks, queries):
    full = LayerFusionRanker().fit(blocks).transform(queries)
    few = LayerFusionRanker(n_candidates=5).fit(blocks)
    similarities = few.transform(queries)
    for row, query in enumerate(zip(*queries, strict=True)):
        firsts = [
            np.argsort(-cosine_similarity([part], block)[0], kind="stable")[:5]
            for part, block in zip(query, blocks, strict=True)
        ]
        union = np.union1d(*firsts)
        assert_allclose(similarities[row, union], full[row, union])
        others = np.setdiff1d(np.arange(50), union)
        assert (similarities[row, others] == -2).all()
        assert_array_equal(
            few.rank(queries)[row],
            np.r_[union[np.argsort(-full[row, union])], others],
        )
    everything = LayerFusionRanker(n_candidates=1000).fit(blocks)
    assert_allclose(everything.transform(queries), full)


def test_quantiles_are_those_of_the_gallerys_pairs(blocks):
    ranker = LayerFusionRanker(thresholds=(0.8, 1.0), threshold_mode="quantile").fit(blocks)
    pairs = cosine_similarity(blocks[0])[np.triu_indices(50, k=1)]
    assert_allclose(ranker.thresholds_, [np.quantile(pairs, 0.8), 1.0])
    absolute = LayerFusionRanker(thresholds=(np.quantile(pairs, 0.8), 1.0)).fit(blocks)
    assert_allclose(ranker.transform(blocks), absolute.transform(blocks))


def test_score_leaves_the_query_out(rng):
    labels = np.repeat(np.arange(5), 4)
    gallery = [
        rng.normal(size=(5, 4))[labels] + 0.5 * rng.normal(size=(20, 4)),
        word_counts(rng, 20),
    ]
    ranker = LayerFusionRanker().fit(gallery, labels)
    expected = []
    for query, ranked in enumerate(ranker.rank(gallery)):
        hits = labels[ranked[ranked != query]] == labels[query]
        ranks = np.flatnonzero(hits)
        before = [1 if r == 0 else j / r for j, r in enumerate(ranks)]
        expected.append(np.mean((before + (np.arange(3) + 1) / (ranks + 1)) / 2))
    assert ranker.score(gallery, labels) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"thresholds": (1.0, 0.2)}, "must not fall"),
        ({"thresholds": (0.2, 0.4, 1.0)}, "one value for each of the 2 blocks"),
        ({"power": (0.4,)}, "one value for each of the 2 blocks"),
        ({"thresholds": (0.2, 1.2)}, "between 0 and 1"),
        ({"power": 1.5}, "power"),
        ({"n_candidates": 0}, "n_candidates"),
    ],
)
def test_refuses_parameters_that_do_not_fit(blocks, parameters, message):
    with pytest.raises(ValueError, match=message):
        LayerFusionRanker(**parameters).fit(blocks)


def test_refuses_blocks_that_do_not_fit(blocks, queries):
    with pytest.raises(ValueError, match="give the width of each block"):
        LayerFusionRanker(layers=[4, 4]).fit(np.hstack(blocks))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LayerFusionRanker().fit([blocks[0], blocks[1][:9]])
    with pytest.raises(ValueError, match="no blocks"):
        LayerFusionRanker().fit({})
    ranker = LayerFusionRanker().fit(blocks)
    with pytest.raises(ValueError, match=r"widths \[4, 6\]"):
        ranker.transform([queries[0], queries[1][:, :6]])
    with pytest.raises(ValueError, match="block 1 contains NaN"):
        LayerFusionRanker().fit([blocks[0], np.where(blocks[1] > 0, np.nan, 0)])


@pytest.mark.filterwarnings("ignore:Persisting input arguments")  # a busy machine is not a failure
def test_grid_search_tunes_fusion_and_encoder_together(labelled, tmp_path):
    X, y = labelled
    union = FeatureUnion(
        [
            ("high", PCA(n_components=3, random_state=0)),
            (
                "low",
                Pipeline(
                    [
                        ("k", KMeans(n_clusters=5, n_init=1, random_state=0)),
                        ("near", FunctionTransformer(nearness)),
                    ]
                ),
            ),
        ]
    )
    pipeline = Pipeline(
        [("union", union), ("rank", LayerFusionRanker(layers=(3, 5)))], memory=str(tmp_path)
    )
    grid = [
        {"rank__thresholds": [(0.2, 1.0), (1.0, 1.0)], "rank__power": [0.2, 0.45]},
        {"union__low__k__n_clusters": [8], "rank__layers": [(3, 8)]},
    ]
    search = GridSearchCV(pipeline, grid, cv=StratifiedKFold(3), error_score="raise").fit(X, y)
    assert 0.3 < search.best_score_ <= 1
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0
    frame = search.best_estimator_.transform(X)
    assert frame.shape == (60, 60)


def nearness(distances):
    return 1 / (1 + distances)
