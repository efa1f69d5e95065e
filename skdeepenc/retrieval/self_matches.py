"""Which gallery image a query is, when queries are also in the gallery.

A query that finds itself has found nothing. Grid search scores the training images too, and there
every query stands in the gallery; names are not at hand, so the vectors and labels must tell.
"""

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import gen_batches

from skdeepenc._sklearn import get_chunk_n_rows
from skdeepenc.retrieval.products import is_sparse, squared_differences

# One image encoded in batches of other sizes, or by `fit_transform`, differs in its last digits.
RELATIVE_DIFFERENCE = 1e-3


def find_themselves(queries, query_labels, gallery, gallery_labels):
    """Return the gallery row that each query is, or -1.

    It is the row with the query's label and, but for rounding, its vector.

    Parameters
    ----------
    queries, gallery : list of {ndarray, sparse matrix}
        Blocks of features, the same number in both.
    query_labels, gallery_labels : ndarray
        One label per image.

    Returns
    -------
    ndarray of shape (n_queries,)
        One row at most for each query, however many copies the gallery holds.
    """
    found = np.full(len(query_labels), -1)
    for label in np.intersect1d(query_labels, gallery_labels):
        candidates = np.flatnonzero(gallery_labels == label)
        rows = np.flatnonzero(query_labels == label)
        same_label = [block[candidates] for block in gallery]
        for batch in gen_batches(len(rows), get_chunk_n_rows(row_bytes=16 * len(candidates))):
            chosen = rows[batch]
            twins = _find_twins([block[chosen] for block in queries], same_label)
            found[chosen] = np.where(twins < 0, -1, candidates[twins])
    return found


def _find_twins(queries, gallery):
    distances = sum(
        euclidean_distances(block, other, squared=True)
        for block, other in zip(queries, gallery, strict=True)
    )
    nearest = distances.argmin(axis=1)
    same = np.ones(len(nearest), dtype=bool)
    for block, other in zip(queries, gallery, strict=True):
        differences = squared_differences(block, other, nearest[:, None])[:, 0]
        same &= differences <= RELATIVE_DIFFERENCE**2 * _squared_norms(block)
    return np.where(same, nearest, -1)


def _squared_norms(block):
    if is_sparse(block):
        return np.asarray(block.multiply(block).sum(axis=1)).ravel()
    return np.einsum("ij,ij->i", block, block)
