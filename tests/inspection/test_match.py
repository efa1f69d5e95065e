"""What made two images alike: numbers that add up to the ranker's similarity, then the drawing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from skdeepenc import (
    ActivationExtractor,
    AdaptiveChannelRanker,
    ASMKRanker,
    ClusterMAC,
    CrossLayerPooler,
    GlobalPooler,
    LayerFusionRanker,
    MOPVLADEncoder,
    NearestNeighborRanker,
)
from skdeepenc.inspection import MatchDisplay, match_contributions
from skdeepenc.inspection.matching import Match

channels = {"n_channels": 3, "n_guidance_channels": 224}


def channel_pooling():
    pooled = CrossLayerPooler(n_components=4, random_state=0)
    return make_union(pooled, GlobalPooler(layer="conv5", normalize=False))


PIPELINES = {
    "average": (GlobalPooler(), NearestNeighborRanker()),
    "vlad": (MOPVLADEncoder(n_clusters=2, random_state=0), NearestNeighborRanker()),
    "inner product": (
        ClusterMAC(regions="rmac", n_output_components=4),
        NearestNeighborRanker(metric="inner_product"),
    ),
    "signs": (channel_pooling(), AdaptiveChannelRanker(**channels)),
    "values": (channel_pooling(), AdaptiveChannelRanker(**channels, quantize=None)),
    "signs and averages": (
        channel_pooling(),
        AdaptiveChannelRanker(**channels, average_weight=0.5),
    ),
    "values and averages": (
        channel_pooling(),
        AdaptiveChannelRanker(**channels, quantize=None, average_weight=0.5),
    ),
    "two parts": (make_union(GlobalPooler(), CrossLayerPooler()), NearestNeighborRanker()),
}


@pytest.fixture(scope="module")
def images():
    return list(np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", PIPELINES)
def test_the_numbers_of_both_sides_add_up_to_the_similarity(images, name):
    extractor = ActivationExtractor(layers=["conv4", "conv5"])
    pipeline = make_pipeline(extractor, *PIPELINES[name]).fit(images)
    match = match_contributions(pipeline, images[0], images[4])
    similarity = pipeline.transform(images[:1])[0, 4]
    assert_allclose(match.similarity, similarity, rtol=1e-5)
    for side in (match.query, match.result):
        assert_allclose(sum(share.sum() for share in side), similarity, rtol=1e-4)
        assert {share.shape for share in side} == {(8, 8)}


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("settings", [{}, {"n_assigned": 2, "alpha": 1.5, "threshold": -1.0}])
def test_the_match_kernel_is_split_over_the_positions_of_shared_words(binary, settings):
    rng = np.random.default_rng(0)
    gallery = [[rng.normal(size=(2, 3, 5)), rng.normal(size=(size, 4, 5))] for size in (2, 5, 1)]
    words = np.concatenate([rng.normal(size=(3, 5)), gallery[0][0][0, :1]])
    ranker = ASMKRanker(words=words, binary=binary, **settings)
    ranker.fit(gallery)
    for query, result in [(0, 1), (2, 0), (1, 1)]:
        match = match_contributions(ranker, gallery[query], gallery[result])
        similarity = ranker.transform(gallery[query : query + 1])[0, result]
        assert_allclose(match.similarity, similarity, atol=1e-12)
        for shares, image in [(match.query, gallery[query]), (match.result, gallery[result])]:
            assert_allclose(sum(share.sum() for share in shares), similarity, atol=1e-12)
            assert [share.shape for share in shares] == [scale.shape[:2] for scale in image]


def test_positions_of_words_that_the_other_lacks_add_nothing_to_the_match_kernel():
    ranker = ASMKRanker(words=np.array([[0.0, 9.0], [9.0, 0.0]]))
    first = np.array([[[0.0, 8.0], [8.0, 0.0], [1.0, 8.0]]])
    second = np.array([[[0.0, 7.0]]])
    match = match_contributions(ranker.fit([first]), first, second)
    # Of residuals (0, -1) and (1, -1) together (1, -2), beside (0, -2): u = 2 / sqrt(5).
    kernel = (2 / 5**0.5) ** 3 / 2**0.5
    assert_allclose(match.query[0], [[kernel / 2, 0, kernel / 2]])
    assert_allclose(match.result[0], [[kernel]])


def test_a_classifier_is_left_out_and_vectors_are_compared_by_their_cosine(images):
    pipeline = make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler(), LinearSVC())
    pipeline.fit(images, [0, 1] * 3)
    match = match_contributions(pipeline, images[0], images[1])
    first, second = pipeline[:-1].transform(images[:2])
    assert_allclose(match.similarity, first @ second, rtol=1e-5)
    assert_allclose(sum(share.sum() for share in match.query), match.similarity, rtol=1e-5)


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ((LinearSVC(),), "got LinearSVC"),
        ((GlobalPooler(), LinearSVC(), LinearSVC()), "got GlobalPooler, LinearSVC"),
        ((GlobalPooler(), NearestNeighborRanker(metric="euclidean")), "is not a sum"),
        ((GlobalPooler(), LayerFusionRanker()), "is not a sum"),
    ],
)
def test_what_cannot_be_split_is_said(steps, complaint):
    maps = np.random.default_rng(0).random((4, 3, 3, 5))
    pipeline = make_pipeline(*steps)
    for step in steps[:1] + steps[1:2]:
        if isinstance(step, GlobalPooler):
            step.fit(maps)
    with pytest.raises(ValueError, match=complaint):
        match_contributions(pipeline, maps[0], maps[1])


def test_the_drawing_is_of_the_numbers(images):
    pytest.importorskip("matplotlib")
    pipeline = make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler()).fit(images)
    display = MatchDisplay.from_estimator(pipeline, images[0], images[1], n_framed=3)
    assert display.axes_.shape == (1, 2)
    assert [len(axes.patches) for axes in display.axes_[0]] == [3, 3]
    assert f"{display.match.similarity:.3g}" in display.axes_[0, 1].get_title()
    assert [density.shape for density in display.densities] == [(48, 64)] * 2
    drawn = display.axes_[0, 1].images[1].get_array()
    assert_allclose(drawn, display.densities[1])
    assert display.plot(n_framed=0, colorbar=False).axes_[0, 0].patches[:] == []


def test_the_frame_is_around_the_position_that_adds_most():
    pytest.importorskip("matplotlib")
    image = np.zeros((20, 30, 3), dtype=np.uint8)
    shares = [np.array([[0.1, 0.0, 0.0], [0.0, 0.0, 0.4]])]
    display = MatchDisplay(images=(image, image), match=Match(0.5, shares, shares)).plot(n_framed=1)
    (frame,) = display.axes_[0, 0].patches
    assert frame.get_bbox().bounds == (19.5, 9.5, 10, 10)
