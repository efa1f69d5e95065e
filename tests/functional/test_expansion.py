"""Expanded queries against the equation, one neighbour after the other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.functional import l2_normalize
from skdeepenc.functional.expansion import literal_expansion
from skdeepenc.retrieval import expand_queries


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("n_neighbors", [1, 4, 12])
def test_equals_the_equation(alpha, n_neighbors):
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(5, 6)), rng.normal(size=(12, 6))
    unit_queries, unit_gallery = l2_normalize(queries), l2_normalize(gallery)
    nearest = np.argsort(-unit_queries @ unit_gallery.T, axis=1)[:, :n_neighbors]
    expected = [
        literal_expansion(query, unit_gallery[indices], alpha)
        for query, indices in zip(unit_queries, nearest, strict=True)
    ]
    assert_allclose(expand_queries(queries, gallery, n_neighbors, alpha), expected)
