"""Expansion: let the first results speak for a query, or for a gallery image, and ask again."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, gen_batches

from skdeepenc._sklearn import get_chunk_n_rows
from skdeepenc._typing import VectorsLike
from skdeepenc.arrays.top_k import ROWS_A_BLOCK
from skdeepenc.functional.expansion import expand, neighbor_weights
from skdeepenc.retrieval.products import GalleryProducts, is_sparse

__all__ = ["augment_gallery", "expand_queries"]

_ACCEPTED = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}


def expand_queries(
    queries: VectorsLike, gallery: VectorsLike, n_neighbors: int, alpha: float = 0.0
) -> Any:
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
    products = GalleryProducts(check_array(gallery, **_ACCEPTED), "cosine")
    queries = products.prepare(check_array(queries, **_ACCEPTED))
    return expand_prepared(queries, products, n_neighbors, alpha)


def augment_gallery(gallery: VectorsLike, n_neighbors: int, alpha: float = 0.0) -> Any:
    """Replace each gallery vector by a mean of itself and its nearest others.

    It does to the gallery, once, what `expand_queries` does to queries. A vector is not its own
    neighbour; copies of it are.

    Parameters
    ----------
    gallery : {array-like, sparse matrix} of shape (n_gallery, n_features)
        One vector per image.
    n_neighbors : int
        How many neighbours join each vector; at most all others do.
    alpha : float, default=0.0
        0 takes plain means; larger values trust near neighbours more.

    Returns
    -------
    {ndarray, sparse matrix} of shape (n_gallery, n_features)
        Augmented vectors of unit length.

    References
    ----------
    Turcot and Lowe, "Better matching with fewer features", ICCV workshops 2009; weights as in
    Radenović et al., TPAMI 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import augment_gallery
    >>> augment_gallery(np.array([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), n_neighbors=1)[:1]
    array([[0.70710678, 0.70710678]])
    """
    products = GalleryProducts(check_array(gallery, **_ACCEPTED), "cosine")
    vectors = products.prepared_gallery()
    n_vectors = vectors.shape[0]
    n_kept = min(n_neighbors, n_vectors - 1) + 1
    stack = sparse.vstack if is_sparse(vectors) else np.concatenate
    augmented = []
    for rows in gen_batches(n_vectors, get_chunk_n_rows(row_bytes=32 * ROWS_A_BLOCK)):
        similarities, indices = products.nearest(vectors[rows], n_kept)
        themselves = indices == np.arange(n_vectors)[rows, None]
        themselves[~themselves.any(axis=1), -1] = True  # copies crowd it out: one of them goes
        weights = np.where(themselves, 0, neighbor_weights(similarities, alpha))
        augmented.append(expand(vectors[rows], products.gallery, indices, weights))
    return stack(augmented)


def expand_prepared(queries, products, n_neighbors, alpha):
    """Expand queries of unit length by their neighbours among the gallery of `products`."""
    if n_neighbors == 0:
        return queries
    n_kept = min(n_neighbors, products.gallery.shape[0])
    similarities, indices = products.nearest(queries, n_kept)
    return expand(queries, products.gallery, indices, neighbor_weights(similarities, alpha))
