"""ConfidenceMapDisplay: exact sums, from a real pipeline, and clear refusals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from skdeepenc.encoders import GlobalPooler, MultiScaleFisherEncoder
from skdeepenc.exceptions import ClassifierError
from skdeepenc.inspection import ConfidenceMapDisplay
from skdeepenc.inspection.confidence_map import _best_rival

Figure = pytest.importorskip("matplotlib.figure").Figure


class PixelMaps(TransformerMixin, BaseEstimator):
    """Stands for an extractor: the pixels at two sizes are the descriptors."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        images = [Image.fromarray(np.asarray(image)) for image in X]
        return [
            [np.asarray(image.resize((side, side)), np.float32) / 255 for side in (4, 8)]
            for image in images
        ]

    def __sklearn_is_fitted__(self):
        return True


def red_and_blue():
    """Return images with a red or a blue square on noise, and their labels."""
    rng = np.random.default_rng(0)
    images, labels = [], ["blue", "red"] * 10
    for label in labels:
        image = rng.integers(80, 160, size=(32, 48, 3)).astype(np.uint8)
        y, x = rng.integers(0, 16), rng.integers(0, 32)
        image[y : y + 16, x : x + 16] = (255, 0, 0) if label == "red" else (0, 0, 255)
        images.append(image)
    return images, labels


@pytest.fixture(scope="module")
def pipeline():
    encoder = MultiScaleFisherEncoder(n_gaussians=4, random_state=0)
    return make_pipeline(PixelMaps(), encoder, LinearSVC(C=100)).fit(*red_and_blue())


def test_the_class_is_found_where_it_is(pipeline):
    image = np.full((32, 48, 3), 120, dtype=np.uint8)
    image[:16, :16], image[16:, 32:] = (255, 0, 0), (0, 0, 255)
    display = ConfidenceMapDisplay.from_estimator(pipeline, image, "red")
    confidence = display.confidence
    assert confidence.shape == (32, 48)
    assert confidence[:14, :14].mean() > 0 > confidence[18:, 34:].mean()
    opposite = ConfidenceMapDisplay.from_estimator(pipeline, image, "blue")
    assert_allclose(opposite.confidence, -confidence, atol=1e-4)


def test_the_class_leads_over_its_best_rival(pipeline):
    image = red_and_blue()[0][0]
    lead = ConfidenceMapDisplay.from_estimator(pipeline, image, "red")
    alone = [
        ConfidenceMapDisplay.from_estimator(pipeline, image, name, margin=False)
        for name in ("red", "blue")
    ]
    assert_allclose(lead.confidence, alone[0].confidence - alone[1].confidence, atol=1e-5)
    assert "rival" in lead.figure_.axes[1].get_ylabel()
    assert "rival" not in alone[0].figure_.axes[1].get_ylabel()


def test_the_rival_is_the_best_of_all_others():
    scores = [np.array([[[1.0, 5.0, 2.0], [1.0, 0.0, 3.0]]])]
    assert_allclose(_best_rival(scores, 0, (1, 2)), [[5.0, 3.0]])
    assert _best_rival([np.zeros((1, 1, 1))], 0, (1, 1)) is None


@pytest.mark.parametrize("shape", [(60, 20, 3), (20, 60, 3)])
def test_the_panel_has_the_proportions_of_the_image(shape):
    display = ConfidenceMapDisplay(image=np.zeros(shape), maps=[np.ones((2, 2))]).plot()
    width, height = display.figure_.get_size_inches()
    assert (height > width) == (shape[0] > shape[1])


def test_maps_are_those_of_the_encoder(pipeline):
    image = red_and_blue()[0][0]
    display = ConfidenceMapDisplay.from_estimator(pipeline, image, "red")
    (scores,) = pipeline[1].confidence_maps(pipeline[0].transform([image]), pipeline[2])
    for shown, computed in zip(display.maps, scores, strict=True):
        assert_allclose(shown, computed[..., 1])


def test_scales_are_summed_at_the_size_of_the_image():
    maps = [np.full((1, 1), 2.0), np.full((3, 5), 1.0), np.empty((0, 0))]
    display = ConfidenceMapDisplay(image=np.zeros((6, 9, 3)), maps=maps)
    assert_allclose(display.confidence, np.full((6, 9), 3.0))


def test_draws_many_times_and_where_it_is_told(pipeline):
    image = red_and_blue()[0][0]
    display = ConfidenceMapDisplay.from_estimator(pipeline, image, "red", image_size=24)
    assert display.image.shape == (16, 24, 3)
    first = display.ax_
    assert first.get_title() == "red"
    figure = Figure()
    ax = figure.subplots()
    assert display.plot(ax=ax, cmap="coolwarm", alpha=0.3, colorbar=False).ax_ is ax
    assert display.figure_ is figure
    assert len(figure.axes) == 1
    assert display.im_.get_alpha() == 0.3
    assert display.im_.norm.vmin == -display.im_.norm.vmax


def test_bad_input_is_named(pipeline):
    image = red_and_blue()[0][0]
    with pytest.raises(ClassifierError, match=r"'rad' is not a class of LinearSVC.* red"):
        ConfidenceMapDisplay.from_estimator(pipeline, image, "rad")
    for other in (
        pipeline[1],
        pipeline[1:],
        make_pipeline(PixelMaps(), GlobalPooler(), LinearSVC()),
    ):
        with pytest.raises(ValueError, match="need a Pipeline of an extractor, an encoder"):
            ConfidenceMapDisplay.from_estimator(other, image, "red")
    unfitted = make_pipeline(PixelMaps(), pipeline[1], LinearSVC())
    with pytest.raises(NotFittedError):
        ConfidenceMapDisplay.from_estimator(unfitted, image, "red")
    images, labels = red_and_blue()
    curved = make_pipeline(PixelMaps(), MultiScaleFisherEncoder(n_gaussians=2), SVC())
    curved.fit(images, labels)
    with pytest.raises(ClassifierError, match="SVC is not linear"):
        ConfidenceMapDisplay.from_estimator(curved, image, "red")
