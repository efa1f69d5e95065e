"""Similarities of queries with a gallery as matrix products, a block of gallery rows at a time.

The gallery is never copied: norms enter as one factor, or one term, for each row of it. So it may
as well be a file mapped into memory.
"""

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.extmath import row_norms

from skdeepenc.arrays.nearest import comfortable_scale
from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles
from skdeepenc.arrays.top_k import best_first, row_blocks, top_k_of_blocks
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.retrieval.listed_products import listed_products

# In float32 the identity |q - g|^2 = |q|^2 + |g|^2 - 2 q.g loses digits where images are close. So
# we measure from the gallery's centre, select a few more neighbours than asked for, and order them
# by their true differences.
SPARE_NEIGHBORS = 32
# Rows that are gathered for so few queries at a time are read back from the cache.
_BYTES_IN_CACHE = 1 << 20


class GalleryProducts:
    """Similarities of queries with the rows of a gallery.

    Parameters
    ----------
    gallery : {ndarray, sparse matrix} of shape (n_gallery, n_features)
        Kept as it is, not copied.
    metric : {"cosine", "inner_product", "euclidean"}
        What similarity is: the cosine, the inner product, or minus the distance.
    """

    def __init__(self, gallery, metric):
        self.gallery = gallery
        self.metric = metric
        self._factors, self._terms, self._center, self._scale = None, None, 0, 1.0
        if metric == "cosine":
            norms = _norms(gallery)
            tiny = np.finfo(norms.dtype).tiny
            if not ((norms == 0) | ((norms > 4 * tiny) & (norms < np.inf))).all():
                # No factor of the float type brings these rows to unit length: they are copied.
                self.gallery = unit_rows(gallery)
                norms = row_norms(self.gallery)
            # A zero row has similarity 0 with everything, not NaN.
            self._factors = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        elif metric == "euclidean":
            self._scale = comfortable_scale(gallery.data if is_sparse(gallery) else gallery)
            if self._scale != 1:  # then the gallery is copied after all
                self.gallery = gallery * gallery.dtype.type(self._scale)
            if not is_sparse(gallery):
                self._center = self.gallery.mean(axis=0)
            self._terms = self._squared_norms_from_center() / -2
        # For each feature the images that have it: an inverted file.
        self._inverted = self.gallery.T.tocsr() if is_sparse(gallery) else None

    def __getstate__(self):
        return {**self.__dict__, "_inverted": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._inverted = whole_rows(self.gallery).T.tocsr() if is_sparse(self.gallery) else None

    def prepare(self, queries):
        """Return the queries as the products want them: of unit length for the cosine."""
        if self.metric == "cosine":
            return unit_rows(queries)
        return queries if self._scale == 1 else queries * queries.dtype.type(self._scale)

    def prepared_gallery(self):
        """Return the gallery as queries are prepared."""
        return unit_rows(self.gallery) if self.metric == "cosine" else self.gallery

    def from_squares(self, squared):
        """Return similarities of prepared queries, given squares of the distances."""
        if self.metric == "cosine":
            return 1 - squared / 2
        return -np.sqrt(squared) / squared.dtype.type(self._scale)

    def similarities(self, queries):
        """Return the similarities (n_queries, n_gallery) of prepared queries."""
        if self.metric == "euclidean":
            distances = euclidean_distances(queries, self.gallery) / self._scale
            return -distances.astype(queries.dtype, copy=False)
        return self.reader(queries)(slice(None))

    def reader(self, queries):
        """Return a function that computes the similarities of prepared queries with gallery rows.

        For the Euclidean metric they are short of half the square of each query's length.
        """
        if self._inverted is None:
            return lambda rows: self._weighted(queries @ self.gallery[rows].T, rows)
        everything = self._weighted((queries @ self._inverted).toarray(), slice(None))
        return lambda rows: everything[:, rows]

    def nearest(self, queries, n_neighbors):
        """Return the largest similarities of prepared queries and their indices, best first."""
        spare = SPARE_NEIGHBORS if self.metric == "euclidean" else 0
        # The gallery's own shift would add the same to all similarities of a query: it is left out.
        shifted = queries - self._center if self.metric == "euclidean" else queries
        n_gallery = self.gallery.shape[0]
        n_kept = min(n_neighbors + spare, n_gallery)
        similarities, indices = top_k_of_blocks(self.reader(shifted), n_gallery, n_kept)
        if self.metric == "euclidean":
            indices = np.sort(indices, axis=1)
            squared = squared_differences(queries, self.gallery, indices)
            similarities, indices = best_first(self.from_squares(squared), indices)
        return similarities[:, :n_neighbors], indices[:, :n_neighbors]

    def listed(self, queries, indices):
        """Return the similarities of prepared queries with the gallery rows listed for each."""
        return self._weighted(listed_products(queries, self.gallery, indices), indices)

    def _weighted(self, products, rows):
        if self._factors is not None:
            products *= self._factors[rows]
        if self._terms is not None:
            products += self._terms[rows]
        return products

    def _squared_norms_from_center(self):
        blocks = row_blocks(self.gallery.shape[0])
        return np.concatenate(
            [row_norms(self.gallery[rows] - self._center, squared=True) for rows in blocks]
        )


def _norms(rows):
    """Return the length of each row; of very small and very large ones without squaring them."""
    norms = row_norms(rows)
    extreme = np.flatnonzero(~((norms > 1e-15) & (norms < 1e15)))
    if len(extreme):
        chosen = rows[extreme]
        unit = unit_rows(chosen)
        along = chosen.multiply(unit) if is_sparse(chosen) else chosen * unit
        with np.errstate(over="ignore"):
            norms[extreme] = np.ravel(along.sum(axis=1))
    return norms


def as_like(rows, gallery):
    """Return rows as dense or sparse, and in the float type, as the gallery is."""
    if is_sparse(gallery):
        return sparse.csr_array(rows, dtype=gallery.dtype)
    dense = rows.toarray() if is_sparse(rows) else rows
    return dense.astype(gallery.dtype, copy=False)


def is_sparse(rows):
    """Say whether rows are a sparse matrix or array."""
    return bool(sparse.issparse(rows))


def whole_rows(rows):
    """Return rows that came out of a file, if sparse ones point at nothing outside themselves."""
    if is_sparse(rows):
        rows.check_format(full_check=True)
    return rows


def squared_differences(queries, gallery, indices):
    """Return each query's squared distances to the gallery rows (n_queries, k) listed for it."""
    if is_sparse(gallery):
        repeated = queries[np.repeat(np.arange(len(indices)), indices.shape[1])]
        differences = repeated - gallery[indices.ravel()]
        squared = differences.multiply(differences).sum(axis=1)
        return np.asarray(squared).reshape(indices.shape).astype(queries.dtype, copy=False)
    squared = np.empty(indices.shape, queries.dtype)
    bytes_per_query = indices.shape[1] * gallery.shape[1] * gallery.itemsize

    def measure(rows):
        differences = gallery[indices[rows]] - queries[rows, None]
        squared[rows] = np.einsum("qkd,qkd->qk", differences, differences)

    for_each(measure, tiles(len(indices), max(1, _BYTES_IN_CACHE // max(bytes_per_query, 1))))
    return squared
