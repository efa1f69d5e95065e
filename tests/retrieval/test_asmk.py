"""The selective match kernel: the equations as they read, and the numbers of the authors' code."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.exceptions import FeatureMapsError, NonFiniteError
from skdeepenc.functional.asmk import literal_kernel, selectivity
from skdeepenc.functional.visual_words import FEWEST_WORDS_TO_INDEX
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import ASMKRanker


@parametrize_with_checks([ASMKRanker(), ASMKRanker(n_words=4, n_assigned=2, binary=True)])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def images(rng):
    """Images of 9, 4, 7, 1 and no descriptors, at two scales."""
    halves = [(4, 5), (4, 0), (1, 6), (0, 1), (0, 0)]
    return [[rng.normal(size=(n, 6)) for n in sizes] for sizes in halves]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("n_assigned", [1, 3])
@pytest.mark.parametrize(("alpha", "threshold"), [(3.0, 0.0), (1.0, -1.0), (2.5, 0.2)])
def test_similarities_are_those_of_the_equation(rng, images, binary, n_assigned, alpha, threshold):
    settings = {"n_assigned": n_assigned, "alpha": alpha, "threshold": threshold, "binary": binary}
    words = rng.normal(size=(5, 6))
    ranker = ASMKRanker(words=words, **settings).fit(images[:2]).partial_fit(images[2:])
    flat = [np.concatenate(image) for image in images]
    expected = [[literal_kernel(x, z, words, **settings) for z in flat] for x in flat]
    assert_allclose(ranker.transform(images), expected, atol=1e-12)


# What jenicek/asmk 0.1.1, by the authors' group, gives for two queries and four images.
AUTHORS = {
    (False, 1, 3.0, 0.0): [
        [0.1071478, 0.069771, 0.0108614, 0.0],
        [0.0332122, 0.1287708, 0.1104836, 0.1188237],
    ],
    (False, 2, 1.5, 0.3): [
        [0.3263346, 0.2656483, 0.248166, 0.0769436],
        [0.2103194, 0.2093893, 0.1929754, 0.183326],
    ],
    (True, 1, 3.0, 0.0): [
        [0.0175781, 0.0088097, 0.0019029, 0.0],
        [0.0107896, 0.0215287, 0.09967, 0.0215792],
    ],
    (True, 3, 1.0, 0.1): [
        [0.3444595, 0.338822, 0.338822, 0.1530931],
        [0.3954905, 0.3093592, 0.2357023, 0.1275776],
    ],
}


@pytest.mark.parametrize("settings", AUTHORS)
def test_similarities_are_those_of_the_authors(rng, settings):
    words = rng.normal(size=(6, 32)).astype(np.float32)
    gallery, queries = (
        [rng.normal(size=(n, 32)).astype(np.float32) for n in sizes]
        for sizes in [(9, 4, 7, 1), (8, 3)]
    )
    names = ("binary", "n_assigned", "alpha", "threshold")
    ranker = ASMKRanker(words=words, **dict(zip(names, settings, strict=True))).fit(gallery)
    assert_allclose(ranker.transform(queries), AUTHORS[settings], atol=2e-7)


def test_selected_similarities_keep_their_sign():
    similarities = np.array([-0.5, -0.2, 0.0, 0.2, 0.5])
    assert_allclose(selectivity(similarities, 2.0, -0.3), [0, -0.04, 0, 0.04, 0.25])
    assert_allclose(selectivity(similarities, 3.0, 0.2), [0, 0, 0, 0, 0.125])


def test_an_image_is_itself_by_one_and_by_none_where_it_has_nothing(images):
    similarities = ASMKRanker(n_words=5, random_state=0).fit(images).transform(images)
    assert_allclose(np.diag(similarities), [1, 1, 1, 1, 0])
    assert_array_equal(similarities[4], 0)


def test_signs_take_a_bit_per_channel(images):
    ranker = ASMKRanker(n_words=5, binary=True, random_state=0).fit(images)
    assert ranker.gallery_.residuals.shape == (len(ranker.gallery_.words), 1)
    assert ranker.gallery_.residuals.dtype == np.uint64


def test_descriptors_that_are_words_have_no_residual(rng):
    maps = rng.random((3, 2, 2, 4), dtype=np.float32)
    ranker = ASMKRanker(words=maps.reshape(-1, 4)).fit(maps)
    assert_array_equal(ranker.transform(maps), 0)


def test_descriptors_are_brought_to_unit_length_where_asked_for(rng):
    maps = 100 * rng.random((5, 2, 3, 4))
    unit = maps / np.linalg.norm(maps, axis=-1, keepdims=True)
    settings = {"n_words": 3, "n_assigned": 2, "random_state": 0, "n_neighbors": 2}
    ranker = ASMKRanker(normalize_descriptors=True, **settings).fit(maps[:3]).partial_fit(maps[3:])
    alone = ASMKRanker(**settings).fit(unit[:3]).partial_fit(unit[3:])
    assert_allclose(ranker.transform(2 * maps), alone.transform(unit))
    assert_array_equal(ranker.kneighbors(maps)[1], alone.kneighbors(unit)[1])


def test_scales_and_layers_are_chosen(images, rng):
    one = ASMKRanker(n_words=3, scales=[1], random_state=0).fit(images)
    alone = ASMKRanker(n_words=3, random_state=0).fit([image[1] for image in images])
    assert_allclose(one.transform(images), alone.transform([image[1] for image in images]))
    layers = {"low": rng.random((3, 4, 4, 5)), "high": rng.random((3, 2, 2, 6))}
    maps = FeatureMaps.from_layers(layers)
    ranker = ASMKRanker(layer="low", n_words=3).fit(maps)
    assert (ranker.layer_, ranker.n_features_in_, ranker.n_words_) == ("low", 5, 3)
    assert ASMKRanker(n_words=3).fit(maps).layer_ == "high"


def test_bad_input_is_named(images, rng):
    ranker = ASMKRanker(n_words=3, random_state=0).fit(images)
    with pytest.raises(FeatureMapsError, match=r"4 channels.*fitted on 6"):
        ranker.transform([rng.random((3, 4))])
    with pytest.raises(FeatureMapsError, match="at least one"):
        ranker.transform(FeatureMaps.from_arrays(rng.random((2, 2, 2, 6)))[[]])
    with pytest.raises(FeatureMapsError, match=r"Words have 4 values.*6 channels"):
        ASMKRanker(words=np.ones((3, 4))).fit(images)
    with pytest.raises(NonFiniteError):
        ranker.transform([np.full((3, 6), np.nan)])
    with pytest.raises(FeatureMapsError, match="nothing to learn words from"):
        ASMKRanker().fit([np.empty((0, 6))] * 3)


@pytest.mark.parametrize("n_assigned", [1, 3])
def test_an_index_of_words_finds_nearly_what_products_find(rng, n_assigned):
    pytest.importorskip("faiss")
    words = rng.normal(size=(FEWEST_WORDS_TO_INDEX, 8)).astype(np.float32)
    images = [
        words[rng.integers(len(words), size=40)] + 0.1 * rng.random((40, 8)) for _ in range(9)
    ]
    images = [image.astype(np.float32) for image in images]
    exact = ASMKRanker(words=words, search="exact", n_assigned=n_assigned).fit(images)
    nearly = ASMKRanker(words=words, n_assigned=n_assigned, random_state=0).fit(images)
    assert_array_equal(nearly.rank(images)[:, 0], np.arange(9))
    assert_allclose(nearly.transform(images), exact.transform(images), atol=0.1)
