"""Query expansion: let the first results speak for the query, and ask again."""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize
from sklearn.utils import check_array

from skdeepenc.retrieval.products import GalleryProducts


def expand_queries(queries, gallery, n_neighbors, alpha=0.0):
    """Replace each query by a mean of itself and its nearest gallery images.

    The vectors are L2-normalised, each neighbour is weighed by its cosine similarity to the power
    `alpha` (negative similarities weigh nothing, the query weighs 1), and the sum is L2-normalised.

    Parameters
    ----------
    queries : {array-like, sparse matrix} of shape (n_queries, n_features)
        The queries.
    gallery : {array-like, sparse matrix} of shape (n_gallery, n_features)
        Where to look for neighbours.
    n_neighbors : int
        How many neighbours join each query; at most the whole gallery does.
    alpha : float, default=0.0
        0 is average query expansion; larger values trust near neighbours more.

    Returns
    -------
    {ndarray, sparse matrix} of shape (n_queries, n_features)
        Expanded queries of unit length.

    References
    ----------
    F. Radenović, G. Tolias, O. Chum, "Fine-tuning CNN image retrieval with no human annotation",
    TPAMI 2019, section 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import expand_queries
    >>> gallery = np.array([[0.0, 2.0], [-1.0, 0.0]])
    >>> expand_queries([[1.0, 0.0]], gallery, n_neighbors=1)
    array([[0.70710678, 0.70710678]])
    """
    types = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
    products = GalleryProducts(check_array(gallery, **types), "cosine")
    queries = products.prepare(check_array(queries, **types))
    return expand_prepared(queries, products, n_neighbors, alpha)


def expand_prepared(queries, products, n_neighbors, alpha):
    """Expand queries of unit length by their neighbours among the gallery of `products`."""
    if n_neighbors == 0:
        return queries
    n_kept = min(n_neighbors, products.gallery.shape[0])
    similarities, indices = products.nearest(queries, n_kept)
    weights = np.where(similarities < 0, 0, np.maximum(similarities, 0) ** alpha)
    neighbors = normalize(products.gallery[indices.ravel()])
    # One row a query, its neighbours' weights as entries: the weighted sums are one product.
    starts = np.arange(0, indices.size + 1, n_kept)
    sums = sparse.csr_array((weights.ravel(), np.arange(indices.size), starts)) @ neighbors
    return normalize(queries + sums)
