"""Re-rank the first results by the best matches of their positions with the query's."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from skdeepenc._sklearn import Interval, StrOptions
from skdeepenc.arrays.segments import segment_mean
from skdeepenc.functional import l2_normalize
from skdeepenc.functional.local_matching import best_matches
from skdeepenc.maps import FeatureMaps
from skdeepenc.maps.joining import join_maps
from skdeepenc.retrieval.maps_input import PairedMaps, checked_maps
from skdeepenc.retrieval.ranker import NearestNeighborRanker
from skdeepenc.retrieval.reranking import Reranker

__all__ = ["LocalRanker", "MeanDescriptors"]

# Candidates are compared in batches of this size; products with them take about as much again.
_BATCH_MEGABYTES = 16


class LocalRanker(Reranker):
    """Re-rank the first results by the best matches of query and candidate positions.

    Each position of the query looks for the most similar position of the candidate, by the cosine
    of their descriptors; where they lie in the images plays no part. The similarity is the mean of
    these maxima, or the sum of those that are mutual, divided by the number of the query's
    positions. Images behind the candidates keep the order of the ranker inside.

    Parameters
    ----------
    layer : str or None, default=None
        The layer whose positions are matched; None takes the only one, or the deepest that is not
        "rgb".
    n_candidates : int, default=100
        How many of the first results are matched.
    matching : {"sum_max", "mutual"}, default="sum_max"
        Whether the best match of each of the query's positions counts, or only those that are
        mutual: the query's position is the most similar to its match, too (best buddies).
    ranker : ranker or pipeline, default=None
        Finds the candidates: a ranker of maps, such as `ASMKRanker`, or a pipeline of an encoder
        and a ranker. None ranks by the cosine of the layer's mean descriptors.
    n_neighbors : int, default=None
        How many images `rank` and `kneighbors` return; None means the whole gallery.
    n_jobs : int or None, default=None
        Threads, each with one batch of queries; see `skdeepenc.arrays.threads.in_jobs`.

    Attributes
    ----------
    ranker_ : ranker or pipeline
        The ranker inside, fitted.
    layer_ : str
        The layer that is matched.
    gallery_ : FeatureMaps
        Its maps, of the gallery.
    n_features_in_ : int
        Number of channels of the layer.
    labels_ : ndarray of shape (n_gallery,) or None
        What `y` was in `fit`.
    names_ : ndarray of shape (n_gallery,) or None
        What `names` was in `fit`.

    See Also
    --------
    ASMKRanker : Compares local descriptors with all of a large gallery, by words.
    LocalizingRanker : Looks for the query in a box.

    References
    ----------
    G. Kordopatis-Zilos, S. Papadopoulos, I. Patras, I. Kompatsiaris, "ViSiL: Fine-grained
    Spatio-Temporal Video Similarity Learning", ICCV 2019, section 3.1 (sum of maxima). T. Dekel, S.
    Oron, M. Rubinstein, S. Avidan, W. Freeman, "Best-Buddies Similarity for Robust Template
    Matching", CVPR 2015, section 3 (mutual).

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import LocalRanker
    >>> maps = np.random.default_rng(0).random((8, 6, 6, 16))
    >>> ranker = LocalRanker(n_candidates=4).fit(maps)
    >>> ranker.rank(maps[2:4, :3, :3])[:, 0]
    array([2, 3])
    """

    _parameter_constraints: dict[str, Any] = {
        **Reranker._parameter_constraints,
        "layer": [str, None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "matching": [StrOptions({"sum_max", "mutual"})],
    }

    def __init__(
        self,
        *,
        layer: str | None = None,
        n_candidates: int = 100,
        matching: str = "sum_max",
        ranker: Any = None,
        n_neighbors: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.layer = layer
        self.n_candidates = n_candidates
        self.matching = matching
        self.ranker = ranker
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    @property
    def gallery_(self) -> FeatureMaps:
        """The maps of the gallery."""
        return self._gallery.maps

    def _default_ranker(self):
        return make_pipeline(MeanDescriptors(self.layer), NearestNeighborRanker())

    def _check_images(self, X, *, reset):
        images = super()._check_images(X, reset=reset)
        return PairedMaps(checked_maps(self, X, reset=reset), images)

    def _keep(self, images):
        super()._keep(images.images)
        self._gallery = PairedMaps(images.maps, self._gallery)

    def _join(self, gallery, images):
        others = super()._join(gallery.images, images.images)
        return PairedMaps(join_maps(gallery.maps, images.maps), others)

    def _similarities(self, queries):
        similarities = self._inside._similarities(queries.images)
        # Behind every candidate, and in the same order.
        reranked = similarities - similarities.max(axis=1, keepdims=True) - 2
        for query in range(len(similarities)):
            candidates = np.argsort(-similarities[query], kind="stable")[: self.n_candidates]
            reranked[query, candidates] = self._matched(queries.maps[[query]], candidates)
        return reranked

    def _matched(self, query, candidates):
        """Return the similarities of a query's map with those of the candidates."""
        (query,) = query.iter_batches()
        descriptors = l2_normalize(query.values(self.layer_))
        batches = self.gallery_[candidates].iter_batches(_BATCH_MEGABYTES)
        columns = (batch.column(self.layer_) for batch in batches)
        return np.concatenate([best_matches(descriptors, each, self.matching) for each in columns])

    def _distances(self, similarities):
        return 1 - similarities

    def _blocks(self, images):
        return super()._blocks(images.images)

    def _find_themselves(self, queries, y):
        return super()._find_themselves(queries.images, y)


class MeanDescriptors(TransformerMixin, BaseEstimator):
    """Encode maps by their mean descriptors, without a parameter that is learned.

    Parameters
    ----------
    layer : str or None, default=None
        The layer; None takes the only one, or the deepest that is not "rgb".
    """

    def __init__(self, layer=None):
        self.layer = layer

    def fit(self, X, y=None):
        """Remember the layer.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps.
        y : None
            Ignored.

        Returns
        -------
        MeanDescriptors
            The transformer itself.
        """
        checked_maps(self, X, reset=True)
        return self

    def transform(self, X):
        """Average descriptors.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps.

        Returns
        -------
        ndarray of shape (n_images, D)
            The mean descriptor of each image, zeros where it has none.
        """
        batches = checked_maps(self, X, reset=False).iter_batches()
        columns = (batch.column(self.layer_) for batch in batches)
        return np.concatenate([segment_mean(c.values, c.image_offsets) for c in columns])
