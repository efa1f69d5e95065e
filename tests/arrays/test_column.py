"""A column knows where its images and maps are, whatever their sizes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skdeepenc.arrays.column import Column

sizes = st.tuples(st.integers(0, 3), st.integers(0, 3))
grids_of_images = st.integers(1, 3).flatmap(
    lambda n_scales: st.lists(st.lists(sizes, min_size=n_scales, max_size=n_scales), min_size=1)
)


@given(grids=grids_of_images)
def test_maps_scales_and_images_are_slices_of_the_values(grids):
    grids = np.array(grids)
    total = grids.prod(axis=2).sum()
    column = Column(np.arange(2.0 * total).reshape(total, 2), grids)
    flat = [each.reshape(-1, 2) for each in column.maps]
    assert_array_equal(np.concatenate(flat), column.values)
    assert [each.shape[:2] for each in column.maps] == [tuple(g) for g in grids.reshape(-1, 2)]
    for image, maps in enumerate(column.by_image):
        own = column.values[column.image_offsets[image] : column.image_offsets[image + 1]]
        assert_array_equal(np.concatenate([each.reshape(-1, 2) for each in maps]), own)
        assert column.n_positions[image] == len(own)
    for scale in range(column.n_scales):
        part = column.at_scale(scale)
        expected = flat[scale :: column.n_scales]
        assert_array_equal(part.values, np.concatenate(expected))
        assert_array_equal(part.n_positions, [len(rows) for rows in expected])
