"""ClusterMAC against the paper's steps written out, its bad input, and the estimator checks."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import ClusterMAC
from skdeepenc.exceptions import DegenerateDataWarning, FeatureMapsError
from skdeepenc.functional import l2_normalize, normalized_cut, rmac, rmac_regions
from skdeepenc.maps import FeatureMaps
from skdeepenc.testing import parametrize_with_maps_checks


def colored_maps(n_images=6, height=7, width=9, n_channels=6, seed=0):
    """Draw maps of two halves with their own descriptors and colours."""
    rng = np.random.default_rng(seed)
    shape = (n_images, height, width)
    half = (np.arange(width) < width // 2)[None, None, :, None]
    features = np.where(half, rng.random(n_channels), rng.random(n_channels))
    features = features + 0.05 * rng.random((*shape, n_channels))
    colors = np.where(half[:, :, ::-1], 0.1, 0.9) + 0.05 * rng.random((*shape, 3))
    layers = {"conv5": features.astype("f4"), "rgb": colors.astype("f4")}
    return FeatureMaps.from_layers(layers)


@pytest.fixture(scope="module")
def maps():
    return colored_maps()


def small(**parameters):
    defaults = {"n_clusters": (2, 4), "n_color_clusters": 3, "random_state": 0}
    return ClusterMAC(**(defaults | parameters))


@parametrize_with_checks([ClusterMAC(), ClusterMAC(regions="rmac", n_output_components=2)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_maps_checks([small(n_color_clusters=0), ClusterMAC(regions="mac")])
def test_maps_checks(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(
    [
        ClusterMAC(regions="rmac"),
        ClusterMAC(regions="rmac", whiten=False),
        ClusterMAC(regions="rmac", n_output_components=2),
    ],
    orderless=False,
)
def test_maps_checks_of_rmac(estimator, check):
    check(estimator)


def test_encoding_follows_the_paper(maps):
    """Section 4.2: maxima, L2, whitening, L2, sum, L2, for the labels that it says it used."""
    encoder = small().fit(maps)
    expected = []
    for index, labels in enumerate(encoder.cluster_labels(maps)):
        total = np.zeros(6)
        for partition in np.moveaxis(labels[0], 2, 0):
            for cluster in np.unique(partition):
                vector = maps[index]["conv5"][0][partition == cluster].max(axis=0)
                vector = encoder.whitening_.transform([vector / np.linalg.norm(vector)])[0]
                total += vector / np.linalg.norm(vector)
        expected.append(total / np.linalg.norm(total))
    assert_allclose(encoder.transform(maps), expected, rtol=1e-3, atol=1e-4)


def test_labels_are_those_of_normalized_cut(maps):
    encoder = small().fit(maps)
    labels = encoder.cluster_labels(maps)[2][0]
    points = encoder.projection_.transform(maps[2]["conv5"][0].reshape(-1, 6))
    weights = encoder.projection_.explained_variance_
    colors = maps[2]["rgb"][0].reshape(-1, 3)
    expected = [
        *normalized_cut(points, (2, 4), weights=weights).T,
        normalized_cut(colors, 3, weights=[1, 1, 1]),
    ]
    for ours, partition in zip(np.moveaxis(labels, 2, 0), expected, strict=True):
        assert adjusted_rand_score(partition, ours.ravel()) > 0.7


def test_encoding_ignores_the_order_of_positions():
    rng = np.random.default_rng(0)
    maps = rng.random((4, 12, 10, 8)).astype(np.float32)
    shuffled = rng.permutation(maps.reshape(4, 120, 8), axis=1).reshape(maps.shape)
    encoder = ClusterMAC(n_clusters=3, random_state=0).fit(maps)
    assert_allclose(encoder.transform(maps), encoder.transform(shuffled), rtol=1e-4, atol=1e-5)


def test_whitening_is_learned_on_region_vectors(maps):
    encoder = small(regions="rmac").fit(maps)
    vectors = np.concatenate(
        [
            [image[y0:y1, x0:x1].max(axis=(0, 1)) for y0, x0, y1, x1 in rmac_regions(7, 9)]
            for image in (maps[index]["conv5"][0] for index in range(len(maps)))
        ]
    )
    whitened = encoder.whitening_.transform(l2_normalize(vectors))
    assert_allclose(whitened.mean(axis=0), 0, atol=1e-3)
    assert_allclose(np.cov(whitened.T), np.eye(6), atol=1e-3)


def test_rmac_and_mac_without_whitening_are_the_baselines(maps):
    rmac_vectors = small(regions="rmac", whiten=False).fit_transform(maps)
    mac_vectors = small(regions="mac", whiten=False).fit_transform(maps)
    for index in range(len(maps)):
        image = maps[index]["conv5"][0]
        assert_allclose(rmac_vectors[index], rmac(image), rtol=1e-5)
        assert_allclose(mac_vectors[index], l2_normalize(image.max(axis=(0, 1))), rtol=1e-5)


def test_regions_of_all_scales_are_summed():
    rng = np.random.default_rng(0)
    images = [[rng.random((4, 5, 3)), rng.random((6, 6, 3))] for _ in range(3)]
    ours = small(regions="mac", whiten=False).fit_transform(images)
    for vector, scales in zip(ours, images, strict=True):
        total = sum(l2_normalize(image.max(axis=(0, 1))) for image in scales)
        assert_allclose(vector, l2_normalize(total))


def test_cluster_labels_have_a_column_a_partition(maps):
    assert small().fit(maps).cluster_labels(maps)[0][0].shape == (7, 9, 3)
    assert small(n_color_clusters=0).fit(maps).cluster_labels(maps)[0][0].shape == (7, 9, 2)
    assert small(n_clusters=3).fit(maps).cluster_labels(maps)[0][0].shape == (7, 9, 2)
    only_colors = small(n_clusters=()).fit(maps)
    assert only_colors.projection_ is None
    labels = only_colors.cluster_labels(maps)[0][0][:, :, 0]
    assert len(np.unique(labels[:, :4])) + len(np.unique(labels[:, 5:])) <= 4
    assert not set(labels[:, 0]) & set(labels[:, -1])


def test_cluster_labels_are_of_clusters_only():
    assert hasattr(ClusterMAC(), "cluster_labels")
    assert not hasattr(ClusterMAC(regions="rmac"), "cluster_labels")


@pytest.mark.parametrize(
    "given",
    [
        {"n_components": 1},
        {"n_clusters": (3,)},
        {"n_color_clusters": 0},
        {"affinity": "exponential"},
        {"affinity_scale": 0.5},
        {"whiten": False},
        {"regions": "rmac"},
        {"regions": "mac"},
        {"max_samples": 20},
    ],
    ids=str,
)
def test_every_parameter_changes_the_vectors(given):
    rng = np.random.default_rng(0)
    maps = FeatureMaps.from_layers({"a": rng.random((5, 6, 6, 4)), "rgb": rng.random((5, 6, 6, 3))})
    assert not np.allclose(small(**given).fit_transform(maps), small().fit_transform(maps))


@pytest.mark.parametrize("solver", ["exact", "krylov", "nystroem"])
def test_solvers_agree_on_clear_clusters(maps, solver):
    assert_allclose(
        small(n_clusters=2, eigen_solver=solver).fit_transform(maps),
        small(n_clusters=2).fit_transform(maps),
        atol=1e-3,
    )


def test_output_components(maps):
    whitened = small(n_output_components=3).fit(maps)
    assert whitened.transform(maps).shape == (6, 3)
    rotated = small(n_output_components=3, whiten=False).fit(maps)
    assert not rotated.whitening_.whiten
    assert not np.allclose(rotated.transform(maps), whitened.transform(maps))


def test_whitening_with_fewer_regions_than_dimensions_is_clipped():
    maps = np.random.default_rng(0).random((2, 3, 3, 40))
    encoder = small(regions="mac").fit(maps)
    assert encoder.whitening_.n_components_ == 2
    assert encoder.transform(maps).shape == (2, 2)
    assert np.isfinite(encoder.transform(maps)).all()


def test_colors_asked_for_and_absent():
    maps = FeatureMaps.from_layers({"conv5": np.ones((2, 3, 3, 4))})
    with pytest.raises(FeatureMapsError, match=r'needs the layer "rgb".*conv5.*n_color_clusters=0'):
        ClusterMAC().fit(maps)
    ClusterMAC(n_color_clusters=0).fit(maps)
    ClusterMAC(regions="mac").fit(maps)


def test_colors_absent_from_what_is_transformed(maps):
    encoder = small().fit(maps)
    with pytest.raises(FeatureMapsError, match="rgb"):
        encoder.transform(maps.select(layers=["conv5"]))


def test_colors_on_another_grid():
    layers = {"conv5": np.ones((2, 3, 3, 4)), "rgb": np.ones((2, 6, 6, 3))}
    with pytest.raises(FeatureMapsError, match="other grids"):
        small().fit(FeatureMaps.from_layers(layers))


def test_no_partition_at_all():
    with pytest.raises(ValueError, match="no partition"):
        small(n_clusters=(), n_color_clusters=0).fit(np.ones((2, 3, 3, 4)))


def test_no_descriptor_to_learn_from():
    for regions in ("clusters", "rmac"):
        with pytest.raises(FeatureMapsError, match="no descriptor"):
            small(regions=regions).fit(np.empty((2, 0, 3, 4)))


def test_threads_and_seed_give_the_same_labels(maps):
    encoder = small().fit(maps)
    again = clone(encoder).set_params(n_jobs=2).fit(maps)
    for first, second in zip(encoder.cluster_labels(maps), again.cluster_labels(maps), strict=True):
        assert_array_equal(first[0], second[0])


def test_no_image_depends_on_its_batch():
    maps = np.random.default_rng(0).random((7, 9, 11, 6)).astype(np.float32)
    encoder = small(n_color_clusters=0).fit(maps)
    together = encoder.transform(maps)
    for image, vector in enumerate(together):
        alone = encoder.transform(maps[image : image + 1])[0]
        assert_allclose(alone, vector, rtol=1e-4, atol=1e-6)


def test_a_map_is_cut_into_no_more_clusters_than_a_third_of_its_positions():
    maps = np.random.default_rng(0).random((3, 3, 5, 4))
    labels = small(n_clusters=(4, 20), whiten=False).fit(maps).cluster_labels(maps)
    counts = [[len(np.unique(column)) for column in image[0].reshape(15, -1).T] for image in labels]
    assert np.max(counts, axis=0).tolist() == [4, 5]


def test_one_position_is_one_cluster():
    maps = np.random.default_rng(0).random((2, 1, 1, 4))
    assert not np.any(small(whiten=False).fit(maps).cluster_labels(maps))


def test_whitening_by_few_regions_warns_and_by_many_does_not():
    images = np.random.default_rng(0).random((40, 2, 2, 4))
    with pytest.warns(DegenerateDataWarning, match="4 dimensions was learned from 39 regions"):
        small(regions="mac").fit(images[:39])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(regions="mac").fit(images)
        small(regions="mac", whiten=False, n_output_components=2).fit(images[:5])
