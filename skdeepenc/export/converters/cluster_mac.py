"""Sums over regions as a graph: the equation of `skdeepenc.functional.region_sum`.

    v_r = W u_r / |W u_r|,   u_r = m_r / |m_r|,   image = sum_r v_r, scaled to unit length,

with the maxima m_r over the squares of R-MAC, or over the whole map. Clusters have no graph: the
eigenvectors that they are cut by come from a decomposition that ONNX does not have.
"""

import numpy as np

from skdeepenc.encoders import ClusterMAC
from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.normalize import l2_normalize
from skdeepenc.export.converters.pca import project_to_unit
from skdeepenc.export.converters.positions import highest, if_any
from skdeepenc.export.converters.regions import region_maxima
from skdeepenc.export.registry import register


@register(ClusterMAC)
def write_cluster_mac(g, encoder, maps):
    """Return the vectors (N, d): the regions of all scales added up."""
    if encoder.regions == "clusters":
        raise ExportError(_no_clusters(maps.approximate))
    (scales,) = maps.of(encoder)
    sums = []
    for number, scale in enumerate(scales):
        with g.scope(f"scale {number}"):
            sums.append(_sum_scale(g, encoder, scale))
    return l2_normalize(g, sum(sums[1:], start=sums[0]))


def _sum_scale(g, encoder, maps):
    """Return the sum (N, d) of the region vectors of a scale."""
    whitening = encoder.record_.whitening

    def add():
        if encoder.regions == "rmac":
            maxima = region_maxima(g, maps)
        else:
            maxima = g.Unsqueeze(highest(maps), np.array([0]))
        vectors = l2_normalize(g, maxima)
        if whitening is not None:
            vectors = project_to_unit(g, vectors, whitening)
        return vectors.sum(0)

    return if_any(g, maps, add, encoder._n_features_out)


def _no_clusters(approximate):
    also = ", and an approximate one is not available" if approximate else ""
    return (
        'ClusterMAC(regions="clusters") has no graph: normalized cut needs eigenvectors, which '
        f'ONNX does not have{also}. Use regions="rmac" or regions="mac", or encode in Python.'
    )
