"""An encoder run by onnxruntime is an estimator like any other."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import CrossLayerPooler, GlobalPooler, MOPVLADEncoder
from skdeepenc.exceptions import FeatureMapsError, ModelError, NonFiniteError
from skdeepenc.export import OnnxEncoder, batches
from skdeepenc.testing import ragged_images


@parametrize_with_checks([OnnxEncoder(GlobalPooler(normalize=False))])
def test_conventions_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def images():
    return ragged_images()


@pytest.fixture
def encoder(images):
    return MOPVLADEncoder(n_clusters=3, n_components=4, random_state=0).fit(images)


def test_fit_passes_on_and_leaves_the_encoder_alone(images):
    pooler = CrossLayerPooler(n_guidance_filters=2, random_state=0)
    wrapped = OnnxEncoder(pooler)
    with pytest.raises(NotFittedError):
        wrapped.transform(images)
    vectors = wrapped.fit(images, [0, 1] * 3).transform(images)
    assert not hasattr(pooler, "n_features_in_")
    assert_allclose(vectors, wrapped.encoder_.transform(images), atol=1e-5)
    assert len(wrapped.get_feature_names_out()) == vectors.shape[1]


def test_pickles_hold_no_session_and_go_on(images, encoder):
    wrapped = OnnxEncoder(encoder)
    vectors = wrapped.transform(images)
    copy = pickle.loads(pickle.dumps(wrapped))
    assert set(vars(copy)) == {"encoder", "providers", "approximate"}
    assert_array_equal(copy.transform(images), vectors)
    with pytest.raises(NotFittedError):
        clone(wrapped).transform(images)


def test_an_encoder_that_was_fitted_again_gets_another_graph(images):
    pooler = GlobalPooler().fit(images)
    wrapped = OnnxEncoder(pooler)
    before = wrapped.transform(images)
    assert_array_equal(wrapped.transform(images), before)
    pooler.set_params(method="max").fit(images)
    assert_allclose(wrapped.transform(images), pooler.transform(images), atol=1e-6)
    assert not np.allclose(before, pooler.transform(images))


def test_batches_change_nothing(images, encoder, monkeypatch):
    many = OnnxEncoder(encoder).transform(images * 3)
    monkeypatch.setattr(batches, "_MOST_POSITIONS", 1)
    assert_allclose(OnnxEncoder(encoder).transform(images * 3), many, atol=1e-6)


def test_weights_too_large_for_a_message_lie_beside_it(images, encoder, monkeypatch):
    monkeypatch.setattr("skdeepenc.export.files._MOST_BYTES", 100)
    monkeypatch.setattr("skdeepenc.export.files._SMALLEST_BESIDE", 100)
    assert_allclose(OnnxEncoder(encoder).transform(images), encoder.transform(images), atol=1e-4)


def test_it_stands_in_a_pipeline(images):
    labels = [0, 1] * 3
    pipeline = make_pipeline(OnnxEncoder(GlobalPooler()), LinearSVC())
    assert pipeline.fit(images, labels).predict(images).shape == (6,)


def test_bad_input_is_refused_as_by_the_encoder(images, encoder):
    wrapped = OnnxEncoder(encoder)
    with pytest.raises(FeatureMapsError, match="1 scales"):
        wrapped.transform([image[:1] for image in images])
    images[1][0][0, 0, 0] = np.nan
    with pytest.raises(NonFiniteError, match="Image 1"):
        wrapped.transform(images)
    with pytest.raises(ModelError, match="no provider 'CPU'"):
        OnnxEncoder(encoder, providers=["CPU"]).transform(ragged_images())
