"""Principal components that the extractor learns and folds into the network."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.extraction import ActivationExtractor


@pytest.mark.filterwarnings("error")
def test_components_are_those_of_the_descriptors(model, images):
    raw = ActivationExtractor(model).fit_transform(images).values("conv2")
    extractor = ActivationExtractor(model, n_components=2, random_state=0)
    projected = extractor.fit_transform(images).values("conv2")
    assert projected.shape == (len(raw), 2)
    centred = raw - raw.mean(axis=0)
    _, _, components = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    expected = centred @ components[:2].T
    assert_allclose(np.abs(projected), np.abs(expected), rtol=1e-3, atol=1e-3)


def test_rgb_is_not_projected(model, images):
    extractor = ActivationExtractor(model, layers=["conv2", "rgb"], n_components=1, random_state=0)
    maps = extractor.fit_transform(images)
    assert (maps.n_channels("conv2"), maps.n_channels("rgb")) == (1, 3)
    assert list(extractor.get_feature_names_out()) == ["conv2_0", "rgb_0", "rgb_1", "rgb_2"]


def test_the_seed_decides_the_projection(model, images):
    first, second = (
        ActivationExtractor(model, n_components=2, random_state=3).fit_transform(images)
        for _ in range(2)
    )
    assert_array_equal(first.values("conv2"), second.values("conv2"))
