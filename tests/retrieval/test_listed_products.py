"""Listed products against one product after the other, whoever multiplies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skdeepenc.retrieval import listed_products as module
from skdeepenc.retrieval.listed_products import listed_products


@pytest.mark.parametrize("with_faiss", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "form", [np.array, np.asfortranarray, sparse.csr_array], ids=["rows", "columns", "sparse"]
)
def test_each_query_meets_its_own_rows(monkeypatch, rng, with_faiss, dtype, form):
    if not with_faiss:
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    queries, gallery = rng.normal(size=(3, 7)).astype(dtype), rng.normal(size=(20, 7)).astype(dtype)
    indices = rng.integers(20, size=(3, 5))
    products = listed_products(form(queries), form(gallery), indices)
    expected = [
        [query @ gallery[index] for index in row]
        for query, row in zip(queries, indices, strict=True)
    ]
    assert products.dtype == dtype
    assert_allclose(products, expected, rtol=1e-5, atol=1e-6)
