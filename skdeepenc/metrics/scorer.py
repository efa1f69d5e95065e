"""A scorer for grid search when right answers come from files instead of equal labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import Items
from skdeepenc.metrics.oxford import mean_average_precision


class RetrievalScorer:
    """What `retrieval_scorer` returns: a picklable callable ``(estimator, X, y) -> float``."""

    def __init__(
        self,
        positives: Mapping[Any, Sequence[Any]],
        junk: Mapping[Any, Sequence[Any]],
        measure: Callable[..., float],
    ) -> None:
        self.positives = positives
        self.junk = junk
        self.measure = measure

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Rank the gallery that `estimator` was fitted on for each query, and measure."""
        gallery = _gallery_labels(estimator)
        rankings = np.argsort(-np.asarray(estimator.transform(X)), axis=1, kind="stable")
        lists = [self._lists(name, gallery) for name in np.asarray(y).tolist()]
        positives, junk = zip(*lists, strict=True)
        return float(self.measure(rankings, positives, junk))

    def __repr__(self) -> str:
        """Name the measure and count the queries."""
        name = getattr(self.measure, "__name__", repr(self.measure))
        return f"retrieval_scorer({len(self.positives)} queries, measure={name})"

    def _lists(self, name: Any, gallery: NDArray[Any]) -> tuple[Items, Items]:
        """Return a query's positives and junk as indices into the gallery at hand."""
        if name not in self.positives:
            return [], []
        right = np.isin(gallery, list(self.positives[name]))
        # A query that its own list does not count as right must not count as wrong either.
        ignored = np.isin(gallery, [*self.junk.get(name, ()), name]) & ~right
        return np.flatnonzero(right), np.flatnonzero(ignored)


def retrieval_scorer(
    positives: Mapping[Any, Sequence[Any]],
    *,
    junk: Mapping[Any, Sequence[Any]] | None = None,
    measure: Callable[..., float] = mean_average_precision,
) -> Callable[[Any, Any, Any], float]:
    """Make a scorer for `GridSearchCV` from lists of right answers.

    Hand the images' names as `y`: the ranker keeps the names of its gallery, and each query of the
    test fold is measured against those of its positives that the training fold holds. A query
    without lists, or without positives in the gallery, is left out. A query that is itself in the
    gallery counts only if its own list names it.

    Parameters
    ----------
    positives : dict of (int or str) to sequence
        The names of the right answers, by the query's name.
    junk : dict of (int or str) to sequence, default=None
        The names of images that count neither for nor against, by the query's name.
    measure : callable, default=mean_average_precision
        Called as ``measure(rankings, positives, junk)`` with gallery indices.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)``, for `scoring=` of sklearn's searches. The estimator is a
        ranker, or a pipeline that ends in one.

    Notes
    -----
    In a search of a `RetrievalPipeline` give ``cv=KFold(n_splits)``: its folds are stratified
    otherwise, and names, all different, cannot be.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.metrics import retrieval_scorer
    >>> from skdeepenc.retrieval import NearestNeighborRanker
    >>> names, X = ["a", "b", "c"], np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> scorer = retrieval_scorer({"a": ["b"], "b": ["a"]})
    >>> scorer(NearestNeighborRanker().fit(X, names), X, names)
    1.0
    """
    return RetrievalScorer(dict(positives), dict(junk or {}), measure)


def _gallery_labels(estimator: Any) -> NDArray[Any]:
    """Return the labels that the ranker, or the last step of the pipeline, was fitted with."""
    ranker = estimator[-1] if hasattr(estimator, "steps") else estimator
    labels = getattr(ranker, "labels_", None)
    if labels is None:
        raise ValueError(
            f"{type(ranker).__name__} has no labels_: fit it with the images' names as y."
        )
    return labels
