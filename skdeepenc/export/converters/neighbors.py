"""Neighbours in a graph: similarities with a gallery that the file holds, and the first of them."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.distances import (
    dense,
    find_neighbors,
    nearest,
    squared_distances,
)
from skdeepenc.export.converters.normalize import l2_normalize, or_one
from skdeepenc.export.registry import register
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.retrieval import NearestNeighborRanker


@register(NearestNeighborRanker)
def write_ranker(g, ranker, x):
    """Return the similarities with the gallery, and its images, best first."""
    gallery = dense(ranker.gallery_)
    similarities = _SIMILARITIES[ranker.metric]
    if ranker.metric == "cosine":
        gallery, x = unit_rows(gallery), l2_normalize(g, x)
    if ranker.expansion:
        x = _expanded(g, x, gallery, ranker)
    scores = similarities(g, x, gallery)
    n_kept = min(ranker.n_neighbors or len(gallery), len(gallery))
    if ranker.metric == "euclidean":
        _, neighbors = nearest(g, x, gallery, n_kept)
    else:
        _, neighbors = g.TopK(scores, np.array([n_kept]), axis=1, n_outputs=2)
    return {"scores": scores, "neighbors": neighbors, "vector": lambda: scores}


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
    return -g.Sqrt(squared_distances(g, x, gallery))


_SIMILARITIES = {
    "cosine": _cosines,
    "inner_product": _cosines,
    "euclidean": _minus_distances,
}


@register(NearestNeighbors)
def write_neighbors(g, index, x):
    """Return the nearest rows."""
    return {"neighbors": find_neighbors(g, index, x)[1]}


@register(KNeighborsClassifier)
def write_classifier(g, classifier, x):
    """Return the votes of the neighbours as probabilities, the class with most, and who voted."""
    if classifier.outputs_2d_:
        raise ExportError(
            "KNeighborsClassifier was fitted on several labels per image: fit one for each label."
        )
    distances, indices = find_neighbors(g, classifier, x)
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
