"""Normalized Cut as a graph, approximately: the equations of `skdeepenc.functional.ncut`.

    S_ij = exp(-d_ij / z)^2,   z = scale * max d,   M = D^-1/2 (S + 1/2) D^-1/2,

D being the degrees plus 1. A block of similarities to landmarks, each the position least similar to
those before, is refined to the leading eigenvectors of M, and these are rotated until each position
lies near one axis, as Yu and Shi do: the best rotation for a partition is the orthogonal factor of
a matrix, found by products (Newton and Schulz) instead of its singular values.
"""

import numpy as np

from skdeepenc.export.converters.eigen import leading_vectors
from skdeepenc.export.converters.normalize import l2_normalize, or_one
from skdeepenc.functional.region_sum import FEWEST_IN_CLUSTER

__all__ = ["normalized_cut"]

_SMALLEST_EXPONENT = float(np.log(1e-6))
_ON, _NO_YES = np.array(True), np.array([0, 1], dtype=np.float32)
_OFFSET = 0.5
_NOT_REACHED, _FAR = 1e-5, 1e6
_ROUNDS = 20
_PRODUCTS = 24  # bring up what is 1e-4 of the largest


def normalized_cut(g, features, weights, counts, affinity, scale):
    """Return a partition (N, n) of features (N, n, C) for each number of clusters.

    Where positions are few, fewer clusters are sought, as `ClusterRegions` does.
    """
    points = (features - features.mean(1, keepdims=True)) * np.sqrt(np.asarray(weights, float))
    points = points / or_one(g, g.ReduceMax(g.Abs(points), np.array([1, 2])))
    squared = _squared_distances(points, len(weights))
    embedding = _embedding(g, _similarities(g, squared, affinity, scale), max(counts))
    order = _in_order(g, points)
    most = g.Max(features.side(1) // np.array([FEWEST_IN_CLUSTER]), np.array([1]))
    return [_partition(g, embedding.cut(0, k, axis=2), order, squared, most, k) for k in counts]


def _squared_distances(points, n_channels):
    """Return (N, n, n), difference by difference: products would round small ones away."""
    squared = None
    for channel in range(n_channels):
        values = points.cut(channel, channel + 1, axis=2)
        differences = values - values.transpose(0, 2, 1)
        term = differences * differences
        squared = term if squared is None else squared + term
    return squared


def _similarities(g, squared, affinity, scale):
    """Return S (N, n, n)."""
    farthest = or_one(g, g.ReduceMax(squared, np.array([1, 2])))
    if affinity == "gaussian":
        exponents = squared * (-1 / scale**2) / farthest
    else:
        exponents = g.Sqrt(squared) * (-2 / scale) / g.Sqrt(farthest)
    return g.Where(exponents < _SMALLEST_EXPONENT, 0.0, g.Exp(exponents))


def _embedding(g, similarities, k):
    """Return the k leading eigenvectors of M, scaled by the inverse roots of the degrees."""
    scale = 1.0 / g.Sqrt(similarities.sum(2, keepdims=True) + 2 * _OFFSET)

    def multiply(vectors):
        scaled = vectors * scale
        return (similarities @ scaled + scaled * _OFFSET) * scale

    size = 2 * k + 8
    return leading_vectors(g, multiply, _to_landmarks(g, similarities, size) * scale, size) * scale


def _to_landmarks(g, similarities, size):
    """Return the similarities (N, n, m) to landmarks, single outliers among them."""
    first = g.Gather(similarities, np.array(0), axis=1)

    def choose(nearest):
        farthest = g.ArgMin(nearest, axis=1, keepdims=1)
        row = g.GatherND(similarities, farthest, batch_dims=1)
        return _ON, [g.Max(nearest, row), row]

    _, others = g.repeat(size - 1, [first], choose)
    return g.concat([g.Unsqueeze(first, np.array([0])), others], axis=0).transpose(1, 2, 0)


def _in_order(g, points):
    """Return the places (N, n) of points by their last component, as Python sorts them."""
    last = g.Squeeze(points.cut(-1, np.iinfo(np.int64).max, axis=2), np.array([2]))
    _, order = g.TopK(last, last.side(1), axis=1, largest=0, n_outputs=2)
    return order


def _partition(g, embedding, order, squared, most, k):
    """Return the labels (N, n); what is not reached, or has equals, joins the nearest."""
    if k == 1:
        return g.ArgMax(embedding, axis=2, keepdims=0)
    sought = g.cast(most > np.arange(k), np.float32)
    embedding = embedding * sought
    lengths = g.Abs(embedding).max(2)
    lost = g.cast(lengths < lengths.max(1, keepdims=True) * _NOT_REACHED, np.float32) * _FAR
    labels = _discretized(g, embedding, _middle(g, order, lost), lost, sought, k)
    nearest = g.ArgMin(squared + g.Unsqueeze(lost, np.array([1])), axis=2, keepdims=0)
    return g.GatherElements(labels, nearest, axis=1)


def _middle(g, order, lost):
    """Return the place (N, 1) of the middle one, in order, of those that are reached."""
    reached = g.cast(g.GatherElements(lost, order, axis=1) < 1.0, np.float32)
    counts = g.CumSum(reached, np.array(1))
    half = g.Floor((counts.max(1, keepdims=True) - 1.0) * 0.5) + 1.0
    first = g.ArgMax(g.cast(counts >= half, np.float32), axis=1, keepdims=1)
    return g.GatherElements(order, first, axis=1)


def _discretized(g, embedding, middle, lost, sought, k):
    """Return the labels (N, n) of the rows (N, n, k) of an embedding."""
    directions = l2_normalize(g, embedding)
    last = np.array([2])
    reached = g.Unsqueeze(g.cast(lost < 1.0, np.float32), last)

    def labels_by(rotation):
        nearness = directions @ rotation - (1.0 - sought) * _FAR
        return g.ArgMax(nearness, axis=2, keepdims=0)

    def turn(rotation):
        members = reached * g.OneHot(
            labels_by(rotation), np.array(k), np.array([0, 1], dtype=np.float32), axis=2
        )
        return _ON, [_orthogonal(g, directions.transpose(0, 2, 1) @ members)]

    def choose(overlaps, chosen):
        overlaps = overlaps + g.Squeeze(g.Abs(directions @ g.Unsqueeze(chosen, last)), last)
        least = g.ArgMin(overlaps, axis=1, keepdims=1)
        chosen = g.GatherND(directions, least, batch_dims=1)
        return _ON, [overlaps, chosen, chosen]

    first = g.GatherND(directions, middle, batch_dims=1)
    _, _, others = g.repeat(k - 1, [lost, first], choose)
    columns = g.concat([g.Unsqueeze(first, np.array([0])), others], axis=0)
    (rotation,) = g.repeat(_ROUNDS, [columns.transpose(1, 2, 0)], turn)
    return labels_by(rotation)


def _orthogonal(g, matrices):
    """Return the orthogonal factors of matrices (N, k, k)."""
    squares = g.ReduceSum(matrices * matrices, np.array([1, 2]))
    factors = matrices / or_one(g, g.Sqrt(squares))
    for _ in range(_PRODUCTS):
        factors = factors * 1.5 - factors @ (factors.transpose(0, 2, 1) @ factors) * 0.5
    return factors
