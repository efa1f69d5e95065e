"""Matches of positions, against the sums as they read."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import GlobalPooler
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import l2_normalize
from skdeepenc.functional.local_matching import literal_mutual, literal_sum_max
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import LocalRanker, NearestNeighborRanker, make_retrieval_pipeline

LITERAL = {"sum_max": literal_sum_max, "mutual": literal_mutual}


@parametrize_with_checks([LocalRanker()])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def images(rng):
    """Images of two scales, from 3 to 13 positions."""
    return [[rng.normal(size=(n, 5)), rng.normal(size=(2, 5))] for n in (4, 1, 11, 7, 2, 5)]


@pytest.mark.parametrize("matching", LITERAL)
@pytest.mark.parametrize("n_candidates", [3, 100])
def test_candidates_are_compared_as_the_sums_read(images, matching, n_candidates):
    ranker = LocalRanker(matching=matching, n_candidates=n_candidates).fit(images)
    flat = [np.concatenate(image) for image in images]
    means = l2_normalize(np.array([image.mean(axis=0) for image in flat]))
    plain = np.argsort(-means @ means.T, axis=1)
    similarities, ranked = ranker.transform(images), ranker.rank(images)
    for query, row in enumerate(similarities):
        candidates, others = np.split(plain[query], [n_candidates])
        expected = [
            LITERAL[matching](l2_normalize(flat[query]), l2_normalize(flat[image]))
            for image in candidates
        ]
        assert_allclose(row[candidates], expected)
        assert_array_equal(ranked[query, len(candidates) :], others)
        assert row[query] == pytest.approx(1)
        assert (row[others] < min(expected)).all()


def test_a_part_of_an_image_finds_the_image(rng):
    maps = FeatureMaps.from_arrays(rng.normal(size=(9, 8, 8, 12)))
    parts = maps.crop(np.tile([1, 2, 4, 5], (9, 1)))
    for matching in LITERAL:
        ranker = LocalRanker(matching=matching).fit(maps)
        assert_array_equal(ranker.rank(parts, 1)[:, 0], np.arange(9))
        assert_allclose(ranker.kneighbors(parts, 1)[0], 0, atol=1e-12)


def test_any_ranker_of_maps_finds_the_candidates(rng):
    maps = FeatureMaps.from_layers(
        {"low": rng.random((9, 4, 4, 3)), "high": rng.random((9, 2, 2, 5))}
    )
    finder = make_retrieval_pipeline(GlobalPooler(method="max"), NearestNeighborRanker())
    ranker = LocalRanker(layer="low", n_candidates=3, ranker=finder).fit(maps)
    assert (ranker.layer_, ranker.n_features_in_) == ("low", 3)
    plain, ranked = finder.fit(maps).rank(maps), ranker.rank(maps)
    assert_array_equal(np.sort(ranked[:, :3]), np.sort(plain[:, :3]))
    assert_array_equal(ranked[:, 3:], plain[:, 3:])


def test_images_without_positions_are_like_nothing(images):
    empty = [np.empty((0, 5)), np.empty((0, 5))]
    for matching in LITERAL:
        ranker = LocalRanker(matching=matching).fit([*images, empty])
        similarities = ranker.transform([images[0], empty])
        assert similarities[0, -1] == 0
        assert_array_equal(similarities[1], 0)


def test_another_layer_is_named(images, rng):
    with pytest.raises(FeatureMapsError, match="channels"):
        LocalRanker().fit(images).transform([rng.random((3, 4))])
