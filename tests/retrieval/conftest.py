"""Small galleries that the tests of rankers share."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def labelled(rng):
    """60 vectors around 6 centres, and their labels."""
    labels = np.repeat(np.arange(6), 10)
    centers = rng.normal(size=(6, 8))
    return centers[labels] + 0.7 * rng.normal(size=(60, 8)), labels
