"""Region precision by hand, and against a count of fine subpixels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.functional import rmac_regions
from skdeepenc.inspection import region_precision


def subpixel_precision(mask, box, fine=20):
    """Count subpixels of a region inside a box."""
    height, width = mask.shape
    rows = (np.arange(height * fine) + 0.5) / fine
    columns = (np.arange(width * fine) + 0.5) / fine
    inside = np.outer((rows > box[0]) & (rows < box[2]), (columns > box[1]) & (columns < box[3]))
    region = np.kron(mask, np.ones((fine, fine), dtype=bool))
    return (region & inside).sum() / region.sum()


def test_labels_against_a_count_of_subpixels():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, size=(5, 7, 2)) * 2  # odd labels do not occur
    box = [0.5, 1.25, 4.1, 6.0]
    expected = [
        subpixel_precision(labels[:, :, partition] == label, box)
        for partition in range(2)
        for label in (0, 2, 4, 6)
    ]
    assert_allclose(region_precision(labels, box), expected, atol=0.01)


def test_boxes_against_a_count_of_subpixels():
    box = [1.5, 2.0, 6.0, 9.25]
    regions = rmac_regions(8, 12)
    masks = np.zeros((len(regions), 8, 12), dtype=bool)
    for mask, (y0, x0, y1, x1) in zip(masks, regions, strict=True):
        mask[y0:y1, x0:x1] = True
    expected = [subpixel_precision(mask, box) for mask in masks]
    assert_allclose(region_precision(regions, box, kind="boxes"), expected, atol=0.01)


def test_a_box_in_pixels_is_brought_to_positions():
    labels = np.arange(12).reshape(3, 4)
    in_pixels = region_precision(labels, [30, 40, 90, 130], image_size=(120, 160))
    assert_allclose(in_pixels, region_precision(labels, [0.75, 1, 2.25, 3.25]))


def test_a_box_around_everything_gives_ones():
    assert_allclose(region_precision(np.arange(6).reshape(2, 3), [0, 0, 2, 3]), 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"box": [2, 0, 2, 3]}, "is empty"),
        ({"box": [0, 0, 2]}, "not four numbers"),
        ({"box": [0, 0, 1, 1], "kind": "masks"}, "masks"),
        ({"box": [0, 0, 1, 1], "kind": "boxes", "image_size": (4, 4)}, "image_size"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        region_precision(np.zeros((2, 4), dtype=int), **arguments)
