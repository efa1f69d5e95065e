"""Each global pooling against its equation, written out position by position."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.functional import crow, gem, lp, mac, power_means, spoc
from skdeepenc.functional.pooling import center_prior, literal_crow, literal_spoc
from skdeepenc.functional.power_means import literal_gem, literal_lp, segment_gem

POOLINGS = [mac, gem, lp, spoc, crow]


@pytest.fixture(params=[(1, 1), (1, 6), (5, 4), (8, 8)], ids=str)
def positive_map(request):
    rng = np.random.default_rng(0)
    return np.maximum(rng.normal(size=(*request.param, 5)), 0) * 3


def test_mac_is_the_maximum_of_each_channel(positive_map):
    expected = [positive_map[:, :, k].max() for k in range(positive_map.shape[2])]
    assert_allclose(mac(positive_map), expected)


@pytest.mark.parametrize("p", [0.5, 1, 3.0, 10])
def test_gem_equals_its_equation(positive_map, p):
    assert_allclose(gem(positive_map, p), literal_gem(positive_map, p), rtol=1e-10, atol=1e-12)


def test_gem_lies_between_average_and_maximum(positive_map):
    assert_allclose(gem(positive_map, 1), positive_map.mean(axis=(0, 1)))
    assert_allclose(gem(positive_map, 5_000), mac(positive_map), rtol=1e-2)


def test_gem_of_large_activations_does_not_overflow():
    feature_map = np.array([[[1e30, 1e-30], [2e30, 2e-30]]], dtype=np.float32)
    expected = literal_gem(feature_map.astype(np.float64), 3)
    assert_allclose(gem(feature_map), expected, rtol=1e-6)


@pytest.mark.parametrize("p", [1, 2, 3, 0.5, 2.5])
def test_lp_and_gem_of_negative_activations_equal_their_equations(p):
    feature_map = np.random.default_rng(0).normal(size=(4, 5, 6))
    feature_map[:, :, 0] = -1
    assert_allclose(lp(feature_map, p), literal_lp(feature_map, p))
    assert_allclose(gem(feature_map, p), literal_gem(feature_map, p))
    assert gem(feature_map, p)[0] == 0


def test_the_exponent_is_three_unless_another_is_asked_for(positive_map):
    assert_allclose(gem(positive_map), gem(positive_map, 3.0))
    assert_allclose(lp(positive_map), lp(positive_map, 3.0))


@pytest.mark.parametrize("p", [2, 3, 16, 2.5])
def test_channels_of_any_magnitude_are_raised_beside_each_other(p):
    units = np.logspace(-30, 30, 13)
    shares = np.random.default_rng(0).random((24, 13))
    shares[:, 5] = 0
    offsets = [0, 4, 4, 24]
    means = segment_gem((shares * units).astype(np.float32), offsets, p)
    expected = [literal_gem(shares[None, a:b], p) * units for a, b in ((0, 4), (4, 24))]
    assert_allclose(means[[0, 2]], expected, rtol=1e-5)
    assert_allclose(means[1], 0)


def test_tiles_change_nothing(monkeypatch):
    values, offsets = np.random.default_rng(0).random((40, 3)), [0, 9, 9, 10, 31, 40]
    expected = segment_gem(values, offsets, 3)
    monkeypatch.setattr(power_means, "_TILE_SIZE", 20)
    assert_allclose(segment_gem(values, offsets, 3), expected)


def test_spoc_equals_its_equation(positive_map):
    assert_allclose(spoc(positive_map), literal_spoc(positive_map))


def test_center_prior_is_symmetric_and_highest_in_the_middle():
    weights = center_prior(5, 8)
    assert_allclose(weights, weights[::-1, ::-1])
    assert weights.argmax() // 8 == 2
    assert weights.max() <= 1


def test_crow_equals_its_equation(positive_map):
    assert_allclose(crow(positive_map), literal_crow(positive_map), rtol=1e-10)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_negative_activations_give_finite_vectors(pooling):
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(4, 4, 6))
    tokens[:, :, 0] = -1
    assert np.isfinite(pooling(tokens)).all()
    assert np.isfinite(pooling(-np.abs(tokens))).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_map_without_positions_gives_zeros(pooling):
    assert_allclose(pooling(np.empty((0, 7, 3))), np.zeros(3))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_map_of_zeros_gives_zeros(pooling):
    assert_allclose(pooling(np.zeros((3, 2, 4))), np.zeros(4))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_float_type_is_kept(pooling, dtype):
    assert pooling(np.ones((2, 3, 4), dtype=dtype)).dtype == dtype
    assert pooling(np.ones((2, 3, 4), dtype=np.float16)).dtype == np.float32


@pytest.mark.parametrize("p", [1, 2, 3.0, 5, 16, 17, 2.5])
def test_whole_exponents_are_powers_like_others(positive_map, p):
    assert_allclose(gem(positive_map, p), literal_gem(positive_map, p), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("pooling", [gem, lp, crow])
@pytest.mark.parametrize("factor", [1e-42, 1e-30, 1e30])
def test_the_scale_of_activations_does_not_matter(pooling, factor):
    feature_map = np.random.default_rng(0).integers(0, 9, size=(4, 5, 3)).astype(np.float32)
    scaled = pooling(feature_map * np.float32(factor))
    assert_allclose(scaled / np.float32(factor), pooling(feature_map), rtol=0.03)
