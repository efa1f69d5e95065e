"""What all rankers share: they keep a gallery and order it for each query."""

from functools import partial

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_consistent_length, column_or_1d, gen_batches
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import get_chunk_n_rows
from skdeepenc.arrays.threads import in_jobs
from skdeepenc.arrays.top_k import best_first, top_k
from skdeepenc.metrics.oxford import trapezoid_average_precision


class Ranker(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of rankers: cuts queries into batches, orders the gallery, measures the order.

    A subclass has the parameters `n_neighbors` and `n_jobs`, keeps its gallery and `labels_` in
    `fit`, and implements

    - ``_check_queries(X)``: validate and return the queries, something that has ``.shape[0]`` and
      takes a slice;
    - ``_similarities(queries)``: return the dense similarities (n_queries, n_gallery) of a batch;
    - ``_n_features_out``: the number of gallery images;
    - ``_distances(similarities)``: what `kneighbors` returns in their place, growing as they fall;
    - ``_find_themselves(X, y)``: the gallery index that each query is, or -1;
    - ``_gallery_queries()``: the gallery as queries, for `kneighbors` without any.

    ``_nearest(queries, n_kept)`` and ``_bytes_per_query(n_kept)`` may be overridden where the first
    few can be found without all similarities.
    """

    def transform(self, X):
        """Compute the similarity of each query with each gallery image.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            The queries.

        Returns
        -------
        ndarray of shape (n_queries, n_gallery)
            Similarities, larger for images that are more alike.
        """
        check_is_fitted(self)
        queries, similarities = self._check_queries(X), None
        for batch, block in self._in_batches(self._similarities, queries):
            if similarities is None:
                similarities = np.empty((queries.shape[0], self._n_features_out), block.dtype)
            similarities[batch] = block
        return similarities

    def rank(self, X, n_neighbors=None):
        """Order the gallery for each query.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            The queries.
        n_neighbors : int, default=None
            How many images to return; None means the parameter `n_neighbors`, and where that is
            None too, the whole gallery.

        Returns
        -------
        ndarray of shape (n_queries, n_neighbors)
            Gallery indices, best first. Images of equal similarity keep their order.
        """
        check_is_fitted(self)
        n_gallery = self._n_features_out
        n_kept = min(self._resolve_n_neighbors(n_neighbors, n_gallery), n_gallery)
        return self._search(self._check_queries(X), n_kept)[1]

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True):
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
            found = _without_themselves(*self._search(self._gallery_queries(), n_kept + 1))
        else:
            found = self._search(self._check_queries(X), n_kept)
        similarities, indices = found
        return (self._distances(similarities), indices) if return_distance else indices

    def score(self, X, y):
        """Measure the mean average precision of queries with known labels.

        Gallery images of the query's label are right answers. A query that is itself in the gallery
        is taken out of its own list, so it is no hit. Queries without right answers are left out.
        Average precision is that of `skdeepenc.metrics.average_precision`.

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
        """
        check_is_fitted(self)
        if self.labels_ is None:
            raise ValueError(f"{type(self).__name__} was fitted without y: it cannot score.")
        queries, y = self._check_queries(X), column_or_1d(y)
        if queries.shape[0] != len(y):
            raise ValueError(f"{queries.shape[0]} queries have {len(y)} labels.")
        themselves = self._find_themselves(X, y)
        precisions = np.empty(len(y))
        for batch, similarities in self._in_batches(self._similarities, queries):
            lists = zip(similarities, y[batch], themselves[batch], strict=True)
            precisions[batch] = [self._average_precision(*query) for query in lists]
        if np.isnan(precisions).all():
            raise ValueError(
                "No query shares its label with another gallery image: nothing to score. In cross "
                "validation, take a splitter that leaves images of each label in the gallery, such "
                "as StratifiedKFold."
            )
        return float(np.nanmean(precisions))

    def _average_precision(self, similarities, label, itself):
        order = np.argsort(-similarities, kind="stable")
        ranks = np.flatnonzero((self.labels_ == label)[order[order != itself]])
        return trapezoid_average_precision(ranks, len(ranks))

    def _search(self, queries, n_kept):
        """Return similarities and indices of the first `n_kept` images for each query."""
        search = partial(self._nearest, n_kept=n_kept)
        batches = self._in_batches(search, queries, self._bytes_per_query(n_kept))
        similarities, indices = zip(*(found for _, found in batches), strict=True)
        return np.concatenate(similarities), np.concatenate(indices)

    def _nearest(self, queries, n_kept):
        similarities = self._similarities(queries)
        columns = top_k(similarities, n_kept)
        return best_first(np.take_along_axis(similarities, columns, axis=1), columns)

    def _bytes_per_query(self, n_kept):
        """Return the bytes that ranking one query takes: similarities, order, temporaries."""
        return 32 * self._n_features_out

    def _in_batches(self, work, queries, bytes_per_query=None):
        """Yield slices of the queries that fit the working memory and what `work` makes of each."""
        n_jobs, n_queries = effective_n_jobs(self.n_jobs), queries.shape[0]
        bytes_per_query = bytes_per_query or self._bytes_per_query(self._n_features_out)
        fitting = get_chunk_n_rows(row_bytes=bytes_per_query * n_jobs)
        batches = list(gen_batches(n_queries, min(fitting, -(-n_queries // n_jobs))))
        results = in_jobs(lambda batch: work(queries[batch]), batches, n_jobs)
        yield from zip(batches, results, strict=True)

    def _resolve_n_neighbors(self, n_neighbors, default):
        for given in (n_neighbors, self.n_neighbors):
            if given is not None:
                if given < 1:
                    raise ValueError(f"Expected n_neighbors > 0. Got {given}.")
                return given
        return default


def check_labels(y, n_images):
    """Return the gallery's labels as an array, or None where none are given."""
    if y is None:
        return None
    y = column_or_1d(y)
    check_consistent_length(y, range(n_images))
    return y


def _without_themselves(similarities, indices):
    """Take each row's own index out; where copies crowd it out, the last neighbour goes instead."""
    n_queries, n_found = indices.shape
    others = indices != np.arange(n_queries)[:, None]
    others[others.all(axis=1), -1] = False
    shape = (n_queries, n_found - 1)
    return similarities[others].reshape(shape), indices[others].reshape(shape)
