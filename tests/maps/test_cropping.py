"""Crops of maps: which positions lie in a box, and boxes that make no sense."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.maps import FeatureMaps


def numbered(height, width):
    """Return a map whose two channels are the row and the column."""
    return np.stack(np.mgrid[:height, :width], axis=2).astype(np.float32)


@pytest.fixture
def maps():
    return FeatureMaps.from_arrays([numbered(6, 8), numbered(5, 3)], layer="conv5")


def test_boxes_in_positions(maps):
    cropped = maps.crop([[1, 2, 4, 7], [0, 0, 5, 3]])
    assert_array_equal(cropped[0]["conv5"][0], numbered(6, 8)[1:4, 2:7])
    assert_array_equal(cropped[1]["conv5"][0], numbered(5, 3))


def test_boxes_in_pixels_keep_the_positions_with_their_centre_inside(maps):
    sizes = [[60, 80], [50, 30]]
    cropped = maps.crop([[5, 16, 24, 55], [4, 4, 26, 26]], sizes)
    assert_array_equal(cropped[0]["conv5"][0], numbered(6, 8)[0:2, 2:5])
    assert_array_equal(cropped[1]["conv5"][0], numbered(5, 3)[0:3, 0:3])


def test_a_box_between_two_centres_keeps_one_position(maps):
    cropped = maps.crop([[11, 21, 13, 24], [46, 26, 50, 30]], [[60, 80], [50, 30]])
    assert_array_equal(cropped[0]["conv5"][0], numbered(6, 8)[1:2, 2:3])
    assert_array_equal(cropped[1]["conv5"][0], numbered(5, 3)[4:5, 2:3])


def test_all_layers_and_scales_are_cropped_to_the_same_box():
    image = [numbered(8, 8), numbered(4, 4)]
    maps = FeatureMaps.from_layers({"a": [image], "b": [[numbered(2, 2), numbered(4, 2)]]})
    cropped = maps.crop([[0, 40, 80, 80]], [[80, 80]])
    assert_array_equal(cropped[0]["a"][0], numbered(8, 8)[:, 4:])
    assert_array_equal(cropped[0]["a"][1], numbered(4, 4)[:, 2:])
    assert_array_equal(cropped[0]["b"][0], numbered(2, 2)[:, 1:])
    assert_array_equal(cropped[0]["b"][1], numbered(4, 2)[:, 1:])


def test_an_image_without_descriptors_stays_empty():
    maps = FeatureMaps.from_arrays([np.empty((0, 4, 2)), numbered(2, 2)])
    cropped = maps.crop([[0, 0, 10, 10], [0, 0, 10, 10]], [[20, 20], [20, 20]])
    assert cropped[0]["features"][0].size == 0
    assert cropped[1]["features"][0].shape == (1, 1, 2)


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ([0, 0, 7, 8], "reaches outside"),
        ([-1, 0, 3, 3], "reaches outside"),
        ([2, 3, 2, 8], "is empty"),
        ([0, 5, 3, 4], "is empty"),
        ([0, 0, np.nan, 4], "is empty"),
    ],
)
def test_a_bad_box_is_named_with_its_image(maps, box, fault):
    with pytest.raises(FeatureMapsError, match=f"image 0.*{fault}.*6 x 8 positions"):
        maps.crop([box, [0, 0, 1, 1]])


def test_boxes_of_another_number_of_images(maps):
    with pytest.raises(FeatureMapsError, match=r"boxes has shape \(1, 4\)"):
        maps.crop([[0, 0, 1, 1]])
    with pytest.raises(FeatureMapsError, match=r"image_sizes has shape \(1, 2\)"):
        maps.crop([[0, 0, 1, 1]] * 2, [[4, 4]])


def test_positions_are_ambiguous_where_grids_differ():
    maps = FeatureMaps.from_layers({"a": [numbered(4, 4)], "b": [numbered(2, 2)]})
    with pytest.raises(FeatureMapsError, match="image_sizes"):
        maps.crop([[0, 0, 1, 1]])
