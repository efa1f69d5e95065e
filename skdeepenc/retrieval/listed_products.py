"""Inner products of queries with a few gallery rows each, listed by their indices.

The rows lie scattered, so that fetching them takes longer than multiplying. faiss multiplies them
where they are; numpy copies them side by side first, in twice the time
(benchmarks/speed/layer_fusion.py).
"""

from importlib.util import find_spec
from math import gcd

import numpy as np
from scipy import sparse

from skdeepenc._optional import require
from skdeepenc.arrays.threads import for_each

_PARTS_OF_A_LIST = 8


def listed_products(queries, gallery, indices):
    """Multiply each query with the gallery rows listed for it.

    Parameters
    ----------
    queries : {ndarray, sparse array} of shape (n_queries, n_features)
        Sparse if the gallery is.
    gallery : {ndarray, sparse array} of shape (n_gallery, n_features)
        Of the same float type.
    indices : ndarray of shape (n_queries, n_listed), int64
        Rows of the gallery for each query.

    Returns
    -------
    ndarray of shape (n_queries, n_listed)
        The inner products.
    """
    products = np.empty(indices.shape, dtype=gallery.dtype)
    is_sparse = sparse.issparse(gallery)
    in_place = not is_sparse and gallery.dtype == np.float32 and gallery.flags.c_contiguous
    if in_place and find_spec("faiss") is not None:
        _multiply_by_faiss(queries, gallery, indices, products)
        return products

    def multiply(row):
        listed = gallery[indices[row]] @ queries[row : row + 1].T
        products[row] = np.ravel(listed.toarray() if is_sparse else listed)

    for_each(multiply, range(len(indices)))
    return products


def _multiply_by_faiss(queries, gallery, indices, products):
    faiss = require("faiss", extra="ann", purpose="Multiplying rows where they are")
    # Threads share queries. So each query is asked for some parts of its list, one after the other.
    n_parts = gcd(indices.shape[1], _PARTS_OF_A_LIST)
    queries = np.repeat(queries, n_parts, axis=0)
    arrays = (products, queries, gallery, np.ascontiguousarray(indices))
    faiss.fvec_inner_products_by_idx(
        *map(faiss.swig_ptr, arrays), gallery.shape[1], len(queries), indices.shape[1] // n_parts
    )
