"""GlobalPooler against the plain functions, map by map, and the estimator checks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import GlobalPooler
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import crow, gem, l2_normalize, lp, mac, rmac, spoc
from skdeepenc.functional.global_pooling import (
    GlobalPooling,
    literal_global_pooling,
    pool_globally,
)
from skdeepenc.maps import FeatureMaps
from skdeepenc.testing import parametrize_with_maps_checks, ragged_images

METHODS = ("avg", "max", "gem", "lp", "spoc", "crow", "rmac")
PLAIN = {
    "avg": lambda feature_map: feature_map.mean(axis=(0, 1)),
    "max": mac,
    "gem": gem,
    "lp": lp,
    "spoc": spoc,
    "crow": crow,
    "rmac": rmac,
}


@parametrize_with_checks([GlobalPooler()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(
    [GlobalPooler(method=method) for method in ("avg", "max", "gem", ["lp", "avg"])]
)
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


def tokens_of(n_images=5, n_scales=2):
    """Patches and class tokens of a vision transformer, and an image without either."""
    rng = np.random.default_rng(0)
    patches = [[rng.normal(size=(3, 4 + s, 6)) for s in range(n_scales)] for _ in range(n_images)]
    classes = [[rng.normal(size=(1, 1, 6)) for s in range(n_scales)] for _ in range(n_images)]
    for layer in (patches, classes):
        layer[3] = [np.empty((0, 0, 6))] * n_scales
    return FeatureMaps.from_layers({"early": patches, "out": patches, "out[cls]": classes})


@pytest.mark.parametrize("across_scales", ["concatenate", "mean"])
@pytest.mark.parametrize("normalize", [True, False])
def test_methods_lie_side_by_side_as_the_equation_says(across_scales, normalize):
    maps = tokens_of()
    methods = ["cls", "gem", "rmac"]
    pooler = GlobalPooler(method=methods, across_scales=across_scales, normalize=normalize)
    vectors = pooler.fit_transform(maps)
    assert pooler.layers_in_ == ("out", "out[cls]")
    assert len(pooler.get_feature_names_out()) == vectors.shape[1]
    plain = PLAIN | {"cls": lambda token: token[0, 0]}

    def pool(scale, method):
        return plain[method](scale["out[cls]" if method == "cls" else "out"])

    for image in (0, 1, 4):
        patches, classes = maps[image]["out"], maps[image]["out[cls]"]
        scales = [{"out": p, "out[cls]": c} for p, c in zip(patches, classes, strict=True)]
        expected = literal_global_pooling(scales, pooler.record_, pool)
        assert_allclose(vectors[image], expected, atol=1e-12)
    assert_array_equal(vectors[3], 0)


def test_a_list_is_the_single_poolers_side_by_side():
    maps = tokens_of()
    alone = [GlobalPooler(method=method).fit_transform(maps) for method in METHODS]
    together = GlobalPooler(method=METHODS).fit_transform(maps)
    assert_allclose(together, np.hstack(alone), atol=1e-12)
    assert_allclose(np.linalg.norm(together[0]), np.sqrt(len(METHODS)))


@pytest.mark.parametrize(
    ("layers", "layer", "read"),
    [
        (["a", "b", "b[cls]"], None, ("b", "b[cls]")),
        (["a", "a[cls]", "b", "b[cls]"], "a", ("a", "a[cls]")),
        (["a", "a[cls]", "b", "b[cls]"], "a[cls]", ("a", "a[cls]")),
        (["a", "b[cls]"], None, ("a", "b[cls]")),
        (["b[cls]", "a"], "a", ("a", "b[cls]")),
    ],
)
def test_the_class_token_is_that_of_the_layer_or_the_deepest(layers, layer, read):
    maps = FeatureMaps.from_layers({name: np.ones((2, 1, 1, 3)) for name in layers})
    assert GlobalPooler(method=["avg", "cls"], layer=layer).fit(maps).layers_in_ == read
    assert GlobalPooler(method="cls", layer=layer).fit(maps).layers_in_ == read[1:]


def test_patches_and_class_tokens_may_be_of_other_widths():
    layers = {"out": np.ones((2, 3, 3, 4)), "out[cls]": np.ones((2, 1, 1, 6))}
    pooler = GlobalPooler(method=["cls", "max"], normalize=False)
    vectors = pooler.fit_transform(FeatureMaps.from_layers(layers))
    assert vectors.shape == (2, 10)
    assert GlobalPooler(method="cls").fit(FeatureMaps.from_layers(layers)).n_features_in_ == 6


def test_maps_without_class_token_and_unknown_methods_are_named():
    maps = np.ones((2, 3, 3, 4))
    with pytest.raises(FeatureMapsError, match=r"no class token 'features\[cls\]'"):
        GlobalPooler(method="cls").fit(maps)
    for method in (["avg", "sum"], []):
        with pytest.raises(ValueError, match="each method of a list must be one of"):
            GlobalPooler(method=method).fit(maps)


def test_three_sizes_of_regions_and_an_exponent_of_three_unless_others_are_asked_for():
    maps = np.random.default_rng(0).random((2, 6, 8, 3))
    for given in ({"method": "gem", "p": 3.0}, {"method": "rmac", "n_levels": 3}):
        default = GlobalPooler(method=given["method"]).fit_transform(maps)
        assert_array_equal(GlobalPooler(**given).fit_transform(maps), default)
        record = GlobalPooling(methods=(given["method"],))
        column = FeatureMaps.from_arrays(maps).column("features")
        assert_array_equal(pool_globally(column, record), default)


def test_a_mean_of_one_scale_or_none_is_that_scale_or_zeros():
    images = ragged_images(n_scales=3)[:3]
    images[0], images[1] = images[0][:1], images[1][:2]
    images[2] = [np.empty((0, 0, images[2][0].shape[2]))] * 3
    vectors = GlobalPooler(across_scales="mean", normalize=False).fit_transform(images)
    for vector, scales in zip(vectors[:2], images[:2], strict=True):
        means = [scale.mean(axis=(0, 1)) for scale in scales]
        assert_allclose(vector, np.mean(means, axis=0), rtol=1e-5)
    assert_array_equal(vectors[2], 0)
