"""GlobalPooler against the plain functions, map by map, and the estimator checks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import GlobalPooler
from skdeepenc.functional import crow, gem, l2_normalize, mac, rmac, spoc
from skdeepenc.testing import parametrize_with_maps_checks, ragged_images

METHODS = ("avg", "max", "gem", "spoc", "crow", "rmac")
PLAIN = {
    "avg": lambda feature_map: feature_map.mean(axis=(0, 1)),
    "max": mac,
    "gem": gem,
    "spoc": spoc,
    "crow": crow,
    "rmac": rmac,
}


@parametrize_with_checks([GlobalPooler(method=method) for method in ("avg", "gem", "crow")])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_maps_checks([GlobalPooler(method=method) for method in ("avg", "max", "gem")])
def test_orderless_methods(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(
    [
        GlobalPooler(method="spoc"),
        GlobalPooler(method="rmac", across_scales="mean"),
        GlobalPooler(method="crow", normalize=False),
    ],
    orderless=False,
)
def test_other_methods(estimator, check):
    check(estimator)


@pytest.mark.parametrize("method", METHODS)
def test_vectors_are_those_of_the_plain_functions(method):
    images = ragged_images(n_scales=2)
    ours = GlobalPooler(method=method, normalize=False).fit_transform(images)
    for vector, scales in zip(ours, images, strict=True):
        expected = np.concatenate([PLAIN[method](feature_map) for feature_map in scales])
        assert_allclose(vector, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_mean_is_over_the_scales_that_an_image_has(method):
    images = ragged_images(n_scales=2)
    images[0] = images[0][:1]
    ours = GlobalPooler(method=method, across_scales="mean").fit_transform(images)
    for vector, scales in zip(ours, images, strict=True):
        means = np.mean([l2_normalize(PLAIN[method](image)) for image in scales], axis=0)
        assert_allclose(vector, l2_normalize(means), rtol=1e-4, atol=1e-5)


def test_parameters_of_methods_are_used():
    maps = np.random.default_rng(0).random((2, 6, 8, 3))
    for given in ({"method": "gem", "p": 7.0}, {"method": "rmac", "n_levels": 1}):
        default = GlobalPooler(method=given["method"]).fit_transform(maps)
        assert not np.allclose(GlobalPooler(**given).fit_transform(maps), default)


def test_negative_activations_of_vision_transformers():
    tokens = np.random.default_rng(0).normal(size=(3, 16, 8)).astype(np.float32)
    for method in METHODS:
        assert np.isfinite(GlobalPooler(method=method).fit_transform(tokens)).all()


def test_whitening_is_a_pipeline_of_scikit_learn():
    maps = np.random.default_rng(0).random((20, 3, 4, 8))
    pipeline = make_pipeline(GlobalPooler(method="spoc"), PCA(4, whiten=True), Normalizer())
    assert_allclose(np.linalg.norm(pipeline.fit_transform(maps), axis=1), 1)
