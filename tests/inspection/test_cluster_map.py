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


def test_norms_of_all_images_share_one_scale(images):
    maps = np.ones((2, 3, 4, 1)) * [[[[2]]], [[[6]]]]
    encoder = ClusterMAC(n_clusters=2, n_color_clusters=0, random_state=0).fit(maps)
    display = ClusterMapDisplay.from_estimator(encoder, maps, images[:2])
    assert {axes.images[0].get_clim() for axes in display.axes_[1]} == {(0, 6)}


@pytest.mark.parametrize(("n_clusters", "n_colors"), [(8, 8), (9, 20)])
def test_few_clusters_have_colors_that_are_told_apart(images, n_clusters, n_colors):
    labels = np.arange(n_clusters).reshape(1, -1, 1)
    display = ClusterMapDisplay(images=images[:1], norms=[np.ones((1, 9))], labels=[labels])
    drawn = display.plot(colorbar=False).axes_[2, 0].images[1]
    assert n_colors == drawn.cmap.N


def test_maps_and_images_must_be_as_many(maps, images):
    encoder = ClusterMAC(n_clusters=2, n_color_clusters=0).fit(maps)
    with pytest.raises(ValueError, match="3 images but 2 images"):
        ClusterMapDisplay.from_estimator(encoder, maps, images[:2])


def test_norms_of_halves_do_not_overflow(images):
    maps = np.full((3, 2, 2, 4), 300, dtype=np.float16)
    encoder = ClusterMAC(n_clusters=2, n_color_clusters=0).fit(maps)
    display = ClusterMapDisplay.from_estimator(encoder, maps, images)
    assert_allclose(display.norms[0], 600)
