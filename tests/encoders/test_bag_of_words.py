"""Bags of words: counted by hand, learned as k-means learns, approximate only as far as stated."""

from importlib import util

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.arrays.nearest import nearest_vectors
from skdeepenc.encoders import BagOfVisualWords
from skdeepenc.exceptions import DegenerateDataError
from skdeepenc.functional import visual_words as words
from skdeepenc.maps import FeatureMaps
from skdeepenc.testing import parametrize_with_maps_checks

needs_faiss = pytest.mark.skipif(util.find_spec("faiss") is None, reason="needs faiss")
VARIANTS = [BagOfVisualWords(), BagOfVisualWords(n_words=4, idf=True, power=0.5, search="exact")]


@pytest.fixture
def images():
    """Ragged images of two scales, around seven centres far from each other."""
    rng = np.random.default_rng(0)
    centers = 20 * rng.random((7, 5))
    return [
        [centers[rng.integers(7, size=n)] + 0.1 * rng.random((n, 5)) for n in (6 + i % 3, 4)]
        for i in range(12)
    ]


@parametrize_with_checks([BagOfVisualWords()])
def test_sklearn_checks(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(VARIANTS)
def test_maps_checks(estimator, check):
    check(estimator)


def test_counts_nearest_words(images):
    encoder = BagOfVisualWords(n_words=9, random_state=0).fit(images)
    counts = encoder.transform(images)
    assert sparse.issparse(counts)
    for image, row in zip(images, counts.toarray(), strict=True):
        distances = euclidean_distances(np.vstack(image), encoder.words_)
        assert_array_equal(row, np.bincount(distances.argmin(axis=1), minlength=encoder.n_words_))


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_counts_are_raised_before_they_are_weighed(images, power):
    counts = BagOfVisualWords(n_words=7, random_state=0).fit_transform(images).toarray()
    encoder = BagOfVisualWords(n_words=7, power=power, idf=True, random_state=0).fit(images)
    raised = np.where(counts > 0, counts**power, 0)
    assert_allclose(encoder.transform(images).toarray(), raised * encoder.idf_)


def test_scales_choose_what_is_counted(images):
    one = BagOfVisualWords(n_words=5, scales=[1], random_state=0).fit_transform(images)
    assert_array_equal(one.sum(axis=1), 4)


def test_words_are_those_of_kmeans():
    rng = np.random.default_rng(0)
    sample = (rng.integers(6, size=(600, 1)) * 10 + rng.random((600, 3))).astype(np.float32)
    learned = words.fit_words(sample, 6, search="exact", random_state=np.random.RandomState(3))
    first = sample[np.random.RandomState(3).choice(600, 6, replace=False)]
    kmeans = KMeans(6, init=first, n_init=1, max_iter=words.N_ROUNDS, tol=0).fit(sample)
    assert learned.dtype == np.float32
    assert_allclose(learned, kmeans.cluster_centers_, rtol=1e-4)


def test_one_round_moves_words_to_their_means_and_empty_ones_elsewhere():
    sample = np.array([[0.0], [2.0], [10.0], [11.0]])
    labels, squared = np.array([0, 0, 0, 0]), np.array([0.0, 4.0, 100.0, 121.0])
    rng = np.random.RandomState(0)
    moved = words._moved_words(sample, labels, squared, 2, rng)
    assert moved[0, 0] == 5.75
    assert moved[1, 0] in sample[1:]  # never where a word is already
    alone = words._moved_words(np.ones((3, 1)), np.zeros(3, int), np.zeros(3), 2, rng)
    assert_array_equal(alone, [[1.0]])


def test_an_index_agrees_as_far_as_it_says():
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    maps = FeatureMaps.from_arrays(rng.random((40, 10, 10, 12), dtype=np.float32))
    encoder = BagOfVisualWords(n_words=300, search="faiss", random_state=0).fit(maps)
    assert 0.95 <= encoder.agreement_ <= 1
    exact = words.assign_words(maps.values(maps.layers[0]), encoder.words_, None)[0]
    approximate = words.assign_words(maps.values(maps.layers[0]), encoder.words_, encoder._index)[0]
    assert np.mean(exact == approximate) > 0.9


def test_auto_takes_the_index_for_many_words(monkeypatch):
    pytest.importorskip("faiss", reason="the index is of faiss")
    sample = np.random.default_rng(0).random((500, 4), dtype=np.float32)
    rng = np.random.RandomState(0)
    assert words.open_index(sample, sample, "auto", rng) == (None, 1.0)
    monkeypatch.setattr(words, "FEWEST_WORDS_TO_INDEX", 400)
    assert words.open_index(sample, sample, "auto", rng)[0] is not None
    monkeypatch.setattr(words, "find_spec", lambda name: None)
    assert words.open_index(sample, sample, "auto", rng) == (None, 1.0)


def test_idf_is_that_of_sklearn(images):
    counts = BagOfVisualWords(n_words=7, random_state=0).fit_transform(images)
    encoder = BagOfVisualWords(n_words=7, idf=True, random_state=0).fit(images)
    expected = TfidfTransformer(norm=None).fit(counts)
    assert_allclose(encoder.idf_, expected.idf_)
    assert_allclose(encoder.transform(images).toarray(), expected.transform(counts).toarray())


def test_words_are_seeded_and_clipped_to_distinct_descriptors(images):
    first, second = (BagOfVisualWords(n_words=5, random_state=4).fit(images) for _ in range(2))
    assert_array_equal(first.words_, second.words_)
    repeated = np.repeat([[[1.0, 2.0]], [[3.0, 4.0]]], 50, axis=1)
    assert BagOfVisualWords(n_words=30, random_state=0).fit(repeated).n_words_ == 2


def test_feeds_a_classifier_in_float32(images):
    maps = FeatureMaps.from_arrays([image[0].astype(np.float32)[:, None] for image in images])
    labels = np.arange(12) % 2
    pipeline = make_pipeline(BagOfVisualWords(n_words=6, random_state=0), LinearSVC())
    assert pipeline.fit(maps, labels).predict(maps).shape == (12,)
    assert pipeline[0].transform(maps).dtype == np.float32


@pytest.mark.parametrize("search", ["exact", pytest.param("faiss", marks=needs_faiss)])
@pytest.mark.parametrize("scale", [1, 1e10, 1e21, 1e30])
def test_every_descriptor_counts_for_a_word_however_large_it_is(search, scale):
    maps = np.random.default_rng(4).standard_normal((6, 5, 5, 8)).astype(np.float32)
    encoder = BagOfVisualWords(n_words=60, search=search, random_state=0).fit(maps)
    counts = encoder.transform(maps * np.float32(scale))
    assert_array_equal(counts.sum(axis=1), 25)
    assert counts.indices.min() >= 0
    assert counts.indices.max() < encoder.n_words_


def test_words_of_sparse_activations_are_found_by_an_index():
    """Many equal descriptors leave lists of the index empty."""
    pytest.importorskip("faiss")
    rng = np.random.RandomState(9)
    maps = np.maximum(rng.standard_normal((40, 14, 14, 2)) - 1, 0).astype(np.float32)
    encoder = BagOfVisualWords(n_words=200, search="faiss", random_state=0).fit(maps)
    assert_array_equal(encoder.transform(maps).sum(axis=1), 14 * 14)


def test_words_of_extreme_descriptors_are_exact_or_refused(monkeypatch):
    pytest.importorskip("faiss")
    maps = np.random.default_rng(0).standard_normal((4, 5, 5, 3)).astype(np.float32)
    huge = maps * np.float32(1e30)
    assert BagOfVisualWords(n_words=4, random_state=0).fit(huge).n_words_ == 4
    monkeypatch.setattr(words, "FEWEST_WORDS_TO_INDEX", 4)
    assert BagOfVisualWords(n_words=4, random_state=0).fit(huge).agreement_ == 1
    with pytest.raises(DegenerateDataError, match="search exactly"):
        BagOfVisualWords(n_words=4, search="faiss", random_state=0).fit(huge)


def test_words_of_an_index_lie_as_well_as_those_of_exact_search():
    pytest.importorskip("faiss")
    rng = np.random.RandomState(0)
    sample = (rng.rand(150, 6)[rng.randint(150, size=3000)] + 0.1 * rng.rand(3000, 6)).astype("f4")
    errors = {}
    for search in ("exact", "faiss"):
        seed = np.random.RandomState(1)
        learned = words.fit_words(sample, 200, search=search, random_state=seed)
        errors[search] = nearest_vectors(sample, learned)[1].mean()
    assert errors["faiss"] < 1.02 * errors["exact"]


def test_an_index_is_learned_once_per_fit(monkeypatch):
    pytest.importorskip("faiss")
    built = []
    build = words.build_index

    def counted(*arguments, **options):
        built.append(len(arguments[0]))
        return build(*arguments, **options)

    monkeypatch.setattr(words, "build_index", counted)
    maps = np.random.default_rng(0).random((20, 6, 6, 4), dtype=np.float32)
    BagOfVisualWords(n_words=100, search="faiss", random_state=0).fit(maps)
    assert len(built) == 2  # for the rounds, and for what is kept
