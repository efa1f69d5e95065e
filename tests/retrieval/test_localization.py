"""Localization against an exhaustive search, and the ranker that uses it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import ClusterMAC, GlobalPooler
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import l2_normalize
from skdeepenc.functional.localization import box_maxima, integral_powers, literal_maxima
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import LocalizingRanker, localize
from skdeepenc.retrieval.localization import _coarse_boxes, _most_similar


def reference_similarity(feature_map, box, query):
    maxima = literal_maxima(feature_map, box)
    return maxima @ query / (np.linalg.norm(maxima) * np.linalg.norm(query))


def planted(seed, box=(4, 6, 9, 12), height=16, width=20, n_channels=12):
    """Return a map of clutter with an object of other channels in a box, and its maxima."""
    rng = np.random.default_rng(seed)
    feature_map = np.zeros((height, width, n_channels), dtype=np.float32)
    feature_map[:, :, : n_channels // 2] = rng.random((height, width, n_channels // 2))
    y0, x0, y1, x1 = box
    feature_map[y0:y1, x0:x1] = 0
    shape = (y1 - y0, x1 - x0, n_channels // 2)
    feature_map[y0:y1, x0:x1, n_channels // 2 :] = 0.5 + 0.5 * rng.random(shape)
    return feature_map, feature_map[y0:y1, x0:x1].max(axis=(0, 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_similarities_are_those_of_the_equation(dtype):
    rng = np.random.default_rng(0)
    feature_map = rng.uniform(0.3, 2, size=(9, 11, 6)).astype(dtype)
    feature_map[:, :, 0] *= 1e-2
    query = l2_normalize(rng.random(6).astype(dtype))
    integral = integral_powers(feature_map)
    for box in [(0, 0, 9, 11), (2, 3, 3, 4), (1, 0, 5, 9), (7, 8, 9, 11)]:
        _, similarity = _most_similar(integral, np.array([box]), query)
        assert_allclose(similarity, reference_similarity(feature_map, box, query), rtol=1e-3)


def test_maxima_of_boxes_are_those_of_the_equation():
    feature_map = np.random.default_rng(0).uniform(0.3, 2, size=(7, 9, 4))
    boxes = np.array([(0, 0, 7, 9), (2, 3, 3, 4), (1, 0, 5, 9), (5, 6, 7, 9)])
    fractions = box_maxima(integral_powers(feature_map), boxes, np.float64)
    expected = [literal_maxima(feature_map, box) for box in boxes]
    assert_allclose(fractions * feature_map.max(), expected)


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_object_is_found(seed):
    feature_map, query = planted(seed)
    boxes, similarities = localize([feature_map], query, 6 / 5)
    y0, x0, y1, x1 = boxes[0, 0]
    assert (y0 >= 4, x0 >= 6, y1 <= 9, x1 <= 12) == (True,) * 4
    assert similarities[0, 0] > 0.95
    assert_allclose(
        similarities[0, 0], reference_similarity(feature_map, boxes[0, 0], query), rtol=1e-3
    )


def test_the_result_is_a_local_optimum():
    feature_map, query = planted(5)
    boxes, similarities = localize([feature_map], query, 1.2, max_rounds=50)
    for move in np.vstack([np.eye(4, dtype=int), -np.eye(4, dtype=int)]):
        y0, x0, y1, x1 = moved = boxes[0, 0] + move
        if min(y0, x0) >= 0 and y1 <= 16 and x1 <= 20 and y0 < y1 and x0 < x1:
            assert reference_similarity(feature_map, moved, query) <= similarities[0, 0] + 1e-3


def test_coarse_boxes_have_the_step_and_the_aspect_ratio():
    boxes = _coarse_boxes(16, 20, 1.5, 3, 1.1)
    assert_array_equal(boxes[:, :2] % 3, 0)
    assert (np.isin(boxes[:, 2], [3, 6, 9, 12, 15, 16])).all()
    ratios = (boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0])
    assert (np.maximum(ratios / 1.5, 1.5 / ratios) <= 1.1 + 1e-9).all()
    every = [
        (a, b, c, d)
        for a in range(0, 16, 3)
        for b in range(0, 20, 3)
        for c in (3, 6, 9, 12, 15, 16)
        for d in (3, 6, 9, 12, 15, 18, 20)
        if c > a and d > b and 1.5 / 1.1 <= (d - b) / (c - a) <= 1.5 * 1.1
    ]
    assert len(every) == len(boxes)


def test_without_a_box_of_the_aspect_ratio_the_nearest_is_taken():
    boxes = _coarse_boxes(2, 2, 40.0, 3, 1.1)
    assert_array_equal(boxes, [[0, 0, 2, 2]])


def test_maps_of_other_sizes_and_empty_ones():
    feature_map, query = planted(0)
    images = [feature_map, np.empty((0, 4, 12), np.float32), feature_map[:2, :3]]
    boxes, similarities = localize(images, [query, query[::-1]], [1.2, 0.5], n_jobs=2)
    assert boxes.shape == (2, 3, 4)
    assert_array_equal(boxes[:, 1], 0)
    assert_array_equal(similarities[:, 1], 0)
    alone = localize([feature_map], query[::-1], 0.5)
    assert_array_equal(boxes[1, 0], alone[0][0, 0])


def test_negative_activations_count_as_zero():
    feature_map, query = planted(0)
    boxes, _ = localize([np.where(feature_map == 0, -9, feature_map)], query, 1.2)
    assert_array_equal(boxes, localize([feature_map], query, 1.2)[0])


def test_bad_input_is_named():
    feature_map, query = planted(0)
    with pytest.raises(FeatureMapsError, match="2 scales"):
        localize([[feature_map, feature_map]], query, 1.0)
    with pytest.raises(FeatureMapsError, match=r"5 values.*12 channels"):
        localize([feature_map], query[:5], 1.0)
    with pytest.raises(ValueError, match="positive"):
        localize([feature_map], query, 0.0)


@pytest.fixture(scope="module")
def gallery():
    """Ten maps: five with the object somewhere, five of clutter."""
    corners = [(0, 0), (3, 12), (9, 2), (11, 14), (6, 7)]
    found = [planted(seed, (y, x, y + 5, x + 6))[0] for seed, (y, x) in enumerate(corners)]
    rng = np.random.default_rng(9)
    clutter = rng.random((5, 16, 20, 12)).astype(np.float32)
    clutter[..., 6:] *= 0.3
    return FeatureMaps.from_arrays([*found, *clutter], layer="conv5")


@pytest.fixture(scope="module")
def query_maps(gallery):
    return gallery[[1]].crop([[3, 12, 8, 18]])


@pytest.mark.parametrize("n_expansion", [0, 3])
@pytest.mark.parametrize(
    "encoder",
    [GlobalPooler(method="max"), ClusterMAC(n_clusters=2, n_color_clusters=0, whiten=False)],
    ids=["mac", "clusters"],
)
def test_any_encoder_ranks_the_object_first(gallery, query_maps, encoder, n_expansion):
    ranker = LocalizingRanker(clone(encoder), n_expansion=n_expansion).fit(gallery)
    assert set(ranker.rank(query_maps)[0, :5]) == set(range(5))


def test_images_beyond_the_candidates_keep_their_order(gallery, query_maps):
    frozen = FrozenEstimator(GlobalPooler(method="max").fit(gallery))
    ranker = LocalizingRanker(frozen, n_candidates=4, n_expansion=0).fit(gallery)
    cosines = frozen.transform(query_maps) @ frozen.transform(gallery).T
    plain = np.argsort(-cosines[0])
    ranked = ranker.rank(query_maps)[0]
    assert set(ranked[:4]) == set(plain[:4])
    assert_array_equal(ranked[4:], plain[4:])
    localized = localize(gallery[ranked[:4]], query_maps.values("conv5").max(axis=0), 6 / 5)[1]
    assert_allclose(ranker.transform(query_maps)[0, ranked[:4]], localized[0], rtol=1e-6)
    assert (np.diff(localized[0]) <= 0).all()


def test_the_expanded_query_is_compared_with_the_boxes_of_the_candidates(gallery, query_maps):
    frozen = FrozenEstimator(GlobalPooler(method="avg").fit(gallery))
    ranker = LocalizingRanker(frozen, n_candidates=7, n_expansion=2).fit(gallery)
    maxima = query_maps.values("conv5").max(axis=0)
    cosines = (frozen.transform(query_maps) @ frozen.transform(gallery).T)[0]
    candidates = np.argsort(-cosines)[:7]
    (boxes,), (similarities,) = localize(gallery[candidates], maxima, 6 / 5)
    of_boxes = []
    for image, (y0, x0, y1, x1) in zip(candidates, boxes, strict=True):
        inside = gallery[int(image)]["conv5"][0][y0:y1, x0:x1].max(axis=(0, 1))
        of_boxes.append(inside / np.linalg.norm(inside))
    best = np.argsort(-similarities)[:2]
    expanded = (maxima / np.linalg.norm(maxima) + of_boxes[best[0]] + of_boxes[best[1]]) / 3
    expected = cosines - 2
    expected[candidates] = np.array(of_boxes) @ expanded / np.linalg.norm(expanded)
    assert_allclose(ranker.transform(query_maps)[0], expected, rtol=1e-5)


def test_the_ranker_scores_and_finds_neighbors(gallery):
    labels = [1] * 5 + [0] * 5
    ranker = LocalizingRanker(GlobalPooler(), n_candidates=3).fit(gallery, labels)
    assert 0 < ranker.score(gallery, labels) <= 1
    distances, indices = ranker.kneighbors(n_neighbors=2)
    assert indices.shape == (10, 2)
    assert (indices != np.arange(10)[:, None]).all()
    assert (np.diff(distances, axis=1) >= 0).all()


def test_an_empty_query_and_an_empty_gallery_image(gallery):
    empty = np.empty((0, 0, 12), np.float32)
    images = [gallery[0]["conv5"][0], empty]
    ranker = LocalizingRanker(GlobalPooler()).fit(images)
    assert np.isfinite(ranker.transform([empty, images[0]])).all()


@parametrize_with_checks([LocalizingRanker(GlobalPooler(), n_candidates=3)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_several_scales_are_refused():
    image = np.ones((4, 4, 3))
    with pytest.raises(FeatureMapsError, match="one scale"):
        LocalizingRanker(GlobalPooler()).fit([[image, image]])
