"""ClusterMapDisplay: what it draws where, and what it refuses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.encoders import ClusterMAC
from skdeepenc.inspection import ClusterMapDisplay

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def maps():
    rng = np.random.default_rng(0)
    return [[rng.random((6, 8, 5)), rng.random((4, 4, 5))] for _ in range(3)]


@pytest.fixture
def images():
    return [np.full((60, 80, 3), shade, dtype=np.uint8) for shade in (0, 100, 200)]


def test_labels_and_norms_of_the_scale_asked_for(maps, images):
    encoder = ClusterMAC(n_clusters=(2, 3), n_color_clusters=0, random_state=0).fit(maps)
    display = ClusterMapDisplay.from_estimator(encoder, maps, images, scale=1)
    assert_array_equal(display.labels[2], encoder.cluster_labels(maps)[2][1])
    assert_allclose(display.norms[2], np.linalg.norm(maps[2][1], axis=2))


def test_scales_are_those_that_are_encoded(maps, images):
    encoder = ClusterMAC(scales=[1], n_clusters=2, n_color_clusters=0, random_state=0).fit(maps)
    display = ClusterMapDisplay.from_estimator(encoder, maps, images)
    assert display.norms[0].shape == display.labels[0].shape[:2] == (4, 4)


def test_clusters_lie_over_the_whole_image(maps, images):
    encoder = ClusterMAC(n_clusters=(2, 3), n_color_clusters=0, random_state=0).fit(maps)
    display = ClusterMapDisplay.from_estimator(encoder, maps, images)
    assert display.axes_.shape == (4, 3)
    image, clusters = display.axes_[2, 1].get_images()
    assert_array_equal(image.get_array(), images[1])
    assert clusters.get_extent() == image.get_extent()
    assert_array_equal(clusters.get_array(), display.labels[1][:, :, 0])
    assert 0 < clusters.get_alpha() < 1


def test_maps_and_images_must_be_as_many(maps, images):
    encoder = ClusterMAC(n_clusters=2, n_color_clusters=0).fit(maps)
    with pytest.raises(ValueError, match="3 images but 2 images"):
        ClusterMapDisplay.from_estimator(encoder, maps, images[:2])


def test_norms_of_halves_do_not_overflow(images):
    maps = np.full((3, 2, 2, 4), 300, dtype=np.float16)
    encoder = ClusterMAC(n_clusters=2, n_color_clusters=0).fit(maps)
    display = ClusterMapDisplay.from_estimator(encoder, maps, images)
    assert_allclose(display.norms[0], 600)
