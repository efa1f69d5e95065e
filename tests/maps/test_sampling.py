"""The sample is bounded, even, without repeats, and the same whatever the memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn import config_context

from skdeepenc.maps import FeatureMaps, sample_descriptors
from skdeepenc.maps.sampling import even_quotas


def numbered_maps(counts, n_scales=1):
    """Maps whose descriptors are (image, scale, position)."""
    counts = np.reshape(counts, (-1, n_scales))
    rows = [
        (image, scale, position)
        for image, scales in enumerate(counts)
        for scale, count in enumerate(scales)
        for position in range(count)
    ]
    grid = np.stack([counts, np.ones_like(counts)], axis=-1)
    values = np.reshape(rows, (-1, 3)).astype(np.float32)
    return FeatureMaps.from_values({"a": values}, {"a": grid})


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=20),
    st.integers(1, 200),
    st.integers(0, 5),
)
def test_quotas_are_even_and_use_up_the_bound(counts, max_samples, seed):
    counts = np.array(counts)
    quotas = even_quotas(counts, max_samples, np.random.RandomState(seed))
    assert quotas.sum() == min(counts.sum(), max_samples)
    assert np.all(quotas <= counts)
    with_more = quotas < counts
    if with_more.any():  # whoever could give more gives at most one less than the most generous
        assert quotas[with_more].min() >= quotas.max() - 1


def test_every_map_gives_the_same_number():
    maps = numbered_maps([[30, 3], [50, 10], [10, 90]], n_scales=2)
    sample = sample_descriptors(maps, max_samples=33, random_state=0)
    _, counts = np.unique(sample[:, :2], axis=0, return_counts=True)
    assert_array_equal(counts, [6, 3, 6, 6, 6, 6])
    assert len(np.unique(sample, axis=0)) == 33


def test_all_descriptors_are_likely_alike():
    maps = numbered_maps([20])
    draws = [sample_descriptors(maps, max_samples=5, random_state=s)[:, 2] for s in range(400)]
    counts = np.bincount(np.concatenate(draws).astype(int), minlength=20)
    assert np.all(np.abs(counts - 100) < 50)  # 100 each, standard deviation below 9


def test_few_descriptors_come_whole_and_in_order():
    maps = numbered_maps([[2, 0], [1, 3]], n_scales=2)
    assert_array_equal(sample_descriptors(maps, max_samples=6), maps.values("a"))


def test_scale_and_layer_are_chosen():
    maps = numbered_maps([[2, 5], [1, 3]], n_scales=2)
    sample = sample_descriptors(maps, "a", 1, max_samples=100)
    assert_array_equal(np.unique(sample[:, 1]), [1])
    assert len(sample) == 8


@pytest.mark.parametrize("working_memory", [1e-6, 1e-4])
def test_the_draw_ignores_the_working_memory(working_memory):
    maps = numbered_maps(np.arange(40), n_scales=2)
    expected = sample_descriptors(maps, max_samples=100, random_state=3)
    with config_context(working_memory=working_memory):
        sample = sample_descriptors(maps, max_samples=100, random_state=3)
    assert_array_equal(sample, expected)
    assert not np.array_equal(sample, sample_descriptors(maps, max_samples=100, random_state=4))


def test_half_precision_is_read_in_single():
    maps = FeatureMaps.from_arrays(np.ones((3, 2, 4), dtype=np.float16))
    assert sample_descriptors(maps, max_samples=4).dtype == np.float32


def test_maps_without_any_descriptor_give_an_empty_sample():
    assert sample_descriptors(numbered_maps([0, 0]), max_samples=4).shape == (0, 3)
