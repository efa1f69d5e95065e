import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import cross_layer, match_grids, segment_cross_layer
from skdeepenc.functional.cross_layer import literal_cross_layer


def random_maps(height, width, n_features, n_channels, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((height, width, n_features)).astype(dtype)
    return features, np.maximum(rng.standard_normal((height, width, n_channels)), 0).astype(dtype)


@pytest.mark.parametrize("pooling", ["sum", "max"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_literal_double_loop(pooling, dtype):
    features, guidance = random_maps(6, 5, 7, 9, dtype)
    pooled = cross_layer(features, guidance, pooling)
    assert pooled.shape == (9, 7)
    assert pooled.dtype == dtype
    assert_allclose(pooled, literal_cross_layer(features, guidance, pooling), rtol=1e-4, atol=1e-6)


def test_sum_is_a_sum_of_outer_products():
    features, guidance = random_maps(6, 5, 7, 9, np.float64)
    expected = np.einsum("ijk,ijd->kd", guidance, features)
    assert_allclose(cross_layer(features, guidance), expected)


@pytest.mark.parametrize("pooling", ["sum", "max"])
def test_wide_maps_are_pooled_in_tiles(pooling):
    features, guidance = random_maps(28, 28, 128, 20)
    expected = literal_cross_layer(features, guidance, pooling)
    assert_allclose(cross_layer(features, guidance, pooling), expected, rtol=1e-4, atol=1e-4)


@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=6),
    pooling=st.sampled_from(["sum", "max"]),
)
def test_images_of_different_sizes_are_pooled_alone(lengths, pooling):
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    features = rng.standard_normal((offsets[-1], 3))
    guidance = rng.standard_normal((offsets[-1], 2))
    expected = [
        literal_cross_layer(features[start:stop], guidance[start:stop], pooling)
        for start, stop in itertools.pairwise(offsets)
    ]
    pooled = segment_cross_layer(features, guidance, offsets, pooling)
    assert_allclose(pooled, expected, atol=1e-12)


@pytest.mark.parametrize("pooling", ["sum", "max"])
def test_pooling_ignores_the_order_of_positions(pooling):
    features, guidance = random_maps(6, 5, 3, 4, np.float64)
    order = np.random.default_rng(1).permutation(30)
    shuffled = features.reshape(30, 3)[order], guidance.reshape(30, 4)[order]
    assert_allclose(cross_layer(*shuffled, pooling), cross_layer(features, guidance, pooling))


def test_zero_guidance_pools_zeros():
    features, guidance = random_maps(4, 4, 3, 2)
    assert_array_equal(cross_layer(features, 0 * guidance), np.zeros((2, 3)))
    assert_array_equal(cross_layer(features, 0 * guidance, "max"), np.zeros((2, 3)))


def test_negative_guidance_weighs_negatively():
    assert_array_equal(cross_layer([[2.0], [3.0]], [[-1.0], [1.0]]), [[1.0]])
    assert_array_equal(cross_layer([[2.0], [3.0]], [[-1.0], [-1.0]], "max"), [[-2.0]])


@pytest.mark.parametrize("pooling", ["sum", "max"])
def test_no_position_pools_zeros(pooling):
    assert_array_equal(cross_layer(np.ones((0, 3)), np.ones((0, 2)), pooling), np.zeros((2, 3)))


def test_maps_on_different_grids_are_matched():
    features, guidance = random_maps(8, 6, 3, 1)[0], random_maps(4, 3, 1, 5)[1]
    expected = cross_layer(*match_grids(features, guidance))
    assert_array_equal(cross_layer(features, guidance), expected)


def test_half_precision_is_pooled_in_single():
    features, guidance = random_maps(28, 28, 2, 2, np.float16)
    pooled = cross_layer(features, guidance)
    assert pooled.dtype == np.float32
    expected = literal_cross_layer(features.astype(np.float64), guidance.astype(np.float64), "sum")
    assert_allclose(pooled, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "shapes", [((4, 3), (5, 3)), ((4, 3), (2, 2, 3)), ((3,), (3,)), ((1, 2, 2, 3), (1, 2, 2, 3))]
)
def test_positions_that_do_not_correspond_are_refused(shapes):
    with pytest.raises(FeatureMapsError, match="no positions in common"):
        cross_layer(*(np.ones(shape) for shape in shapes))
