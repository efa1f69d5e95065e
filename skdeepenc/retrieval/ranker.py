"""Rank a gallery by the similarity of single vectors."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse

from skdeepenc._sklearn import Interval, StrOptions, validate_data
from skdeepenc.arrays.top_k import ROWS_A_BLOCK, row_blocks
from skdeepenc.retrieval.base import Ranker
from skdeepenc.retrieval.expansion import expand_prepared
from skdeepenc.retrieval.products import GalleryProducts, as_like, is_sparse, whole_rows


class NearestNeighborRanker(Ranker):
    """Rank a gallery by its similarity with each query, exactly.

    The similarities are matrix products of batches of queries with blocks of the gallery; the first
    few results are selected from each block, so that memory does not grow with the gallery, which
    is kept without a copy and may be mapped from a file.

    Parameters
    ----------
    metric : {"cosine", "inner_product", "euclidean"}, default="cosine"
        What is similar. The Euclidean similarity is minus the distance.
    n_neighbors : int, default=None
        How many images `rank` and `kneighbors` return; None means the whole gallery.
    expansion : int, default=0
        Replace each query by the mean of itself and its `expansion` nearest gallery images, and
        rank again (average query expansion). Needs ``metric="cosine"``.
    alpha : float, default=0.0
        Weigh each image of that mean by its similarity to this power (alpha query expansion); 0
        weighs all alike.
    n_jobs : int or None, default=None
        Threads, each with one batch of queries; see `skdeepenc.arrays.threads.in_jobs`.

    Attributes
    ----------
    gallery_ : {ndarray, sparse matrix} of shape (n_gallery, n_features)
        The gallery as given.
    labels_ : ndarray of shape (n_gallery,) or None
        What `y` was in `fit`.
    names_ : ndarray of shape (n_gallery,) or None
        What `names` was in `fit`.
    n_features_in_ : int
        Length of the vectors.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if `fit` was given a frame with names.

    See Also
    --------
    expand_queries : The expansion alone.

    References
    ----------
    O. Chum, J. Philbin, J. Sivic, M. Isard, A. Zisserman, "Total recall: Automatic query expansion
    with a generative feature model for object retrieval", ICCV 2007. F. Radenović, G. Tolias, O.
    Chum,
    "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019, section 3.4 (alpha).

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import NearestNeighborRanker
    >>> gallery = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
    >>> ranker = NearestNeighborRanker().fit(gallery, ["door", "roof", "door"])
    >>> ranker.rank([[2.0, 0.5]])
    array([[0, 2, 1]])
    >>> ranker.score(gallery, ["door", "roof", "door"])
    1.0
    >>> ranker = NearestNeighborRanker().fit(gallery, names=["a.jpg", "b.jpg", "c.jpg"])
    >>> ranker.remove([0]).rank([[2.0, 0.5]], return_names=True)
    array([['c.jpg', 'b.jpg']], dtype='<U5')
    """

    _parameter_constraints: dict[str, Any] = {
        **Ranker._parameter_constraints,
        "metric": [StrOptions({"cosine", "inner_product", "euclidean"})],
        "expansion": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        metric: str = "cosine",
        n_neighbors: int | None = None,
        expansion: int = 0,
        alpha: float = 0.0,
        n_jobs: int | None = None,
    ) -> None:
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.expansion = expansion
        self.alpha = alpha
        self.n_jobs = n_jobs

    def _check_images(self, X, *, reset):
        images = validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32]
        )
        if not reset:
            return as_like(images, self._gallery)
        return sparse.csr_array(images) if is_sparse(images) else images

    def _keep(self, images):
        if self.expansion and self.metric != "cosine":
            raise ValueError(f'expansion needs metric="cosine", not {self.metric!r}.')
        super()._keep(images)
        self._products = GalleryProducts(images, self.metric)

    def __setstate__(self, state):
        super().__setstate__(state)
        whole_rows(getattr(self, "_gallery", None))

    def _similarities(self, queries):
        return self._products.similarities(self._prepared(queries))

    def _nearest(self, queries, n_kept):
        # Selecting most of the gallery block by block would cost more than sorting it once.
        if 2 * n_kept > self._n_features_out:
            return super()._nearest(queries, n_kept)
        return self._products.nearest(self._prepared(queries), n_kept)

    def _bytes_per_query(self, n_kept):
        if 2 * n_kept > self._n_features_out or is_sparse(self._gallery):
            return super()._bytes_per_query(n_kept)
        n_selected = n_kept * len(row_blocks(self._n_features_out))
        return 64 * ROWS_A_BLOCK + 48 * n_selected + 16 * self.expansion * self.n_features_in_

    def _prepared(self, queries):
        queries = self._products.prepare(queries)
        if not self.expansion:
            return queries
        return expand_prepared(queries, self._products, self.expansion, self.alpha)

    def _distances(self, similarities):
        if self.metric == "cosine":
            return np.maximum(1 - similarities, 0)
        return -similarities

    def __sklearn_tags__(self):
        """Say that sparse input is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
