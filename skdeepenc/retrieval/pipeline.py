"""Pipelines that end in a ranker, and can be asked what a ranker can.

scikit-learn's own pipelines train, transform, score and search with a ranker as their last step,
but know nothing of `rank`, nor that a ranker's folds must be stratified. This one does; that is all
it adds.
"""

from typing import Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import ClassifierTags
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import available_if
from skdeepenc._typing import Items
from skdeepenc.retrieval._gallery import Images

__all__ = ["RetrievalPipeline", "make_retrieval_pipeline"]


def _ranker_has(method):
    """Say whether the last step has a method; otherwise raise what says that it has not."""

    def check(pipeline):
        getattr(pipeline.steps[-1][1], method)
        return True

    return check


class RetrievalPipeline(Pipeline):
    """A pipeline that ends in a ranker, with the ranker's methods.

    Queries go through all steps but the last, as they were fitted, and then to the ranker. A plain
    pipeline does the same in two words: ``pipeline[-1].rank(pipeline[:-1].transform(X))``.

    Its tags say "classifier", so that `GridSearchCV` and its kin stratify folds by label as they do
    for classifiers. For a plain pipeline that ends in a ranker they take `KFold`, which parts
    queries from their right answers where labels are sorted. Names as `y`, which
    `metrics.retrieval_scorer` needs, cannot be stratified: give ``cv=KFold(n_splits)`` with it.

    Parameters
    ----------
    steps : list of (str, estimator)
        Names and steps; the last one is a ranker.
    transform_input : list of str, default=None
        See `sklearn.pipeline.Pipeline`.
    memory : str or object with the joblib.Memory interface, default=None
        Where to keep fitted transformers.
    verbose : bool, default=False
        Whether to say how long each step takes.

    See Also
    --------
    make_retrieval_pipeline : Names the steps by their types.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import GlobalPooler
    >>> from skdeepenc.retrieval import NearestNeighborRanker, make_retrieval_pipeline
    >>> maps = np.random.default_rng(0).random((4, 5, 5, 8))
    >>> pipeline = make_retrieval_pipeline(GlobalPooler(), NearestNeighborRanker())
    >>> pipeline = pipeline.fit(maps, nearestneighborranker__names=["a", "b", "c", "d"])
    >>> pipeline.rank(maps[2:], 1, return_names=True)
    array([['c'],
           ['d']], dtype='<U1')
    """

    @available_if(_ranker_has("rank"))
    def rank(
        self, X: Images, n_neighbors: int | None = None, *, return_names: bool = False
    ) -> NDArray[Any]:
        """Order the gallery for each query.

        Parameters
        ----------
        X : array-like, or what the first step takes, of length n_queries
            The queries.
        n_neighbors : int, default=None
            How many images to return; None means what the ranker's parameter says.
        return_names : bool, default=False
            Whether to return the names that the ranker was fitted with, not indices.

        Returns
        -------
        ndarray of shape (n_queries, n_neighbors)
            Gallery indices or names, best first.
        """
        queries = self._encoded(X)
        return self.steps[-1][1].rank(queries, n_neighbors, return_names=return_names)

    @available_if(_ranker_has("kneighbors"))
    def kneighbors(
        self, X: Images | None = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the gallery images nearest to each query.

        Parameters
        ----------
        X : array-like, or what the first step takes, of length n_queries, default=None
            The queries; None asks for the neighbours of each gallery image, itself left out.
        n_neighbors : int, default=None
            How many; None means what the ranker's parameter says.
        return_distance : bool, default=True
            Whether to return distances as well as indices.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Growing along each row. Only if `return_distance`.
        indices : ndarray of shape (n_queries, n_neighbors)
            Gallery indices.
        """
        return self.steps[-1][1].kneighbors(self._encoded(X), n_neighbors, return_distance)

    @available_if(_ranker_has("radius_neighbors"))
    def radius_neighbors(
        self,
        X: Images | None = None,
        radius: float = 1.0,
        return_distance: bool = True,
        sort_results: bool = False,
    ) -> Any:
        """Find the gallery images within a distance of each query.

        Parameters
        ----------
        X : array-like, or what the first step takes, of length n_queries, default=None
            The queries; None asks for the neighbours of each gallery image, itself left out.
        radius : float, default=1.0
            Largest distance.
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
        return self.steps[-1][1].radius_neighbors(
            self._encoded(X), radius, return_distance, sort_results
        )

    @available_if(_ranker_has("partial_fit"))
    def partial_fit(
        self, X: Images, y: ArrayLike | None = None, *, names: Items | None = None
    ) -> Self:
        """Add images to the gallery; what encodes them stays as it was fitted.

        Parameters
        ----------
        X : array-like, or what the first step takes, of length n_new
            The images.
        y : array-like of shape (n_new,), default=None
            Their labels; needed if, and only if, the images before them have labels.
        names : array-like of shape (n_new,), default=None
            Their names, in the same way.

        Returns
        -------
        RetrievalPipeline
            The pipeline itself.
        """
        self.steps[-1][1].partial_fit(self._encoded(X), y, names=names)
        return self

    @available_if(_ranker_has("remove"))
    def remove(self, indices: int | ArrayLike) -> Self:
        """Take images out of the gallery; those behind them move up.

        Parameters
        ----------
        indices : int or array-like of int
            Gallery indices, as `rank` returns them.

        Returns
        -------
        RetrievalPipeline
            The pipeline itself.
        """
        self.steps[-1][1].remove(indices)
        return self

    def __sklearn_tags__(self):
        """Call a ranker's labels classes: scikit-learn stratifies folds for classifiers alone."""
        tags = super().__sklearn_tags__()
        if hasattr(self, "rank"):
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        return tags

    def _encoded(self, X):
        """Return what the ranker is given of images."""
        check_is_fitted(self)
        if X is None or len(self.steps) == 1:
            return X
        return self[:-1].transform(X)


def make_retrieval_pipeline(
    *steps: BaseEstimator, memory: Any = None, verbose: bool = False
) -> RetrievalPipeline:
    """Make a `RetrievalPipeline` whose steps are named by their types, in lower case.

    Parameters
    ----------
    *steps : estimator
        Transformers, and a ranker in the end.
    memory : str or object with the joblib.Memory interface, default=None
        Where to keep fitted transformers.
    verbose : bool, default=False
        Whether to say how long each step takes.

    Returns
    -------
    RetrievalPipeline
        The pipeline.

    Examples
    --------
    >>> from skdeepenc.encoders import GlobalPooler
    >>> from skdeepenc.retrieval import NearestNeighborRanker, make_retrieval_pipeline
    >>> list(make_retrieval_pipeline(GlobalPooler(), NearestNeighborRanker()).named_steps)
    ['globalpooler', 'nearestneighborranker']
    """
    named = make_pipeline(*steps).steps
    return RetrievalPipeline(named, memory=memory, verbose=verbose)
