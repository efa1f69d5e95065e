"""Neighbours in a graph: similarities with a gallery that the file holds, and the first of them.

Euclidean distances come from products first, which lose digits where images are close. So some more
neighbours than asked for are taken, and ordered by their true differences.
"""

import numpy as np
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.normalize import l2_normalize, or_one
from skdeepenc.export.registry import register
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.retrieval import NearestNeighborRanker
from skdeepenc.retrieval.products import SPARE_NEIGHBORS


@register(NearestNeighborRanker)
def write_ranker(g, ranker, x):
    """Return the similarities with the gallery, and its images, best first."""
    gallery = _dense(ranker.gallery_)
    similarities = _SIMILARITIES[ranker.metric]
    if ranker.metric == "cosine":
        gallery, x = unit_rows(gallery), l2_normalize(g, x)
    if ranker.expansion:
        x = _expanded(g, x, gallery, ranker)
    scores = similarities(g, x, gallery)
    n_kept = min(ranker.n_neighbors or len(gallery), len(gallery))
    if ranker.metric == "euclidean":
        _, neighbors = _nearest(g, x, gallery, n_kept)
    else:
        _, neighbors = g.TopK(scores, np.array([n_kept]), axis=1, n_outputs=2)
    return {"scores": scores, "neighbors": neighbors}


def _expanded(g, queries, gallery, ranker):
    """Return the mean of each query and its nearest images, each weighed by its similarity."""
    n_kept = min(ranker.expansion, len(gallery))
    found, indices = g.TopK(queries @ gallery.T, np.array([n_kept]), axis=1, n_outputs=2)
    weights = g.Where(found < 0.0, 0.0, g.Pow(g.Relu(found), float(ranker.alpha)))
    neighbors = g.Gather(gallery, indices, axis=0)
    summed = queries + (g.Unsqueeze(weights, np.array([2])) * neighbors).sum(1)
    return l2_normalize(g, summed)


def _cosines(g, x, gallery):
    return x @ gallery.T


def _minus_distances(g, x, gallery):
    return -g.Sqrt(_squared_distances(g, x, gallery))


def _squared_distances(g, x, gallery):
    """Return ``|x|^2 + |y|^2 - 2 x y``, measured from the centre of the gallery."""
    center = gallery.mean(axis=0, dtype=np.float64)
    shifted, x = gallery - center, x - center
    squares = (x * x).sum(1, keepdims=True)
    return g.Relu(squares + (shifted * shifted).sum(axis=1) - x @ (2 * shifted.T))


_SIMILARITIES = {
    "cosine": _cosines,
    "inner_product": _cosines,
    "euclidean": _minus_distances,
}


def _nearest(g, x, gallery, n_kept):
    """Return Euclidean distances and indices of the nearest rows of a gallery, nearest first."""
    n_tried = min(n_kept + SPARE_NEIGHBORS, len(gallery))
    squared = _squared_distances(g, x, gallery)
    _, tried = g.TopK(squared, np.array([n_tried]), axis=1, largest=0, n_outputs=2)
    differences = g.Gather(gallery, tried, axis=0) - g.Unsqueeze(x, np.array([1]))
    exact = g.ReduceL2(differences, np.array([2]), keepdims=0)
    distances, places = g.TopK(exact, np.array([n_kept]), axis=1, largest=0, n_outputs=2)
    return distances, g.GatherElements(tried, places, axis=1)


def _cosine_neighbors(g, x, gallery, n_kept):
    similarities = l2_normalize(g, x) @ unit_rows(gallery).T
    found, indices = g.TopK(similarities, np.array([n_kept]), axis=1, n_outputs=2)
    return g.Relu(1.0 - found), indices


def _manhattan_neighbors(g, x, gallery, n_kept):
    differences = g.Unsqueeze(x, np.array([1])) - gallery[None]
    distances = g.Abs(differences).sum(2)
    return g.TopK(distances, np.array([n_kept]), axis=1, largest=0, n_outputs=2)


_METRICS = {
    "euclidean": _nearest,
    "l2": _nearest,
    "cosine": _cosine_neighbors,
    "manhattan": _manhattan_neighbors,
    "l1": _manhattan_neighbors,
}
_POWERS = {1: "manhattan", 2: "euclidean"}


def _find(g, index, x):
    """Return distances and indices that an estimator of scikit-learn finds."""
    metric = index.metric
    if metric == "minkowski":
        metric = _POWERS.get(index.p, f"minkowski of p={index.p}")
    if metric not in _METRICS or index.metric_params:
        raise ExportError(
            f"{type(index).__name__} with metric={metric!r} has no graph: fit it with one of "
            f"{', '.join(_METRICS)}."
        )
    return _METRICS[metric](g, x, _dense(index._fit_X), index.n_neighbors)


def _dense(rows):
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


@register(NearestNeighbors)
def write_neighbors(g, index, x):
    """Return the nearest rows."""
    return {"neighbors": _find(g, index, x)[1]}


@register(KNeighborsClassifier)
def write_classifier(g, classifier, x):
    """Return the votes of the neighbours as probabilities, the class with most, and who voted."""
    if classifier.outputs_2d_:
        raise ExportError(
            "KNeighborsClassifier was fitted on several labels an image: fit one for each label."
        )
    distances, indices = _find(g, classifier, x)
    ballots = np.eye(len(classifier.classes_), dtype=np.float32)[classifier._y]
    votes = g.Gather(ballots, indices, axis=0)
    weights = g.Unsqueeze(_vote_weights(g, classifier.weights, distances), np.array([2]))
    sums = (votes * weights).sum(1)
    return {
        "probabilities": sums / sums.sum(1, keepdims=True),
        "class": g.ArgMax(sums, axis=1, keepdims=0),
        "neighbors": indices,
    }


def _vote_weights(g, weights, distances):
    if weights in (None, "uniform"):
        return distances * 0.0 + 1.0
    if weights != "distance":
        raise ExportError(
            'KNeighborsClassifier weighs votes by a function of its own: fit it with "uniform" or '
            '"distance".'
        )
    # Rows at no distance at all vote alone.
    zero = g.LessOrEqual(distances, 0.0)
    any_zero = g.cast(zero, np.float32).max(1, keepdims=True) > 0.0
    return g.Where(any_zero, g.cast(zero, np.float32), 1.0 / or_one(g, distances))
