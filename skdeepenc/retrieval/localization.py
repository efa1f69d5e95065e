"""Find the box of a map that looks most like a query: approximate max-pooling localization.

A coarse search over boxes with about the query's aspect ratio is refined by moving one side at a
time. What a box costs does not depend on its size: see `skdeepenc.functional.localization`.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config

from skdeepenc._typing import Floats, Integers
from skdeepenc.arrays.threads import count_jobs, in_jobs
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional import l2_normalize
from skdeepenc.functional.localization import box_maxima, integral_powers
from skdeepenc.maps import as_feature_maps
from skdeepenc.maps.coercion import MapsLike

__all__ = ["localize"]

# Larger batches give idle threads nothing to do at the end, and fresh memory costs as much as the
# integral images (benchmarks/speed/localization.py).
_BATCH_MEGABYTES = 16
# Each side of a box in turn, outwards and inwards; as rows y0, x0, y1, x1.
_MOVES = np.concatenate([np.eye(4, dtype=np.intp), -np.eye(4, dtype=np.intp)])


def localize(
    maps: MapsLike,
    queries: ArrayLike,
    aspect_ratios: ArrayLike,
    *,
    layer: str | None = None,
    step: int = 3,
    tolerance: float = 1.1,
    refinement: Sequence[int] = (3, 2, 1),
    max_rounds: int = 5,
    n_jobs: int | None = None,
) -> tuple[Integers, Floats]:
    """Find in every map the box whose maxima are most similar to those of every query.

    Parameters
    ----------
    maps : FeatureMaps, array-like or sequence
        Where to look, one scale; see `skdeepenc.maps.as_feature_maps`.
    queries : array-like of shape (n_queries, D) or (D,)
        The channel-wise maxima (MAC) of what is looked for.
    aspect_ratios : array-like of shape (n_queries,) or float
        Width over height of each query.
    layer : str or None, default=None
        The layer to look in; None takes the only one, or the deepest that is not "rgb".
    step : int, default=3
        Positions between the box sides of the coarse search.
    tolerance : float, default=1.1
        Largest factor between the aspect ratios of query and box in the coarse search. Where no box
        of the search comes so near, the nearest is taken.
    refinement : sequence of int, default=(3, 2, 1)
        By how many positions one side moves, first coarsely.
    max_rounds : int, default=5
        Most moves of each size.
    n_jobs : int or None, default=None
        Threads, each with one batch of maps; see `skdeepenc.arrays.threads.in_jobs`.

    Returns
    -------
    boxes : ndarray of int of shape (n_queries, n_images, 4)
        Rows ``y0, x0, y1, x1``, half open, in positions; zeros for a map without any.
    similarities : ndarray of shape (n_queries, n_images)
        Cosine of the query and the box's approximate maxima; zero for a map without positions.

    References
    ----------
    Tolias et al., "Particular object retrieval with integral max-pooling of CNN activations",
    ICLR 2016, sections 4.1 and 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.retrieval import localize
    >>> feature_map = np.zeros((12, 12, 2))
    >>> feature_map[..., 0] = 1
    >>> feature_map[3:6, 6:9, 1] = 2
    >>> feature_map[3:6, 6:9, 0] = 0
    >>> boxes, similarities = localize([feature_map], [0.0, 1.0], 1.0)
    >>> boxes[0, 0], similarities.round(3)
    (array([3, 6, 6, 9]), array([[1.]]))
    """
    maps = as_feature_maps(maps)
    layer = maps.deepest_layer if layer is None else layer
    queries = l2_normalize(np.atleast_2d(queries))
    ratios = np.broadcast_to(np.asarray(aspect_ratios, dtype=np.float64), len(queries))
    _check(maps, layer, queries, ratios)
    search = _Search(queries, ratios, step, tolerance, tuple(refinement), max_rounds)
    memory = min(get_config()["working_memory"] / count_jobs(n_jobs), _BATCH_MEGABYTES)
    batches = maps.select(layers=[layer]).iter_batches(memory)
    found = chain.from_iterable(in_jobs(search.batch, batches, n_jobs))
    boxes, similarities = zip(*found, strict=True)
    return np.stack(boxes, axis=1), np.stack(similarities, axis=1)


def _check(maps, layer, queries, ratios):
    if maps.n_scales != 1:
        raise FeatureMapsError(
            f"The maps have {maps.n_scales} scales; choose one to look in: maps.select(scales=[0])."
        )
    if queries.shape[1] != maps.n_channels(layer):
        raise FeatureMapsError(
            f"Queries have {queries.shape[1]} values, but layer {layer!r} has "
            f"{maps.n_channels(layer)} channels."
        )
    if not np.all(ratios > 0):
        raise ValueError(f"Aspect ratios are positive; got {ratios.min()}.")


class _Search:
    """The search of all queries in one map after the other."""

    def __init__(self, queries, ratios, step, tolerance, refinement, max_rounds):
        self.queries, self.ratios = queries, ratios
        self.step, self.tolerance = step, tolerance
        self.refinement, self.max_rounds = refinement, max_rounds

    def batch(self, maps):
        """Return boxes and similarities, (n_queries, ...), of each map."""
        found, integral = [], None
        for feature_map in maps.column(maps.layers[0]).maps:
            if feature_map.size:
                integral = integral_powers(feature_map, out=integral)
            found.append(self._find_all(integral if feature_map.size else None))
        return found

    def _find_all(self, integral):
        """Return the best box, and its similarity, of each query in one map."""
        boxes = np.zeros((len(self.queries), 4), dtype=np.intp)
        similarities = np.zeros(len(self.queries), dtype=self.queries.dtype)
        if integral is not None:
            for query, ratio in enumerate(self.ratios):
                boxes[query], similarities[query] = self._find(integral, self.queries[query], ratio)
        return boxes, similarities

    def _find(self, integral, query, ratio):
        boxes = _coarse_boxes(
            integral.shape[0] - 1, integral.shape[1] - 1, ratio, self.step, self.tolerance
        )
        best, similarity = _most_similar(integral, boxes, query)
        for size in self.refinement:
            for _ in range(self.max_rounds):
                moved = _valid(best + size * _MOVES, integral.shape)
                if not len(moved):
                    break
                candidate, candidate_similarity = _most_similar(integral, moved, query)
                if candidate_similarity <= similarity:
                    break
                best, similarity = candidate, candidate_similarity
        return best, similarity


@lru_cache(maxsize=1024)  # most maps of a gallery have one of a few sizes
def _coarse_boxes(height, width, ratio, step, tolerance):
    """Return the boxes between cuts `step` apart whose aspect ratio is near the query's."""
    tops, bottoms = _spans(height, step)
    lefts, rights = _spans(width, step)
    factors = np.log((rights - lefts) / (bottoms - tops)[:, None] / ratio)
    distances = np.abs(factors)
    near = distances <= max(np.log(tolerance), distances.min()) + 1e-9
    rows, columns = np.nonzero(near)
    return np.stack([tops[rows], lefts[columns], bottoms[rows], rights[columns]], axis=1)


def _spans(length, step):
    cuts = np.unique([*range(0, length, step), length])
    starts, stops = np.triu_indices(len(cuts), 1)
    return cuts[starts], cuts[stops]


def _valid(boxes, shape):
    inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] < shape[:2]).all(axis=1)
    return boxes[inside & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)]


def _most_similar(integral, boxes, query):
    """Return the box whose approximate maxima are nearest to the query, and their cosine."""
    maxima = box_maxima(integral, boxes, query.dtype)
    norms = np.sqrt(np.einsum("bd,bd->b", maxima, maxima))
    cosines = maxima @ query / np.where(norms > 0, norms, 1)
    best = int(cosines.argmax())
    return boxes[best], cosines[best]
