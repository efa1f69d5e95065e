"""Feature maps that several tests of this folder look at."""

import numpy as np
import pytest

from skdeepenc.maps import FeatureMaps


@pytest.fixture
def ragged_images():
    """Six images at two scales; the third lacks the second scale, the fourth has no descriptor."""
    rng = np.random.RandomState(0)
    sizes = [[(2, 3), (4, 1)], [(1, 1), (2, 2)], [(3, 2)], [(0, 0), (0, 5)], [(2, 2), (1, 3)]]
    images = [[rng.rand(*size, 3).astype(np.float32) for size in scales] for scales in sizes]
    return [*images, [rng.rand(1, 4, 3).astype(np.float32), rng.rand(2, 1, 3).astype(np.float32)]]


@pytest.fixture
def ragged_maps(ragged_images):
    return FeatureMaps.from_arrays(ragged_images)


@pytest.fixture
def two_layers(ragged_images):
    deep = [[scale[..., :2] * 10 for scale in image] for image in ragged_images]
    return FeatureMaps.from_layers({"conv4": ragged_images, "conv5": deep})
