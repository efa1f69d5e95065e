"""Find the first few of a large gallery by an index, instead of comparing with all of it.

The index is of faiss, from the extra `ann`. It is approximate, so how much of the exact answer it
finds is asked for, measured and kept.
"""

from importlib.util import find_spec
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skdeepenc._sklearn import Interval, StrOptions
from skdeepenc._typing import Items, RandomState
from skdeepenc.arrays.nearest import build_index, search_index
from skdeepenc.retrieval._gallery import Images
from skdeepenc.retrieval.products import GalleryProducts, is_sparse
from skdeepenc.retrieval.ranker import NearestNeighborRanker

# In smaller galleries exact products are as fast as an index.
FEWEST_IMAGES_TO_INDEX = 10_000
# On how many gallery images, as queries, the recall is measured; and among how many neighbours.
N_CHECKED = 128
N_CHECKED_NEIGHBORS = 100
# The share of those that must be among the candidates for an exact score.
CANDIDATE_RECALL = 0.95


class IndexedRanker(NearestNeighborRanker):
    """Rank the first few images of a large gallery by an index of faiss.

    `rank` and `kneighbors` search the index, as long as they are asked for less than half of the
    gallery; `transform` and `score` compute all similarities, as `NearestNeighborRanker` does.
    Needs the extra `ann`.

    Parameters
    ----------
    metric : {"cosine", "euclidean"}, default="cosine"
        What is similar. The Euclidean similarity is minus the distance.
    n_neighbors : int, default=100
        How many images `rank` and `kneighbors` return; None means the whole gallery.
    recall : float, default=0.95
        The share of the exact answer that the index should find.
    expansion : int, default=0
        Replace each query by the mean of itself and its `expansion` nearest gallery images, found
        exactly, and rank again. Needs ``metric="cosine"``.
    alpha : float, default=0.0
        Weigh each image of that mean by its similarity to this power; 0 weighs all alike.
    n_jobs : int or None, default=None
        Threads, each with one batch of queries; see `skdeepenc.arrays.threads.in_jobs`.
        The index has threads of its own.
    random_state : int, RandomState or None, default=None
        Seed of the index.

    Attributes
    ----------
    recall_ : float
        The share of the exact answer that the index found, for images of the gallery as queries and
        up to 100 neighbours.
    gallery_ : ndarray of shape (n_gallery, n_features)
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
    NearestNeighborRanker : The exact search.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import IndexedRanker
    >>> gallery = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    >>> ranker = IndexedRanker(n_neighbors=3, random_state=0).fit(gallery)
    >>> ranker.recall_ >= 0.95, ranker.rank(gallery[:2])[:, 0]
    (True, array([0, 1]))
    """

    _parameter_constraints: dict[str, Any] = {
        **NearestNeighborRanker._parameter_constraints,
        "metric": [StrOptions({"cosine", "euclidean"})],
        "recall": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        metric: str = "cosine",
        n_neighbors: int | None = 100,
        recall: float = 0.95,
        expansion: int = 0,
        alpha: float = 0.0,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(
            metric=metric, n_neighbors=n_neighbors, expansion=expansion, alpha=alpha, n_jobs=n_jobs
        )
        self.recall = recall
        self.random_state = random_state

    def fit(self, X: Images, y: ArrayLike | None = None, *, names: Items | None = None) -> Self:
        """Keep the gallery and index it.

        After `partial_fit` and `remove` the index is made again when it is next asked for.

        Parameters
        ----------
        X : array-like of shape (n_gallery, n_features)
            One vector per image.
        y : array-like of shape (n_gallery,), default=None
            Labels of the images, for `score`; or their names, for `metrics.retrieval_scorer`.
        names : array-like of shape (n_gallery,), default=None
            What the images are called, such as paths, for ``rank(return_names=True)``.

        Returns
        -------
        IndexedRanker
            The ranker itself.
        """
        super().fit(X, y, names=names)
        self._index.build()
        return self

    @property
    def recall_(self) -> float:
        """The share of the exact answer that the index found."""
        return self._index.measured_recall()

    def _keep(self, images):
        if is_sparse(images):
            raise ValueError(
                "An index needs dense vectors: use NearestNeighborRanker for sparse ones."
            )
        super()._keep(images)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        n_neighbors = self.n_neighbors or N_CHECKED_NEIGHBORS
        self._index = GalleryIndex(self._products, n_neighbors, self.recall, seed)

    def _search(self, queries, n_kept):
        if self._is_indexed(n_kept):
            self._index.build()  # before threads ask for it
        return super()._search(queries, n_kept)

    def _is_indexed(self, n_kept):
        return 2 * n_kept <= self._n_features_out

    def _nearest(self, queries, n_kept):
        if not self._is_indexed(n_kept):
            return super()._nearest(queries, n_kept)
        queries = self._prepared(queries)
        indices, squared = self._index.search(queries, n_kept)
        similarities = self._products.from_squares(squared.astype(queries.dtype, copy=False))
        short = np.flatnonzero((indices < 0).any(axis=1))
        if len(short):  # lists that hold too few images
            similarities[short], indices[short] = self._products.nearest(queries[short], n_kept)
        return similarities, indices

    def __sklearn_tags__(self):
        """Say that sparse input is not welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


class GalleryIndex:
    """An index of a gallery's prepared vectors, built when it is first asked for.

    Its recall is the share of the first 100 neighbours, or fewer, among the first `n_found` that it
    finds. It pickles and saves without the index of faiss, which is a native object, and bytes of
    one are not safe to read: the vectors and the seed make it again.

    Parameters
    ----------
    products : GalleryProducts
        The similarities with the gallery.
    n_found : int
        How many images it will be asked for.
    recall : float
        The share of the exact answer to find.
    seed : int
        Seed of its lists.
    compared : bool, default=True
        Whether what it finds is compared in all dimensions.
    """

    def __init__(
        self,
        products: GalleryProducts,
        n_found: int,
        recall: float,
        seed: int,
        *,
        compared: bool = True,
    ) -> None:
        self.products = products
        self.n_found = min(n_found, products.gallery.shape[0])
        self.recall = recall
        self.seed = seed
        self.compared = compared
        self._index: Any = None
        self._found: float | None = None

    def build(self):
        """Build the index if there is none."""
        if self._index is not None:
            return
        vectors = self.products.prepared_gallery()
        rows = np.unique(np.linspace(0, len(vectors) - 1, N_CHECKED).astype(int))
        self._index, self._found = build_index(
            vectors,
            vectors[rows],
            n_neighbors=min(self.n_found, N_CHECKED_NEIGHBORS),
            n_found=self.n_found,
            compared=self.compared,
            recall=self.recall,
            random_state=self.seed,
        )

    def measured_recall(self):
        """Return the share of the exact answer that the index finds."""
        if self._found is None:
            self.build()
        return self._found

    def search(self, queries, n_neighbors):
        """Return indices, -1 where nothing was found, and squared distances."""
        self.build()
        indices, squared = search_index(self._index, queries, n_neighbors)
        # What float32 cannot compare is as good as not found, and what is next to it no better.
        indices[~(squared < np.inf).all(axis=1)] = -1
        return indices, np.maximum(squared, 0)

    def __getstate__(self):
        return {**self.__dict__, "_index": None}


class CandidateSearch:
    """Find the first images of one layer's gallery: by an index where it serves, else exactly.

    Parameters
    ----------
    products : GalleryProducts
        The similarities with the gallery.
    n_candidates : int
        How many images to find.
    """

    def __init__(self, products: GalleryProducts, n_candidates: int) -> None:
        self.products = products
        n_gallery = products.gallery.shape[0]
        self.n_candidates = min(n_candidates, n_gallery)
        self._index = None
        large = n_gallery >= FEWEST_IMAGES_TO_INDEX and 10 * n_candidates <= n_gallery
        if large and not is_sparse(products.gallery):
            # Candidates are scored anyway, so the index need not order them. One that compares in
            # all dimensions would find more, but takes longer than the exact product.
            self._index = GalleryIndex(
                products, n_candidates, CANDIDATE_RECALL, seed=0, compared=False
            )

    def build(self):
        """Build the index, and do without it where it misses too much or faiss is missing."""
        if self._index is None:
            return
        if find_spec("faiss") is None or self._index.measured_recall() < CANDIDATE_RECALL:
            self._index = None
        else:
            self._index.build()

    @property
    def recall(self):
        """The share of the first images that are among those found."""
        return 1.0 if self._index is None else self._index.measured_recall()

    def find(self, queries):
        """Return gallery indices (n_queries, n_candidates); -1 where the index found no more."""
        if self._index is None:
            return self.products.nearest(queries, self.n_candidates)[1]
        return self._index.search(queries, self.n_candidates)[0]
