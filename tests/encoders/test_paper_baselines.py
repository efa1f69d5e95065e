"""The baselines of multi-scale pyramid pooling are pipelines of parts, on the embedded model."""

import pytest
from numpy.testing import assert_allclose
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc.datasets import make_scenes
from skdeepenc.encoders import GlobalPooler, MultiScaleFisherEncoder
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.functional import l2_normalize
from skdeepenc.images import Crops, Pyramid, Whole
from skdeepenc.inspection import ConfidenceMapDisplay, WindowScanDisplay


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(12, image_size=80, n_classes=2, random_state=0, return_X_y=True)


@pytest.mark.parametrize(("n_crops", "n_activations"), [(5, 10), (25, 50)], ids=["AP10", "AP50"])
def test_average_pooling_is_the_mean_of_the_crops(scenes, n_crops, n_activations):
    images = scenes[0][:3]
    extractor = ActivationExtractor(views=Crops(n=n_crops, image_size=72))
    vectors = make_pipeline(extractor, GlobalPooler(method="avg")).fit_transform(images)
    maps = extractor.fit_transform(images)
    activations = maps.values("fc7").reshape(len(images), n_activations, -1)
    assert_allclose(vectors, l2_normalize(activations.mean(axis=1)), atol=1e-6)


@pytest.mark.parametrize(
    ("views", "encoder"),
    [
        (Whole(), GlobalPooler(method="avg")),
        (Crops(image_size=72), GlobalPooler(method="avg")),
        (Pyramid(n_scales=2), MultiScaleFisherEncoder(n_components=8, n_gaussians=4)),
        (Pyramid(n_scales=2), MultiScaleFisherEncoder(n_gaussians=4, pooling="nfk")),
    ],
    ids=["global", "AP10", "MPP", "NFK"],
)
def test_pipelines_classify_images(scenes, views, encoder):
    images, labels = scenes
    pipeline = make_pipeline(ActivationExtractor(views=views), encoder, LinearSVC(C=100))
    assert pipeline.fit(images, labels).score(images, labels) == 1


def test_displays_take_the_whole_pipeline(scenes):
    images, labels = scenes
    encoder = MultiScaleFisherEncoder(n_components=8, n_gaussians=4, random_state=0)
    extractor = ActivationExtractor(views=Pyramid(n_scales=2))
    pipeline = make_pipeline(extractor, encoder, LinearSVC(C=100)).fit(images, labels)
    axes = pytest.importorskip("matplotlib.figure").Figure().subplots(2)
    display = ConfidenceMapDisplay.from_estimator(pipeline, images[0], labels[0], ax=axes[0])
    assert [scores.shape for scores in display.maps] == [(1, 1), (2, 2)]
    (computed,) = encoder.confidence_maps(extractor.transform(images[:1]), pipeline[-1])
    for shown, scores in zip(display.maps, computed, strict=True):
        assert_allclose(shown, scores[..., labels[0]], atol=1e-6)
    scan = WindowScanDisplay.from_estimator(pipeline, images[0], labels[0], [224], 32, ax=axes[1])
    y0, x0, y1, x1 = scan.window.box
    assert (y1 - y0, x1 - x0) == (70, 70)
