"""Everything that the documentation says encoders accept becomes the same maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.maps import as_feature_maps
from skdeepenc.maps._packing import pack_images
from skdeepenc.maps.coercion import is_table

IMAGES = np.arange(5 * 2 * 3 * 4, dtype=np.float32).reshape(5, 2, 3, 4)


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@pytest.mark.parametrize(
    "images",
    [
        IMAGES,
        list(IMAGES),
        tuple(IMAGES),
        [[image] for image in IMAGES],
        object_array(list(IMAGES)),
        object_array([[image] for image in IMAGES]),
        IMAGES.astype(object),
    ],
    ids=["array", "list", "tuple", "lists", "objects", "objects of lists", "object values"],
)
def test_every_form_of_the_same_maps(images):
    values, grid = pack_images(images)
    assert_array_equal(values, IMAGES.reshape(-1, 4))
    assert_array_equal(grid, np.full((5, 1, 2), (2, 3)))


@pytest.mark.parametrize(
    ("images", "grid"),
    [
        (np.ones((5, 4)), (1, 1)),
        (np.ones((5, 3, 4)), (3, 1)),
        (np.ones((5, 2, 3, 4)), (2, 3)),
        (np.ones((5, 3, 4)).tolist(), (3, 1)),
        ([np.ones((3, 4))] * 5, (3, 1)),
    ],
)
def test_grids(images, grid):
    assert_array_equal(as_feature_maps(images).grid("features"), [[grid]] * len(images))


def test_one_array_is_not_copied():
    assert np.shares_memory(as_feature_maps(IMAGES).values("features"), IMAGES)


@pytest.mark.parametrize(
    ("given_type", "kept"),
    [("f2", "f2"), ("f4", "f4"), ("f8", "f8"), ("u1", "f8"), ("i8", "f8"), ("?", "f8")],
)
def test_float_types_are_kept_and_others_become_double(given_type, kept):
    assert as_feature_maps(IMAGES.astype(given_type)).dtype == np.dtype(kept)


def test_images_without_descriptors():
    maps = as_feature_maps([np.ones((0, 4)), np.ones((2, 4)), []])
    assert_array_equal(maps.grid("features")[:, 0], [[0, 1], [2, 1], [0, 0]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.ones(3), r"shape \(3,\)"),
        (np.ones((1, 2, 3, 4, 5)), "4-D"),
        ([np.ones((2, 4)), np.ones((2, 3))], "Image 1 has 3 channels at scale 0.* 4"),
        ([np.ones((2, 4)), np.ones((1, 2, 3, 4))], r"Image 1 .*\(1, 2, 3, 4\)"),
        ([np.ones((2, 4)), np.ones(4)], r"Image 1 .*\(4,\)"),
        ([np.ones((2, 4)), np.array([["a", "b"]])], "Image 1 cannot be read"),
        ([[], []], r"shape \(2, 0\)"),
        ([[], np.empty(0, dtype=object)], "None of the 2 images"),
        (np.ones((2, 3, 4), dtype=complex), "Complex data"),
        ([[[1, 2], [3]], [[1, 2], [3, 4]]], "cannot be read"),
    ],
)
def test_what_is_no_map_is_named(images, message):
    with pytest.raises(FeatureMapsError, match=message):
        as_feature_maps(images)


@pytest.mark.parametrize(
    "table",
    [
        np.ones((2, 3)),
        np.ones(3),
        np.ones((2, 3), dtype=object),
        [[1, 2], [3, 4]],
        [1, 2, 3],
        [np.ones(3), np.ones(3)],
        sparse.eye_array(3),
        "text",
        None,
        3,
        [],
        ["a", "b"],
        {"a": 1},
    ],
    ids=repr,
)
def test_rows_are_left_to_scikit_learn(table):
    assert is_table(table)


def test_a_data_frame_is_left_to_scikit_learn():
    pandas = pytest.importorskip("pandas")
    assert is_table(pandas.DataFrame({"a": [1, 2]}))


@pytest.mark.parametrize(
    "maps",
    [
        np.ones((2, 3, 4)),
        [np.ones((2, 3))],
        [[np.ones((2, 3))]],
        [[], [np.ones((2, 3))]],
        object_array([np.ones((2, 3)), np.ones((1, 3))]),
        [[[1, 2], [3, 4]]],
    ],
    ids=["3-D", "arrays", "scales", "empty first", "objects", "nested lists"],
)
def test_maps_are_no_table(maps):
    assert not is_table(maps)


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=3), min_size=1))
def test_packing_keeps_every_map(sizes):
    images = [[np.full((*size, 2), len(sizes)) for size in scales] for scales in sizes]
    if not any(images):
        return
    maps = as_feature_maps(images)
    for number, scales in enumerate(images):
        for scale, expected in enumerate(scales):
            assert_array_equal(maps[number]["features"][scale], expected)
