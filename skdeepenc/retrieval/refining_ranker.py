"""Re-rank by vectors that are refined by the first results."""

from numbers import Integral, Real
from typing import Any

import numpy as np

from skdeepenc._sklearn import Interval
from skdeepenc.functional import l2_normalize
from skdeepenc.functional.refinement import refined_similarities
from skdeepenc.retrieval.reranking import Reranker

__all__ = ["RefiningRanker"]


class RefiningRanker(Reranker):
    """Re-rank the first results after refining their vectors, and the query's, by one another.

    Each candidate becomes the weighted mean of itself and its nearest among the candidates, the
    query the channel-wise maximum of the best of these, and candidates are ranked by the mean of
    their similarities with the query as it was and as it became. Images behind the candidates keep
    the order of the ranker inside.

    It uses the gallery, but only the candidates of each query, and learns nothing in `fit`.

    Parameters
    ----------
    n_candidates : int, default=400
        How many of the first results are refined and ranked again.
    n_refining : int, default=9
        Number of nearest candidates that refine each; the query becomes the maximum of one more.
    weight : float, default=0.15
        Their weight, times their similarity, against the candidate itself; the paper's beta.
    ranker : ranker or pipeline, default=None
        Finds the candidates: a ranker of dense vectors, such as `IndexedRanker`, or a pipeline that
        ends in one; None takes `NearestNeighborRanker`.
    n_neighbors : int, default=None
        How many images `rank` and `kneighbors` return; None means the whole gallery.
    n_jobs : int or None, default=None
        Threads, each with one batch of queries; see `skdeepenc.arrays.threads.in_jobs`.

    Attributes
    ----------
    ranker_ : ranker or pipeline
        The ranker inside, fitted.
    gallery_ : ndarray of shape (n_gallery, n_features)
        The gallery as given.
    labels_ : ndarray of shape (n_gallery,) or None
        What `y` was in `fit`.
    names_ : ndarray of shape (n_gallery,) or None
        What `names` was in `fit`.
    n_features_in_ : int
        Length of the vectors.

    See Also
    --------
    expand_queries : Refines queries alone, by a mean.

    References
    ----------
    S. Shao, K. Chen, A. Karpur, Q. Cui, A. Araujo, B. Cao, "Global Features are All You Need for
    Image Retrieval and Reranking", ICCV 2023, section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import RefiningRanker
    >>> gallery = np.array([[1.0, 0.0], [0.9, 0.1], [0.1, 0.9], [0.0, 1.0]])
    >>> RefiningRanker(n_refining=1).fit(gallery).rank([[0.8, 0.5]])
    array([[1, 0, 2, 3]])
    """

    _parameter_constraints: dict[str, Any] = {
        **Reranker._parameter_constraints,
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_refining": [Interval(Integral, 0, None, closed="left")],
        "weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_candidates: int = 400,
        n_refining: int = 9,
        weight: float = 0.15,
        ranker: Any = None,
        n_neighbors: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_candidates = n_candidates
        self.n_refining = n_refining
        self.weight = weight
        self.ranker = ranker
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    def _learn(self):
        self._vectors(self._gallery)  # raises an error where there are none

    def _vectors(self, images):
        """Return the vector of each image, as it is given."""
        blocks = self._inside._blocks(images)
        if len(blocks) != 1 or not isinstance(blocks[0], np.ndarray):
            raise ValueError(
                "RefiningRanker needs one dense vector per image; what "
                f"{type(self._inside).__name__} keeps are sparse rows, layers or codes."
            )
        return blocks[0]

    def _similarities(self, queries):
        similarities = self._inside._similarities(queries)
        vectors, gallery = l2_normalize(self._vectors(queries)), self._vectors(self._gallery)
        reranked = similarities - similarities.max(axis=1, keepdims=True)
        for query, row in enumerate(similarities):
            candidates = np.argsort(-row, kind="stable")[: self.n_candidates]
            images = l2_normalize(gallery[candidates])
            found = refined_similarities(vectors[query], images, self.n_refining, self.weight)
            reranked[query] += found.min() - 1  # behind every candidate, in the same order
            reranked[query, candidates] = found
        return reranked

    def __sklearn_tags__(self):
        """Say that sparse input is not welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags
