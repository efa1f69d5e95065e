"""Sums over regions as a graph: the equation of `skdeepenc.functional.region_sum`.

    v_r = W u_r / |W u_r|,   u_r = m_r / |m_r|,   image = sum_r v_r, scaled to unit length,

with the maxima m_r over the squares of R-MAC, over the whole map or, approximately, over clusters:
their eigenvectors come from a decomposition that ONNX does not have, and a position between two
clusters may fall into the other one.
"""

from typing import Any

import numpy as np

from skdeepenc.encoders import ClusterMAC
from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.normalize import l2_normalize
from skdeepenc.export.converters.normalized_cut import normalized_cut
from skdeepenc.export.converters.pca import project, project_to_unit
from skdeepenc.export.converters.positions import descriptors_of, highest, if_any
from skdeepenc.export.converters.regions import region_maxima
from skdeepenc.export.registry import register

_LOWEST = -3e38


@register(ClusterMAC)
def write_cluster_mac(g, encoder, maps):
    """Return the vectors (N, d): the regions of all scales added up."""
    if encoder.regions == "clusters" and not maps.approximate:
        raise ExportError(
            'ClusterMAC(regions="clusters") has no exact graph: normalized cut needs eigenvectors, '
            'which ONNX does not have. Use regions="rmac" or regions="mac", export with '
            "approximate=True, or encode in Python."
        )
    sums = []
    for number, scale in enumerate(zip(*maps.of(encoder), strict=True)):
        with g.scope(f"scale {number}"):
            sums.append(_sum_scale(g, encoder, *scale))
    return l2_normalize(g, sum(sums[1:], start=sums[0]))


def _sum_scale(g, encoder, maps, colors=None):
    """Return the sum (N, d) of the region vectors of a scale."""
    whitening = encoder.record_.whitening

    def add():
        vectors = l2_normalize(g, _MAXIMA[encoder.regions](g, encoder, maps, colors))
        if whitening is not None:
            vectors = project_to_unit(g, vectors, whitening)
        return vectors.sum(0)

    return if_any(g, maps, add, encoder._n_features_out)


def _of_squares(g, encoder, maps, colors):
    return region_maxima(g, maps)


def _of_the_whole(g, encoder, maps, colors):
    return g.Unsqueeze(highest(maps), np.array([0]))


def _of_clusters(g, encoder, maps, colors):
    """Return the maxima (R, N, D) over the clusters of every partition."""
    x, regions = descriptors_of(g, [maps]), encoder.record_.regions
    how = regions.affinity, regions.affinity_scale
    partitions: list[Any] = []
    if regions.projection is not None:
        points, counts = project(x, regions.projection), regions.n_clusters
        weights = regions.projection.explained_variance_
        cut = normalized_cut(g, points, weights, counts, *how)
        partitions += zip(cut, counts, strict=True)
    if colors is not None:
        count, points = regions.n_color_clusters, descriptors_of(g, [colors])
        cut = normalized_cut(g, points, np.ones(3), [count], *how)
        partitions += zip(cut, [count], strict=True)
    maxima = [_cluster_maxima(g, x, labels, count) for labels, count in partitions]
    return g.concat(maxima, axis=1).transpose(1, 0, 2)


def _cluster_maxima(g, x, labels, n_clusters):
    """Return the maxima (N, K, D) of descriptors (N, P, D) by label; zeros for no descriptors."""
    start = g.Expand(
        np.array([_LOWEST], dtype=np.float32), g.sides(x.side(0), n_clusters, x.side(2))
    )
    places = g.Expand(g.Unsqueeze(labels, np.array([2])), g.Shape(x))
    maxima = g.ScatterElements(start, places, x, axis=1, reduction="max")
    return g.Where(maxima > _LOWEST, maxima, 0.0)


_MAXIMA = {"rmac": _of_squares, "mac": _of_the_whole, "clusters": _of_clusters}
