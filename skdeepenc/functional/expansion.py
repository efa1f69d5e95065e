"""Query expansion: the weighted mean of a query and its nearest neighbours.

Radenović, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019,
section 3.4. With a query q of unit length, its neighbours g_i of unit length and their cosines s_i,

    q + sum_i max(s_i, 0)^alpha g_i,   scaled to unit length;

a neighbour of negative similarity weighs nothing, whatever alpha is.
"""

import numpy as np
from scipy import sparse

from skdeepenc.functional.normalize import unit_rows

__all__ = ["expand", "literal_expansion", "neighbor_weights"]


def literal_expansion(query, neighbors, alpha):
    """Expand one query by its neighbours, all of unit length, as the equation reads."""
    total = query.copy()
    for neighbor in neighbors:
        similarity = query @ neighbor
        if similarity >= 0:
            total += similarity**alpha * neighbor
    return total / np.linalg.norm(total)


def neighbor_weights(similarities, alpha):
    """Return the weights of neighbours, given their cosine similarities."""
    return np.where(similarities < 0, 0, np.maximum(similarities, 0) ** alpha)


def expand(vectors, gallery, indices, weights):
    """Add to each vector its weighted neighbours, brought to unit length, and normalise.

    Parameters
    ----------
    vectors : {ndarray, sparse matrix} of shape (n, D)
        Queries of unit length.
    gallery : {ndarray, sparse matrix} of shape (n_gallery, D)
        Where the neighbours are, of any length.
    indices : ndarray of int of shape (n, k)
        Rows of the gallery.
    weights : ndarray of shape (n, k)
        What each neighbour weighs; see `neighbor_weights`.

    Returns
    -------
    {ndarray, sparse matrix} of shape (n, D)
        Expanded queries of unit length.
    """
    neighbors = unit_rows(gallery[indices.ravel()])
    # One row a vector, its neighbours' weights as entries: the weighted sums are one product.
    starts = np.arange(0, indices.size + 1, indices.shape[1])
    sums = sparse.csr_array((weights.ravel(), np.arange(indices.size), starts)) @ neighbors
    return unit_rows(vectors + sums)
