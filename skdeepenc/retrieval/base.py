"""What all rankers share: they order the gallery for each query, and measure the order."""

import inspect
import warnings
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import column_or_1d, gen_batches
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import Interval, get_chunk_n_rows
from skdeepenc.arrays.threads import count_jobs, in_jobs
from skdeepenc.arrays.top_k import best_first, top_k
from skdeepenc.exceptions import DegenerateDataWarning, NonFiniteError
from skdeepenc.maps.labels import labelled
from skdeepenc.metrics.oxford import trapezoid_average_precision
from skdeepenc.retrieval._gallery import GalleryKeeper, Images
from skdeepenc.retrieval.self_matches import find_themselves


class Ranker(ClassNamePrefixFeaturesOutMixin, TransformerMixin, GalleryKeeper):
    """Base of rankers: cuts queries into batches, orders the gallery, measures the order.

    A ranker of your own has the parameters `n_neighbors` and `n_jobs` (threads, each with one batch
    of queries) and implements two hooks:

    - ``_check_images(X, *, reset)``: validate images, of the gallery or queries, and return them in
      the form in which they are compared: an array, a sparse array, `FeatureMaps`, or whatever has
      ``.shape[0]`` and takes slices and arrays of indices. With `reset` (in `fit`) it remembers
      what they are like, otherwise it compares them with that: `validate_data` does both.
    - ``_similarities(queries)``: return the dense similarities (n_queries, n_gallery) of a batch
      with the gallery, ``self._gallery``. They may depend on no other query.

    All else has a default that it may override:

    - ``_keep(images)``, called whenever the gallery changes, where searching needs preparation, and
      ``_prepare()``, called before queries are worked on, perhaps by several threads, where that
      takes so long that a growing gallery should not pay for each step;
    - ``_join(gallery, images)``, where images are not arrays;
    - ``_distances(similarities)``, where minus the similarity is not what `kneighbors` should
      return;
    - ``_blocks(images)``, where images are not arrays: a list of arrays by which an image is
      recognised, so that a query does not find itself;
    - ``_nearest(queries, n_kept)`` and ``_bytes_per_query(n_kept)``, where the first few can be
      found without all similarities.
    """

    _parameter_constraints: dict[str, Any] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
    }

    def transform(self, X: Images) -> Any:
        """Compute the similarity of each query with each gallery image.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            The queries.

        Returns
        -------
        ndarray of shape (n_queries, n_gallery)
            Similarities, larger for images that are more alike.

        Raises
        ------
        NonFiniteError
            If similarities are too large for the float type.
        """
        check_is_fitted(self)
        queries, similarities = self._check_images(X, reset=False), None
        for batch, block in self._in_batches(self._similarities, queries):
            if similarities is None:
                similarities = np.empty((queries.shape[0], self._n_features_out), block.dtype)
            similarities[batch] = block
        return labelled(self, _finite(similarities), X)

    def rank(
        self, X: Images, n_neighbors: int | None = None, *, return_names: bool = False
    ) -> NDArray[Any]:
        """Order the gallery for each query.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            The queries.
        n_neighbors : int, default=None
            How many images to return; None means the parameter `n_neighbors`, and where that is
            None too, the whole gallery.
        return_names : bool, default=False
            Whether to return the names that `fit` was given in the place of indices.

        Returns
        -------
        ndarray of shape (n_queries, n_neighbors)
            Gallery indices or names, best first. Images of equal similarity keep their order.
        """
        check_is_fitted(self)
        if return_names and self.names_ is None:
            raise ValueError(f"{type(self).__name__} was fitted without names: fit(X, names=...).")
        n_gallery = self._n_features_out
        n_kept = min(self._resolve_n_neighbors(n_neighbors, n_gallery), n_gallery)
        indices = self._search(self._check_images(X, reset=False), n_kept)[1]
        return self.names_[indices] if return_names else indices

    def kneighbors(
        self, X: Images | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the gallery images nearest to each query, as scikit-learn's `NearestNeighbors` does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            The queries; None asks for the neighbours of each gallery image, itself left out.
        n_neighbors : int, default=None
            How many; None means the parameter `n_neighbors`, and where that is None too, all.
        return_distance : bool, default=True
            Whether to return distances as well as indices.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Growing along each row. Only if `return_distance`.
        indices : ndarray of shape (n_queries, n_neighbors)
            Gallery indices.
        """
        check_is_fitted(self)
        available = self._n_features_out - (X is None)
        n_kept = self._resolve_n_neighbors(n_neighbors, available)
        if n_kept > available:
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, got n_neighbors = {n_kept} with "
                f"{available} images to choose from."
            )
        if X is None:
            found = without_themselves(*self._search(self._gallery, n_kept + 1))
        else:
            found = self._search(self._check_images(X, reset=False), n_kept)
        similarities, indices = found
        return (self._distances(similarities), indices) if return_distance else indices

    def radius_neighbors(
        self,
        X: Images | None = None,
        radius: float = 1.0,
        return_distance: bool = True,
        sort_results: bool = False,
    ) -> Any:
        """Find the gallery images within a distance, as scikit-learn's `NearestNeighbors` does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            The queries; None asks for the neighbours of each gallery image, itself left out.
        radius : float, default=1.0
            Largest distance, as `kneighbors` returns it.
        return_distance : bool, default=True
            Whether to return distances as well as indices.
        sort_results : bool, default=False
            Whether the nearest come first; otherwise images are in the gallery's order.

        Returns
        -------
        distances : ndarray of shape (n_queries,) of arrays
            Of each query's neighbours. Only if `return_distance`.
        indices : ndarray of shape (n_queries,) of arrays
            Gallery indices.
        """
        check_is_fitted(self)
        queries = self._gallery if X is None else self._check_images(X, reset=False)
        distances, indices = np.empty((2, queries.shape[0]), dtype=object)
        for batch, similarities in self._in_batches(self._similarities, queries):
            for query, row in enumerate(self._distances(_finite(similarities)), start=batch.start):
                found = np.flatnonzero(row <= radius)
                found = found[found != query] if X is None else found
                order = np.argsort(row[found], kind="stable") if sort_results else slice(None)
                indices[query], distances[query] = found[order], row[found[order]]
        return (distances, indices) if return_distance else indices

    def score(self, X: Images, y: ArrayLike) -> float:
        """Measure the mean average precision of queries with known labels.

        Gallery images of the query's label are right answers. A query that is itself in the gallery
        is taken out of its own list, so it does not count as a hit. Queries without right answers
        are left out. Average precision is that of `skdeepenc.metrics.average_precision`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            The queries.
        y : array-like of shape (n_queries,)
            Their labels.

        Returns
        -------
        float
            Mean average precision from 0 to 1.

        Raises
        ------
        ValueError
            If no query has a right answer. A search with ``error_score="raise"`` stops at it; with
            scikit-learn's default it warns, and the fold's score is NaN.

        Warns
        -----
        DegenerateDataWarning
            If fewer than half of the queries have a right answer.
        """
        check_is_fitted(self)
        if self.labels_ is None:
            raise ValueError(f"{type(self).__name__} was fitted without y: it cannot score.")
        queries, labels = self._check_images(X, reset=False), column_or_1d(y)
        if queries.shape[0] != len(labels):
            raise ValueError(f"{queries.shape[0]} queries have {len(labels)} labels.")
        themselves = self._find_themselves(queries, labels)
        precisions = np.empty(len(labels))
        for batch, similarities in self._in_batches(self._similarities, queries):
            lists = zip(similarities, labels[batch], themselves[batch], strict=True)
            precisions[batch] = [self._average_precision(*query) for query in lists]
        _check_answers(np.count_nonzero(~np.isnan(precisions)), len(labels))
        return float(np.nanmean(precisions))

    def _similarities(self, queries):
        """Return the similarities of a batch of queries with the gallery."""
        raise NotImplementedError

    def _distances(self, similarities):
        """Return what `kneighbors` gives in place of similarities, growing as they fall."""
        return -similarities

    def _blocks(self, images):
        """Return the arrays by which an image is recognised, a row per image."""
        return [images]

    @property
    def _n_features_out(self):
        return self._gallery.shape[0]

    def _find_themselves(self, queries, y):
        """Return the gallery index that each query is, or -1."""
        return find_themselves(self._blocks(queries), y, self._blocks(self._gallery), self.labels_)

    def _average_precision(self, similarities, label, itself):
        order = np.argsort(-similarities, kind="stable")
        ranks = np.flatnonzero((self.labels_ == label)[order[order != itself]])
        return trapezoid_average_precision(ranks, len(ranks))

    def _search(self, queries, n_kept):
        """Return similarities and indices of the first `n_kept` images for each query."""
        search = partial(self._nearest, n_kept=n_kept)
        batches = self._in_batches(search, queries, self._bytes_per_query(n_kept))
        similarities, indices = zip(*(found for _, found in batches), strict=True)
        return _finite(np.concatenate(similarities)), np.concatenate(indices)

    def _nearest(self, queries, n_kept):
        similarities = self._similarities(queries)
        columns = top_k(similarities, n_kept)
        return best_first(np.take_along_axis(similarities, columns, axis=1), columns)

    def _bytes_per_query(self, n_kept):
        """Return the bytes that ranking one query takes: similarities, order, temporaries."""
        return 32 * self._n_features_out

    def _prepare(self):
        """Make whatever searching needs and the gallery lacks, before threads ask for it."""

    def _in_batches(self, work, queries, bytes_per_query=None):
        """Yield slices of the queries that fit the working memory and what `work` makes of each."""
        self._prepare()
        n_jobs, n_queries = count_jobs(self.n_jobs), queries.shape[0]
        bytes_per_query = bytes_per_query or self._bytes_per_query(self._n_features_out)
        fitting = get_chunk_n_rows(row_bytes=bytes_per_query * n_jobs)
        batches = list(gen_batches(n_queries, min(fitting, -(-n_queries // n_jobs))))

        def work_on(batch):
            with np.errstate(over="ignore", invalid="ignore"):  # told once, with the query's number
                return work(queries[batch])

        results = in_jobs(work_on, batches, n_jobs)
        yield from zip(batches, results, strict=True)

    @property
    def _n_listed(self):
        """How many images to list where a call does not say it; None for all."""
        return self.n_neighbors

    def _resolve_n_neighbors(self, n_neighbors, default):
        for given in (n_neighbors, self._n_listed):
            if given is not None:
                if given < 1:
                    raise ValueError(f"Expected n_neighbors > 0. Got {given}.")
                return given
        return default

    def __setstate__(self, state):
        """Give parameters that an earlier version did not know their defaults."""
        known = inspect.signature(type(self)).parameters.values()
        super().__setstate__({**{each.name: each.default for each in known}, **state})


def _finite(similarities):
    """Return similarities that are finite, or raise an error that names the query."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.sum(similarities)) or np.isfinite(similarities).all():
            return similarities
    query = np.flatnonzero(~np.isfinite(similarities).all(axis=1))[0]
    raise NonFiniteError(
        f"Similarities of query {query} are too large for {similarities.dtype}: scale the vectors "
        "down, for instance with l2_normalize, or give float64."
    )


def _check_answers(n_scored, n_queries):
    """Refuse to measure nothing, and say when it is little; mostly it is the splitter's doing."""
    cause = (
        "share their label with another image of the gallery; the others are not scored. In cross "
        "validation the splitter does that: KFold, where labels are sorted, puts all images of a "
        "label into one fold. Take cv=StratifiedKFold(n_splits), and at least two images of each "
        "label."
    )
    if n_scored == 0:
        raise ValueError(f"Nothing to score: 0 of {n_queries} queries {cause}")
    if 2 * n_scored < n_queries:
        warnings.warn(
            f"{n_scored} of {n_queries} queries {cause}", DegenerateDataWarning, stacklevel=3
        )


def without_themselves(similarities, indices):
    """Take each row's own index out; where copies crowd it out, the last neighbour goes instead."""
    n_queries, n_found = indices.shape
    others = indices != np.arange(n_queries)[:, None]
    others[others.all(axis=1), -1] = False
    shape = (n_queries, n_found - 1)
    return similarities[others].reshape(shape), indices[others].reshape(shape)
