"""Re-rank by the neighbours that images share: k-reciprocal encoding."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse

from skdeepenc._sklearn import Interval
from skdeepenc.arrays.top_k import best_first, top_k
from skdeepenc.functional.k_reciprocal import (
    ReciprocalGraph,
    expanded_sets,
    jaccard_distances,
    mean_of_neighbors,
    owners,
    reciprocal_sets,
    scaled_distances,
    set_weights,
)
from skdeepenc.retrieval.base import without_themselves
from skdeepenc.retrieval.reranking import Reranker

__all__ = ["KReciprocalRanker"]

# A query that is as similar to an image as the image is to itself, but for rounding and this share
# of the similarities' range, is that image: encoded in batches of other sizes it differs so much.
_SAME = 1e-6


class KReciprocalRanker(Reranker):
    """Re-rank by the mutual neighbours that query and image share (k-reciprocal encoding).

    The distance is ``(1 - weight) d_J + weight d``, with the Jaccard distance d_J of the weighted
    sets of reciprocal neighbours, and the distance d of the ranker inside, divided by the query's
    largest. `transform` gives 1 less that, `kneighbors` the distance.

    It is transductive: what two images have in common depends on the whole gallery, whose graph of
    neighbours is built in `fit`, and rebuilt when it is next needed after `partial_fit` or
    `remove`. A query that is in the gallery is encoded as the image that it is; any other query
    on its own, as if it had been added to the gallery, but without changing what the gallery's
    images know *(ours: the paper encodes gallery and all queries together)*.

    Parameters
    ----------
    k1 : int, default=20
        Number of neighbours of an image, clipped to the number of other images.
    k2 : int, default=6
        An image's encoding is the mean over its `k2` nearest images, itself included (local query
        expansion); 1 leaves it as it is.
    weight : float, default=0.3
        Weight of the distance of the ranker inside, the paper's lambda: 0 ranks by the Jaccard
        distance alone, 1 as the ranker inside does.
    ranker : ranker or pipeline, default=None
        The ranker inside, or a pipeline that ends in one; None takes `NearestNeighborRanker`.
    n_neighbors : int, default=None
        How many images `rank` and `kneighbors` return; None means the whole gallery.
    n_jobs : int or None, default=None
        Threads, each with one batch of queries; see `skdeepenc.arrays.threads.in_jobs`.

    Attributes
    ----------
    ranker_ : ranker or pipeline
        The ranker inside, fitted.
    graph_ : ReciprocalGraph
        What the gallery's images know of one another: their sets of reciprocal neighbours.
    gallery_ : object
        The gallery, as the ranker inside keeps it.
    labels_ : ndarray of shape (n_gallery,) or None
        What `y` was in `fit`.
    names_ : ndarray of shape (n_gallery,) or None
        What `names` was in `fit`.
    n_features_in_ : int
        Number of features of the ranker inside.

    See Also
    --------
    DiffusionRanker : Re-ranks by how well a query reaches an image along the gallery's graph.

    References
    ----------
    Z. Zhong, L. Zheng, D. Cao, S. Li, "Re-ranking Person Re-identification with k-reciprocal
    Encoding", CVPR 2017, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import KReciprocalRanker
    >>> gallery = np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.0, 1.0]])
    >>> ranker = KReciprocalRanker(k1=2, k2=2).fit(gallery)
    >>> ranker.rank([[0.6, 0.5]])
    array([[2, 1, 0, 3, 4]])
    """

    _parameter_constraints: dict[str, Any] = {
        **Reranker._parameter_constraints,
        "k1": [Interval(Integral, 1, None, closed="left")],
        "k2": [Interval(Integral, 1, None, closed="left")],
        "weight": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        k1: int = 20,
        k2: int = 6,
        weight: float = 0.3,
        ranker: Any = None,
        n_neighbors: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.k1 = k1
        self.k2 = k2
        self.weight = weight
        self.ranker = ranker
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    def _learn(self):
        gallery, n_others = self._gallery, self._gallery.shape[0] - 1
        n_kept = min(max(self.k1, self.k2 - 1), n_others)
        similarities, neighbors = without_themselves(*self._inside._search(gallery, n_kept + 1))
        # Where there are fewer images than neighbours, every query is one, whatever it is like.
        full = self.k1 <= n_others
        least = similarities[:, self.k1 - 1] if full else np.full(n_others + 1, -np.inf)
        nearer = reciprocal_sets(neighbors, int(np.around(self.k1 / 2)))
        sets = expanded_sets(reciprocal_sets(neighbors, self.k1), nearer)
        encodings, own = self._encoded_gallery(sets)
        means = mean_of_neighbors(encodings, encodings, neighbors, self.k2)
        by_member = means.T.tocsr()
        self._graph = ReciprocalGraph(least, own, nearer, encodings, means, by_member)

    def _encoded_gallery(self, sets):
        """Return the encoding of each image of the gallery, and its similarity with itself."""
        encodings, own, inside = [], [], self._inside
        for batch, similarities in inside._in_batches(inside._similarities, self._gallery):
            members = sets[batch]
            near = similarities[owners(members), members.indices]
            ends = self._ends(similarities)[owners(members)]
            distances = scaled_distances(inside._distances(near), *ends.T)
            encodings.append(set_weights(members, distances))
            own.append(np.diagonal(similarities, batch.start))
        return sparse.vstack(encodings, format="csr"), np.concatenate(own)

    def _ends(self, similarities):
        """Return the smallest and the largest distance (n, 2) of each row of similarities."""
        ends = np.stack([similarities.max(axis=1), similarities.min(axis=1)], axis=1)
        return self._inside._distances(ends)

    @property
    def graph_(self) -> ReciprocalGraph:
        """What the gallery's images know of one another."""
        self._prepare()
        return self._graph

    def _similarities(self, queries):
        similarities = self._inside._similarities(queries)
        smallest, largest = np.split(self._ends(similarities), 2, axis=1)
        distances = scaled_distances(self._inside._distances(similarities), smallest, largest)
        jaccard = jaccard_distances(self._encoded(similarities, distances), self._graph.by_member)
        return 1 - ((1 - self.weight) * jaccard + self.weight * distances)

    def _encoded(self, similarities, distances):
        """Return the encoding of each query: of the image that it is, or of its own."""
        nearest = similarities.argmax(axis=1)
        own = self._graph.own[nearest]
        rounding = 4 * np.finfo(similarities.dtype).eps * np.abs(own)
        allowed = _SAME * np.ptp(similarities, axis=1) + rounding
        itself = np.abs(similarities.max(axis=1) - own) <= allowed
        others = np.flatnonzero(~itself)
        encoded = self._encoded_strangers(similarities[others], distances[others])
        together = sparse.vstack([encoded, self._graph.means[nearest[itself]]], format="csr")
        return together[np.argsort(np.concatenate([others, np.flatnonzero(itself)]))]

    def _encoded_strangers(self, similarities, distances):
        """Return the encodings of queries that are not in the gallery."""
        graph, n_gallery = self._graph, self._n_features_out
        columns = top_k(similarities, min(max(self.k1, self.k2 - 1), n_gallery))
        found, neighbors = best_first(np.take_along_axis(similarities, columns, axis=1), columns)
        near = neighbors[:, : self.k1]
        mutual = found[:, : self.k1] > graph.least[near]
        starts = np.concatenate([[0], np.cumsum(mutual.sum(axis=1))])
        ones = np.ones(starts[-1], dtype=np.int32)
        sets = sparse.csr_array((ones, near[mutual], starts), shape=similarities.shape)
        sets = expanded_sets(sets, graph.nearer)
        encodings = set_weights(sets, distances[owners(sets), sets.indices], own=1.0)
        return mean_of_neighbors(graph.encodings, encodings, neighbors, self.k2)

    def _distances(self, similarities):
        return 1 - similarities
