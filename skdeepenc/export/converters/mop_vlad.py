"""MOP-CNN as a graph: the equations of `skdeepenc.functional.mop_vlad` and `vlad`.

    w_k = exp(-|p - c_k|^2 / (2 sigma^2)),  scaled to sum 1 over the r nearest centres,
    v_k = sum_p w_pk (p - c_k),   u = sign(v) |v|^power,   level = W u / |W u|.

A descriptor's |p|^2 changes neither the order of centres nor, once the weights are scaled, these:
the softmax goes without it. With words of directions, p and c_k in w_k are of unit length.
"""

import numpy as np

from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.export.converters.normalize import l2_normalize, power_normalize
from skdeepenc.export.converters.pca import project, project_to_unit
from skdeepenc.export.converters.positions import descriptors_of, if_any
from skdeepenc.export.registry import register
from skdeepenc.functional import l2_normalize as l2_normalize_array
from skdeepenc.functional.mop_vlad import PooledLevel

# Beyond these a kernel in float32 is that of the limit.
_NARROWEST, _WIDEST = 1e-30, 1e30


@register(MOPVLADEncoder)
def write_mop_vlad(g, encoder, maps):
    """Return the vectors (N, d): levels side by side, then the whitening."""
    record = encoder.record_
    (scales,) = maps.of(encoder)
    parts = [scales] if record.union else [[scale] for scale in scales]
    levels = []
    for number, (part, level) in enumerate(zip(parts, record.levels, strict=True)):
        with g.scope(f"level {number}"):
            levels.append(_write_level(g, descriptors_of(g, part), level))
    vectors = g.concat(levels, axis=1)
    return vectors if record.whitening is None else project_to_unit(g, vectors, record.whitening)


def _write_level(g, descriptors, level):
    def pool():
        pooled = descriptors.max(1) if level.pooling == "max" else descriptors.mean(1)
        return l2_normalize(g, pooled)

    def aggregate():
        vlad = power_normalize(
            g, _vlad(g, _components_of(g, descriptors, level), level), level.power
        )
        if level.intra_normalize:
            vlad = l2_normalize(g, vlad)
        unit = l2_normalize(g, vlad.reshape(vlad.side(0), level.codebook.size))
        return unit if level.reduction is None else project_to_unit(g, unit, level.reduction)

    write = pool if isinstance(level, PooledLevel) else aggregate
    return if_any(g, descriptors, write, level.n_features)


def _components_of(g, descriptors, level):
    if level.normalize_descriptors:
        descriptors = l2_normalize(g, descriptors)
    return descriptors if level.projection is None else project(descriptors, level.projection)


def _vlad(g, components, level):
    """Return the residuals (N, K, n_components)."""
    seen, centers = components, level.codebook.astype(np.float64)
    if level.normalize_descriptors:
        seen, centers = l2_normalize(g, components), l2_normalize_array(centers)
    weights = _soft_assign(g, seen, centers, level)
    mass = weights.sum(axis=1).reshape(components.side(0), len(level.codebook), 1)
    return weights.transpose(0, 2, 1) @ components - mass * level.codebook


def _soft_assign(g, components, centers, level):
    """Return the weights (N, P, K), zero for all but the nearest centres."""
    n_neighbors = min(level.n_neighbors, len(centers))
    distances = components @ (-2 * centers.T) + (centers**2).sum(axis=1)
    nearest, indices = g.TopK(distances, np.array([n_neighbors]), largest=0, n_outputs=2)
    # The smallest is taken off before sigma divides: no kernel is then out of float32's range.
    excess = nearest - nearest.cut(0, 1, axis=2)
    sigma = float(np.clip(level.sigma, _NARROWEST, _WIDEST))
    weights = g.Softmax(excess / sigma / sigma * -0.5, axis=2)
    nowhere = g.Expand(np.zeros(1, np.float32), g.Shape(distances))
    return g.ScatterElements(nowhere, indices, weights, axis=2)
