"""What the tests of the cache count and compare."""

import gc
import os
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal


def entries(memory):
    """Return the files of a cache, one per image and recipe."""
    return sorted(Path(memory).glob("*/*/*.npz"))


def assert_same_maps(maps, expected):
    """Compare layers, grids and values exactly."""
    assert len(maps) == len(expected)
    assert maps.layers == expected.layers
    for layer in expected.layers:
        assert_array_equal(maps.grid(layer), expected.grid(layer))
        assert_array_equal(maps.values(layer), expected.values(layer))


def descriptors_in_use():
    """Return how many files this process has open."""
    gc.collect()  # maps that nobody has any more keep one open until then
    return len(os.listdir("/proc/self/fd"))


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
