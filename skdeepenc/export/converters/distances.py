"""The nearest rows of a gallery, by scikit-learn's metrics.

Euclidean distances come from products first, which lose digits where images are close. So some more
neighbours than asked for are taken, and ordered by their true differences. Other metrics compare
every image with the whole gallery at once, (N, n_gallery, d) values.
"""

from functools import partial

import numpy as np
from scipy import sparse

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.normalize import l2_normalize, or_one
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.retrieval.products import SPARE_NEIGHBORS

__all__ = ["dense", "find_neighbors", "nearest", "squared_distances"]


def dense(rows):
    """Return rows as an array, whatever they were fitted on."""
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


def find_neighbors(g, index, x):
    """Return distances and indices that an estimator of scikit-learn finds, nearest first."""
    name = index.metric
    if name == "minkowski":
        name = _POWERS.get(index.p, name)
    known = *_METRICS, "minkowski"
    if name not in known or index.metric_params:
        raise ExportError(
            f"{type(index).__name__} with metric={_name(name)}"
            f"{' and metric_params' if index.metric_params else ''} has no graph: fit it with one "
            f"of {', '.join(known)}, without metric_params."
        )
    find = _METRICS[name] if name != "minkowski" else _by(partial(_minkowski, float(index.p)))
    return find(g, x, dense(index._fit_X), index.n_neighbors)


def _name(metric):
    return getattr(metric, "__qualname__", repr(metric))


def squared_distances(g, x, gallery):
    """Return ``|x|^2 + |y|^2 - 2 x y``, measured from the centre of the gallery."""
    center = gallery.mean(axis=0, dtype=np.float64)
    shifted, x = gallery - center, x - center
    squares = (x * x).sum(1, keepdims=True)
    return g.Relu(squares + (shifted * shifted).sum(axis=1) - x @ (2 * shifted.T))


def nearest(g, x, gallery, n_kept):
    """Return Euclidean distances and indices of the nearest rows of a gallery, nearest first."""
    n_tried = min(n_kept + SPARE_NEIGHBORS, len(gallery))
    _, tried = _first(g, squared_distances(g, x, gallery), n_tried)
    differences = g.Gather(gallery, tried, axis=0) - g.Unsqueeze(x, np.array([1]))
    exact = g.ReduceL2(differences, np.array([2]), keepdims=0)
    distances, places = _first(g, exact, n_kept)
    return distances, g.GatherElements(tried, places, axis=1)


def _first(g, distances, n_kept):
    return g.TopK(distances, np.array([n_kept]), axis=1, largest=0, n_outputs=2)


def _nearest_squared(g, x, gallery, n_kept):
    distances, indices = nearest(g, x, gallery, n_kept)
    return distances * distances, indices


def _nearest_by_angle(g, x, gallery, n_kept):
    similarities = l2_normalize(g, x) @ unit_rows(gallery).T
    found, indices = g.TopK(similarities, np.array([n_kept]), axis=1, n_outputs=2)
    return g.Relu(1.0 - found), indices


def _nearest_by_correlation(g, x, gallery, n_kept):
    centred = gallery - gallery.mean(axis=1, keepdims=True)
    return _nearest_by_angle(g, x - x.mean(1, keepdims=True), centred, n_kept)


def _by(distances):
    """Return what finds neighbours by distances (N, n_gallery) of all."""

    def find(g, x, gallery, n_kept):
        return _first(g, distances(g, x, gallery), n_kept)

    return find


def _differences(g, x, gallery):
    return g.Abs(g.Unsqueeze(x, np.array([1])) - gallery[None])


def _manhattan(g, x, gallery):
    return _differences(g, x, gallery).sum(2)


def _chebyshev(g, x, gallery):
    return _differences(g, x, gallery).max(2)


def _minkowski(power, g, x, gallery):
    return g.Pow(g.Pow(_differences(g, x, gallery), power).sum(2), 1 / power)


def _canberra(g, x, gallery):
    sizes = g.Unsqueeze(g.Abs(x), np.array([1])) + np.abs(gallery)[None]
    return (_differences(g, x, gallery) / or_one(g, sizes)).sum(2)


_METRICS = {
    "euclidean": nearest,
    "l2": nearest,
    "sqeuclidean": _nearest_squared,
    "cosine": _nearest_by_angle,
    "correlation": _nearest_by_correlation,
    "manhattan": _by(_manhattan),
    "l1": _by(_manhattan),
    "cityblock": _by(_manhattan),
    "chebyshev": _by(_chebyshev),
    "infinity": _by(_chebyshev),
    "canberra": _by(_canberra),
}
_POWERS = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}
