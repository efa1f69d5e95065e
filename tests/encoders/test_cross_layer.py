"""Cross-layer pooling equals its paper, written out image by image; every switch does its part."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import linear_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import gen_batches
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import CrossLayerPooler
from skdeepenc.exceptions import FeatureMapsError, NonFiniteError
from skdeepenc.functional import match_grids
from skdeepenc.functional.cross_layer import CrossLayerRecord, cross_layer_vectors
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import SignCodes
from skdeepenc.testing import parametrize_with_maps_checks

VARIANTS = [
    CrossLayerPooler(),
    CrossLayerPooler(pooling="max", n_components=3),
    CrossLayerPooler(quantize="sign", n_components="passthrough"),
    CrossLayerPooler(n_guidance_filters=4),
    CrossLayerPooler(guidance_layer="uniform", power=1),
]
LABELS = np.arange(12) % 3


def two_layers(n_images=12, fine=(6, 5), coarse=(6, 5), dtype=np.float64, seed=0):
    """Features of 8 channels and guidance of 3, after ReLU."""
    rng = np.random.RandomState(seed)
    layers = {"conv4": rng.randn(n_images, *fine, 8), "conv5": rng.randn(n_images, *coarse, 3)}
    return FeatureMaps.from_layers(
        {layer: np.maximum(maps, 0).astype(dtype) for layer, maps in layers.items()}
    )


def literal_vector(features, guidance, projection, reduce, power):
    """Project, pool by a double loop, normalise channel by channel: one image, as in the paper."""
    channels = []
    for k in range(guidance.shape[1]):
        weighted = [projection(x) * a for x, a in zip(features, guidance[:, k], strict=True)]
        pooled = reduce(weighted, axis=0)
        length = np.linalg.norm(pooled)
        channels.append(pooled / length if length else pooled)
    vector = np.concatenate(channels)
    return np.sign(vector) * np.abs(vector) ** power


def descriptors_of(maps, layer):
    images = [maps[number][layer][0] for number in range(len(maps))]
    return [image.reshape(-1, maps.n_channels(layer)) for image in images]


@parametrize_with_checks([CrossLayerPooler(), CrossLayerPooler(n_guidance_filters=2)])
def test_scikit_learn_accepts_the_pooler(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(VARIANTS)
def test_the_pooler_passes_our_checks(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(
    [CrossLayerPooler(spatial_pyramid=[(1, 1), (2, 2)], n_components="passthrough")],
    orderless=False,
)
def test_the_pyramid_passes_our_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pooling", ["sum", "max"])
@pytest.mark.parametrize("power", [0.5, 1, 0.2])
def test_equals_the_literal_double_loop(dtype, pooling, power):
    maps = two_layers(dtype=dtype)
    vectors = CrossLayerPooler(pooling=pooling, power=power).fit_transform(maps)
    features, guidance = descriptors_of(maps, "conv4"), descriptors_of(maps, "conv5")
    pca = PCA().fit(np.concatenate(features).astype(np.float64))
    reduce = {"sum": np.sum, "max": np.max}[pooling]
    for vector, x, a in zip(vectors, features, guidance, strict=True):
        expected = literal_vector(
            x, a, lambda row: pca.components_ @ (row - pca.mean_), reduce, power
        )
        assert_allclose(vector, expected, atol=2e-3 if dtype == np.float32 else 1e-7)


def test_components_may_be_left_out_or_reduced():
    maps = two_layers()
    features, guidance = descriptors_of(maps, "conv4"), descriptors_of(maps, "conv5")
    vectors = CrossLayerPooler(n_components="passthrough").fit_transform(maps)
    expected = [
        literal_vector(x, a, lambda row: row, np.sum, 0.5)
        for x, a in zip(features, guidance, strict=True)
    ]
    assert_allclose(vectors, expected)
    pooler = CrossLayerPooler(n_components=2, random_state=0).fit(maps)
    assert pooler.n_components_ == 2
    assert pooler.transform(maps).shape == (12, 6)
    assert CrossLayerPooler(n_components=99).fit(maps).n_components_ == 8


def test_signs_are_those_of_the_full_vector_and_pack_exactly():
    maps = two_layers()
    signs = CrossLayerPooler(quantize="sign").fit_transform(maps)
    assert_array_equal(signs, np.sign(CrossLayerPooler().fit_transform(maps)))
    codes = SignCodes.encode(signs)
    assert_array_equal(codes.similarity(codes), signs @ signs.T)


@pytest.mark.parametrize(("fine", "coarse"), [((9, 8), (4, 3)), ((4, 3), (9, 8))])
def test_different_grids_are_matched_and_the_matched_features_projected(fine, coarse):
    maps = two_layers(fine=fine, coarse=coarse)
    pairs = [match_grids(maps[i]["conv4"][0], maps[i]["conv5"][0]) for i in range(len(maps))]
    matched = FeatureMaps.from_layers(
        {"conv4": [pair[0] for pair in pairs], "conv5": [pair[1] for pair in pairs]}
    )
    expected = CrossLayerPooler().fit_transform(matched)
    assert_allclose(CrossLayerPooler().fit_transform(maps), expected)
    with config_context(working_memory=1e-6):
        assert_allclose(CrossLayerPooler().fit_transform(maps), expected)


def test_images_of_different_sizes_on_different_grids():
    rng = np.random.RandomState(0)
    sizes = [(8, 6), (6, 8), (8, 8), (5, 7), (0, 0)]
    fine = [rng.rand(*size, 4) for size in sizes]
    coarse = [rng.rand(h // 2, w // 2, 3) for h, w in sizes]
    maps = FeatureMaps.from_layers({"conv4": fine, "conv5": coarse})
    pooler = CrossLayerPooler(n_components="passthrough", power=1).fit(maps)
    vectors = pooler.transform(maps)
    for vector, x, a in zip(vectors, fine[:-1], coarse[:-1], strict=False):
        x, a = match_grids(x, a)
        expected = literal_vector(x.reshape(-1, 4), a.reshape(-1, 3), lambda row: row, np.sum, 1)
        assert_allclose(vector, expected)
    assert_array_equal(vectors[-1], 0)


def test_matched_maps_on_file_encode_as_those_in_memory(tmp_path):
    maps = two_layers(fine=(9, 8), coarse=(4, 3), dtype=np.float16)
    maps.save(tmp_path)
    expected = CrossLayerPooler().fit_transform(maps)
    assert expected.dtype == np.float32
    mapped = FeatureMaps.load(tmp_path, mmap_mode="r")
    assert_allclose(CrossLayerPooler().fit_transform(mapped), expected, atol=1e-5)


@pytest.mark.parametrize("layer", ["conv4", "conv5"])
def test_nan_in_a_file_is_named_by_image_and_layer(tmp_path, layer):
    maps = two_layers(fine=(9, 8), coarse=(4, 3))
    pooler = CrossLayerPooler().fit(maps)
    maps.values(layer)[maps.offsets(layer)[7] + 1, 2] = np.nan
    maps.save(tmp_path)
    mapped = FeatureMaps.load(tmp_path, mmap_mode="r")
    for working_memory in (1e-6, 1024):
        named = pytest.raises(NonFiniteError, match=f"Image 7 has NaN .* '{layer}'")
        with config_context(working_memory=working_memory), named:
            pooler.transform(mapped)


def test_grids_that_cannot_be_matched_name_image_and_layers():
    layers = {"conv4": [np.ones((4, 4, 2)), np.ones((4, 2, 2))], "conv5": [np.ones((2, 4, 2))] * 2}
    message = "Image 1 has a grid of 4 x 2 in layer 'conv4' and of 2 x 4 in layer 'conv5' at scale"
    with pytest.raises(FeatureMapsError, match=message):
        CrossLayerPooler().fit(FeatureMaps.from_layers(layers))
    layers = {"conv4": [np.ones((4, 4, 2)), np.ones((0, 0, 2))], "conv5": [np.ones((2, 4, 2))] * 2}
    with pytest.raises(FeatureMapsError, match="Image 1 has a grid of 0 x 0"):
        CrossLayerPooler().fit(FeatureMaps.from_layers(layers))


def test_several_scales_are_summed_as_one():
    rng = np.random.RandomState(0)
    images = [[rng.rand(3, 3, 4), rng.rand(2, 5, 4)] for _ in range(5)]
    joined = [np.concatenate([scale.reshape(-1, 4) for scale in image]) for image in images]
    pooler = CrossLayerPooler(n_components="passthrough")
    assert_allclose(pooler.fit_transform(images), pooler.fit_transform(joined))


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ((None, None), ("conv3", "conv4")),
        (("conv4", None), ("conv4", "conv5")),
        (("conv5", None), ("conv5", "conv5")),
        ((None, "conv5"), ("conv4", "conv5")),
        ((None, "conv3"), ("conv3", "conv3")),
        (("conv5", "conv3"), ("conv5", "conv3")),
        (("rgb", None), ("rgb", "conv3")),
        (("conv4", "uniform"), ("conv4", "uniform")),
        ((None, "uniform"), ("conv3", "uniform")),
    ],
)
def test_layers_that_are_not_named_are_neighbours(given, chosen):
    names = ["rgb", "conv3", "conv4", "conv5"]
    values = np.random.RandomState(0).rand(3, 2, 2, 4)
    maps = FeatureMaps.from_layers(dict.fromkeys(names, values))
    pooler = CrossLayerPooler(feature_layer=given[0], guidance_layer=given[1]).fit(maps)
    assert (pooler.feature_layer_, pooler.guidance_layer_) == chosen


def test_one_layer_guides_itself():
    maps = two_layers().select(layers=["conv4"])
    pooler = CrossLayerPooler().fit(maps)
    assert pooler.feature_layer_ == pooler.guidance_layer_ == "conv4"
    assert pooler.transform(maps).shape == (12, 64)


@pytest.mark.parametrize("parameter", ["feature_layer", "guidance_layer"])
def test_a_missing_layer_is_named(parameter):
    with pytest.raises(FeatureMapsError, match=r"no layer 'conv9': the maps have \('conv4'"):
        CrossLayerPooler(**{parameter: "conv9"}).fit(two_layers())


def test_a_channel_without_activation_stays_zero():
    maps = two_layers()
    values = maps.values("conv5").copy()
    values[:, 1] = 0
    layers = {"conv4": maps.values("conv4"), "conv5": values}
    dead = FeatureMaps.from_values(layers, {layer: maps.grid(layer) for layer in layers})
    vectors = CrossLayerPooler().fit_transform(dead).reshape(12, 3, 8)
    assert_array_equal(vectors[:, 1], 0)
    assert_array_equal(
        vectors[:, [0, 2]], CrossLayerPooler().fit_transform(maps).reshape(12, 3, 8)[:, [0, 2]]
    )


def test_negative_guidance_weighs_negatively():
    maps = two_layers()
    layers = {"conv4": maps.values("conv4"), "conv5": -maps.values("conv5")}
    negative = FeatureMaps.from_values(layers, {layer: maps.grid(layer) for layer in layers})
    assert_array_equal(
        CrossLayerPooler().fit_transform(negative), -CrossLayerPooler().fit_transform(maps)
    )


@pytest.mark.parametrize("pooling", ["sum", "max"])
def test_cells_of_the_pyramid_are_pooled_alone(pooling):
    maps = two_layers(coarse=(6, 5))
    pooler = CrossLayerPooler(
        spatial_pyramid=[(1, 1), (3, 2)], pooling=pooling, n_components="passthrough"
    )
    cells = pooler.fit_transform(maps).reshape(12, 7, 24)
    whole = CrossLayerPooler(pooling=pooling, n_components="passthrough")
    assert_allclose(cells[:, 0], whole.fit_transform(maps))
    x, a = maps[4]["conv4"][0], maps[4]["conv5"][0]
    second_row_left = (slice(2, 4), slice(0, 2))
    expected = whole.fit_transform(
        FeatureMaps.from_layers({"conv4": [x[second_row_left]], "conv5": [a[second_row_left]]})
    )
    assert_allclose(cells[4, 3:4], expected)


def test_uniform_guidance_is_plain_pooling_under_a_pyramid():
    maps = two_layers()
    pooler = CrossLayerPooler(
        guidance_layer="uniform", n_components="passthrough", spatial_pyramid=[(1, 1), (2, 2)]
    )
    vectors = pooler.fit_transform(maps).reshape(12, 5, 8)
    sums = np.stack([x.sum(axis=0) for x in descriptors_of(maps, "conv4")])
    unit = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    assert_allclose(vectors[:, 0], np.sqrt(unit))
    assert pooler.layers_in_ == ("conv4",)


def test_a_layer_called_uniform_is_a_layer():
    maps = two_layers()
    renamed = FeatureMaps.from_values(
        {"conv4": maps.values("conv4"), "uniform": maps.values("conv5")},
        {"conv4": maps.grid("conv4"), "uniform": maps.grid("conv5")},
    )
    vectors = CrossLayerPooler(guidance_layer="uniform").fit_transform(renamed)
    assert_array_equal(vectors, CrossLayerPooler().fit_transform(maps))


@pytest.mark.parametrize("pyramid", [[(1,)], [], [(0, 1)], [(1.5, 1)]])
def test_a_pyramid_that_is_none_is_refused(pyramid):
    with pytest.raises(ValueError, match="spatial_pyramid"):
        CrossLayerPooler(spatial_pyramid=pyramid).fit(two_layers())


def test_filters_guide_by_their_rectified_responses():
    maps = two_layers(coarse=(6, 5))
    pooler = CrossLayerPooler(n_guidance_filters=5, n_components="passthrough", random_state=0)
    vectors = pooler.fit_transform(maps, LABELS)
    assert pooler.guidance_layer_ == "conv4"
    assert pooler.n_guidance_channels_ == 5
    assert pooler.n_iter_ == len(pooler.loss_curve_) == 50
    filters = pooler.guidance_filters_
    for vector, x in zip(vectors, descriptors_of(maps, "conv4"), strict=True):
        guidance = np.maximum(x @ filters.coef_ + filters.intercept_, 0)
        assert_allclose(vector, literal_vector(x, guidance, lambda row: row, np.sum, 0.5))


def test_filters_may_read_another_layer():
    pooler = CrossLayerPooler(n_guidance_filters=5, guidance_layer="conv5")
    pooler.fit(two_layers(fine=(9, 8), coarse=(4, 3)), LABELS)
    assert pooler.guidance_filters_.coef_.shape == (3, 5)


def test_filters_need_labels():
    pooler = CrossLayerPooler(n_guidance_filters=5)
    with pytest.raises(ValueError, match="n_guidance_filters=5 requires y to be passed"):
        pooler.fit(two_layers())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        pooler.fit(two_layers(), LABELS[:5])
    with pytest.raises(ValueError, match="Unknown label type"):
        pooler.fit(two_layers(), LABELS + 0.5)


def test_filters_have_no_uniform_layer_to_read():
    with pytest.raises(FeatureMapsError, match="no layer 'uniform'"):
        CrossLayerPooler(n_guidance_filters=5, guidance_layer="uniform").fit(two_layers(), LABELS)


def test_without_filters_there_is_no_loss_curve():
    pooler = CrossLayerPooler().fit(two_layers())
    assert not hasattr(pooler, "n_iter_")
    assert not hasattr(pooler, "loss_curve_")


def test_progress_is_shown_only_when_asked(capsys):
    CrossLayerPooler(n_guidance_filters=2).fit(two_layers(), LABELS).transform(two_layers())
    assert capsys.readouterr().err == ""
    CrossLayerPooler(n_guidance_filters=2, verbose=2).fit(two_layers(), LABELS)
    assert "loss=" in capsys.readouterr().err


def test_linear_machines_and_precomputed_kernels_take_the_vectors():
    maps = two_layers(n_images=12)
    vectors = CrossLayerPooler().fit_transform(maps)
    kernel = blocked_gram_matrix(vectors, block_size=5)
    assert_allclose(kernel, vectors @ vectors.T)
    by_kernel = SVC(kernel="precomputed", C=10).fit(kernel, LABELS)
    by_vectors = SVC(kernel="linear", C=10).fit(vectors, LABELS)
    assert_allclose(by_kernel.decision_function(kernel), by_vectors.decision_function(vectors))
    assert LinearSVC(C=10).fit(vectors, LABELS).score(vectors, LABELS) == 1.0


def blocked_gram_matrix(vectors, block_size):
    """Fill the kernel block by block: no more than two blocks of vectors need to be in memory."""
    kernel = np.empty((len(vectors), len(vectors)))
    for rows in gen_batches(len(vectors), block_size):
        for columns in gen_batches(len(vectors), block_size):
            kernel[rows, columns] = linear_kernel(vectors[rows], vectors[columns])
    return kernel


def test_grid_search_tunes_the_pooling():
    pipeline = make_pipeline(CrossLayerPooler(random_state=0), LinearSVC(C=1))
    grid = {"crosslayerpooler__pooling": ["sum", "max"]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(two_layers(), LABELS)
    assert search.best_params_.keys() == grid.keys()


def test_fitted_filters_survive_pickling():
    maps = two_layers()
    pooler = CrossLayerPooler(n_guidance_filters=3, random_state=0).fit(maps, LABELS)
    assert_array_equal(pickle.loads(pickle.dumps(pooler)).transform(maps), pooler.transform(maps))


def test_vectors_are_long_and_of_unit_length_where_asked_for():
    maps = two_layers()
    for quantize in (None, "sign"):
        vectors = CrossLayerPooler(quantize=quantize).fit_transform(maps)
        assert (np.linalg.norm(vectors, axis=1) > np.sqrt(3)).all()  # one block per channel
        unit = CrossLayerPooler(quantize=quantize, normalize=True).fit_transform(maps)
        assert_allclose(unit, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_images_without_descriptors_stay_zero_at_unit_length():
    layers = {name: [np.ones((2, 2, 3)), np.empty((0, 0, 3))] for name in ("conv4", "conv5")}
    pooler = CrossLayerPooler(normalize=True, n_components="passthrough")
    vectors = pooler.fit_transform(FeatureMaps.from_layers(layers))
    assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0])


def test_a_record_says_what_the_paper_does_unless_told_otherwise():
    maps = two_layers()
    columns = maps.column("conv4"), maps.column("conv5")
    expected = CrossLayerPooler(n_components="passthrough").fit_transform(maps)
    assert_allclose(cross_layer_vectors(*columns, CrossLayerRecord()), expected)
