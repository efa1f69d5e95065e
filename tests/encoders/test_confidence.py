"""Confidence maps equal the literal loop that encodes and scores each descriptor alone."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from skdeepenc.encoders import MultiScaleFisherEncoder
from skdeepenc.exceptions import ClassifierError
from skdeepenc.testing import ragged_images


def images_and_labels(n_scales=2, dtype=np.float64):
    return ragged_images(n_scales=n_scales, n_images=9, dtype=dtype), np.arange(9) % 3


def fitted(classifier=None, dtype=np.float64, **parameters):
    """Return an encoder, a classifier of three classes, and the images they were fitted on."""
    images, labels = images_and_labels(dtype=dtype)
    parameters = {"n_components": 4, "n_gaussians": 5, "random_state": 0} | parameters
    encoder = MultiScaleFisherEncoder(**parameters).fit(images)
    classifier = LogisticRegression() if classifier is None else classifier
    return encoder, classifier.fit(encoder.transform(images), labels), images


def literal_scores(encoder, classifier, image, scale):
    """Encode each descriptor of one scale as an image that has nothing else."""
    descriptors = image[scale].reshape(-1, image[scale].shape[-1])
    nothing = np.empty((0, 0, descriptors.shape[1]), dtype=descriptors.dtype)
    alone = []
    for descriptor in descriptors:
        scales = [nothing] * len(image)
        scales[scale] = descriptor[None, None]
        alone.append(scales)
    scores = classifier.decision_function(encoder.transform(alone))
    return scores.reshape(*image[scale].shape[:2], -1)


@pytest.mark.parametrize("pooling", ["mpp", "nfk", "csf"])
@pytest.mark.parametrize("power", [0.5, 0.3, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_the_literal_loop(pooling, power, dtype):
    encoder, classifier, images = fitted(dtype=dtype, pooling=pooling, power=power)
    maps = encoder.confidence_maps(images, classifier)
    assert len(maps) == len(images)
    for image, scored in zip(images[:3], maps[:3], strict=True):
        assert [scale.shape for scale in scored] == [(*scale.shape[:2], 3) for scale in image]
        for scale, scores in enumerate(scored):
            expected = literal_scores(encoder, classifier, image, scale)
            assert scores.dtype == dtype
            assert_allclose(scores, expected, atol=1e-3 if dtype == np.float32 else 1e-6)


@pytest.mark.parametrize("pooling", ["mpp", "csf"])
def test_equal_the_literal_loop_in_the_middle_of_a_spatial_pyramid(pooling):
    """A map of one position lies in the whole and in the middle third."""
    encoder, classifier, images = fitted(pooling=pooling, spatial_pyramid=[(1, 1), (3, 1)])
    centres = [[scale[:1, :1] for scale in image] for image in images]
    for image, scored in zip(centres, encoder.confidence_maps(centres, classifier), strict=True):
        for scale, scores in enumerate(scored):
            assert_allclose(scores, literal_scores(encoder, classifier, image, scale), atol=1e-6)


def test_positions_meet_the_weights_of_their_cells():
    """With the weights of the top third alone, only the top third scores."""
    encoder, classifier, _ = fitted(spatial_pyramid=[(1, 1), (3, 1)])
    weights = classifier.coef_.reshape(3, 4, -1)
    weights[:, [0, 2, 3]] = 0
    classifier.intercept_[:] = 0
    tall = np.random.default_rng(0).normal(size=(6, 2, 5))
    (scores,) = encoder.confidence_maps([[tall, tall[:0]]], classifier)[0][:1]
    assert (scores[:2] != 0).all()
    assert (scores[2:] == 0).all()


@pytest.mark.parametrize(
    "classifier",
    [
        LinearSVC(),
        SGDClassifier(random_state=0),
        RidgeClassifier(),
        OneVsRestClassifier(LinearSVC()),
        GridSearchCV(LinearSVC(), {"C": [1, 10]}, cv=2),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_linear_classifiers_of_every_kind(classifier):
    encoder, classifier, images = fitted(classifier)
    scores = encoder.confidence_maps(images[:1], classifier)[0][1]
    assert_allclose(scores, literal_scores(encoder, classifier, images[0], 1), atol=1e-6)


def test_two_classes_have_opposite_scores():
    images, labels = images_and_labels()
    encoder = MultiScaleFisherEncoder(n_gaussians=3, random_state=0).fit(images)
    classifier = LinearSVC().fit(encoder.transform(images), labels == 1)
    scores = encoder.confidence_maps(images[:1], classifier)[0][0]
    expected = literal_scores(encoder, classifier, images[0], 0)
    assert_allclose(scores[..., 1:], expected, atol=1e-6)
    assert_allclose(scores[..., 0], -scores[..., 1])


def test_missing_scales_have_empty_maps():
    encoder, classifier, images = fitted()
    missing = [images[0][0], np.empty((0, 0, 5))]
    assert encoder.confidence_maps([missing], classifier)[0][1].shape == (0, 0, 3)


def test_vectors_of_single_descriptors_are_never_built():
    rng = np.random.default_rng(0)
    images = [[rng.normal(size=(30, 30, 8)).astype(np.float32)] for _ in range(4)]
    encoder = MultiScaleFisherEncoder(n_gaussians=64, max_samples=800, random_state=0).fit(images)
    vectors = encoder.transform(images)
    classifier = RidgeClassifier().fit(vectors, [0, 1, 0, 1])
    tracemalloc.start()
    encoder.confidence_maps(images[:1], classifier)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 900 * vectors[0].nbytes / 2


def test_other_classifiers_are_named():
    encoder, classifier, images = fitted()
    with pytest.raises(NotFittedError, match="LinearSVC instance is not fitted"):
        encoder.confidence_maps(images, LinearSVC())
    labels = np.arange(9) % 3
    narrow = LinearSVC().fit(encoder.transform(images)[:, :7], labels)
    with pytest.raises(ClassifierError, match="on vectors of 7 values, the encoder gives 40"):
        encoder.confidence_maps(images, narrow)
    vectors = encoder.transform(images)
    # A one-against-one machine has as many weights as classes here, but they are of pairs.
    for other in (SVC(), SVC(kernel="linear"), KNeighborsClassifier(2)):
        with pytest.raises(ClassifierError, match=r"is not linear.*LinearSVC"):
            encoder.confidence_maps(images, other.fit(vectors, labels))
    with pytest.raises(NotFittedError):
        MultiScaleFisherEncoder().confidence_maps(images, classifier)
