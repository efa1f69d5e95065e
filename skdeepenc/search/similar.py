"""The most similar rows of an index, by products with one block of it after the other."""

import numpy as np

from skdeepenc.arrays.top_k import ROWS_A_BLOCK, top_k_of_blocks

__all__ = ["most_similar"]

_QUERIES_AT_ONCE = 512
_PRODUCTS_A_BLOCK = 1 << 16


def most_similar(snapshot, queries, n_neighbors, is_allowed):
    """Find the rows most similar to each query, exactly.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    queries : ndarray of shape (n_queries, n_features)
        In float32, of unit length.
    n_neighbors : int
        How many rows to find.
    is_allowed : ndarray of bool of shape (n_rows,)
        Which rows may be found.

    Returns
    -------
    similarities, rows : ndarray of shape (n_queries, n_found)
        Best first; `n_found` is `n_neighbors`, or less where fewer are allowed.
    """
    n_kept = min(n_neighbors, np.count_nonzero(is_allowed))
    if not n_kept:
        return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.intp)
    batches = range(0, len(queries), _QUERIES_AT_ONCE)
    found = [
        _of_batch(snapshot, queries[first : first + _QUERIES_AT_ONCE], n_kept, is_allowed)
        for first in batches
    ]
    similarities, rows = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return similarities, rows


def _of_batch(snapshot, queries, n_kept, is_allowed):
    def read(rows):
        similarities = queries @ snapshot.block(rows).T
        allowed = is_allowed[rows]
        if not allowed.all():
            similarities[:, ~allowed] = -np.inf
        return similarities

    # Between two blocks Python does as much for one query as for many.
    most_rows = _PRODUCTS_A_BLOCK // len(queries) if snapshot.is_in_memory else 0
    return top_k_of_blocks(read, snapshot.n_rows, n_kept, max(ROWS_A_BLOCK, most_rows))
