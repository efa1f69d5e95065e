"""Multi-scale Fisher vectors equal the paper's equation, whatever way the scales are pooled."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import MultiScaleFisherEncoder
from skdeepenc.exceptions import FeatureMapsError, NonFiniteError
from skdeepenc.functional import (
    fisher_vector,
    l2_normalize,
    multiscale_fisher,
    power_normalize,
)
from skdeepenc.functional.multiscale_fisher import FisherRecord
from skdeepenc.maps import FeatureMaps
from skdeepenc.testing import parametrize_with_maps_checks, ragged_images, random_maps

POOLINGS = ["mpp", "nfk", "csf"]
PAPER_PYRAMID = [(1, 1), (3, 1)]


def small_encoder(**parameters):
    return MultiScaleFisherEncoder(n_components=3, n_gaussians=4, random_state=0, **parameters)


def in_float64(images):
    return [[scale.astype(np.float64) for scale in image] for image in images]


@parametrize_with_checks([MultiScaleFisherEncoder()])
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(
    [
        MultiScaleFisherEncoder(n_components=3, n_gaussians=4),
        MultiScaleFisherEncoder(n_gaussians=3, pooling="nfk", scales=[0]),
        MultiScaleFisherEncoder(n_gaussians=3, pooling="csf", power=0.3),
    ]
)
def test_passes_our_checks(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(
    [MultiScaleFisherEncoder(n_gaussians=3, spatial_pyramid=PAPER_PYRAMID)], orderless=False
)
def test_passes_our_checks_with_a_spatial_pyramid(estimator, check):
    check(estimator)


def fisher_vector_of(encoder, scale_map):
    """Return the unnormalised Fisher vector of one scale by the functional definition."""
    descriptors = encoder.projection_.transform(scale_map.reshape(-1, scale_map.shape[-1]))
    return fisher_vector(descriptors, encoder.means_, encoder.covariances_, encoder.weights_)


def literal_pooling(encoder, image):
    """Follow section 2, step 5 of the method."""
    filled = [scale for scale in image if scale.size]
    if encoder.pooling == "nfk":
        filled = [np.concatenate([scale.reshape(-1, scale.shape[-1]) for scale in filled])]
    vectors = [fisher_vector_of(encoder, scale) for scale in filled]
    return multiscale_fisher.literal_pooling(vectors, encoder.pooling, encoder.power)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("power", [0.5, 0.3, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_equation(pooling, power, dtype):
    images = in_float64(ragged_images(n_scales=3))
    encoder = small_encoder(pooling=pooling, power=power).fit(images)
    vectors = encoder.transform([[scale.astype(dtype) for scale in image] for image in images])
    expected = np.stack([literal_pooling(encoder, image) for image in images])
    assert vectors.dtype == dtype
    assert_allclose(vectors, expected, atol=2e-3 if dtype == np.float32 else 1e-7)
    assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_mean_is_over_the_scales_that_have_descriptors():
    images = in_float64(ragged_images(n_scales=3))
    encoder = small_encoder().fit(images)
    missing = [images[0][0], np.empty((0, 3, 5)), images[0][2]]
    expected = literal_pooling(encoder, missing)
    assert_allclose(encoder.transform([missing])[0], expected, atol=1e-7)


def test_missing_scale_leaves_its_part_of_the_concatenation_at_zero():
    images = in_float64(ragged_images(n_scales=2))
    encoder = small_encoder(pooling="csf").fit(images)
    missing = [np.empty((0, 0, 5)), images[0][1]]
    first, second = encoder.transform([missing]).reshape(2, -1)
    assert_array_equal(first, 0)
    assert_allclose(np.linalg.norm(second), 1)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_cells_of_a_spatial_pyramid_are_images_of_their_own(pooling):
    """Seven rows: by their centres, two belong to the top third, three to the middle."""
    rng = np.random.default_rng(0)
    images = [[rng.normal(size=(7, 4, 5)), rng.normal(size=(7, 2, 5))] for _ in range(6)]
    whole = small_encoder(pooling=pooling).fit(images)
    divided = small_encoder(pooling=pooling, spatial_pyramid=PAPER_PYRAMID).fit(images)
    parts = [slice(0, 7), slice(0, 2), slice(2, 5), slice(5, 7)]
    cells = [
        whole.transform([[scale[rows] for scale in image] for image in images]) for rows in parts
    ]
    assert_allclose(divided.transform(images), np.hstack(cells) / 2, atol=1e-7)


def test_levels_of_a_spatial_pyramid_may_cross():
    rng = np.random.default_rng(0)
    images = [[rng.normal(size=(6, 4, 5))] for _ in range(6)]
    whole = small_encoder().fit(images)
    divided = small_encoder(spatial_pyramid=[(3, 1), (2, 2)]).fit(images)
    thirds = [(slice(row, row + 2), slice(0, 4)) for row in (0, 2, 4)]
    quarters = [(slice(r, r + 3), slice(c, c + 2)) for r in (0, 3) for c in (0, 2)]
    cells = [whole.transform([[image[0][part]] for image in images]) for part in thirds + quarters]
    assert_allclose(divided.transform(images), np.hstack(cells) / np.sqrt(7), atol=1e-7)


@pytest.mark.parametrize("pyramid", [[], [(1, 1), (0, 2)], [(1, 2, 3)], [(1.5, 1)]])
def test_pyramids_that_are_none_are_named(pyramid):
    with pytest.raises(ValueError, match=r"spatial_pyramid should be .* \(rows, columns\)"):
        small_encoder(spatial_pyramid=pyramid).fit(random_maps())


def test_scales_are_chosen():
    images = ragged_images(n_scales=3)
    chosen = small_encoder(scales=[0, 2], pooling="csf").fit_transform(images)
    alone = small_encoder(pooling="csf").fit_transform([[image[0], image[2]] for image in images])
    assert_allclose(chosen, alone, atol=1e-6)


def test_layers_are_stacked_by_a_union():
    """The paper's fc7 + pool5."""
    fc7, pool5 = ragged_images(n_channels=5), ragged_images(n_channels=4)
    maps = FeatureMaps.from_layers({"pool5": pool5, "fc7": fc7})
    stacked = make_union(small_encoder(layer="fc7"), small_encoder(layer="pool5"))
    expected = np.hstack([small_encoder().fit_transform(layer) for layer in (fc7, pool5)])
    assert_allclose(stacked.fit_transform(maps), expected, atol=1e-6)


def test_grid_search_tunes_it_in_processes():
    maps = FeatureMaps.from_arrays(random_maps(n_images=12))
    labels = np.arange(12) % 2
    pipeline = make_pipeline(small_encoder(), LinearSVC())
    grid = {"multiscalefisherencoder__pooling": ["mpp", "nfk"]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(maps, labels)
    assert search.predict(maps).shape == (12,)


def test_vocabulary_is_clipped_to_what_the_descriptors_allow():
    encoder = MultiScaleFisherEncoder(random_state=0).fit(
        random_maps(n_images=2, height=2, width=2)
    )
    assert encoder.n_components_ <= 5
    assert encoder.n_gaussians_ == len(encoder.weights_) <= 8
    assert encoder.n_iter_ >= 1
    assert np.isfinite(encoder.lower_bound_)


def test_sample_is_bounded_and_seeded():
    maps = random_maps(n_images=20)
    first, second = (small_encoder(max_samples=50).fit(maps) for _ in range(2))
    assert first.projection_.n_samples_ == 50
    assert_array_equal(first.means_, second.means_)


def test_result_is_written_once():
    """A vector takes far more room than the image's descriptors: it must not be there twice."""
    maps = FeatureMaps.from_arrays(random_maps(n_images=400))
    encoder = MultiScaleFisherEncoder(n_gaussians=200, random_state=0).fit(maps)
    width = encoder.transform(maps[:1]).shape[1]
    with config_context(working_memory=2):
        tracemalloc.start()
        vectors = encoder.transform(maps)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert vectors.nbytes == 400 * width * 4
    assert peak < 1.3 * vectors.nbytes


def test_no_descriptors_at_all_are_named():
    with pytest.raises(FeatureMapsError, match="no descriptor to learn from"):
        small_encoder().fit([np.empty((0, 0, 5)), np.empty((0, 0, 5))])


def test_descriptors_too_large_to_be_squared_are_named():
    with pytest.raises(NonFiniteError, match=r"Image 0 reaches .*e\+2.*float32.*l2_normalize"):
        small_encoder().fit(random_maps() * np.float32(1e25))


def test_power_normalisation_comes_before_the_last_l2():
    maps = random_maps(dtype=np.float64)
    plain, rooted = (small_encoder(power=power).fit_transform(maps) for power in (1, 0.5))
    assert_allclose(rooted, l2_normalize(power_normalize(plain)), atol=1e-7)


def test_a_mixture_that_stops_early_is_told_of():
    images = np.random.default_rng(0).normal(size=(40, 5, 5, 4))
    with pytest.warns(ConvergenceWarning, match="4 Gaussians has not converged in max_iter=2"):
        early = MultiScaleFisherEncoder(
            n_components=3, n_gaussians=4, max_iter=2, random_state=0
        ).fit(images)
    assert early.n_iter_ == 2
    assert not early.converged_
    late = MultiScaleFisherEncoder(n_components=3, n_gaussians=4, random_state=0).fit(images)
    assert 2 < late.n_iter_ <= 100
    assert late.converged_
    assert late.lower_bound_ > early.lower_bound_


def test_cells_without_positions_leave_the_vector_at_unit_length():
    rng = np.random.default_rng(0)
    images = [rng.random((height, 4, 3)) for height in (1, 2, 3, 6, 6, 6)]
    pyramid = {"spatial_pyramid": [(1, 1), (3, 1)], "pooling": "csf"}
    encoder = MultiScaleFisherEncoder(n_components=2, n_gaussians=2, random_state=0, **pyramid)
    vectors = encoder.fit_transform(images).reshape(6, 4, -1)
    lengths = np.linalg.norm(vectors, axis=2)
    occupied = (lengths > 0).sum(axis=1)
    assert_array_equal(occupied[:3], [2, 3, 4])  # the whole, and one to three thirds
    assert_allclose(lengths.max(axis=1), 1 / np.sqrt(occupied), rtol=1e-6)
    assert_allclose((lengths**2).sum(axis=1), 1, rtol=1e-6)


def test_a_record_says_what_the_paper_does_unless_told_otherwise():
    images = random_maps()
    encoder = MultiScaleFisherEncoder(n_components=2, n_gaussians=2, random_state=0).fit(images)
    record = encoder.record_
    learned = (record.projection, record.means, record.covariances, record.weights)
    column = FeatureMaps.from_arrays(images).column("features")
    vectors = multiscale_fisher.multiscale_fisher(column, FisherRecord(*learned))
    assert_array_equal(vectors, encoder.transform(images))
