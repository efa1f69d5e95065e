"""What all rankers promise: they grow, shrink, name, save, and measure distances alike."""

import inspect
import pickle
from importlib.util import find_spec

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import NearestNeighbors

import skdeepenc
from skdeepenc import retrieval
from skdeepenc.encoders import GlobalPooler
from skdeepenc.exceptions import DegenerateDataWarning, NonFiniteError, StorageError
from skdeepenc.maps import FeatureMaps
from skdeepenc.maps.joining import join_maps
from skdeepenc.retrieval import (
    IndexedRanker,
    LayerFusionRanker,
    LocalizingRanker,
    NearestNeighborRanker,
)
from skdeepenc.retrieval import index as index_module

QUERIES = slice(3, 10)
needs_faiss = pytest.mark.skipif(find_spec("faiss") is None, reason="needs faiss")


# What design and papers say; only what is not None.
DEFAULTS = {
    retrieval.AdaptiveChannelRanker: {
        "n_channels": 50,
        "quantize": "sign",
        "average_weight": 0.0,
    },
    retrieval.ASMKRanker: {
        "n_words": 65_536,
        "n_assigned": 1,
        "normalize_descriptors": False,
        "alpha": 3.0,
        "threshold": 0.0,
        "binary": False,
        "search": "auto",
        "max_samples": 1_000_000,
        "verbose": 0,
    },
    retrieval.DiffusionRanker: {
        "n_neighbors": 50,
        "damping": 0.99,
        "n_query_neighbors": 10,
        "gamma": 3.0,
        "tol": 1e-6,
    },
    retrieval.IndexedRanker: {
        "metric": "cosine",
        "n_neighbors": 100,
        "recall": 0.95,
        "expansion": 0,
        "alpha": 0.0,
    },
    retrieval.KReciprocalRanker: {"k1": 20, "k2": 6, "weight": 0.3},
    retrieval.LayerFusionRanker: {
        "thresholds": "auto",
        "threshold_mode": "absolute",
        "power": 0.45,
    },
    retrieval.LocalRanker: {"n_candidates": 100, "matching": "sum_max"},
    retrieval.LocalizingRanker: {
        "n_candidates": 1000,
        "n_expansion": 0,
        "step": 3,
        "tolerance": 1.1,
    },
    retrieval.NearestNeighborRanker: {"metric": "cosine", "expansion": 0, "alpha": 0.0},
    retrieval.RefiningRanker: {"n_candidates": 400, "n_refining": 9, "weight": 0.15},
}


@pytest.mark.parametrize("ranker", DEFAULTS)
def test_defaults_are_those_of_the_design(ranker):
    parameters = inspect.signature(ranker).parameters.values()
    given = {each.name: each.default for each in parameters if each.default is not each.empty}
    assert {name: value for name, value in given.items() if value is not None} == DEFAULTS[ranker]


def assert_same(ranker, other, queries, labels=None):
    """Hold two rankers' answers together."""
    assert_allclose(ranker.transform(queries), other.transform(queries), rtol=1e-4, atol=1e-5)
    assert_array_equal(ranker.rank(queries, 4), other.rank(queries, 4))
    if labels is not None:
        assert ranker.score(queries, labels) == pytest.approx(other.score(queries, labels))


def test_a_gallery_in_parts_is_the_whole_one(case):
    whole = clone(case.ranker).fit(case.X, case.y, names=case.names)
    parts = clone(case.ranker)
    for rows in (slice(0, 12), slice(12, 13), slice(13, 30)):
        assert parts.partial_fit(case.take(rows), case.y[rows], names=case.names[rows]) is parts
    assert_same(parts, whole, case.take(QUERIES), case.y[QUERIES])
    assert_array_equal(parts.names_, case.names)


def test_what_is_removed_was_never_there(case):
    kept = np.setdiff1d(np.arange(30), [0, 5, 29])
    ranker = clone(case.ranker).fit(case.X, case.y, names=case.names)
    assert ranker.remove([29, 0]).remove(4) is ranker
    other = clone(case.ranker).fit(case.take(kept), case.y[kept], names=case.names[kept])
    assert_same(ranker, other, case.take(QUERIES), case.y[QUERIES])
    assert_array_equal(
        ranker.rank(case.take(QUERIES), 2, return_names=True),
        case.names[kept[other.rank(case.take(QUERIES), 2)]],
    )
    assert len(ranker.get_feature_names_out()) == 27


def test_labels_and_names_are_given_for_all_images_or_for_none(case):
    ranker = clone(case.ranker).fit(case.X, case.y)
    with pytest.raises(ValueError, match="Give y for all"):
        ranker.partial_fit(case.take(QUERIES))
    with pytest.raises(ValueError, match="Give names for all"):
        ranker.partial_fit(case.take(QUERIES), case.y[QUERIES], names=case.names[QUERIES])
    with pytest.raises(ValueError, match="fitted without names"):
        ranker.rank(case.take(QUERIES), return_names=True)
    assert ranker.rank(case.take(QUERIES)).shape == (7, 30)


def test_only_images_that_are_there_can_go():
    ranker = NearestNeighborRanker().fit(np.eye(3))
    assert ranker.remove([]).transform(np.eye(3)).shape == (3, 3)
    for indices, message in (
        ([1, 3], "has no image 3"),
        (-1, "has no image -1"),
        ([True, False, False], "whole numbers"),
        ([0, 1, 2], "All 3 images would be gone"),
    ):
        with pytest.raises(ValueError, match=message):
            ranker.remove(indices)


def test_pickled_and_saved_it_answers_the_same(case, tmp_path):
    ranker = clone(case.ranker).fit(case.X, case.y.astype(str).astype(object), names=case.names)
    skdeepenc.save(ranker, tmp_path / "ranker.skops")
    for other in (pickle.loads(pickle.dumps(ranker)), skdeepenc.load(tmp_path / "ranker.skops")):
        assert_same(other, ranker, case.take(QUERIES), case.y[QUERIES].astype(str))
        assert_array_equal(other.names_, case.names)
        other.remove(0).partial_fit(case.take([0]), ["0"], names=["0.jpg"])
        assert_array_equal(other.names_, np.roll(case.names, -1))
        assert other.transform(case.take([0])).shape == (1, 30)


def test_threads_stay_threads_whatever_the_backend(case):
    ranker = clone(case.ranker).fit(case.X, case.y)
    expected = ranker.transform(case.X)
    ranker.unpicklable_ = lambda: None  # a process could not be sent this
    with joblib.parallel_config("loky", n_jobs=2):
        assert_allclose(ranker.transform(case.X), expected, rtol=1e-5, atol=1e-6)
        assert_array_equal(ranker.rank(case.X, 3), ranker.set_params(n_jobs=1).rank(case.X, 3))


def test_neighbors_within_a_radius_are_the_nearest_of_all(case):
    ranker = clone(case.ranker).fit(case.X)
    for queries in (case.take(QUERIES), None):
        nearest, _ = ranker.kneighbors(queries, 30 - (queries is None))
        radius = np.median(nearest)
        distances, indices = ranker.radius_neighbors(queries, radius, sort_results=True)
        for query, (found, images) in enumerate(zip(distances, indices, strict=True)):
            assert abs(len(found) - np.sum(nearest[query] <= radius)) <= 1  # rounding
            assert_allclose(found, nearest[query, : len(found)], rtol=1e-4, atol=1e-5)
            assert len(set(images) - {query if queries is None else -1}) == len(found)
            assert (found <= radius).all()
        alone = ranker.radius_neighbors(queries, radius, return_distance=False)
        assert all(map(np.array_equal, alone, map(np.sort, indices)))


def test_similarities_are_tables_where_tables_are_asked_for(case):
    ranker = clone(case.ranker).fit(case.X)
    expected = ranker.transform(case.take(QUERIES))
    pytest.importorskip("pandas")
    with sklearn.config_context(transform_output="pandas"):
        table = ranker.transform(case.take(QUERIES))
    assert_allclose(table, expected)
    assert list(table.columns) == list(ranker.get_feature_names_out())


@pytest.mark.parametrize(
    "ranker",
    [
        NearestNeighborRanker(),
        LayerFusionRanker(block_widths=[2, 2]),
        pytest.param(IndexedRanker(), marks=needs_faiss),
    ],
)
def test_a_frame_keeps_its_index_and_its_names_are_compared(ranker, rng):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(rng.random((6, 4)), index=list("uvwxyz"), columns=list("abcd"))
    table = clone(ranker).set_output(transform="pandas").fit(frame).transform(frame[2:])
    assert list(table.index) == list("wxyz")
    with pytest.raises(ValueError, match="feature names"):
        clone(ranker).fit(frame).transform(frame[list("dcba")])


def test_maps_with_labels_keep_them(rng):
    pd = pytest.importorskip("pandas")
    maps = FeatureMaps.from_arrays(rng.random((4, 3, 3, 5))).with_index(pd.Index(list("abcd")))
    ranker = LocalizingRanker(GlobalPooler())
    with sklearn.config_context(transform_output="pandas"):
        assert list(ranker.fit(maps).transform(maps[1:3]).index) == ["b", "c"]
    assert isinstance(ranker.transform(maps), np.ndarray)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_radius_neighbors_agree_with_sklearn(rng, metric):
    gallery, queries = rng.normal(size=(50, 3)), rng.normal(size=(6, 3))
    radius = {"cosine": 0.4, "euclidean": 1.2}[metric]
    ours = NearestNeighborRanker(metric=metric).fit(gallery)
    theirs = NearestNeighbors(metric=metric, algorithm="brute").fit(gallery)
    for given in (queries, None):
        found = ours.radius_neighbors(given, radius)
        expected = theirs.radius_neighbors(given, radius)
        for rows, others in zip(found, expected, strict=True):
            for row, other in zip(rows, others, strict=True):
                assert_allclose(row, other, atol=1e-7)


def test_a_splitter_that_parts_labels_is_named():
    X, y = np.random.default_rng(0).random((12, 3)), np.repeat([0, 1, 2], 4)
    grid = {"metric": ["cosine", "euclidean"]}
    search = GridSearchCV(NearestNeighborRanker(), grid, cv=KFold(3), error_score="raise")
    with pytest.raises(ValueError, match=r"KFold, where labels are sorted.*StratifiedKFold"):
        search.fit(X, y)


def test_a_score_of_few_queries_is_said_to_be_one(rng):
    X, y = rng.random((12, 3)), np.repeat([0, 1, 2], 4)
    ranker = NearestNeighborRanker().fit(X[:5], y[:5])
    with pytest.warns(DegenerateDataWarning, match=r"^3 of 7 queries share.*Stratified"):
        few = ranker.score(X[5:], y[5:])
    assert few == ranker.score(X[5:9], y[5:9])


def test_maps_in_files_stay_there_when_others_join_them(tmp_path, rng):
    maps = FeatureMaps.from_arrays(rng.random((9, 3, 4, 5), dtype=np.float32))
    maps[:5].save(tmp_path / "maps")
    in_files = FeatureMaps.load(tmp_path / "maps")
    joined = join_maps(in_files, maps[5:])
    assert not joined.in_memory
    order = [8, 0, 3, 6, 1]
    for again in (joined, pickle.loads(pickle.dumps(joined)), join_maps(joined[:7], maps[7:])):
        assert_array_equal(again[order].values("features"), maps[order].values("features"))
        assert_array_equal(again.grid("features"), maps.grid("features"))
    assert pickle.loads(pickle.dumps(joined[[]])).values("features").shape == (0, 5)
    assert len(join_maps(joined, joined[::2])._store.parts) == 2 + 2


@pytest.mark.parametrize("size", [1e-40, 1e-25, 1e30, 1e37])
@pytest.mark.parametrize(
    "ranker",
    [NearestNeighborRanker(), pytest.param(IndexedRanker(random_state=0), marks=needs_faiss)],
)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")  # scikit-learn's own
def test_vectors_of_any_size_have_the_same_neighbors(rng, size, ranker, metric):
    gallery, queries = rng.normal(size=(60, 4)), rng.normal(size=(5, 4))
    ranker = clone(ranker).set_params(metric=metric, n_neighbors=6)
    ranker.fit((size * gallery).astype(np.float32))
    expected = NearestNeighbors(metric=metric, n_neighbors=6).fit(gallery).kneighbors(queries)
    distances, indices = ranker.kneighbors((size * queries).astype(np.float32))
    same = indices == expected[1]
    assert same.mean() > 0.6 if hasattr(ranker, "recall_") else same.all()
    unit = size if metric == "euclidean" else 1
    assert_allclose(distances[same] / unit, expected[0][same], rtol=1e-3, atol=1e-4)


@needs_faiss
def test_similarities_beyond_the_float_type_are_one_error(rng):
    gallery = rng.normal(size=(60, 4)).astype(np.float32)
    huge = gallery[:2] * np.float32(1e30)
    for ranker in (
        NearestNeighborRanker(metric="euclidean").fit(gallery),
        IndexedRanker(metric="euclidean", n_neighbors=9).fit(gallery),
        NearestNeighborRanker(metric="inner_product").fit(gallery * np.float32(1e30)),
    ):
        for ask in (ranker.transform, ranker.kneighbors, ranker.radius_neighbors):
            with pytest.raises(NonFiniteError, match="query 0 are too large for float32"):
                ask(huge)


@needs_faiss
def test_an_index_is_made_anew_only_when_it_is_asked_for(monkeypatch, rng):
    built = []
    build = index_module.build_index
    monkeypatch.setattr(
        index_module, "build_index", lambda *a, **k: built.append(len(a[0])) or build(*a, **k)
    )
    X = rng.normal(size=(200, 8)).astype(np.float32)
    ranker = IndexedRanker(n_neighbors=3, random_state=0).fit(X)
    ranker.partial_fit(X[:5]).remove([0]).partial_fit(X[:3])
    assert built == [200]
    assert ranker.rank(X).shape == (200, 3)
    again = pickle.loads(pickle.dumps(ranker))
    assert again.recall_ == ranker.recall_
    assert built == [200, 207]
    assert_array_equal(again.rank(X), ranker.rank(X))


def test_sparse_rows_of_a_file_must_be_whole(tmp_path):
    words = sparse.csr_array(np.eye(3))
    ranker = NearestNeighborRanker().fit(words)
    ranker._gallery.indices[0] = 99
    skdeepenc.save(ranker, tmp_path / "ranker.skops")
    with pytest.raises(StorageError, match=r"ranker\.skops"):
        skdeepenc.load(tmp_path / "ranker.skops")


def test_layers_and_block_widths_are_one(rng):
    X = rng.normal(size=(9, 5))
    old = LayerFusionRanker(layers=[3, 2]).fit(X)
    assert_array_equal(LayerFusionRanker(block_widths=[3, 2]).fit(X).transform(X), old.transform(X))
    with pytest.raises(ValueError, match="give one of them"):
        LayerFusionRanker(layers=[3, 2], block_widths=[3, 2]).fit(X)
